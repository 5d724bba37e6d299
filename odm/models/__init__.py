"""Segmentation models and detectors by name, their parts, and the folders they are kept in.

Importing this package does not import torch; the names below do, when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
