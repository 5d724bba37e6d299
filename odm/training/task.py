"""What the loop needs of a task: masks are one, boxes another."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from odm.training.ranks import Ranks

Kind = TypeVar("Kind")


class Batch(Protocol):
    """Samples that are computed together."""

    def to(self: Kind, device: torch.device) -> Kind:
        """The batch on a device."""
        ...


class Meter(Protocol):
    """Adds up one validation."""

    def update(self, net: nn.Module, batch: Any) -> None:
        """Add one batch. ``net`` is the model, in evaluation mode."""
        ...

    def compute(self, ranks: Ranks) -> dict[str, float]:
        """Metrics of what all ranks have added; the same on every rank."""
        ...


class Task(Protocol):
    """A model with its loss and its validation."""

    score: str
    """The metric of the validation that says which epoch is best: the highest."""

    @property
    def model(self) -> nn.Module:
        """What is trained."""
        ...

    def begin_epoch(self, epoch: int) -> None:
        """Take note of the epoch, counted from 0, that begins or is gone on with."""
        ...

    def prepare(self, sample: Any, seed: int | None) -> Any:
        """A raw sample made ready, varied by a seed; None leaves it as it is. Runs in threads."""
        ...

    def collate(self, samples: list[Any]) -> Batch:
        """Prepared samples as one batch."""
        ...

    def loss(self, net: nn.Module, batch: Any, ranks: Ranks) -> dict[str, Tensor]:
        """Scalars of one batch, of which every rank holds a part.

        Args:
            net: the model as the loop has wrapped it, in training mode.
            batch: this rank's part, on its device.
            ranks: over which sums are to be taken.

        Returns:
            ``loss``, whose gradients, averaged over the ranks, are what the optimiser is to take;
            anything else is logged only.
        """
        ...

    def meter(self, device: torch.device) -> Meter:
        """A new, empty meter."""
        ...
