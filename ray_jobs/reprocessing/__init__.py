"""Reprocessing on a Ray cluster: a runner of campaigns, and what they will cost.

`run_on_ray` runs the stages of `odm.reprocess` on a cluster; `calibrate` measures what an input
costs there, and `estimate` says how long an archive takes.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
