"""Campaigns from an archive to their outcomes: a request, its stages, and a runner.

`open_order` makes a `ReprocessRequest` ready, and `reprocess` runs it with a runner, such as
`run_local`, or `ray_jobs.reprocessing.run_on_ray` on a cluster. A kind of input brings its
`Stages`, which read and finish inputs, and its `Inference`, which names and loads a model.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
