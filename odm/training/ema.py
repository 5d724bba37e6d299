"""A moving average of a model's weights, which often generalises better than the last ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class MovingAverage:
    """Exponential moving average of parameters, and of the running statistics that go with them.

    Statistics are averages already, but of activations of the last weights, not of the averaged
    ones: left alone they make the validation of small batches jump. Other buffers, such as a
    temperature, are the model's own.

    Args:
        model: the model whose weights are averaged; the average begins as they are.
        decay: share of the average that is kept at each step. While there are few steps it is
            less, (1 + n) / (10 + n), so that the random beginning is soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        parameters = {name: value.detach() for name, value in model.named_parameters()}
        statistics = {
            name: value
            for name, value in model.named_buffers()
            if name.rpartition(".")[2] in ("running_mean", "running_var")
        }
        self.names = [*parameters, *statistics]
        self.live: list[Tensor] = [*parameters.values(), *statistics.values()]
        self.average = [value.clone() for value in self.live]
        self.statistics = self.average[len(parameters) :]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take the weights in that ``step`` steps, this one included, have led to."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.average, self.live, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The model with the averages in place of its weights."""
        kept = [value.clone() for value in self.live]
        torch._foreach_copy_(self.live, self.average)
        try:
            yield
        finally:
            torch._foreach_copy_(self.live, kept)

    def state(self) -> dict[str, Tensor]:
        """The averages by name."""
        return dict(zip(self.names, self.average, strict=True))

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state`."""
        for name, average in zip(self.names, self.average, strict=True):
            average.copy_(state[name])
