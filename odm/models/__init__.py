"""Segmentation models and detectors by name, their parts, and the folders they are kept in.

Importing this package does not import torch; the names below do, when they are first used.
"""

from typing import TYPE_CHECKING

from odm.core.lazy import lazy_names

if TYPE_CHECKING:
    from odm.models.boxes import BoxSettings as BoxSettings
    from odm.models.card import ModelCard as ModelCard
    from odm.models.card import read_model_card as read_model_card
    from odm.models.folder import LoadedModel as LoadedModel
    from odm.models.folder import load_model as load_model
    from odm.models.folder import save_model as save_model
    from odm.models.networks.base import Segmenter as Segmenter
    from odm.models.networks.detector import available_detectors as available_detectors
    from odm.models.networks.detector import create_detector as create_detector
    from odm.models.networks.segmenters import available_segmenters as available_segmenters
    from odm.models.networks.segmenters import create_segmenter as create_segmenter
    from odm.models.pipeline import load_pipeline as load_pipeline
    from odm.models.pipeline import save_pipeline as save_pipeline
    from odm.models.predictor import Predictor as Predictor
    from odm.models.shipped import shipped_model as shipped_model

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "BoxSettings": "odm.models.boxes",
        "LoadedModel": "odm.models.folder",
        "ModelCard": "odm.models.card",
        "Predictor": "odm.models.predictor",
        "Segmenter": "odm.models.networks.base",
        "available_detectors": "odm.models.networks.detector",
        "available_segmenters": "odm.models.networks.segmenters",
        "create_detector": "odm.models.networks.detector",
        "create_segmenter": "odm.models.networks.segmenters",
        "load_model": "odm.models.folder",
        "load_pipeline": "odm.models.pipeline",
        "read_model_card": "odm.models.card",
        "save_model": "odm.models.folder",
        "save_pipeline": "odm.models.pipeline",
        "shipped_model": "odm.models.shipped",
    },
)
