"""Campaigns: their outcomes, what is still to do, and the catalog of what was found.

`orbit` and `ionogram` hold what belongs to one kind of input; `odm.catalog.kinds` finds it by name.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
