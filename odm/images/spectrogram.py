"""Spectrogram images: log10 PSD between two limits as grey levels 1 to 255, 0 for invalid.

Those that need no limits are in `odm.images.relative`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.archive.orbit.reader import (
    MAXIMUM_AMPLITUDE,
    Orbit,
    check_component,
    read_orbit,
    read_spectrum,
    valid_amplitude,
)
from odm.core.errors import ArchiveError, InputError
from odm.images.canvas import LEVELS, Image
from odm.images.geometry import OrbitImageSettings, SpectrogramGeometry, check_fits
from odm.images.relative import relative_levels

DEFAULT_PERCENTILES = (1.0, 99.0)
"""Percentiles of log10 PSD over a data set that become the image limits. What is clipped above is
mostly the hiss below 1 kHz; with more room at the top everything else would be dark."""


def spectrogram_image(amplitude: NDArray[np.floating[Any]], settings: OrbitImageSettings) -> Image:
    """Make the model image of one spectrogram.

    Args:
        amplitude: (N, K) mV/m/Hz^0.5 as stored, rows of time; fill values become 0.
        settings: limits, canvas and mode.

    Returns:
        (height, width) uint8, of a relative image (height, width, 2); row 0 the highest frequency,
        0 where there is no measurement.

    Raises:
        InputError: it does not fit its canvas.
    """
    rows, frequencies = amplitude.shape
    check_fits(rows, frequencies, settings)
    height, width = settings.height, settings.width
    if settings.mode == "relative":
        content = relative_levels(amplitude)
    else:
        grey = grey_levels(amplitude, settings)
        content = np.asarray(cv2.rotate(grey, cv2.ROTATE_90_COUNTERCLOCKWISE), dtype=np.uint8)
        if settings.mode == "resized":
            return resize(content, height, width)
    canvas = np.zeros((height, width, *content.shape[2:]), dtype=np.uint8)
    canvas[: content.shape[0], : content.shape[1]] = content
    return canvas


def grey_levels(amplitude: NDArray[np.floating[Any]], settings: OrbitImageSettings) -> Image:
    """Grey levels (N, K) of amplitudes (N, K), not rotated.

    float32 with the natural logarithm: NumPy has vector instructions for just that, and it is
    within one grey level of float64 (in 1 of 70,000 pixels).
    """
    minimum, maximum = settings.limits
    scale = LEVELS / (maximum - minimum)
    level = np.array(amplitude, dtype=np.float32, order="C")
    valid = (level > 0) & (level < np.float32(MAXIMUM_AMPLITUDE))
    level[~valid] = 1  # any number whose logarithm is quiet; it becomes 0 below
    np.log(level, out=level)
    level *= np.float32(2 / np.log(10) * scale)
    level += np.float32(1.5 - minimum * scale)  # the half rounds
    np.clip(level, 1, 255, out=level)
    grey = level.astype(np.uint8)
    grey *= valid
    return grey


def resize(image: Image, height: int, width: int) -> Image:
    """Scale grey levels by area (enlarging: bilinear); invalid pixels lend nothing to their
    neighbours, and a pixel of which less than half is valid is invalid."""
    if image.shape == (height, width):
        return image
    smaller = height <= image.shape[0] and width <= image.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    valid = image > 0
    scale = partial(cv2.resize, dsize=(width, height), interpolation=method)
    if valid.all():
        return np.maximum(scale(image), 1, dtype=np.uint8)
    weight, total = scale(valid.astype(np.float32)), scale(image.astype(np.float32))
    enough = weight >= 0.5
    scaled = np.zeros((height, width), dtype=np.uint8)
    scaled[enough] = np.clip(total[enough] / weight[enough] + 0.5, 1, 255).astype(np.uint8)
    return scaled


def read_spectrogram(path: object, settings: OrbitImageSettings) -> tuple[Image, Orbit]:
    """File to model image, as reading workers do it.

    Returns:
        The image and the half-orbit with its coordinates but without its spectra, so that what
        travels on is a tenth of what was read.

    Raises:
        ArchiveError: the file is bad, or does not fit its canvas.
    """
    orbit = read_orbit(path, settings.component)
    try:
        image = spectrogram_image(orbit.amplitude[settings.component], settings)
    except InputError as error:
        raise ArchiveError(path, str(error)) from None
    return image, replace(orbit, amplitude={})


def geometry_of(orbit: Orbit, settings: OrbitImageSettings) -> SpectrogramGeometry:
    """The geometry of a half-orbit's image."""
    return SpectrogramGeometry(
        orbit.times, orbit.frequency, orbit.latitude, orbit.longitude, settings
    )


def estimate_limits(
    paths: Sequence[object],
    component: str = "z",
    percentiles: tuple[float, float] = DEFAULT_PERCENTILES,
    max_files: int = 200,
) -> tuple[float, float]:
    """Image limits from percentiles of log10 PSD over a data set.

    Args:
        paths: half-orbits; if more than ``max_files``, evenly spaced ones are read.
        component: x, y or z.
        percentiles: lower and upper, of all valid values.

    Returns:
        Minimum and maximum, log10 of (mV/m)^2/Hz, rounded to 0.001.

    Raises:
        InputError: no file could be read.
    """
    if not 0 <= percentiles[0] < percentiles[1] <= 100:
        raise InputError(f"percentiles {percentiles}: give two between 0 and 100, the lower first")
    component = check_component(component)
    if not paths:
        raise InputError("image limits need at least one half-orbit")
    chosen = [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, max_files).astype(int))]
    edges = np.linspace(-20, 20, 40_001)  # log10 PSD in steps of 0.001
    counts = np.zeros(edges.size - 1, dtype=np.int64)
    problem: ArchiveError | None = None
    for path in chosen:
        try:
            amplitude = read_spectrum(path, component)
        except ArchiveError as error:
            problem = error
            continue
        log_psd = 2 * np.log10(amplitude[valid_amplitude(amplitude)].astype(np.float64))
        counts += np.histogram(log_psd, bins=edges)[0]
    if not counts.any():
        raise InputError(
            "image limits need at least one readable half-orbit"
            + (f"; the last one tried is {problem}" if problem else "")
        )
    cumulative = np.cumsum(counts) / counts.sum() * 100
    lower, upper = (edges[np.searchsorted(cumulative, share)] for share in percentiles)
    return round(float(lower), 3), round(float(max(upper, lower + 0.01)), 3)
