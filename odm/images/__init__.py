"""Datasets to model images and back to physical units; pictures for people; augmentation."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
