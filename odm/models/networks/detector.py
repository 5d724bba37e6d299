"""YOLOX detectors by name: images in, boxes with a class and a score out.

Model, loss (SimOTA) and decoding are those of the package `yolox` (Ge et al. 2021, "YOLOX:
Exceeding YOLO Series in 2021"), and so are the names of the weights. The input is scaled as for
every model here, not 0 to 255: the first normalisation would take hundreds of steps to learn that.
Boxes are in pixels of the image, which spans 0 to W and 0 to H from edge to edge.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from odm.core.errors import InputError
from odm.core.settings import Settings
from odm.core.text import unknown_name
from odm.models.networks.base import ImageModel
from odm.models.networks.options import parse_options

CLASSES = ("Es", "F")
"""Layers of a backscatter ionogram, as the paper divides them."""
PRIOR = 0.01
"""Score of everything before training."""
LOSSES = ("box", "objectness", "class", "l1")


@dataclass(frozen=True)
class NetworkSize:
    """Factors on the depth and width of the network; whether its convolutions are depthwise."""

    depth: float
    width: float
    depthwise: bool = False


SIZES: dict[str, NetworkSize] = {
    "yolox_nano": NetworkSize(0.33, 0.25, depthwise=True),
    "yolox_tiny": NetworkSize(0.33, 0.375),
    "yolox_s": NetworkSize(0.33, 0.50),
}


class DetectorOptions(Settings):
    """Options of a detector."""

    classes: tuple[str, ...] = Field(default=CLASSES, min_length=1)
    """Names of what is found."""
    in_channels: int = Field(default=3, ge=1)
    """Channels of the input image; a grey image is repeated."""

    @field_validator("classes")
    @classmethod
    def _different(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(classes)) != len(classes) or not all(classes):
            raise ValueError("give every class a name of its own")
        return classes


class Detector(ImageModel):
    """YOLOX.

    Its `backbone` holds the paper's backbone and neck, its `head` the rest.

    Args:
        architecture: a name in `SIZES`.
        options: its options.
    """

    kind = "detector"

    def __init__(self, architecture: str, options: DetectorOptions) -> None:
        super().__init__(
            architecture,
            options.model_dump(mode="json"),
            in_channels=options.in_channels,
            classes=len(options.classes),
        )
        self.class_names = options.classes
        self.backbone, self.head = _build(SIZES[architecture], options)
        # The loss and the decoding add positions of up to hundreds of pixels: in bfloat16, which
        # has 8 bits, boxes would be off by pixels.
        for layers in (self.head.cls_preds, self.head.reg_preds, self.head.obj_preds):
            for layer in layers:
                layer.register_forward_hook(_in_float32)

    def forward(self, x: Tensor, targets: Tensor | None = None) -> Any:
        """Find boxes, or compare with those that are there.

        Args:
            x: (B, in_channels, H, W), as `to_input` makes it; H and W multiples of 32.
            targets: (B, N, 5): class, centre x and y, width and height in pixels; rows of zeros
                fill an image with fewer boxes than another.

        Returns:
            Without targets: (B, places, 5 + classes): centre x and y, width and height, the
            probability that anything is there, and of each class if so. With targets: scalars
            ``loss`` (the sum), those of `LOSSES`, and ``places``, how many have learnt a box.

        Raises:
            InputError: for a shape that does not fit.
        """
        if targets is None:
            return super().forward(x)
        self.check(x)
        features = self.backbone(x)
        before = self.head.training
        # The head's own flag, not its layers': whether it gives the loss. A validation wants it of
        # layers in evaluation mode.
        self.head.training = True
        # As if all were learning, its cached grids would keep the device of the first call.
        self.head.grids = [torch.zeros(1)] * len(self.head.strides)
        try:
            with warnings.catch_warnings():
                # It enters an autocast by a name that torch has renamed.
                warnings.filterwarnings("ignore", category=FutureWarning)
                total, *parts, share = self.head(features, targets, x)
        finally:
            self.head.training = before
        boxes = (targets.sum(dim=2) > 0).sum()
        values = {
            name: torch.as_tensor(value, device=x.device)
            for name, value in zip(LOSSES, parts, strict=True)
        }
        places = torch.as_tensor(share, device=x.device) * boxes.clamp(min=1)
        return {"loss": total, **values, "places": places}

    def logits(self, x: Tensor) -> Tensor:
        """Decoded boxes; see `forward`."""
        output: Tensor = self.head(self.backbone(x))
        return output

    def answer(self, output: Tensor) -> Tensor:
        """Scores (B, places, classes); and boxes (B, places, 4), as shares of the widest, as far as
        there is anything."""
        scores = scores_of(output)
        boxes = output[..., :4] / output[..., :4].abs().amax().clamp(min=1)
        return torch.cat([scores, boxes * scores.amax(-1, keepdim=True)], dim=-1)


def scores_of(output: Tensor) -> Tensor:
    """Return the scores (B, places, classes) of a detector's output: anything, times this class."""
    return output[..., 4:5].float() * output[..., 5:].float()


def available_detectors() -> tuple[str, ...]:
    """Return the names that `create_detector` knows."""
    return tuple(SIZES)


def create_detector(name: str, **options: Any) -> Detector:
    """Build a detector.

    Args:
        name: one of `available_detectors()`.
        options: see `DetectorOptions`.

    Raises:
        InputError: for an unknown name or option (naming the nearest), or a value that does not
            fit; or the package `yolox` is missing.
    """
    return Detector(name, resolve_options(name, **options))


def resolve_options(name: str, **options: Any) -> DetectorOptions:
    """Return the checked options of a detector; see `create_detector`."""
    if name not in SIZES:
        raise InputError(f"Detector: {unknown_name('architecture', name, SIZES)}")
    return parse_options(DetectorOptions, name, options)


def _build(size: NetworkSize, options: DetectorOptions) -> tuple[nn.Module, Any]:
    parts = _parts()
    settings = {"width": size.width, "depthwise": size.depthwise}
    backbone = parts.YOLOPAFPN(size.depth, **settings)
    head = parts.YOLOXHead(len(options.classes), **settings)
    if options.in_channels != 3:
        stem = backbone.backbone.stem.conv.conv
        focus = _parts("network_blocks").Focus(options.in_channels, stem.out_channels, ksize=3)
        backbone.backbone.stem = focus
    for module in (*backbone.modules(), *head.modules()):
        if isinstance(module, nn.BatchNorm2d):  # as the package trains them
            module.eps, module.momentum = 1e-3, 0.03
    head.initialize_biases(PRIOR)
    return backbone, head


def _parts(name: str = "") -> Any:
    from importlib import import_module

    with warnings.catch_warnings():
        # About what it imports and is not used here.
        warnings.simplefilter("ignore")
        try:
            return import_module(f"yolox.models.{name}" if name else "yolox.models")
        except ImportError as error:
            raise InputError(
                f"detectors need the package yolox ({error}): pip install --no-deps "
                "--no-build-isolation yolox==0.3.0, after torch"
            ) from None


def _in_float32(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
    return output.float()
