"""What the ionosphere does to a wave, and where a place lies: formulas that several rooms share."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
