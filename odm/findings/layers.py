"""From ionogram images to layers: boxes in Hz and km with a class and a confidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from odm.core.errors import InputError
from odm.images.ionogram import IonogramImageSettings

if TYPE_CHECKING:
    from odm.models.boxes import Boxes, BoxSettings
    from odm.models.card import ModelCard
    from odm.models.networks.detector import Detector

DETECTOR = "detector"
Images = NDArray[np.uint8]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer found in an ionogram.

    Attributes:
        layer: its class, such as Es.
        confidence: calibrated score, 0 to 1.
        frequency_min, frequency_max: Hz.
        range_min, range_max: km, in the ionogram's own convention.
    """

    layer: str
    confidence: float
    frequency_min: float
    frequency_max: float
    range_min: float
    range_max: float


@dataclass(frozen=True, slots=True)
class SeenLayers:
    """What a model sees in one ionogram; true if there is a layer.

    Attributes:
        layers: by falling confidence.
        segments: (H, W) uint8 class of each pixel of the image that the layers were found in,
            0 for background; None without a segmenter.
    """

    layers: tuple[Layer, ...]
    segments: NDArray[np.uint8] | None = None

    def __bool__(self) -> bool:
        return bool(self.layers)


def to_layers(
    boxes: Boxes, settings: IonogramImageSettings, class_names: tuple[str, ...]
) -> list[Layer]:
    """Boxes in pixels as layers, by falling confidence."""
    return [
        Layer(class_names[int(kind)], float(score), *settings.box_to_physical(*map(float, edges)))
        for edges, score, kind in zip(*boxes, strict=True)
    ]


class LayerFinder:
    """Finds layers with a detector, on any engine.

    Args:
        model: a `Detector`.
        image: how an ionogram becomes an image.
        settings: threshold, temperature and overlap; the defaults if None.
        running: for `odm.models.predictor.Predictor`: batch, engine, device, precision, exports,
            digest.

    Raises:
        InputError: an engine or device that is not there.
    """

    def __init__(
        self,
        model: Detector,
        image: IonogramImageSettings,
        settings: BoxSettings | None = None,
        **running: Any,
    ) -> None:
        from odm.models.boxes import BoxSettings
        from odm.models.predictor import Predictor

        self.model, self.image = model, image
        self.settings = settings or BoxSettings()
        self.class_names = model.class_names
        self.predictor = Predictor(model, **running)

    @classmethod
    def open(cls, folder: object, **running: Any) -> LayerFinder:
        """Of a model folder.

        Raises:
            InputError: it is none, or not of a detector.
        """
        from odm.models.boxes import BoxSettings

        model, card = open_detector(folder)
        image = IonogramImageSettings.from_dict(dict(card.image))
        settings = BoxSettings.from_dict(card.thresholds)
        return cls(model, image, settings, **{"digest": card.digest, **running})

    def __call__(
        self, images: Images, settings: BoxSettings | None = None, *, exact: bool = False
    ) -> list[Boxes]:
        """The boxes in each of images (B, H, W) uint8, any B.

        Args:
            images: as `odm.images.ionogram.ionogram_image` makes them.
            settings: other ones than its own.
            exact: of `odm.models.boxes.pick_boxes`.

        Raises:
            InputError: images of another type, or of a size that does not fit the model.
            OdmError: the model gives no numbers.
        """
        from odm.models.boxes import pick_boxes

        if images.dtype != np.uint8 or images.ndim != 3:
            raise InputError(
                f"images are uint8 (B, H, W), not {images.dtype} of {images.ndim} dimensions"
            )
        size = (images.shape[1], images.shape[2])
        found: list[Boxes] = []
        batch = self.predictor.batch
        for first in range(0, len(images), batch):
            part = images[first : first + batch]
            full = np.zeros((batch, *size), np.uint8)
            full[: len(part)] = part
            output = self.predictor.output(full)[: len(part)]
            found += pick_boxes(output, size, settings or self.settings, exact=exact)
        return found

    def layers(self, images: Images) -> list[list[Layer]]:
        """The layers in each of images (B, H, W)."""
        return [to_layers(boxes, self.image, self.class_names) for boxes in self(images)]

    def stream(
        self,
        pairs: Iterable[tuple[Item, Images]],
        settings: BoxSettings | None = None,
        *,
        exact: bool = False,
    ) -> Iterator[tuple[Item, Boxes]]:
        """Boxes of an endless supply of (anything, image (H, W)), in full batches, in its order."""
        items: list[Item] = []
        images: list[Images] = []
        for item, image in pairs:
            items.append(item)
            images.append(image)
            if len(images) == self.predictor.batch:
                yield from zip(items, self(np.stack(images), settings, exact=exact), strict=True)
                items, images = [], []
        if images:
            yield from zip(items, self(np.stack(images), settings, exact=exact), strict=True)


def open_detector(folder: object) -> tuple[Detector, ModelCard]:
    """A detector and its card.

    Raises:
        InputError: the folder is none of a detector.
    """
    from odm.models.card import read_model_card
    from odm.models.folder import load_model

    card = read_model_card(folder)
    kind = card.architecture["kind"]
    if kind != DETECTOR:
        raise InputError(f"{folder} is a {kind}: a {DETECTOR} finds layers")
    return load_model(folder).model, card
