"""Equal ways to compute a convolution whose kernel differs from sample to sample.

All take the input `x` (B, C_in, H, W) and give (B, C_out, H', W'). They agree to rounding; which
one is fastest, or can be exported, depends on the layer:

========= ============================== =======================================================
path      layers                         what it does
========= ============================== =======================================================
`group`   any                            folds the batch into the groups of one convolution
`bmm`     1x1                            one batched matrix product
`experts` 1x1                            n static convolutions, summed with the kernel weights
`shift`   any                            one multiply-add (or matrix product) per kernel tap
========= ============================== =======================================================

`group` needs the batch size as a constant, so it cannot be exported with a dynamic batch; `bmm`
and `shift` can.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

PATHS = ("group", "bmm", "experts", "shift")


class Geometry(NamedTuple):
    """The fixed shape of a convolution: pairs are (vertical, horizontal)."""

    in_channels: int
    out_channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    @property
    def is_pointwise(self) -> bool:
        """Whether it is a 1x1 convolution without padding."""
        return self.kernel == (1, 1) and self.padding == (0, 0)

    @property
    def is_depthwise(self) -> bool:
        """Whether every channel is filtered alone."""
        return self.groups == self.in_channels == self.out_channels

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """Shape of one kernel: (C_out, C_in / groups, k_h, k_w)."""
        return (self.out_channels, self.in_channels // self.groups, *self.kernel)


class Attentions(NamedTuple):
    """The four attentions of one batch; None where the layer skips one."""

    channel: Tensor
    """(B, C_in), in (0, 1)."""
    filter: Tensor | None
    """(B, C_out), in (0, 1)."""
    spatial: Tensor | None
    """(B, k_h * k_w), in (0, 1)."""
    kernel: Tensor | None
    """(B, n), sums to 1."""


Pair = int | tuple[int, ...]
"""One number for both directions, or (vertical, horizontal)."""


def make_geometry(
    in_channels: int,
    out_channels: int,
    kernel_size: Pair,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Geometry:
    """Return the geometry of a convolution, its arguments as those of `torch.nn.Conv2d`."""

    def pair(value: Pair) -> tuple[int, int]:
        return (value, value) if isinstance(value, int) else (value[0], value[1])

    kernel, step, pad, spread = map(pair, (kernel_size, stride, padding, dilation))
    return Geometry(in_channels, out_channels, kernel, step, pad, spread, groups)


def supported_paths(geometry: Geometry) -> tuple[str, ...]:
    """Return the paths that can compute a layer of this geometry."""
    return PATHS if geometry.is_pointwise else ("group", "shift")


def mix_kernels(bank: Tensor, attentions: Attentions, geometry: Geometry) -> Tensor:
    """Build the kernel of every sample, all attentions folded in.

    Scaling the kernel by the channel and filter attentions equals scaling the input and the
    output, and keeps no second copy of the (much larger) activations for the backward pass.

    Args:
        bank: (n, C_out * C_in / groups * k_h * k_w), the n kernels.
        attentions: of B samples.
        geometry: the layer's shape.

    Returns:
        (B, C_out, C_in / groups, k_h, k_w).
    """
    out_channels, in_per_group, height, width = geometry.weight_shape
    mixed = bank if attentions.kernel is None else attentions.kernel.to(bank.dtype) @ bank
    weight = mixed.view(-1, out_channels, in_per_group, height, width)
    if geometry.groups == 1:
        weight = weight * attentions.channel[:, None, :, None, None]
    else:
        # Output channel o reads the input channels of group o // (C_out / groups).
        scale = attentions.channel.view(-1, geometry.groups, 1, in_per_group)
        scale = scale.expand(-1, -1, out_channels // geometry.groups, -1)
        weight = weight * scale.reshape(-1, out_channels, in_per_group, 1, 1)
    if attentions.filter is not None:
        weight = weight * attentions.filter[:, :, None, None, None]
    if attentions.spatial is not None:
        weight = weight * attentions.spatial.view(-1, 1, 1, height, width)
    return weight


def run_group(x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    """One convolution of B * groups groups; `weight` is (B, C_out, C_in / groups, k_h, k_w)."""
    batch, _, height, width = x.shape
    folded = x.reshape(1, batch * geometry.in_channels, height, width)
    y = F.conv2d(
        folded,
        weight.reshape(batch * geometry.out_channels, *geometry.weight_shape[1:]),
        stride=geometry.stride,
        padding=geometry.padding,
        dilation=geometry.dilation,
        groups=batch * geometry.groups,
    )
    return y.view(batch, geometry.out_channels, y.shape[2], y.shape[3])


def run_bmm(x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    """A 1x1 convolution as a batched matrix product; `weight` is (B, C_out, C_in / groups, 1, 1).

    The output keeps the memory layout of the input: for channels_last the product is written
    transposed, so that no layer after it has to copy.
    """
    x = _every(x, geometry.stride)
    height, width = x.shape[2:]
    # A dynamic batch cannot be asked about its layout while it is exported.
    if (
        geometry.groups == 1
        and not torch.compiler.is_exporting()
        and not x.is_contiguous()
        and x.is_contiguous(memory_format=torch.channels_last)
    ):
        rows = x.flatten(2).transpose(1, 2)
        y = rows @ weight.flatten(2).transpose(1, 2)
        return y.transpose(1, 2).unflatten(2, (height, width))
    return _tap_product(x, weight[..., 0, 0], geometry)


def run_experts(x: Tensor, bank: Tensor, attentions: Attentions, geometry: Geometry) -> Tensor:
    """A 1x1 convolution as n static ones, weighted and summed; `bank` as in `mix_kernels`."""
    x = x * attentions.channel[:, :, None, None]
    outputs = [
        F.conv2d(x, row.view(geometry.weight_shape), stride=geometry.stride, groups=geometry.groups)
        for row in bank
    ]
    if attentions.kernel is None:
        y = outputs[0]
    else:
        shares = attentions.kernel.to(outputs[0].dtype)
        y = sum(
            (out * shares[:, i, None, None, None] for i, out in enumerate(outputs[1:], start=1)),
            outputs[0] * shares[:, 0, None, None, None],
        )
    return y if attentions.filter is None else y * attentions.filter[:, :, None, None]


def run_shift(x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor:
    """The sum over kernel taps of the shifted input times that tap's weights.

    `weight` is (B, C_out, C_in / groups, k_h, k_w).
    """
    (pad_y, pad_x), (step_y, step_x) = geometry.padding, geometry.stride
    padded = F.pad(x, (pad_x, pad_x, pad_y, pad_y)) if pad_y or pad_x else x
    span_y = geometry.dilation[0] * (geometry.kernel[0] - 1)
    span_x = geometry.dilation[1] * (geometry.kernel[1] - 1)
    height = (padded.shape[2] - span_y - 1) // step_y + 1
    width = (padded.shape[3] - span_x - 1) // step_x + 1
    taps = _split_taps(weight.to(x.dtype), geometry)
    total: Tensor | None = None
    # Few operations per tap: an exported graph holds every one of them, and exporters are slow.
    for row in range(geometry.kernel[0]):
        top = row * geometry.dilation[0]
        rows = padded[:, :, top : top + (height - 1) * step_y + 1 : step_y]
        for column in range(geometry.kernel[1]):
            left = column * geometry.dilation[1]
            part = rows[..., left : left + (width - 1) * step_x + 1 : step_x]
            kernel = taps[row * geometry.kernel[1] + column]
            term = part * kernel if geometry.is_depthwise else _tap_product(part, kernel, geometry)
            total = term if total is None else total + term
    assert total is not None
    return total


def _split_taps(weight: Tensor, geometry: Geometry) -> tuple[Tensor, ...]:
    """The weights tap by tap: (B, C, 1, 1) for depthwise layers, else (B, C_out, C_in / groups)."""
    flat = weight.flatten(3)
    if geometry.is_depthwise:
        return flat.split(1, dim=3)
    return flat.unbind(3)


def _every(x: Tensor, stride: tuple[int, int]) -> Tensor:
    return x if stride == (1, 1) else x[:, :, :: stride[0], :: stride[1]]


def _tap_product(x: Tensor, kernel: Tensor, geometry: Geometry) -> Tensor:
    """Mix channels: x (B, C_in, H, W), kernel (B, C_out, C_in / groups) -> (B, C_out, H, W)."""
    height, width = x.shape[2:]
    if geometry.groups == 1:
        return (kernel @ x.flatten(2)).unflatten(2, (height, width))
    grouped = x.unflatten(1, (geometry.groups, -1)).flatten(3)
    y = kernel.unflatten(1, (geometry.groups, -1)) @ grouped
    return y.flatten(1, 2).unflatten(2, (height, width))
