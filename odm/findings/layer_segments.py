"""From images of ionograms to the class of each pixel, beside a detector's boxes."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.core.errors import InputError, OdmError
from odm.images.ionogram import IonogramImageSettings

Images = NDArray[np.uint8]
_WINDOW = ("frequency_min", "frequency_max", "range_min", "range_max", "minimum", "maximum")


class LayerSegmenter:
    """Runs a segmenter of layers on the images of a detector.

    Args:
        model: an `odm.models.networks.base.ImageModel` with a class for the background and each
            layer.
        image: how an ionogram becomes its image.
        shown: the images that it gets; another size than its own is changed to it.
        running: for `odm.models.predictor.Predictor`.

    Raises:
        InputError: the images show another window or other limits than it learned from.
    """

    def __init__(
        self,
        model: Any,
        image: IonogramImageSettings,
        shown: IonogramImageSettings,
        **running: Any,
    ) -> None:
        from odm.models.predictor import Predictor

        check_window(image, shown)
        self.size = (image.height, image.width)
        self.predictor = Predictor(model, **running)

    def __call__(self, images: Images) -> Images:
        """Class of each pixel of images (B, H, W), any B: 0 is background."""
        import torch

        batch = self.predictor.batch
        found = np.zeros(images.shape, np.uint8)
        for first in range(0, len(images), batch):
            part = images[first : first + batch]
            full = np.zeros((batch, *self.size), np.uint8)
            for number, image in enumerate(part):
                full[number] = resized(image, self.size)
            output = self.predictor.output(full)[: len(part)]
            if not bool(torch.isfinite(output).all()):
                raise OdmError("the segmenter of layers gives values that are not numbers")
            classes = output.argmax(dim=1).to(torch.uint8).cpu().numpy()
            for number, one in enumerate(classes):
                found[first + number] = _nearest(one, images.shape[1:])
        return found


def check_window(image: IonogramImageSettings, shown: IonogramImageSettings) -> None:
    """Raise InputError where a detector and a segmenter do not look at the same."""
    for name in _WINDOW:
        one, other = getattr(shown, name), getattr(image, name)
        if one != other:
            raise InputError(
                f"the detector's images have {name} {one:g} and the segmenter's {other:g}: they "
                "have to be trained on the same window and limits"
            )


def resized(image: Images, size: tuple[int, int]) -> Images:
    """An image in another size: means over valid pixels; 0 where most is missing."""
    if image.shape == size:
        return image
    target, way = (size[1], size[0]), cv2.INTER_AREA
    valid = (image > 0).astype(np.float32)
    weight = cv2.resize(valid, target, interpolation=way)
    total = cv2.resize(image.astype(np.float32), target, interpolation=way)
    grey = np.clip(total / np.maximum(weight, 1e-6) + 0.5, 1, 255)
    return np.where(weight >= 0.5, grey, 0).astype(np.uint8)


def _nearest(classes: Images, size: tuple[int, ...]) -> Images:
    if classes.shape == size:
        return classes
    found = cv2.resize(classes, (size[1], size[0]), interpolation=cv2.INTER_NEAREST)
    return np.asarray(found, np.uint8)
