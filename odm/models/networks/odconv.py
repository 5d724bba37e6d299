"""Omni-dimensional dynamic convolution (ODConv): Li, Zhou and Yao, ICLR 2022.

A convolution whose kernel is a mixture of n kernels, scaled along its four dimensions (place in
the kernel, input channel, output channel, kernel number) by attentions computed from the input:

    y = a_filter * conv(a_channel * x, sum_i a_kernel[i] * a_spatial * W_i)
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from odm.core.errors import InputError
from odm.models.networks import odconv_paths as paths

EXECUTIONS = ("auto", "fixed", "export", *paths.PATHS)
NORMS = ("batch", "layer")
MINIMUM_HIDDEN = 16

# Warm-up of the softmax temperature (section 4 of the paper).
TEMPERATURE_START = 30.0
TEMPERATURE_EPOCHS = 10


class OmniAttention(nn.Module):
    """The four attentions of an ODConv layer.

    Skipped are the spatial attention of a 1x1 kernel, the filter attention of a depthwise layer
    and the kernel attention of a single kernel: each would be a second name for another one.
    """

    temperature: Tensor

    def __init__(
        self, geometry: paths.Geometry, n: int, reduction: int = 16, norm: str = "batch"
    ) -> None:
        super().__init__()
        hidden = max(geometry.in_channels // reduction, MINIMUM_HIDDEN)
        taps = geometry.kernel[0] * geometry.kernel[1]
        self.squeeze = nn.Linear(geometry.in_channels, hidden, bias=False)
        self.norm: nn.Module = nn.BatchNorm1d(hidden) if norm == "batch" else nn.LayerNorm(hidden)
        self.channel = nn.Linear(hidden, geometry.in_channels)
        self.filter = None if geometry.is_depthwise else nn.Linear(hidden, geometry.out_channels)
        self.spatial = None if taps == 1 else nn.Linear(hidden, taps)
        self.kernel = None if n == 1 else nn.Linear(hidden, n)
        # A tensor, so that a compiled graph does not depend on its value; in the state dict, so
        # that a model stopped during the warm-up answers the same when it is loaded.
        self.register_buffer("temperature", torch.tensor(1.0))
        for layer in (self.squeeze, *self.heads()):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def heads(self) -> Iterator[nn.Linear]:
        """Yield the layers that give the attentions' logits."""
        for head in (self.channel, self.filter, self.spatial, self.kernel):
            if head is not None:
                yield head

    @property
    def gates(self) -> int:
        """Number of sigmoid attentions: near 0.5 each before training."""
        return sum(1 for head in (self.channel, self.filter, self.spatial) if head is not None)

    def forward(self, x: Tensor) -> paths.Attentions:
        """Compute the attentions of `x` (B, C_in, H, W)."""
        if self.training and isinstance(self.norm, nn.BatchNorm1d) and x.shape[0] == 1:
            raise InputError(
                "ODConv with batch normalisation cannot train on a batch of 1: "
                "use larger batches (drop_last=True) or odconv_norm='layer'."
            )
        z = F.relu(self.norm(self.squeeze(x.mean((2, 3)))))

        def gate(head: nn.Linear) -> Tensor:
            return torch.sigmoid(head(z) / self.temperature)

        return paths.Attentions(
            channel=gate(self.channel),
            filter=None if self.filter is None else gate(self.filter),
            spatial=None if self.spatial is None else gate(self.spatial),
            kernel=None
            if self.kernel is None
            else torch.softmax(self.kernel(z) / self.temperature, dim=1),
        )


class ODConv2d(nn.Module):
    """Omni-dimensional dynamic convolution without bias, in place of a `torch.nn.Conv2d`.

    Args:
        geometry: channels, kernel, stride, padding (pixels), dilation and groups.
        n: number of kernels in the bank.
        reduction: the attentions' hidden width is C_in // reduction, at least 16.
        norm: "batch", or "layer", which works with a batch of 1.
        execution: how it is computed, see `set_execution`.

    Raises:
        InputError: for an argument out of range.
    """

    def __init__(
        self,
        geometry: paths.Geometry,
        *,
        n: int = 4,
        reduction: int = 16,
        norm: str = "batch",
        execution: str = "auto",
    ) -> None:
        super().__init__()
        if n < 1 or reduction < 1:
            raise InputError(f"ODConv needs n >= 1 and reduction >= 1, not {n} and {reduction}.")
        if norm not in NORMS:
            raise InputError(f"ODConv norm must be one of {', '.join(NORMS)}, not {norm!r}.")
        groups, channels = geometry.groups, (geometry.in_channels, geometry.out_channels)
        if groups < 1 or any(number % groups for number in channels):
            raise InputError(
                f"ODConv: {channels[0]} and {channels[1]} channels do not divide into {groups} "
                "groups."
            )
        self.geometry = geometry
        self.n = n
        self.attention = OmniAttention(geometry, n, reduction, norm)
        # Two-dimensional: a 5-D weight makes `.to(memory_format=torch.channels_last)` raise.
        self.bank = nn.Parameter(torch.empty(n, math.prod(geometry.weight_shape)))
        for row in self.bank.detach():
            nn.init.kaiming_normal_(
                row.view(geometry.weight_shape), mode="fan_out", nonlinearity="relu"
            )
        self.execution = "auto"
        self.set_execution(execution)

    @classmethod
    def like(
        cls, conv: nn.Conv2d, *, n: int = 4, reduction: int = 16, norm: str = "batch"
    ) -> "ODConv2d":
        """Return a new layer of a static convolution's shape, with weights of its own.

        Args:
            conv: the convolution, without bias and with zero padding given in pixels.
            n, reduction, norm: as for the class.

        Raises:
            InputError: for a convolution that ODConv cannot stand in for.
        """
        if conv.bias is not None:
            raise InputError("ODConv has no bias and cannot replace a convolution with one.")
        if isinstance(conv.padding, str) or conv.padding_mode != "zeros":
            raise InputError("ODConv takes zero padding in pixels only.")
        geometry = paths.make_geometry(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,
            conv.stride,
            conv.padding,
            conv.dilation,
            conv.groups,
        )
        return cls(geometry, n=n, reduction=reduction, norm=norm)

    @classmethod
    def from_static(
        cls,
        conv: nn.Conv2d,
        *,
        n: int = 4,
        reduction: int = 16,
        norm: str = "batch",
        noise: float = 0.0,
    ) -> "ODConv2d":
        """Start from a static convolution's weights, giving the same output.

        The attentions' heads start at zero, so every sigmoid is 0.5 and every kernel's share
        1 / n; the kernels are scaled up by what that takes away.

        Args:
            conv: the convolution, without bias and with zero padding given in pixels.
            n, reduction, norm: as for the class.
            noise: relative standard deviation of a perturbation that lets the kernels part
                (0.01 is a good value for training; 0 gives exact equality).

        Raises:
            InputError: for a convolution that ODConv cannot stand in for.
        """
        module = cls.like(conv, n=n, reduction=reduction, norm=norm)
        with torch.no_grad():
            for head in module.attention.heads():
                head.weight.zero_()
            kernel = conv.weight.reshape(1, -1) * 2.0**module.attention.gates
            module.bank.copy_(kernel.expand(n, -1))
            if noise:
                module.bank.mul_(1 + noise * torch.randn_like(module.bank))
        return module.to(device=conv.weight.device, dtype=conv.weight.dtype).train(conv.training)

    def set_execution(self, execution: str) -> None:
        """Choose how this layer is computed: see the function `set_execution`."""
        if execution not in EXECUTIONS:
            raise InputError(
                f"ODConv execution must be one of {', '.join(EXECUTIONS)}, not {execution!r}."
            )
        usable = paths.supported_paths(self.geometry)
        if execution in paths.PATHS and execution not in usable:
            raise InputError(
                f"ODConv path {execution!r} cannot compute a {self.geometry.kernel} kernel; "
                f"use {' or '.join(usable)}."
            )
        self.execution = execution

    @property
    def path(self) -> str:
        """The path that the next forward pass takes."""
        if self.execution in paths.PATHS:
            return self.execution
        if self.geometry.is_pointwise:
            return "bmm"
        exporting = self.execution == "export" or (
            self.execution == "auto" and torch.compiler.is_exporting()
        )
        return "shift" if exporting else "group"

    def forward(self, x: Tensor) -> Tensor:
        """Map `x` (B, C_in, H, W) to (B, C_out, H', W').

        Raises:
            InputError: when a batch of 1 meets batch normalisation in training.
        """
        attentions = self.attention(x)
        path = self.path
        if path == "experts":
            return paths.run_experts(x, self.bank, attentions, self.geometry)
        weight = paths.mix_kernels(self.bank, attentions, self.geometry)
        run = {"bmm": paths.run_bmm, "shift": paths.run_shift, "group": paths.run_group}
        return run[path](x, weight, self.geometry)

    def extra_repr(self) -> str:
        """The layer's shape, for `print(model)`."""
        g = self.geometry
        return (
            f"{g.in_channels}, {g.out_channels}, kernel={g.kernel}, stride={g.stride}, "
            f"groups={g.groups}, n={self.n}, execution={self.execution}"
        )


def odconv_layers(model: nn.Module) -> Iterator[ODConv2d]:
    """Yield all ODConv layers of a model."""
    for module in model.modules():
        if isinstance(module, ODConv2d):
            yield module


def set_execution(model: nn.Module, execution: str) -> None:
    """Choose how every ODConv layer of a model is computed; all ways agree to rounding.

    Args:
        model: any module.
        execution: "fixed" takes the best path of each layer where the batch size is known, in
            training and inference alike; "export" the one that can be exported for any batch;
            "auto" finds out which it is at every call. A path ("group", "bmm", "experts",
            "shift") is taken by the layers that can; the others keep what they have.

    Raises:
        InputError: for an unknown name.
    """
    for layer in odconv_layers(model):
        usable = paths.supported_paths(layer.geometry)
        if execution not in paths.PATHS or execution in usable:
            layer.set_execution(execution)


@contextmanager
def executed(model: nn.Module, execution: str) -> Iterator[None]:
    """Have every ODConv layer of a model computed as `set_execution` says, and then as before."""
    before = [(layer, layer.execution) for layer in odconv_layers(model)]
    try:
        set_execution(model, execution)
        yield
    finally:
        for layer, earlier in before:
            layer.set_execution(earlier)


def set_temperature(model: nn.Module, temperature: float) -> None:
    """Set the softmax and sigmoid temperature of every ODConv layer of a model.

    Raises:
        InputError: for a temperature that is not above zero.
    """
    if not temperature > 0:
        raise InputError(f"The ODConv temperature must be above 0, not {temperature}.")
    for layer in odconv_layers(model):
        layer.attention.temperature.fill_(temperature)


def temperature_at(
    step: int,
    steps_per_epoch: int,
    *,
    start: float = TEMPERATURE_START,
    epochs: int = TEMPERATURE_EPOCHS,
) -> float:
    """Return the temperature of an optimiser step: linear from `start` to 1 over `epochs`, then 1.

    Args:
        step: optimiser steps done so far.
        steps_per_epoch: optimiser steps in an epoch.
        start: temperature of step 0.
        epochs: length of the warm-up.
    """
    total = max(1, epochs * steps_per_epoch)
    return 1.0 + (start - 1.0) * max(0.0, 1.0 - step / total)
