"""Data sets: samples with labels, and which of them are for training, validation and test."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
