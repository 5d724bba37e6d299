"""Typed options of models: validated, with one sentence for what does not fit."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, Field

from odm.core.settings import Settings, parse_config


class ModelOptions(Settings):
    """Options of every segmentation model; the resolved values are stored with the model."""

    in_channels: int = Field(default=3, ge=1)
    """Channels of the input image; a grey image is repeated."""
    classes: int = Field(default=2, ge=2)
    """Classes of a pixel; 0 is the background."""


class EncoderOptions(ModelOptions):
    """Options of every model with an encoder of `segmentation_models_pytorch`."""

    encoder: str
    """Encoder by its name in segmentation_models_pytorch; `tu-NAME` for one of timm."""
    pretrained: str = Field(default="none", exclude=True)
    """"none", "hub" or the path of a weights file; no part of the stored architecture."""


Options = TypeVar("Options", bound=BaseModel)


def parse_options(kind: type[Options], model: str, given: Mapping[str, Any]) -> Options:
    """Validate a model's options.

    Args:
        kind: the options' class.
        model: the model's name, for the message.
        given: options by name.

    Raises:
        InputError: naming the option, what is wrong with it, and for an unknown one the nearest.
    """
    return parse_config(dict(given), kind, model, what="option")
