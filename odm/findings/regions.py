"""Regions of a probability map, and their rows of the catalog.

A region is a connected area of one half-orbit. Two nuclei that touch in the map are one region:
nothing in a probability map tells two touching nuclei from one of irregular shape, and cutting
them apart (by a watershed, say) would cut the double and ring-like ones as well. Scoring counts
such a merger as one nucleus found, if it overlaps one of them enough, and one missed.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from odm.archive.orbit.reader import read_orbit
from odm.core.errors import InputError
from odm.core.stored import StoredSettings
from odm.findings.measure import MAX_GAP_S, measure_regions
from odm.findings.outlines import Mask
from odm.images.geometry import SpectrogramGeometry
from odm.images.masks import is_drawn

LEVELS = 255
"""Probabilities are whole numbers of 1/255, so that a map costs a byte a pixel."""
TEMPERATURE = "temperature"
"""What a model folder's thresholds hold beside the settings of regions."""

_ROUNDING = 1e-9
"""Levels; a threshold of k / 255, computed in another way, still means level k."""

Levels = NDArray[np.uint8]

_LOG_ODDS = np.log((np.arange(LEVELS + 1) + 0.5) / (LEVELS + 0.5 - np.arange(LEVELS + 1)))
"""Log odds of every level; those of 0 and 1 are finite, since a level is a rounded probability."""


@dataclass(frozen=True, slots=True)
class RegionSettings(StoredSettings):
    """How a probability map becomes regions.

    Attributes:
        threshold: a region holds at least ``seed_pixels`` pixels of this probability.
        low_threshold: from there it grows over connected pixels of this probability.
        minimum_area: pixels at native size; the smallest known nuclei have some 500, of which a
            pass end or a gap can take a part.
        connectivity: 8, or 4 where pixels that touch at a corner do not belong together.
        seed_pixels: one bright pixel is noise.
        fill_holes: whether a region covers what it encloses; an outline has no holes.
        minimum_confidence: the least confidence of a region. What a trained model finds reaches
            nearly 1 somewhere, false regions too, so that this ranks them better than
            ``threshold`` does.
        averaged: what is averaged over a region to give its confidence: ``probability``, or
            ``log_odds``, whose mean is turned back into a probability. The mean probability
            grows with the area, since less of a large region is its doubtful border.
    """

    called = "thresholds of the model's card"

    threshold: float = 0.6
    low_threshold: float = 0.4
    minimum_area: int = 200
    connectivity: int = 8
    seed_pixels: int = 10
    fill_holes: bool = True
    minimum_confidence: float = 0.0
    averaged: Literal["probability", "log_odds"] = "probability"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; without those that came later where they change nothing, so that
        what is named by these values keeps its name."""
        values = dataclasses.asdict(self)
        if not values["minimum_confidence"]:
            del values["minimum_confidence"]
        if values["averaged"] == "probability":
            del values["averaged"]
        return values

    def __post_init__(self) -> None:
        if not 0 < self.low_threshold <= self.threshold <= 1:
            raise InputError(
                f"thresholds {self.low_threshold} and {self.threshold}: give two between 0 and 1, "
                "low_threshold not above threshold"
            )
        if self.minimum_area < 1 or self.seed_pixels < 1:
            raise InputError("minimum_area and seed_pixels: give at least 1 pixel")
        if not 0 <= self.minimum_confidence <= 1:
            raise InputError(f"minimum_confidence {self.minimum_confidence}: give 0 to 1")
        if self.averaged not in ("probability", "log_odds"):
            raise InputError(f"averaged {self.averaged}: give probability or log_odds")
        if self.connectivity not in (4, 8):
            raise InputError(f"connectivity {self.connectivity}: give 4 or 8")


def read_thresholds(thresholds: Mapping[str, Any]) -> tuple[RegionSettings, float | None]:
    """Read the thresholds of a model's card: how its maps become regions, and its temperature.

    Returns:
        The settings, and the temperature that its logits are divided by; None where the model was
        never calibrated.

    Raises:
        InputError: an unknown or impossible setting.
    """
    values = dict(thresholds)
    temperature = values.pop(TEMPERATURE, None)
    settings = RegionSettings.from_dict(values)
    return settings, None if temperature is None else float(temperature)


@dataclass(frozen=True, slots=True)
class Region:
    """One region of a half-orbit.

    Attributes:
        mask: (K, N) bool at native size, row 0 the highest frequency.
        confidence: mean inside, as `RegionSettings.averaged` says. The peak, which decides
            whether there is a region at all, is 1 for nearly all that a trained model finds,
            false ones among them; the mean also knows how much of the region is as sure as that,
            and ranks them.
        seed: the highest `RegionSettings.threshold` at which this region would still be found,
            that is the probability that ``seed_pixels`` of its pixels reach. So a sweep of the
            threshold is a cut through the seeds, and one search gives the results of all.
    """

    mask: Mask
    confidence: float
    seed: float = 1.0


def to_levels(probability: NDArray[Any]) -> Levels:
    """Return probabilities as uint8: 255 is 1. uint8 is passed through.

    Raises:
        InputError: values of another type, not finite, or outside 0 to 1.
    """
    if probability.dtype == np.uint8:
        return probability
    if probability.dtype.kind != "f":
        raise InputError(f"a probability map is uint8 or float, not {probability.dtype}")
    # NaN compares as outside.
    if not (
        probability.size == 0 or (probability.min() >= -1e-6 and probability.max() <= 1 + 1e-6)
    ):
        raise InputError("a probability map has values that are not between 0 and 1")
    return np.rint(np.clip(probability, 0, 1) * LEVELS).astype(np.uint8)


def level_of(threshold: float) -> int:
    """Return the smallest level that stands for at least this probability."""
    return max(1, int(np.ceil(threshold * LEVELS - _ROUNDING)))


def reaches(confidence: ArrayLike, threshold: float) -> Mask:
    """Whether regions of these confidences are found at a threshold, as `level_of` rounds it."""
    return np.asarray(confidence, dtype=np.float64) * LEVELS >= threshold * LEVELS - _ROUNDING


def native_probability(probability: NDArray[Any], geometry: SpectrogramGeometry) -> Levels:
    """Return a probability map of the canvas (H, W) at native size (K, N), as levels.

    A native image loses its padding; another one is interpolated, so that an outline does not step
    from model pixel to model pixel. At frequencies that an image does not show there is nothing.

    Raises:
        InputError: a map of another size than the canvas.
    """
    if probability.shape != geometry.shape:
        raise InputError(f"a probability map of {probability.shape} is not one of {geometry.shape}")
    levels = to_levels(probability)
    height, width = geometry.content
    content = levels[:height, :width]
    if geometry.content == geometry.native_shape:
        return content
    lines, columns = geometry.covered
    # cv2 puts pixel centres where SpectrogramGeometry does.
    resized = cv2.resize(content, (columns, lines), interpolation=cv2.INTER_LINEAR)
    return geometry.placed(np.asarray(resized, dtype=np.uint8))


def find_regions(
    probability: NDArray[Any], geometry: SpectrogramGeometry, settings: RegionSettings
) -> list[Region]:
    """Find the regions of one half-orbit.

    Args:
        probability: (H, W) of the foreground, on the canvas of ``geometry``: uint8 with 255 for 1,
            or float.
        geometry: geometry of the image.
        settings: thresholds and sizes.

    Returns:
        Regions at native size, by their first column, then from high to low frequency. No region
        goes across rows that are more than `MAX_GAP_S` apart.

    Raises:
        InputError: a map of another size or type.
    """
    levels = native_probability(probability, geometry)
    if np.count_nonzero(levels >= level_of(settings.threshold)) < settings.seed_pixels:
        return []
    regions = []
    for mask in _areas(levels >= level_of(settings.low_threshold), geometry.times, settings):
        inside = levels[mask]
        if inside.size < settings.seed_pixels:
            continue
        seed = int(np.partition(inside, -settings.seed_pixels)[-settings.seed_pixels])
        if seed >= level_of(settings.threshold):
            confidence = _confidence(inside, settings)
            if confidence >= settings.minimum_confidence:
                regions.append(Region(mask, confidence, seed / LEVELS))
    return regions


def _confidence(inside: Levels, settings: RegionSettings) -> float:
    """Return the mean probability of a region's levels (n,), or that of their mean log odds."""
    if settings.averaged == "probability":
        # Whole numbers are summed, so that the mean does not depend on who sums.
        return int(inside.sum(dtype=np.int64)) / (LEVELS * inside.size)
    mean = float(np.bincount(inside, minlength=LEVELS + 1) @ _LOG_ODDS) / inside.size
    return 1 / (1 + math.exp(-mean))


def regions_from_mask(
    mask: NDArray[Any], times: ArrayLike, settings: RegionSettings
) -> list[Region]:
    """Return the regions that a label or a simulator's truth holds.

    Nuclei that touch in the mask are one region; one across a gap of more than `MAX_GAP_S` is one
    on either side, as it is for `find_regions`.

    Args:
        mask: (K, N), row 0 the highest frequency; anything but 0 and `IGNORED` is foreground.
        times: (N,) datetime64.
        settings: connectivity, smallest area and holes; its thresholds are not used.

    Raises:
        InputError: a mask that does not have a column for each time.
    """
    stamps = np.asarray(times)
    if mask.ndim != 2 or mask.shape[1] != stamps.size:
        raise InputError(f"a mask of {mask.shape} does not have {stamps.size} columns, one per row")
    return [Region(area, 1.0) for area in _areas(is_drawn(mask), stamps, settings)]


def segments(times: ArrayLike) -> list[slice]:
    """Return ranges of columns without a gap of more than `MAX_GAP_S` inside."""
    stamps = np.asarray(times).astype("datetime64[ns]")
    steps_s = np.diff(stamps) / np.timedelta64(1, "s")
    cuts = [0, *(np.flatnonzero(steps_s > MAX_GAP_S) + 1).tolist(), stamps.size]
    return [slice(start, stop) for start, stop in itertools.pairwise(cuts)]


def _areas(foreground: Mask, times: ArrayLike, settings: RegionSettings) -> list[Mask]:
    """Return connected areas of at least the minimum size, each a full (K, N) mask, in order."""
    areas: list[tuple[int, int, Mask]] = []
    for columns in segments(times):
        part = np.ascontiguousarray(foreground[:, columns], dtype=np.uint8)
        if not part.any():
            continue
        if settings.fill_holes:
            part = _filled(part, settings.connectivity)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(
            part, connectivity=settings.connectivity
        )
        for label in range(1, count):
            left, top, width, height, area = stats[label]
            if area < settings.minimum_area:
                continue
            mask = np.zeros(foreground.shape, dtype=bool)
            box = np.s_[top : top + height, left : left + width]
            mask[:, columns][box] = labels[box] == label
            areas.append((columns.start + int(left), int(top), mask))
    areas.sort(key=lambda area: area[:2])
    return [mask for _, _, mask in areas]


def _filled(part: Levels, connectivity: int) -> Levels:
    """Fill holes; the outside is what is connected to the border the other way (4 for 8)."""
    outside = cv2.copyMakeBorder(1 - part, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    _, labels = cv2.connectedComponents(outside, connectivity=4 if connectivity == 8 else 8)
    filled: Levels = (labels[1:-1, 1:-1] != labels[0, 0]).astype(np.uint8)
    return filled


def region_rows(
    path: object,
    regions: Sequence[Region],
    *,
    source: str,
    model: str,
    components: Iterable[str] = "zxy",
) -> tuple[list[Region], list[dict[str, Any]]]:
    """Measure regions on the native data: the file is opened again, since few files have any.

    Args:
        path: the half-orbit.
        regions: as `find_regions` gives them.
        source: the file, relative to the archive, as the catalog names it.
        model: digest of the model, or what stands in its place.
        components: spectra to read; ``z`` is among them.

    Returns:
        The regions that hold a measurement (an area of fill values alone is none) and their rows.

    Raises:
        ArchiveError: the file is bad.
        TransientError: the store does not answer.
    """
    if not regions:
        return [], []
    orbit = read_orbit(path, components)
    psd = {component: orbit.psd(component) for component in orbit.amplitude}
    measured = np.rot90(np.isfinite(psd["z"]))  # image orientation
    kept = [region for region in regions if measured[region.mask].any()]
    rows = measure_regions(
        orbit,
        psd,
        [region.mask for region in kept],
        source=source,
        model=model,
        confidences=[region.confidence for region in kept],
    )
    return kept, rows
