"""Segmentation without learning, behind the interface of the learned models.

`canny` is the method that the first paper compares with (section 4): edges by the Canny operator;
here the edges are closed and filled, so that they become regions. `log` is a Laplacian-of-Gaussian
detector of blobs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar, get_type_hints

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, create_model, field_validator

from odm.core.errors import InputError
from odm.core.text import unknown_name
from odm.models.networks.options import ModelOptions, parse_options


class ClassicalOptions(ModelOptions):
    """Options of a method without learning: one grey channel, background and foreground."""

    in_channels: int = 1

    @field_validator("in_channels")
    @classmethod
    def _grey(cls, value: int) -> int:
        if value != 1:
            raise ValueError("a method without learning takes one grey channel")
        return value

    @field_validator("classes")
    @classmethod
    def _two(cls, value: int) -> int:
        if value != 2:
            raise ValueError("a method without learning knows background and foreground only")
        return value


class CannyOptions(ClassicalOptions):
    """Options of `canny`."""

    sigma: float = Field(default=2.0, ge=0)
    """Gaussian smoothing before the edges are taken, pixels."""
    low: float = Field(default=40.0, ge=0)
    """Gradient above which an edge is followed, grey levels (Sobel)."""
    high: float = Field(default=100.0, ge=0)
    """Gradient above which an edge begins."""
    closing: int = Field(default=7, ge=1)
    """Diameter of the disc that closes gaps between edges, pixels."""
    opening: int = Field(default=5, ge=1)
    """Diameter of the disc that removes what is left of lines, pixels."""


class ClassicalSegmenter:
    """Base of the methods without learning. A subclass defines `foreground`.

    Args:
        architecture: name that `create_segmenter` knows.
        options: its options.
    """

    multiple = 1
    thresholds: ClassVar[Mapping[str, float]] = {"threshold": 0.5, "low_threshold": 0.5}
    """Thresholds of its map, as `odm.findings.regions` names them. The method's own is at 0.5: a
    higher one would drop what it has found, a lower one would find nothing more."""

    def __init__(self, architecture: str, options: ClassicalOptions) -> None:
        self.architecture = architecture
        self.options: dict[str, Any] = options.model_dump(mode="json")
        self.in_channels = options.in_channels
        self.classes = options.classes

    def foreground(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probability of the foreground (H, W) in an image (H, W); 0 is invalid."""
        raise AssertionError(f"{type(self).__name__} defines no foreground")

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities of images.

        Args:
            images: (B, 1, H, W); 0 is invalid.

        Returns:
            (B, 2, H, W): background and foreground, summing to 1; invalid pixels are background.

        Raises:
            InputError: for another dtype or shape.
        """
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] != 1:
            raise InputError(
                f"{self.architecture} takes uint8 images (B, 1, H, W), not {images.dtype} of shape "
                f"{images.shape}."
            )
        result = np.empty((len(images), 2, *images.shape[2:]), np.float32)
        for image, (background, foreground) in zip(images[:, 0], result, strict=True):
            foreground[:] = np.where(image > 0, self.foreground(image), 0)
            background[:] = 1 - foreground
        return result


class Canny(ClassicalSegmenter):
    """Edges by the Canny operator, closed and filled."""

    def __init__(self, options: CannyOptions) -> None:
        super().__init__("canny", options)
        if options.low > options.high:
            raise InputError(
                f"canny: option low = {options.low:g} is above high = {options.high:g}."
            )
        self.settings = options

    def foreground(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """1 inside closed edges of `image` (H, W), 0 elsewhere."""
        from scipy.ndimage import binary_fill_holes

        settings = self.settings
        valid = image > 0
        if not valid.any():
            return np.zeros(image.shape, np.float32)
        # The border of a gap is no edge of the picture.
        filled = np.where(valid, image, np.uint8(np.median(image[valid])))
        if settings.sigma > 0:
            filled = cv2.GaussianBlur(filled, (0, 0), settings.sigma)
        edges = cv2.Canny(filled, settings.low, settings.high)
        closed = cv2.morphologyEx(edges, cv2.MORPH_CLOSE, _disc(settings.closing))
        regions = binary_fill_holes(closed > 0).astype(np.uint8)
        opened = cv2.morphologyEx(regions, cv2.MORPH_OPEN, _disc(settings.opening))
        return opened.astype(np.float32)


class LaplacianOfGaussian(ClassicalSegmenter):
    """Blobs by the Laplacian of Gaussian; its settings are those of `odm.models.networks.blob`."""

    def __init__(self, options: ClassicalOptions) -> None:
        from odm.models.networks.blob import BlobSettings

        super().__init__("log", options)
        self.settings = BlobSettings(
            **options.model_dump(exclude=set(ClassicalOptions.model_fields))
        )

    def foreground(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """0.5 to 1 inside the blobs of `image` (H, W), 0 elsewhere."""
        from odm.models.networks.blob import detect_blobs

        return detect_blobs(image, self.settings)


@cache
def _log_options() -> type[ClassicalOptions]:
    """The options of `log`: those of the detector, taken from it when they are first needed."""
    from odm.models.networks.blob import BlobSettings

    settings: dict[str, Any] = {
        field.name: (kind, field.default)
        for field in fields(BlobSettings)
        for kind in [get_type_hints(BlobSettings)[field.name]]
    }
    return create_model("LogOptions", __base__=ClassicalOptions, **settings)


@dataclass(frozen=True)
class ClassicalMethod:
    """A method without learning: the class of its options, and what it is built by."""

    options: Callable[[], type[ClassicalOptions]]
    build: Callable[[Any], ClassicalSegmenter]


CLASSICAL: dict[str, ClassicalMethod] = {
    "canny": ClassicalMethod(lambda: CannyOptions, Canny),
    "log": ClassicalMethod(_log_options, LaplacianOfGaussian),
}


def create_classical(name: str, **options: Any) -> ClassicalSegmenter:
    """Build a method without learning.

    Raises:
        InputError: for an unknown name or option, or a value that does not fit.
    """
    if name not in CLASSICAL:
        raise InputError(f"Segmenter: {unknown_name('method', name, CLASSICAL)}")
    method = CLASSICAL[name]
    return method.build(parse_options(method.options(), name, options))


def _disc(diameter: int) -> NDArray[np.uint8]:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter)).astype(np.uint8)
