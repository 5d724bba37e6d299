"""Datasets to model images and back to physical units; pictures for people; augmentation."""

from typing import TYPE_CHECKING

from odm.core.lazy import lazy_names

if TYPE_CHECKING:
    from odm.images.augmentation import make_policy as make_policy
    from odm.images.box_augmentation import BoxPolicy as BoxPolicy
    from odm.images.geometry import OrbitImageSettings as OrbitImageSettings
    from odm.images.geometry import SpectrogramGeometry as SpectrogramGeometry
    from odm.images.ionogram import IonogramImageSettings as IonogramImageSettings
    from odm.images.ionogram import ionogram_image as ionogram_image
    from odm.images.layer_truth import read_layers as read_layers
    from odm.images.pictures.ionogram import draw_ionogram as draw_ionogram
    from odm.images.pictures.orbit import draw_orbit as draw_orbit
    from odm.images.spectrogram import estimate_limits as estimate_limits
    from odm.images.spectrogram import read_spectrogram as read_spectrogram
    from odm.images.spectrogram import spectrogram_image as spectrogram_image

_HOMES = {
    "BoxPolicy": "box_augmentation",
    "IonogramImageSettings": "ionogram",
    "OrbitImageSettings": "geometry",
    "SpectrogramGeometry": "geometry",
    "draw_ionogram": "pictures.ionogram",
    "draw_orbit": "pictures.orbit",
    "estimate_limits": "spectrogram",
    "ionogram_image": "ionogram",
    "make_policy": "augmentation",
    "read_layers": "layer_truth",
    "read_spectrogram": "spectrogram",
    "spectrogram_image": "spectrogram",
}
__getattr__, __dir__, __all__ = lazy_names(
    __name__, {name: f"{__name__}.{module}" for name, module in _HOMES.items()}
)
