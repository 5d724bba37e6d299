"""The task of masks: spectrogram or ionogram images in, a class for every pixel out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from odm.core.errors import InputError
from odm.datasets.base import drawn_kind, open_dataset
from odm.datasets.ionogram import IonogramDataset
from odm.images.augmentation import check_channels, make_policy
from odm.images.canvas import valid_pixels
from odm.images.masks import IGNORED, is_drawn
from odm.models.networks.base import SegmentationModel, channels_first
from odm.models.networks.segmenters import create_model
from odm.scoring.pixels import pixel_metrics
from odm.training.errors import TrainingError
from odm.training.losses import SUMS, MaskLoss
from odm.training.ranks import Ranks
from odm.training.samples import Source, at_epoch
from odm.training.settings import SegmenterSettings
from odm.training.task import TrainingTask

Image = NDArray[np.uint8]


class MaskBatch(NamedTuple):
    """Images and masks that are computed together.

    Attributes:
        images: (B, 1, 2 or 3, H, W) uint8, 0 where invalid.
        masks: (B, H, W) uint8, class indices, and `IGNORED`.
    """

    images: Tensor
    masks: Tensor

    @property
    def valid(self) -> Tensor:
        """(B, H, W) bool, where there is a measurement whose class is not ignored."""
        return (self.images > 0).all(dim=1) & (self.masks != IGNORED)


class MaskTask(TrainingTask):
    """Trains a segmenter on images and masks; see `odm.training.task.TrainingTask`.

    Raises:
        InputError: class weights of another number than the model has classes.
    """

    name = "segmenter"
    labels = "masks"
    score = "mean_iou"
    metrics = ("mean_iou", "foreground_iou", "dice", "pixel_accuracy")

    model: SegmentationModel
    settings: SegmenterSettings

    def __init__(
        self, model: SegmentationModel, settings: SegmenterSettings, source: Source | None = None
    ) -> None:
        super().__init__(model, settings, source)
        weights = settings.loss.class_weights
        if weights is not None and (len(weights) != model.classes or min(weights) < 0):
            raise InputError(
                f"loss.class_weights: give {model.classes} numbers from 0, one per class"
            )
        self.loss_function = MaskLoss(weights, dice=settings.loss.dice)
        self.data = settings.data
        # The paper's policy works in colour; a model for three channels gets to see that.
        self.policy = make_policy(
            self.data.augmentation,
            self.data.strength,
            rgb=self.data.augmentation == "paper" and model.in_channels == 3,
            without=self.data.without,
        )
        self.begin_epoch(0)

    @classmethod
    def open_dataset(cls, path: str | Path) -> Any:
        """A data set of half-orbits or of ionograms, of files or drawn."""
        drawn = drawn_kind(path)
        return open_dataset(path) if drawn is None else drawn.load("drawn").load(path)

    @classmethod
    def check_samples(cls, dataset: Any, samples: Sequence[Any]) -> None:
        """Boxes alone tell no segmenter where a layer is.

        Raises:
            TrainingError: an ionogram has layers without masks.
        """
        if not isinstance(dataset, IonogramDataset):
            return
        for sample in samples:
            if len(sample.labelled.masks) < len(sample.labelled.layers):
                raise TrainingError(
                    f"{sample.key.identity} has layers without masks: a segmenter learns from "
                    "masks, which simulated ionograms have; a detector learns from boxes"
                )

    @classmethod
    def adapt(
        cls, settings: SegmenterSettings, dataset: Any, *, fine_tuned: bool
    ) -> SegmenterSettings:
        """Fill in the temperature that the attentions of ODConv start with.

        Raises:
            InputError: the augmentation cannot vary the data set's images.
        """
        check_channels(settings.data.augmentation, dataset.settings.channels)
        if settings.schedule.temperature_start is not None:
            return settings
        # A trained model's attentions are sharp; heating them up again would undo them.
        start = 1.0 if fine_tuned else 30.0
        schedule = settings.schedule.model_copy(update={"temperature_start": start})
        return settings.model_copy(update={"schedule": schedule})

    @classmethod
    def create_model(cls, architecture: str, **options: Any) -> SegmentationModel:
        """See `TrainingTask.create_model`."""
        return create_model(architecture, **options)

    @classmethod
    def check_model(cls, model: SegmentationModel, dataset: Any) -> None:
        """Compare a model's classes with the labels' classes, and its channels with the images'.

        Raises:
            TrainingError: they are not as many.
        """
        channels = dataset.settings.channels
        if channels not in (1, model.in_channels):
            raise TrainingError(
                f"the images have {channels} channels and the model takes {model.in_channels}: set "
                f"model.options.in_channels={channels}"
            )
        names = dataset.annotations.classes
        if model.classes != len(names) + 1:
            raise TrainingError(
                f"the data set has {len(names)} class{'es' * (len(names) != 1)} beside the "
                f"background ({', '.join(names)}) and the model {model.classes - 1}: set "
                f"model.options.classes={len(names) + 1}"
            )

    @classmethod
    def thresholds(cls, dataset: Any) -> Mapping[str, Any]:
        """Thresholds of regions; layers of ionograms are taken from the masks as they are."""
        kind = dataset.kind
        return kind.load("mask thresholds")().to_dict() if kind.has("mask thresholds") else {}

    def check_share(self, samples: int) -> None:
        """Check that a rank's part of a batch is large enough for normalisation.

        Raises:
            InputError: it is a single image, and the model cannot train on one.
        """
        if samples == 1 and not self.model.single:
            raise InputError(
                f"{self.model.architecture} cannot train on a batch of 1, which is what a rank "
                "gets: set a larger data.batch_size"
            )

    def begin_epoch(self, epoch: int) -> None:
        """Take the nuclei that the policy adds from the samples of this epoch."""
        if self.source is not None:
            self._donors = at_epoch(self.source, epoch)
            self._positive = np.flatnonzero(self._donors.positive).tolist()

    def prepare(self, sample: tuple[Image, Image], seed: int | None) -> tuple[Image, Image]:
        """Crop and vary one sample.

        Args:
            sample: image (H, W) or (H, W, C) uint8, 0 where invalid; mask (H, W) uint8, class
                indices.
            seed: decides everything that is random; None for validation.

        Returns:
            Image (H, W) or (H, W, C) and mask (H, W).

        Raises:
            InputError: the crop is larger than the image.
        """
        image, mask = sample
        if seed is None:
            return image, mask
        if self.data.crop is not None:
            rng = np.random.default_rng([seed, 1])
            image, mask = crop(image, mask, self.data.crop, self.data.crop_on_nucleus, rng)
        image, mask, _ = self.policy(image, mask, seed, partial(self._donor, seed))
        return image, mask

    def _donor(self, seed: int) -> tuple[Image, Image] | None:
        """Another image with something in it, for a policy that takes nuclei from one."""
        if self.policy.name != "randomised" or self.source is None or not self._positive:
            return None
        number = int(np.random.default_rng([seed, 2]).integers(len(self._positive)))
        donor: tuple[Image, Image] = self._donors.load(self._positive[number])
        return donor

    def collate(self, samples: list[tuple[Image, Image]]) -> MaskBatch:
        """Samples of one size as a batch."""
        images = channels_first(np.stack([image for image, _ in samples]))
        masks = np.stack([mask for _, mask in samples])
        return MaskBatch(torch.from_numpy(images), torch.from_numpy(masks))

    def logits(self, net: nn.Module, batch: MaskBatch) -> Tensor:
        """(B, C, H, W) of a batch."""
        logits: Tensor = net(self.inputs(batch))
        return logits

    def loss(self, net: nn.Module, batch: MaskBatch, ranks: Ranks) -> dict[str, Tensor]:
        """``loss``, ``cross_entropy`` and ``soft_dice`` of a batch over all ranks."""
        logits = self.logits(net, batch)
        with torch.autocast(logits.device.type, enabled=False):
            return self.loss_function(logits, batch.masks, batch.valid, ranks)

    def meter(self, device: torch.device) -> MaskMeter:
        """See `MaskMeter`."""
        return MaskMeter(self, device)


class MaskMeter:
    """Adds up a validation, batch by batch: one confusion matrix and one loss over all pixels.

    Everything is kept as sums over pixels, so the result depends neither on the batches nor on
    how the samples are spread over the ranks, equally or not.

    Args:
        task: the task, with its model and its loss.
        device: where the sums are kept.
    """

    def __init__(self, task: MaskTask, device: torch.device | str = "cpu") -> None:
        self.task = task
        self.classes = task.model.classes
        # By true class, then predicted class; as a list, and with one place more for what is
        # invalid or ignored, which costs less than picking the others out.
        self.counts = torch.zeros(self.classes**2 + 1, dtype=torch.int64, device=device)
        self.sums = torch.zeros(len(SUMS), dtype=torch.float64, device=device)

    @torch.no_grad()
    def update(self, net: nn.Module, batch: MaskBatch) -> None:
        """Add one batch."""
        self.add(self.task.logits(net, batch), batch.masks, batch.valid)

    def add(self, logits: Tensor, truth: Tensor, valid: Tensor) -> None:
        """Add pixels.

        Args:
            logits: (B, C, H, W).
            truth: (B, H, W), class indices.
            valid: (B, H, W) bool; other pixels are not counted.
        """
        self.sums += self.task.loss_function.sums(logits, truth, valid)
        code = truth.long() * self.classes + logits.argmax(1)
        code = torch.where(valid, code, self.classes**2)
        self.counts += torch.bincount(code.flatten(), minlength=self.classes**2 + 1)

    def compute(self, ranks: Ranks | None = None) -> dict[str, float]:
        """The metrics of everything that all ranks have added.

        Returns:
            ``loss``, ``cross_entropy``, and what `odm.scoring.pixels` gives: ``mean_iou``,
            ``foreground_iou``, ``dice`` (of whole pixels), ``pixel_accuracy``, ``macro_recall``,
            ``macro_precision``. NaN where there is nothing to tell.
        """
        ranks = ranks or Ranks(device=self.sums.device)
        sums, counts = ranks.sum(self.sums), ranks.sum(self.counts)
        matrix = counts[:-1].view(self.classes, self.classes)
        losses = self.task.loss_function.from_sums(sums)
        values = {name: float(losses[name]) for name in ("loss", "cross_entropy")}
        return values | pixel_metrics(matrix.cpu().numpy())


def crop(
    image: Image,
    mask: Image,
    size: tuple[int, int],
    on_nucleus: float,
    rng: np.random.Generator,
) -> tuple[Image, Image]:
    """A random part of an image and its mask.

    Args:
        image: (H, W) or (H, W, C).
        mask: (H, W).
        size: height and width of the part.
        on_nucleus: probability that a pixel of the mask, if there is one, is inside.
        rng: decides where.

    Returns:
        Views (h, w). The part lies inside the rows and columns that hold measurements wherever
        they are large enough: a native canvas is padded.

    Raises:
        InputError: the part is larger than the image.
    """
    if size[0] > image.shape[0] or size[1] > image.shape[1]:
        raise InputError(
            f"data.crop {size[0]} x {size[1]} is larger than the images, {image.shape[0]} x "
            f"{image.shape[1]}"
        )
    drawn = np.flatnonzero(is_drawn(mask)) if rng.random() < on_nucleus else np.empty(0, np.intp)
    focus = divmod(int(rng.choice(drawn)), mask.shape[1]) if drawn.size else None
    valid = valid_pixels(image)
    corner = []
    for axis in (0, 1):
        filled = np.flatnonzero(valid.any(axis=1 - axis))
        first, last = (int(filled[0]), int(filled[-1])) if filled.size else (0, 0)
        low, high = first, last + 1 - size[axis]
        if focus is not None:
            low, high = max(low, focus[axis] + 1 - size[axis]), min(high, focus[axis])
        high = min(max(low, high), image.shape[axis] - size[axis])
        low = min(low, high)
        corner.append(int(rng.integers(low, high + 1)))
    y, x = corner
    return image[y : y + size[0], x : x + size[1]], mask[y : y + size[0], x : x + size[1]]
