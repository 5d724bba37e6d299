"""Typed options of models: validated, with one sentence for what does not fit."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from odm.core.errors import InputError
from odm.core.text import unknown_name


class ModelOptions(BaseModel):
    """What every segmentation model can be asked for.

    An unknown option is an error; the resolved values are stored with the model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    in_channels: int = Field(default=3, ge=1)
    """Channels of the input image; a grey image is repeated."""
    classes: int = Field(default=2, ge=2)
    """Classes of a pixel; 0 is the background."""


class EncoderOptions(ModelOptions):
    """What every model with an encoder of `segmentation_models_pytorch` can be asked for."""

    encoder: str
    """Encoder by its name in segmentation_models_pytorch; `tu-NAME` for one of timm."""
    pretrained: str = Field(default="none", exclude=True)
    """"none", "hub" or the path of a weights file. No part of the architecture, so not stored."""


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
    try:
        return kind(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        if first["type"] == "extra_forbidden":
            reason = unknown_name("option", name, kind.model_fields)
        else:
            reason = f"option {name} = {first['input']!r}: {_sentence(first['msg'])}."
        raise InputError(f"{model}: {reason}") from None


def _sentence(message: str) -> str:
    message = message.removeprefix("Value error, ").rstrip(".")
    # "SDI strides" keeps its capital.
    return message if message[1:2].isupper() else message[:1].lower() + message[1:]
