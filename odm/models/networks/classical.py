"""Segmentation without learning, behind the interface of the learned models.

`canny` is the method that the first paper compares with (section 4): edges by the Canny operator;
here the edges are closed and filled, so that they become regions. `log` finds blobs: the median
over time of each frequency is taken away, the rest is filtered with Laplacians of Gaussians at
several scales (Lindeberg 1998: normalised by the square of the scale), and connected areas above a
threshold that are large enough are regions.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from odm.core.errors import InputError
from odm.core.text import unknown_name
from odm.models.networks.options import ModelOptions, parse_options

Floats = NDArray[np.float32]


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


class BlobSettings(ClassicalOptions):
    """Options of `log`, the settings of `detect_blobs`: native pixels are 24.4 Hz by 2.048 s."""

    scales: tuple[float, ...] = (12.0, 18.0, 27.0)
    """Standard deviations of the Gaussians, pixels."""
    threshold: float = 12.0
    """Response, in robust standard deviations of it, that a region must exceed somewhere."""
    outline: float = 0.6
    """Share of ``threshold`` that a region exceeds everywhere."""
    minimum_area: int = 500
    """Smallest area of a region, pixels."""
    maximum_elongation: float = 3.0
    """Largest ratio of the bounding box's longer to its shorter side."""
    without_streaks: bool = True
    """Whether the median over frequency of each column is taken away, too."""
    shrink: int = 2
    """Factor by which the image is made smaller, for speed."""


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
    """Blobs by the Laplacian of Gaussian; see `detect_blobs`."""

    def __init__(self, options: BlobSettings) -> None:
        super().__init__("log", options)
        self.settings = options
        numbers = (*options.scales, options.threshold, options.outline, options.maximum_elongation)
        if not options.scales or not all(number > 0 for number in numbers):
            raise InputError("blob settings: scales, threshold, outline and elongation are above 0")
        if options.minimum_area < 1 or options.shrink < 1:
            raise InputError("blob settings: minimum_area and shrink are at least 1")

    def foreground(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """0.5 to 1 inside the blobs of `image` (H, W), 0 elsewhere."""
        return detect_blobs(image, self.settings)


CLASSICAL: dict[str, tuple[type[ClassicalOptions], Any]] = {
    "canny": (CannyOptions, Canny),
    "log": (BlobSettings, LaplacianOfGaussian),
}
"""Methods without learning: the class of their options, and their own."""


def create_classical(name: str, **options: Any) -> ClassicalSegmenter:
    """Build a method without learning.

    Raises:
        InputError: for an unknown name or option, or a value that does not fit.
    """
    if name not in CLASSICAL:
        raise InputError(f"Segmenter: {unknown_name('method', name, CLASSICAL)}")
    kind, method = CLASSICAL[name]
    built: ClassicalSegmenter = method(parse_options(kind, name, options))
    return built


def _disc(diameter: int) -> NDArray[np.uint8]:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter)).astype(np.uint8)


def blob_response(
    image: NDArray[np.floating] | NDArray[np.uint8], settings: BlobSettings
) -> Floats:
    """Response of the filters, in robust standard deviations of itself.

    Args:
        image: (H, W) log10 PSD with NaN where invalid, or a uint8 image with 0 where invalid;
            rows are frequencies.

    Returns:
        (H, W) float32, large where something is brighter than its surroundings.
    """
    values = np.asarray(image, dtype=np.float32)
    values = np.where(_invalid(image), np.float32(np.nan), values)
    values -= _median(values, axis=1)
    if settings.without_streaks:
        values -= _median(values, axis=0)
    values = np.nan_to_num(values, nan=0.0)
    height, width = values.shape
    factor = settings.shrink
    size = (max(width // factor, 1), max(height // factor, 1))
    small = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    best = np.full(small.shape, -np.inf, dtype=np.float32)
    for scale in settings.scales:
        smooth = cv2.GaussianBlur(small, (0, 0), scale / factor, borderType=cv2.BORDER_REFLECT_101)
        log = cv2.Laplacian(smooth, cv2.CV_32F, ksize=1, borderType=cv2.BORDER_REFLECT_101)
        np.maximum(best, -((scale / factor) ** 2) * log, out=best)
    # Brighter areas are few: half the spread is taken below the median, where there are none.
    middle = np.median(best)
    below = middle - best[best < middle]
    spread = 1.4826 * float(np.median(below)) if below.size else 0.0
    response = (best - middle) / np.float32(max(spread, 1e-9))
    large = cv2.resize(response, (width, height), interpolation=cv2.INTER_LINEAR)
    return large.astype(np.float32, copy=False)


def detect_blobs(
    image: NDArray[np.floating] | NDArray[np.uint8], settings: BlobSettings | None = None
) -> Floats:
    """A map like a model's probabilities: 0 outside regions, 0.5 to 1 inside.

    Args:
        image: as for `blob_response`.
        settings: the defaults are near those tuned in `benchmarks/simulator_difficulty.py`.

    Returns:
        (H, W) float32; its connected areas are the regions, their maximum rises with the response.
        Invalid pixels are 0.
    """
    settings = settings or BlobSettings()
    regions = regions_of(blob_response(image, settings), settings)
    return np.where(_invalid(image), np.float32(0), regions)


def regions_of(response: Floats, settings: BlobSettings) -> Floats:
    """The map of `detect_blobs` from a response: everything after the filters."""
    level = settings.outline * settings.threshold
    areas = (response >= level).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(areas, connectivity=8)
    peaks = np.zeros(count, dtype=np.float32)
    np.maximum.at(peaks, labels.ravel().astype(np.intp), response.ravel())
    long = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    short = np.minimum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    chosen = (
        (peaks >= settings.threshold)
        & (stats[:, cv2.CC_STAT_AREA] >= settings.minimum_area)
        & (long <= settings.maximum_elongation * short)
    )
    chosen[0] = False
    # 0.5 at the threshold, towards 1 far above it.
    confidence = 1.0 - 0.5 * np.exp(-np.maximum(peaks / settings.threshold - 1.0, 0.0))
    return np.where(chosen, confidence, 0.0).astype(np.float32)[labels]


def _invalid(image: NDArray[np.floating] | NDArray[np.uint8]) -> NDArray[np.bool_]:
    return (image == 0) if image.dtype == np.uint8 else ~np.isfinite(image)


def _median(values: Floats, axis: int) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a row without a valid value
        middle = np.nanmedian(values, axis=axis, keepdims=True)
    return np.nan_to_num(middle, nan=0.0).astype(np.float32)
