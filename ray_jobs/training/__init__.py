"""Training on Ray: `train_on_ray` runs a plan on workers of Ray Train."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
