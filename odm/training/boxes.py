"""The task of boxes: ionogram images in, layers in boxes out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from odm.images.box_augmentation import Labelled
from odm.models.boxes import ANY_SCORE, pick_boxes
from odm.models.networks.base import to_input
from odm.models.networks.detector import LOSSES, Detector
from odm.scoring.ionogram.boxes import BoxCounts
from odm.training.box_settings import DetectorSettings
from odm.training.feed import Source
from odm.training.ranks import Ranks


class BoxBatch(NamedTuple):
    """Images and boxes that are computed together.

    Attributes:
        images: (B, 1, H, W) uint8, 0 where invalid.
        targets: (B, N, 5) float32: class, centre x and y, width and height in pixels; rows of
            zeros where an image has fewer than N.
    """

    images: Tensor
    targets: Tensor

    def to(self, device: torch.device) -> BoxBatch:
        """The batch on a device."""
        return BoxBatch(*(part.to(device, non_blocking=True) for part in self))

    @property
    def has_boxes(self) -> Tensor:
        """Whether there is any: without one the loss counts one place that does not exist."""
        return (self.targets[..., 3] > 0).any()


class BoxTask:
    """Trains a detector on images and boxes.

    Args:
        model: the detector.
        settings: of the training.
        source: what it is trained on, of which mosaic and mixup take more; None where there is
            neither.
    """

    score = "ap"

    def __init__(
        self, model: Detector, settings: DetectorSettings, source: Source | None = None
    ) -> None:
        self.model = model
        self.settings = settings
        self.source = source
        # By name: another order of the source draws the same.
        self.order = [] if source is None else np.argsort(np.array(source.keys)).tolist()
        channels_last = settings.compute.channels_last
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        self.begin_epoch(0)

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
        other: Labelled = self.source.load(self.order[int(rng.integers(len(self.order)))])
        return other

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

    def inputs(self, batch: BoxBatch) -> Tensor:
        """(B, C, H, W) as the model takes them."""
        return to_input(batch.images, self.model).contiguous(memory_format=self.layout)

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
        task: of the batches.
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
        found = pick_boxes(net(x), (x.shape[2], x.shape[3]), ANY_SCORE)
        for targets, boxes in zip(batch.targets.cpu().numpy(), found, strict=True):
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
