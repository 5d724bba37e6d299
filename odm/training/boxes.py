"""The task of boxes: ionogram images in, layers in boxes out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from odm.datasets.ionogram import IonogramDataset
from odm.images.box_augmentation import Labelled
from odm.models.boxes import ANY_SCORE, BoxSettings, pick_boxes
from odm.models.networks.detector import LOSSES, Detector, create_detector
from odm.scoring.ionogram.boxes import BoxCounts
from odm.training.errors import TrainingError
from odm.training.ranks import Ranks
from odm.training.samples import Source
from odm.training.settings import DetectorSettings
from odm.training.task import TrainingTask


class BoxBatch(NamedTuple):
    """Images and boxes that are computed together.

    Attributes:
        images: (B, 1, H, W) uint8, 0 where invalid.
        targets: (B, N, 5) float32: class, centre x and y, width and height in pixels; rows of
            zeros where an image has fewer than N.
    """

    images: Tensor
    targets: Tensor

    @property
    def has_boxes(self) -> Tensor:
        """Whether there is any: without one the loss counts one place that does not exist."""
        return (self.targets[..., 3] > 0).any()


class BoxTask(TrainingTask):
    """Trains a detector on images and boxes; see `odm.training.task.TrainingTask`."""

    name = "detector"
    labels = "boxes"
    score = "ap"
    metrics = ("ap", "ap50", "ap25")

    model: Detector
    settings: DetectorSettings

    def __init__(
        self, model: Detector, settings: DetectorSettings, source: Source | None = None
    ) -> None:
        super().__init__(model, settings, source)
        # By name: another order of the source draws the same.
        self.order = [] if source is None else np.argsort(np.array(source.keys)).tolist()
        self.begin_epoch(0)

    @classmethod
    def open_dataset(cls, path: str | Path) -> IonogramDataset:
        """A data set of ionograms."""
        return IonogramDataset.load(path)

    @classmethod
    def adapt(
        cls, settings: DetectorSettings, dataset: IonogramDataset, *, fine_tuned: bool
    ) -> DetectorSettings:
        """The detector's classes are those of the data set.

        Raises:
            TrainingError: the settings, or the model to fine-tune, have others.
        """
        names = dataset.config.classes
        given = settings.model.options.get("classes")
        if given is not None and tuple(given) != names:
            raise TrainingError(
                f"the data set has the classes {', '.join(names)} and the model "
                f"{', '.join(given)}: set model.options.classes=[{', '.join(names)}]"
            )
        options = {**settings.model.options, "classes": list(names)}
        model = settings.model.model_copy(update={"options": options})
        return settings.model_copy(update={"model": model})

    @classmethod
    def create_model(cls, architecture: str, **options: Any) -> Detector:
        """See `TrainingTask.create_model`."""
        return create_detector(architecture, **options)

    @classmethod
    def thresholds(cls, dataset: Any) -> Mapping[str, Any]:
        """Thresholds that boxes are picked with."""
        return BoxSettings().to_dict()

    def begin_epoch(self, epoch: int) -> None:
        """The last epochs are without variations, and with the distance of boxes in the loss."""
        left = self.settings.schedule.epochs - epoch
        self.plain = left <= self.settings.data.plain_epochs
        self.model.head.use_l1 = left <= self.settings.loss.l1_epochs

    def prepare(self, sample: Labelled, seed: int | None) -> Labelled:
        """Vary one sample.

        Args:
            sample: image (H, W) uint8, 0 where invalid; boxes (N, 5) float32: class, left, top,
                right, bottom in pixels.
            seed: decides everything that is random; None for validation.
        """
        if seed is None or self.plain:
            return sample
        return self.settings.data.policy(sample, seed, self._another)

    def _another(self, rng: np.random.Generator) -> Labelled:
        assert self.source is not None, "mosaic and mixup need the source"
        place = self.order[int(rng.integers(len(self.order)))]
        sample: Labelled = self.source.load(place)
        return sample

    def collate(self, samples: list[Labelled]) -> BoxBatch:
        """Samples as a batch; smaller images lie top left, invalid elsewhere."""
        sizes = np.array([image.shape for image, _ in samples])
        images = np.zeros((len(samples), 1, *sizes.max(axis=0)), np.uint8)
        most = max(1, *(len(boxes) for _, boxes in samples))
        targets = np.zeros((len(samples), most, 5), np.float32)
        for row, (image, boxes) in enumerate(samples):
            images[row, 0, : image.shape[0], : image.shape[1]] = image
            targets[row, : len(boxes)] = to_targets(boxes)
        return BoxBatch(torch.from_numpy(images), torch.from_numpy(targets))

    def loss(self, net: nn.Module, batch: BoxBatch, ranks: Ranks) -> dict[str, Tensor]:
        """``loss`` and its parts, per place that learns a box, over all ranks."""
        values: dict[str, Tensor] = net(self.inputs(batch), batch.targets)
        places = values.pop("places").detach()
        # Each is the mean over this rank's places; the mean of the ranks that follows is to be
        # that over all places.
        total = ranks.sum(places * batch.has_boxes).clamp(min=1)
        share = places * ranks.world_size / total
        return {name: value * share for name, value in values.items()}

    def meter(self, device: torch.device) -> BoxMeter:
        """See `BoxMeter`."""
        return BoxMeter(self, device)


class BoxMeter:
    """Adds up a validation: the loss, and hits by score, which give the average precision.

    Everything is sums over images, so the result depends neither on the batches nor on how the
    samples are spread over the ranks.

    Args:
        task: the task, with its model.
        device: where the ranks sum.
    """

    def __init__(self, task: BoxTask, device: torch.device) -> None:
        self.task = task
        self.device = device
        self.counts = BoxCounts(task.model.classes)
        self.sums = np.zeros(len(LOSSES) + 2)

    @torch.no_grad()
    def update(self, net: nn.Module, batch: BoxBatch) -> None:
        """Add one batch."""
        x = self.task.inputs(batch)
        values = net(x, batch.targets)
        places = float(values["places"])
        losses = [float(values[name]) for name in ("loss", *LOSSES)]
        learnt = places * float(batch.has_boxes)
        self.sums += np.array([*(places * loss for loss in losses), learnt])
        picked = pick_boxes(net(x), (x.shape[2], x.shape[3]), ANY_SCORE)
        for targets, boxes in zip(batch.targets.cpu().numpy(), picked, strict=True):
            true = from_targets(targets)
            self.counts.add(true[:, 1:], true[:, 0].astype(np.int64), *boxes)

    def compute(self, ranks: Ranks) -> dict[str, float]:
        """``loss`` and its parts; average precision as `BoxCounts.summary` names it."""
        counts = self.counts
        images_here = np.array([counts.images])
        parts: list[NDArray[Any]] = [counts.found, counts.truths, images_here, self.sums]
        flat = torch.from_numpy(np.hstack([part.ravel() for part in parts])).to(self.device)
        total = ranks.sum(flat).cpu().numpy()
        found, truths, images, sums = np.split(total, np.cumsum([part.size for part in parts])[:-1])
        whole = BoxCounts(self.task.model.classes)
        whole.found, whole.truths = found.reshape(counts.found.shape), truths
        whole.images = float(images[0])
        losses = dict(zip(("loss", *LOSSES), sums[:-1] / max(sums[-1], 1), strict=True))
        return {
            **{name: float(value) for name, value in losses.items()},
            **whole.summary(self.task.model.class_names),
        }


def to_targets(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Boxes (N, 5) of class and edges as class, centre, width and height."""
    corner, far = boxes[:, 1:3], boxes[:, 3:5]
    return np.hstack([boxes[:, :1], (corner + far) / 2, far - corner]).astype(np.float32)


def from_targets(targets: NDArray[np.float32]) -> NDArray[np.float32]:
    """Inverse of `to_targets`, without the rows of zeros."""
    rows = targets[targets[:, 3] > 0]
    centre, half = rows[:, 1:3], rows[:, 3:5] / 2
    return np.hstack([rows[:, :1], centre - half, centre + half])
