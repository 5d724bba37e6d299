"""Semantics and detail infusion (SDI): the skip connections of U-Net v2 (Peng et al., 2024).

Written from the papers' description: every feature map is filtered by channel and spatial
attention and reduced to c channels; then, for every target level, all of them are brought to that
level's size, smoothed, and multiplied element by element.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from odm.core.errors import InputError

CHANNEL_REDUCTION = 16
MINIMUM_HIDDEN = 4
PRODUCT_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class ChannelAttention(nn.Module):
    """Weigh channels by their mean and maximum, through one shared perceptron."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // CHANNEL_REDUCTION, MINIMUM_HIDDEN)
        self.shared = nn.Sequential(
            nn.Linear(channels, hidden, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, channels, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Scale the channels of `x` (B, C, H, W); same shape."""
        logits = self.shared(x.mean((2, 3))) + self.shared(x.amax((2, 3)))
        return x * torch.sigmoid(logits)[:, :, None, None]


class SpatialAttention(nn.Module):
    """Weigh places by the mean and maximum over channels, through one 7x7 convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Scale the pixels of `x` (B, C, H, W); same shape."""
        summary = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], dim=1)
        return x * torch.sigmoid(self.conv(summary))


class LevelReduction(nn.Sequential):
    """Both attentions, then a 1x1 convolution to c channels with batch normalisation."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__(
            ChannelAttention(in_channels),
            SpatialAttention(),
            nn.Conv2d(in_channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )


class LevelFusion(nn.Module):
    """All reduced levels, smoothed and multiplied at the size of one of them.

    Args:
        sources: number of levels that are multiplied.
        channels: c.
        product: dtype of the product. Five factors below 1 leave float16's normal range.
        norm: normalise the product, which at the start of training is of the order 1e-2 to 1e-4.
        around_one: let the factors start around 1 instead of 0, so that their product starts as
            nearly the sum of what they say. A product of five numbers around 0 is almost always
            nearly 0 and now and then large, which training has to get out of first.
    """

    def __init__(
        self, sources: int, channels: int, product: str, norm: bool, around_one: bool = False
    ) -> None:
        super().__init__()
        self.product_dtype = PRODUCT_DTYPES[product]
        smooth = [nn.Conv2d(channels, channels, 3, padding=1) for _ in range(sources)]
        self.smooth = nn.ModuleList(smooth)
        if around_one:
            for conv in smooth:
                assert conv.bias is not None
                nn.init.ones_(conv.bias)
        # The usual epsilon, 1e-5, exceeds the variance of the product at the start of training.
        self.norm = nn.BatchNorm2d(channels, eps=1e-12) if norm else nn.Identity()

    def forward(self, features: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Multiply `features`, each (B, c, H_i, W_i), to (B, c, *size)."""
        product: Tensor | None = None
        for conv, feature in zip(self.smooth, features, strict=True):
            factor = conv(resize(feature, size)).to(self.product_dtype)
            product = factor if product is None else product * factor
        assert product is not None
        # Without autocast the layers after this one have the features' dtype, not the product's.
        if not torch.is_autocast_enabled(product.device.type):
            product = product.to(features[0].dtype)
        return self.norm(product)


class SDI(nn.Module):
    """Semantics and detail infusion between encoder and decoder.

    Args:
        in_channels: channels of every level, finest first.
        channels: c, the channels of every output.
        product: "float32" or "bfloat16", the dtype in which levels are multiplied.
        norm: batch normalisation after the product.
        around_one: factors start around 1; see `LevelFusion`.

    Raises:
        InputError: for no levels, no channels or an unknown dtype.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: int = 32,
        *,
        product: str = "float32",
        norm: bool = False,
        around_one: bool = False,
    ) -> None:
        super().__init__()
        if not in_channels or channels < 1 or min(in_channels) < 1:
            raise InputError("SDI needs at least one level, and at least one channel in each.")
        if product not in PRODUCT_DTYPES:
            raise InputError(f"SDI multiplies in float32 or bfloat16, not in {product!r}.")
        self.reduce = nn.ModuleList(LevelReduction(width, channels) for width in in_channels)
        self.fuse = nn.ModuleList(
            LevelFusion(len(in_channels), channels, product, norm, around_one) for _ in in_channels
        )

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Infuse every level with all others.

        Args:
            features: (B, C_i, H_i, W_i) of every level, finest first.

        Returns:
            (B, c, H_i, W_i) of every level, in the same order.
        """
        reduced = [layer(feature) for layer, feature in zip(self.reduce, features, strict=True)]
        sizes = [(feature.shape[2], feature.shape[3]) for feature in features]
        return [fuse(reduced, size) for fuse, size in zip(self.fuse, sizes, strict=True)]


def resize(feature: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring a feature map to another level's size.

    Finer maps are averaged, coarser ones interpolated (bilinear, corners aligned).

    Args:
        feature: (B, C, H, W).
        size: (height, width) of the result.

    Returns:
        (B, C, height, width).
    """
    height, width = feature.shape[2], feature.shape[3]
    if (height, width) == size:
        return feature
    if height >= size[0] and width >= size[1]:
        if height % size[0] == 0 and width % size[1] == 0:
            return F.avg_pool2d(feature, (height // size[0], width // size[1]))
        return F.adaptive_avg_pool2d(feature, size)
    return F.interpolate(feature, size=size, mode="bilinear", align_corners=True)
