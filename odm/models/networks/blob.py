"""Blobs without learning: the method that every learned model is compared with.

The median over time of each frequency is taken away, the rest is filtered with Laplacians of
Gaussians at several scales (Lindeberg 1998: normalised by the square of the scale), and connected
areas above a threshold that are large enough are regions.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.core.errors import InputError

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class BlobSettings:
    """Settings of `detect_blobs`, for native pixels (24.4 Hz by 2.048 s).

    Attributes:
        scales: standard deviations of the Gaussians, pixels.
        threshold: of the response, in robust standard deviations of it; a region must exceed it
            somewhere.
        outline: share of ``threshold`` that a region exceeds everywhere.
        minimum_area: pixels.
        maximum_elongation: of the bounding box, longer over shorter side.
        without_streaks: also take the median over frequency of each column away.
        shrink: work on an image smaller by this factor, for speed.
    """

    scales: tuple[float, ...] = (12.0, 18.0, 27.0)
    threshold: float = 12.0
    outline: float = 0.6
    minimum_area: int = 500
    maximum_elongation: float = 3.0
    without_streaks: bool = True
    shrink: int = 2

    def __post_init__(self) -> None:
        numbers = (*self.scales, self.threshold, self.outline, self.maximum_elongation)
        if not self.scales or not all(number > 0 for number in numbers):
            raise InputError("blob settings: scales, threshold, outline and elongation are above 0")
        if self.minimum_area < 1 or self.shrink < 1:
            raise InputError("blob settings: minimum_area and shrink are at least 1")


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
