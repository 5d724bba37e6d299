"""A small U-Net of dense 3 x 3 convolutions, made for training on CPUs.

Depthwise convolutions, kernels that depend on the image and attentions save multiplications and
cost time: on a CPU with matrix instructions for bfloat16 (AMX) dense convolutions are near the
speed of the machine, and in the same second of training this network sees several times as many
images as `odm_unet_small`.

A U-Net (Ronneberger et al., 2015) with batch normalisation whose largest maps have half the image's
size: a stem of stride 2 comes first, and the last convolution gives the classes of four pixels at
once, put in their places (Shi et al., 2016). Its sizes are assumed here, without a source.
"""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from odm.models.networks.base import SegmentationModel
from odm.models.networks.options import ModelOptions

STEM_STRIDE = 2


class UnetDenseOptions(ModelOptions):
    """Options of `unet_dense`."""

    in_channels: int = Field(default=2, ge=1)
    """Channels of the input image; a grey image is repeated."""
    widths: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=2)] = (
        16,
        32,
        64,
        96,
        128,
    )
    """Channels of each level, that of half the image's size first; multiples of 16 are fastest."""


class UnetDense(SegmentationModel):
    """Stem, levels of two convolutions down and up again, head.

    Args:
        options: see `UnetDenseOptions`.
        architecture: name that `create_segmenter` knows.
    """

    def __init__(self, options: UnetDenseOptions, architecture: str = "unet_dense") -> None:
        widths = options.widths
        smallest = STEM_STRIDE ** len(widths)
        super().__init__(
            architecture,
            options.model_dump(mode="json"),
            in_channels=options.in_channels,
            classes=options.classes,
            multiple=smallest,
            minimum=smallest,
        )
        self.stem = _convolution(options.in_channels, widths[0], size=5, stride=STEM_STRIDE)
        before = (widths[0], *widths)
        self.down = nn.ModuleList(
            _level(left, width) for left, width in zip(before, widths, strict=False)
        )
        self.up = nn.ModuleList(
            _level(below + width, width)
            for below, width in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(widths[0], options.classes * STEM_STRIDE**2, 1)

    def logits(self, x: Tensor) -> Tensor:
        """Map `x` (B, in_channels, H, W), sides multiples of `multiple`, to (B, classes, H, W)."""
        x = self.down[0](self.stem(x))
        skips: list[Tensor] = []
        for level in list(self.down)[1:]:
            skips.append(x)
            x = level(F.max_pool2d(x, 2))
        for level in self.up:
            larger = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = level(torch.cat([larger, skips.pop()], dim=1))
        return F.pixel_shuffle(self.head(x), STEM_STRIDE)


def _level(before: int, width: int) -> nn.Sequential:
    return nn.Sequential(_convolution(before, width), _convolution(width, width))


def _convolution(before: int, width: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(before, width, size, stride, size // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True))
