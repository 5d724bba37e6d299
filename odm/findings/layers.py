"""Layers of ionogram images: boxes in Hz and km with a class and a confidence, and segments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from odm.core.errors import InputError, OdmError
from odm.images.ionogram import IonogramImageSettings

if TYPE_CHECKING:
    from odm.models.boxes import Boxes, BoxSettings
    from odm.models.networks.detector import Detector
    from odm.models.predictor import Predictor

Images = NDArray[np.uint8]
_WINDOW = ("frequency_min", "frequency_max", "range_min", "range_max", "minimum", "maximum")
"""Settings in which a detector and a segmenter have to agree."""
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


class LayerFinder:
    """Finds layers with a detector, on any engine.

    Args:
        predictor: of an `odm.models.networks.detector.Detector`.
        image: how an ionogram becomes an image.
        settings: threshold, temperature and overlap.
    """

    def __init__(
        self, predictor: Predictor, image: IonogramImageSettings, settings: BoxSettings
    ) -> None:
        self.predictor, self.image, self.settings = predictor, image, settings
        self.class_names = cast("Detector", predictor.model).class_names

    @classmethod
    def open(
        cls,
        folder: object,
        *,
        batch: int = 2,
        engine: str = "auto",
        device: str = "auto",
        precision: Literal["float32", "bfloat16"] = "float32",
    ) -> LayerFinder:
        """Open the detector of a model folder.

        Args:
            folder: the model folder.
            batch, engine, device, precision: see `odm.models.predictor.Predictor`.

        Raises:
            InputError: the folder holds no model, or one that is no detector; an engine or device
                that is not there.
        """
        from odm.models.boxes import BoxSettings
        from odm.models.card import read_model_card
        from odm.models.folder import load_model
        from odm.models.predictor import Predictor

        card = read_model_card(folder)
        if (kind := card.architecture["kind"]) != "detector":
            raise InputError(f"{folder} is a {kind}: a detector finds layers")
        model = load_model(folder).model
        predictor = Predictor(
            model, batch=batch, engine=engine, device=device, precision=precision,
            digest=card.digest,
        )  # fmt: skip
        image = IonogramImageSettings.from_dict(dict(card.image))
        return cls(predictor, image, BoxSettings.from_dict(card.thresholds))

    def __call__(
        self, images: Images, settings: BoxSettings | None = None, *, exact: bool = False
    ) -> list[Boxes]:
        """Return the boxes in each of images (B, H, W) uint8, any B.

        Args:
            images: as `odm.images.ionogram.ionogram_image` makes them.
            settings: threshold, temperature and overlap; its own if None.
            exact: see `odm.models.boxes.pick_boxes`.

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
        boxes: list[Boxes] = []
        for output in _outputs(self.predictor, images):
            boxes += pick_boxes(output, size, settings or self.settings, exact=exact)
        return boxes

    def layers(self, images: Images) -> list[list[Layer]]:
        """Return the layers in each of images (B, H, W), by falling confidence."""
        physical, names = self.image.box_to_physical, self.class_names
        return [
            [
                Layer(names[int(kind)], float(score), *physical(*map(float, edges)))
                for edges, score, kind in zip(*boxes, strict=True)
            ]
            for boxes in self(images)
        ]

    def stream(
        self,
        pairs: Iterable[tuple[Item, Images]],
        settings: BoxSettings | None = None,
        *,
        exact: bool = False,
    ) -> Iterator[tuple[Item, Boxes]]:
        """Yield the boxes of an endless supply of (anything, image (H, W)), in its order.

        Images go through the model in full batches.
        """
        supply = iter(pairs)
        while batch := list(islice(supply, self.predictor.batch)):
            items, images = zip(*batch, strict=True)
            yield from zip(items, self(np.stack(images), settings, exact=exact), strict=True)


class LayerSegmenter:
    """Runs a segmenter of layers on the images of a detector.

    Args:
        predictor: of an `odm.models.networks.base.ImageModel` with a class for the background and
            each layer.
        image: how an ionogram becomes its image.
        shown: how an ionogram becomes the images that it gets; another size is changed to its own.

    Raises:
        InputError: the images show another window or other limits than it learned from.
    """

    def __init__(
        self, predictor: Predictor, image: IonogramImageSettings, shown: IonogramImageSettings
    ) -> None:
        check_window(image, shown)
        self.size = (image.height, image.width)
        self.predictor = predictor

    def __call__(self, images: Images) -> Images:
        """Return the class of each pixel of images (B, H, W), any B: 0 is background.

        Raises:
            OdmError: the model gives no numbers.
        """
        import torch

        segments: list[Images] = []
        own_size = np.array([_resized(image, self.size) for image in images], np.uint8)
        for output in _outputs(self.predictor, own_size.reshape(-1, *self.size)):
            if not bool(torch.isfinite(output).all()):
                raise OdmError("the segmenter of layers gives values that are not numbers")
            segments.extend(output.argmax(dim=1).to(torch.uint8).cpu().numpy())
        shown = [_nearest(classes, images.shape[1:]) for classes in segments]
        return np.array(shown, np.uint8).reshape(images.shape)


def _outputs(predictor: Predictor, images: Images) -> Iterator[Any]:
    """Yield what a model gives for images (B, H, W), in batches padded to the model's size."""
    batch = predictor.batch
    for first in range(0, len(images), batch):
        part = images[first : first + batch]
        full = np.zeros((batch, *images.shape[1:]), np.uint8)
        full[: len(part)] = part
        yield predictor.output(full)[: len(part)]


def check_window(image: IonogramImageSettings, shown: IonogramImageSettings) -> None:
    """Check that a detector and a segmenter look at the same.

    Args:
        image: how an ionogram becomes the segmenter's image.
        shown: how it becomes the detector's.

    Raises:
        InputError: the two differ.
    """
    for name in _WINDOW:
        detector, segmenter = getattr(shown, name), getattr(image, name)
        if detector != segmenter:
            raise InputError(
                f"the detector's images have {name} {detector:g} and the segmenter's "
                f"{segmenter:g}: they have to be trained on the same window and limits"
            )


def _resized(image: Images, size: tuple[int, int]) -> Images:
    """Return an image in another size: means over valid pixels; 0 where most is missing."""
    import cv2

    if image.shape == size:
        return image
    target, way = (size[1], size[0]), cv2.INTER_AREA
    weight = cv2.resize((image > 0).astype(np.float32), target, interpolation=way)
    total = cv2.resize(image.astype(np.float32), target, interpolation=way)
    grey = np.clip(total / np.maximum(weight, 1e-6) + 0.5, 1, 255)
    return np.where(weight >= 0.5, grey, 0).astype(np.uint8)


def _nearest(classes: Images, size: tuple[int, ...]) -> Images:
    import cv2

    if classes.shape == size:
        return classes
    resized = cv2.resize(classes, (size[1], size[0]), interpolation=cv2.INTER_NEAREST)
    return np.asarray(resized, np.uint8)
