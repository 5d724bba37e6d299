"""Segmentation models and detectors by name, their parts, and the folders they are kept in.

Importing this package does not import torch; the names below do, when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from odm.models.folder import load_model as load_model
    from odm.models.folder import read_model_card as read_model_card
    from odm.models.folder import save_model as save_model
    from odm.models.networks.base import Segmenter as Segmenter
    from odm.models.networks.detector import create_detector as create_detector
    from odm.models.networks.segmenters import available_segmenters as available_segmenters
    from odm.models.networks.segmenters import create_segmenter as create_segmenter

_HOMES = {
    "Segmenter": "base",
    "available_segmenters": "segmenters",
    "create_detector": "detector",
    "create_segmenter": "segmenters",
    "load_model": "folder",
    "read_model_card": "folder",
    "save_model": "folder",
}
__all__ = [
    "Segmenter",
    "available_segmenters",
    "create_detector",
    "create_segmenter",
    "load_model",
    "read_model_card",
    "save_model",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
