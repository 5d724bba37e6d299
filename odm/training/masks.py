"""The task of masks: spectrogram images in, a class for every pixel out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from odm.core.errors import InputError
from odm.images.augmentation import make_policy
from odm.models.networks.base import SegmentationModel, to_input
from odm.training.losses import MaskLoss
from odm.training.metrics import MaskMeter
from odm.training.ranks import Ranks
from odm.training.settings import DataSettings, LossSettings

Image = NDArray[np.uint8]


class MaskBatch(NamedTuple):
    """Images and masks that are computed together.

    Attributes:
        images: (B, 1 or 3, H, W) uint8, 0 where invalid.
        masks: (B, H, W) uint8, class indices.
    """

    images: Tensor
    masks: Tensor

    def to(self, device: torch.device) -> MaskBatch:
        """The batch on a device."""
        return MaskBatch(*(part.to(device, non_blocking=True) for part in self))

    @property
    def valid(self) -> Tensor:
        """(B, H, W) bool, where there is a measurement."""
        return (self.images > 0).all(dim=1)


class MaskTask:
    """Trains a segmentation model on images and masks.

    What the model sees is `odm.models.networks.base.to_input` of uint8 images, as in prediction.

    Args:
        model: the model.
        data: crops and augmentation.
        loss: its settings.
        channels_last: memory layout of the input.

    Raises:
        InputError: class weights of another number than the model has classes.
    """

    score = "mean_iou"

    def __init__(
        self,
        model: SegmentationModel,
        data: DataSettings,
        loss: LossSettings | None = None,
        *,
        channels_last: bool = False,
    ) -> None:
        loss = loss or LossSettings()
        weights = loss.class_weights
        if weights is not None and (len(weights) != model.classes or min(weights) < 0):
            raise InputError(
                f"loss.class_weights: give {model.classes} numbers from 0, one per class"
            )
        self.model = model
        self.data = data
        self.loss_function = MaskLoss(weights, dice=loss.dice)
        # The paper's policy works in colour; a model for three channels gets to see that.
        self.policy = make_policy(
            data.augmentation,
            data.strength,
            rgb=data.augmentation == "paper" and model.in_channels == 3,
        )
        self.layout = torch.channels_last if channels_last else torch.contiguous_format

    def begin_epoch(self, epoch: int) -> None:
        """All epochs are alike."""

    def prepare(self, sample: tuple[Image, Image], seed: int | None) -> tuple[Image, Image]:
        """Crop and vary one sample.

        Args:
            sample: image (H, W) uint8, 0 where invalid; mask (H, W) uint8, class indices.
            seed: decides everything that is random; None for validation.

        Returns:
            Image (H, W) or (H, W, 3) and mask (H, W).

        Raises:
            InputError: the crop is larger than the image.
        """
        image, mask = sample
        if seed is None:
            return image, mask
        if self.data.crop is not None:
            rng = np.random.default_rng([seed, 1])
            image, mask = crop(image, mask, self.data.crop, self.data.crop_on_nucleus, rng)
        image, mask, _ = self.policy(image, mask, seed)
        return image, mask

    def collate(self, samples: list[tuple[Image, Image]]) -> MaskBatch:
        """Samples of one size as a batch."""
        images = np.stack([image for image, _ in samples])
        images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
        masks = np.stack([mask for _, mask in samples])
        return MaskBatch(torch.from_numpy(np.ascontiguousarray(images)), torch.from_numpy(masks))

    def logits(self, net: nn.Module, batch: MaskBatch) -> Tensor:
        """(B, C, H, W) of a batch."""
        inputs = to_input(batch.images, self.model)
        logits: Tensor = net(inputs.contiguous(memory_format=self.layout))
        return logits

    def loss(self, net: nn.Module, batch: MaskBatch, ranks: Ranks) -> dict[str, Tensor]:
        """``loss``, ``cross_entropy`` and ``soft_dice`` of a batch over all ranks."""
        logits = self.logits(net, batch)
        with torch.autocast(logits.device.type, enabled=False):
            return self.loss_function(logits, batch.masks, batch.valid, ranks)

    def meter(self, device: torch.device) -> _Meter:
        """See `MaskMeter`."""
        return _Meter(self, device)


class _Meter:
    def __init__(self, task: MaskTask, device: torch.device) -> None:
        self.task = task
        self.inner = MaskMeter(task.model.classes, task.loss_function, device)

    def update(self, net: nn.Module, batch: MaskBatch) -> None:
        self.inner.update(self.task.logits(net, batch), batch.masks, batch.valid)

    def compute(self, ranks: Ranks) -> dict[str, float]:
        return self.inner.compute(ranks)


def crop(
    image: Image,
    mask: Image,
    size: tuple[int, int],
    on_nucleus: float,
    rng: np.random.Generator,
) -> tuple[Image, Image]:
    """A random part of an image and its mask.

    Args:
        image, mask: (H, W).
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
    drawn = np.flatnonzero(mask) if rng.random() < on_nucleus else np.empty(0, np.intp)
    focus = divmod(int(rng.choice(drawn)), mask.shape[1]) if drawn.size else None
    valid = image > 0
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


def check_classes(model: Any, names: tuple[str, ...]) -> None:
    """Compare a model's classes with those of annotations.

    Raises:
        TrainingError: they are not as many.
    """
    from odm.training.errors import TrainingError

    if model.classes != len(names) + 1:
        raise TrainingError(
            f"the data set has {len(names)} class{'es' * (len(names) != 1)} beside the background "
            f"({', '.join(names)}) and the model {model.classes - 1}: set "
            f"model.options.classes={len(names) + 1}"
        )
