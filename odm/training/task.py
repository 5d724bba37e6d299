"""What a training task is: a model with its loss and its validation, and what it is made from.

Masks (`odm.training.masks`) are one task, boxes (`odm.training.boxes`) another. An entry of
`odm.core.kinds.TASKS` names the class by its role ``task``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Protocol

import torch
from torch import Tensor, nn

from odm.core.kinds import TASKS
from odm.models.networks.base import ImageModel, to_input
from odm.training.ranks import Ranks
from odm.training.samples import Source
from odm.training.settings import TrainingSettings


class Meter(Protocol):
    """Adds up one validation."""

    def update(self, net: nn.Module, batch: Any) -> None:
        """Add one batch. ``net`` is the model, in evaluation mode."""
        ...

    def compute(self, ranks: Ranks) -> dict[str, float]:
        """Metrics of what all ranks have added; the same on every rank."""
        ...


class TrainingTask(ABC):
    """A model that learns, its loss and its validation.

    The class itself says what a training of the task is made from: data sets, models, thresholds.

    Args:
        model: what is trained.
        settings: settings of the training.
        source: the training's samples, of which a task may mix several; None where it does not.

    Attributes:
        name: name of the task on the command line and in files.
        labels: what the samples are labelled with; see `odm.training.samples.SampleReader`.
        score: metric of the validation that says which epoch is best: the highest.
        metrics: metrics of the validation that are shown at the end.
    """

    name: ClassVar[str]
    labels: ClassVar[Literal["masks", "boxes"]]
    score: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]

    model: ImageModel
    settings: TrainingSettings

    def __init__(self, model: Any, settings: Any, source: Source | None = None) -> None:
        self.model, self.settings, self.source = model, settings, source
        channels_last = settings.compute.channels_last
        self.layout = torch.channels_last if channels_last else torch.contiguous_format

    # -- what a training is made from --------------------------------------------------------------

    @classmethod
    @abstractmethod
    def open_dataset(cls, path: Any) -> Any:
        """Open a data set that the task can learn from.

        Raises:
            InputError: it cannot be used.
        """

    @classmethod
    def check_samples(cls, dataset: Any, samples: Sequence[Any]) -> None:
        """Look for samples whose labels are not enough to learn from.

        Raises:
            TrainingError: there is one.
        """
        return

    @classmethod
    def adapt(cls, settings: Any, dataset: Any, *, fine_tuned: bool) -> Any:
        """Fill in the settings that depend on the data set, or on whether a model is fine-tuned.

        Raises:
            TrainingError: the settings contradict the data set.
        """
        return settings

    @classmethod
    @abstractmethod
    def create_model(cls, architecture: str, **options: Any) -> ImageModel:
        """Create a model with new weights.

        Raises:
            InputError: no such architecture or option.
        """

    @classmethod
    def check_model(cls, model: Any, dataset: Any) -> None:
        """Compare a model with the data set that it is to learn from.

        Raises:
            TrainingError: they have different classes.
        """
        return

    @classmethod
    @abstractmethod
    def thresholds(cls, dataset: Any) -> Mapping[str, Any]:
        """Default thresholds, until they are fitted on the validation part."""

    # -- what the loop asks ------------------------------------------------------------------------

    def check_share(self, samples: int) -> None:
        """Check that a rank's part of a batch is large enough.

        Raises:
            InputError: it is not.
        """
        return

    def begin_epoch(self, epoch: int) -> None:
        """Take note of the epoch, counted from 0, that begins or is gone on with."""
        return

    @abstractmethod
    def prepare(self, sample: Any, seed: int | None) -> Any:
        """Make a raw sample ready, varied by a seed; None leaves it as it is. Runs in threads."""

    @abstractmethod
    def collate(self, samples: list[Any]) -> Any:
        """Prepared samples as one batch: a named tuple of tensors, ``images`` among them."""

    @abstractmethod
    def loss(self, net: nn.Module, batch: Any, ranks: Ranks) -> dict[str, Tensor]:
        """Scalars of one batch, of which every rank holds a part.

        Args:
            net: the model as the loop has wrapped it, in training mode.
            batch: this rank's part, on its device.
            ranks: the ranks over which sums are to be taken.

        Returns:
            ``loss``, whose gradients, averaged over the ranks, are what the optimiser is to take;
            anything else is logged only.
        """

    @abstractmethod
    def meter(self, device: torch.device) -> Meter:
        """A new, empty meter."""

    def inputs(self, batch: Any) -> Tensor:
        """(B, C, H, W) of a batch, as the model takes it: the same as in prediction."""
        return to_input(batch.images, self.model).contiguous(memory_format=self.layout)


def on_device(batch: Any, device: torch.device) -> Any:
    """A batch on a device."""
    return type(batch)(*(part.to(device, non_blocking=True) for part in batch))


def find_task(name: str) -> type[TrainingTask]:
    """The class of a task.

    Raises:
        InputError: this version knows no task of that name.
    """
    task: type[TrainingTask] = TASKS.find(name).load("task")
    return task


def build_model(task: str, settings: TrainingSettings) -> ImageModel:
    """The model of a training, its weights drawn by the seed of the settings.

    Raises:
        InputError: no such architecture or option.
    """
    torch.manual_seed(settings.seed)
    return find_task(task).create_model(settings.model.architecture, **settings.model.options)
