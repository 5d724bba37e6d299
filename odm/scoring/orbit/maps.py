"""A method's maps of probability: scored, and thresholds of regions fitted on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.archive.orbit.listing import OrbitFile
from odm.archive.orbit.reader import Orbit
from odm.core.errors import InputError
from odm.datasets.orbit import OrbitSample, shown_columns
from odm.findings.outlines import Mask
from odm.findings.regions import (
    LEVELS,
    Region,
    RegionSettings,
    find_regions,
    level_of,
    native_probability,
    reaches,
    region_rows,
)
from odm.images.canvas import valid_pixels
from odm.images.geometry import OrbitImageSettings, SpectrogramGeometry
from odm.images.spectrogram import geometry_of, read_spectrogram
from odm.scoring.curves import curve
from odm.scoring.matching import OVERLAPS, mask_overlaps, match_findings
from odm.scoring.orbit.scorer import Scorer
from odm.scoring.orbit.tally import Finding, ScoredOrbit, is_ignored
from odm.scoring.orbit.truth import Truth

Images = NDArray[np.uint8]
Predict = Callable[[Images], NDArray[Any]]
"""Function of images (B, H, W) or (B, H, W, C) uint8 that gives the probability of the foreground
(B, H, W), uint8 or float."""
Entry = OrbitFile | OrbitSample
Advance = Callable[..., object]
"""Function that is called with the number of half-orbits just finished."""
LOW_THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Probabilities from which regions may grow; the threshold itself is any level above."""
CANDIDATES_PER_ORBIT = 40
"""Number of regions of a half-orbit, the surest, that extend a curve; the result is never cut."""


@dataclass(frozen=True)
class MapSource:
    """What gives the maps of probability, and the images that it is to see.

    Attributes:
        predict: the method, such as a `odm.models.predictor.Predictor`.
        images: settings of the images that it was trained with.
        batch: images given to it at once.
    """

    predict: Predict
    images: OrbitImageSettings
    batch: int = 4


@dataclass(frozen=True)
class LabelledOrbits:
    """Half-orbits with their labels.

    Attributes:
        entries: files of a listing, or samples of a data set. Of a sample that shows one hemisphere
            only that one is scored.
        truth: what is known of them.
    """

    entries: Sequence[Entry]
    truth: Truth


@dataclass(frozen=True, slots=True)
class PredictedOrbit:
    """One half-orbit with the answer to its image.

    Attributes:
        orbit: with coordinates, without spectra.
        geometry: of the image.
        probability: (H, W) of the foreground, as the method gave it; 0 in hidden columns.
        valid: (H, W) bool, where the image holds a measurement.
        shown: (N,) the native columns that count; None for all.
    """

    orbit: Orbit
    geometry: SpectrogramGeometry
    probability: NDArray[Any]
    valid: Mask
    shown: Mask | None = None

    @property
    def native_valid(self) -> Mask:
        """(K, N) where there is a measurement."""
        return self.geometry.mask_to_native(self.valid)


def score_archive(
    source: MapSource,
    orbits: LabelledOrbits,
    regions: RegionSettings | None = None,
    *,
    examples: bool = False,
    advance: Advance | None = None,
) -> Scorer:
    """Score a method on labelled half-orbits.

    Regions are searched down to ``regions.low_threshold``, so that the curves go further than the
    result; what is scored as the result are those of ``regions.threshold`` and more.

    Args:
        source: the method.
        orbits: what it is scored on.
        regions: how its maps become regions.
        examples: keep every half-orbit where something is true or was found.
        advance: called with the number of half-orbits just finished.

    Raises:
        InputError: settings that cannot be meant.
        ArchiveError: a half-orbit is bad.
    """
    settings = regions or RegionSettings()
    scorer = Scorer(settings.threshold)
    for predicted in predict_orbits(source, orbits.entries, advance):
        scored = scored_orbit(predicted, settings, orbits.truth)
        scorer.add(scored, predicted.orbit.path if examples else "")
    return scorer


def predict_orbits(
    source: MapSource, entries: Sequence[Entry], advance: Advance | None = None
) -> Iterator[PredictedOrbit]:
    """Read half-orbits and run a method over them, in their order.

    Args:
        source: the method.
        entries: half-orbits.
        advance: called with 1 after each, when the next one is asked for.

    Raises:
        ArchiveError: a half-orbit is bad.
    """
    images = source.images
    for first in range(0, len(entries), source.batch):
        part = entries[first : first + source.batch]
        read = [read_spectrogram(entry.path, images) for entry in part]
        shown = []
        for entry, (image, orbit) in zip(part, read, strict=True):
            shown.append(_hide(entry, image, geometry_of(orbit, images)))
        maps = source.predict(np.stack([image for image, _ in read]))
        for (image, orbit), probability, columns in zip(read, maps, shown, strict=True):
            valid = valid_pixels(image)
            if columns is not None:
                probability = np.where(valid, probability, 0).astype(probability.dtype)
            geometry = geometry_of(orbit, images)
            yield PredictedOrbit(orbit, geometry, probability, valid, columns)
            if advance is not None:
                advance(1)


def _hide(entry: Entry, image: Images, geometry: SpectrogramGeometry) -> Mask | None:
    """Blank what a sample does not show, in place; return its native columns that are shown."""
    if not isinstance(entry, OrbitSample) or entry.hemisphere is None:
        return None
    latitude = geometry.to_physical(np.arange(geometry.shape[1]), 0)[1]
    image[:, ~shown_columns(latitude, entry.hemisphere)] = 0
    places, _ = geometry.from_native(np.arange(geometry.times.size), 0)
    return shown_columns(geometry.to_physical(places, 0)[1], entry.hemisphere)


def measured_regions(
    probability: NDArray[Any], geometry: SpectrogramGeometry, valid: Mask, settings: RegionSettings
) -> list[Region]:
    """Find the regions of a map that hold a measurement: an area of fill values alone is none.

    Args:
        probability: (H, W) on the canvas of ``geometry``.
        geometry: of the image.
        valid: (K, N) where there is a measurement.
        settings: thresholds and sizes.
    """
    regions = find_regions(probability, geometry, settings)
    return [region for region in regions if valid[region.mask].any()]


def candidate_regions(
    probability: NDArray[Any], geometry: SpectrogramGeometry, valid: Mask, settings: RegionSettings
) -> tuple[list[Region], list[Region]]:
    """Return the regions of the result, and weaker ones, the surest first, that extend curves.

    Args:
        probability: (H, W) on the canvas of ``geometry``.
        geometry: of the image.
        valid: (K, N) where there is a measurement; a weaker region holds some.
        settings: thresholds and sizes.
    """
    wide = replace(settings, threshold=settings.low_threshold, minimum_confidence=0.0)
    result, weaker = [], []
    for region in find_regions(probability, geometry, wide):
        sure = region.confidence >= settings.minimum_confidence
        if sure and reaches(region.seed, settings.threshold):
            # Of fill values alone there is no region; `region_rows` sees to that for the result.
            result.append(region)
        elif valid[region.mask].any():
            # Its seed says whether a region is part of the result.
            weaker.append(region if sure else replace(region, seed=0.0))
    surest = sorted(weaker, key=lambda region: -region.confidence)
    return result, surest[: max(0, CANDIDATES_PER_ORBIT - len(result))]


def as_finding(region: Region) -> Finding:
    """Return a region to be scored, without physical values."""
    return Finding(region.mask, {"confidence": region.confidence, "seed": region.seed})


def region_hits(
    truth: Sequence[Mask], regions: Sequence[Region], confidences: Sequence[float], overlap: float
) -> NDArray[np.bool_]:
    """Return which regions are true, (F,): paired one to one at an IoU of at least ``overlap``."""
    overlaps, _ = mask_overlaps(truth, [region.mask for region in regions])
    return match_findings(overlaps, confidences, overlap).hits


def scored_orbit(predicted: PredictedOrbit, settings: RegionSettings, truth: Truth) -> ScoredOrbit:
    """Put what was found and what is true of one half-orbit side by side.

    Args:
        predicted: the half-orbit.
        settings: how its map becomes regions.
        truth: labels.
    """
    orbit = predicted.orbit
    assert orbit.key is not None
    valid = predicted.native_valid
    result, weaker = candidate_regions(predicted.probability, predicted.geometry, valid, settings)
    kept, rows = region_rows(
        orbit.path, result, source=orbit.key.name, model="candidate", components="z"
    )
    found = [
        Finding(region.mask, {**row, "seed": region.seed})
        for region, row in zip(kept, rows, strict=True)
    ]
    # What only extends the curves needs no physical values.
    found += [as_finding(region) for region in weaker]
    true = truth.findings(orbit, settings, predicted.shown)
    return ScoredOrbit(
        block=orbit.key.cycle,
        shape=(orbit.frequency.size, orbit.times.size),
        truth=true,
        found=found,
        probability=native_probability(predicted.probability, predicted.geometry),
        valid=valid,
        confusers=truth.confusers_of(orbit, predicted.shown),
        ignored=truth.ignored(orbit, [region.mask for region in true], predicted.shown),
    )


@dataclass(frozen=True, slots=True)
class FittedThresholds:
    """What `fit_thresholds` chose.

    Attributes:
        regions: the settings with the best thresholds.
        f1: of regions, at them.
        nuclei: number of true regions that it was fitted on.
    """

    regions: RegionSettings
    f1: float
    nuclei: int


def fit_thresholds(
    source: MapSource,
    orbits: LabelledOrbits,
    regions: RegionSettings | None = None,
    *,
    overlap: float = OVERLAPS[0],
    advance: Advance | None = None,
) -> FittedThresholds:
    """Choose ``threshold`` and ``low_threshold`` for the largest F1 of regions.

    Every pair is tried: low thresholds on a grid, and for each all thresholds at once, as a cut
    through the seeds. Of pairs that are equally good the highest thresholds are taken.

    Args:
        source: the method, at the temperature that it will be used with.
        orbits: labelled half-orbits, which are not those that will be scored.
        regions: the other settings.
        overlap: IoU from which a region counts as found.
        advance: called with the number of half-orbits just finished.

    Raises:
        InputError: nothing is drawn in the half-orbits.
    """
    settings = regions or RegionSettings()
    fit = ThresholdFit(settings, overlap)
    for predicted in predict_orbits(source, orbits.entries, advance):
        true = orbits.truth.regions(predicted.orbit, settings, predicted.shown)
        masks = [region.mask for region in true]
        ignored = orbits.truth.ignored(predicted.orbit, masks, predicted.shown)
        fit.add(predicted.probability, predicted.geometry, predicted.native_valid, masks, ignored)
    return fit.best()


class ThresholdFit:
    """Sum of what every pair of thresholds would find, map by map.

    Args:
        settings: the other settings.
        overlap: IoU from which a region counts as found.
        lows: low thresholds to try.
    """

    def __init__(
        self,
        settings: RegionSettings,
        overlap: float = OVERLAPS[0],
        lows: Sequence[float] = LOW_THRESHOLDS,
    ) -> None:
        self.settings, self.overlap = settings, overlap
        self.seeds: dict[float, list[float]] = {low: [] for low in lows}
        self.hits: dict[float, list[bool]] = {low: [] for low in lows}
        self.nuclei = self.maps = 0

    def add(
        self,
        probability: NDArray[Any],
        geometry: SpectrogramGeometry,
        valid: Mask,
        true: Sequence[Mask],
        ignored: Mask | None = None,
    ) -> None:
        """Count one map.

        Args:
            probability: (H, W) on the canvas of ``geometry``.
            geometry: of the image.
            valid: (K, N) where there is a measurement.
            true: masks (K, N) of the true regions.
            ignored: (K, N), as `ScoredOrbit` has it.
        """
        self.nuclei += len(true)
        self.maps += 1
        for low in self.seeds:
            wide = replace(self.settings, threshold=low, low_threshold=low)
            found = measured_regions(probability, geometry, valid, wide)
            seeds = [region.seed for region in found]
            hits = region_hits(true, found, seeds, self.overlap).tolist()
            for region, hit in zip(found, hits, strict=True):
                if hit or not is_ignored(region.mask, ignored):
                    self.seeds[low].append(region.seed)
                    self.hits[low].append(hit)

    def best(self) -> FittedThresholds:
        """Return the pair with the largest F1; of equally good ones the highest.

        Raises:
            InputError: there is nothing to find in any map.
        """
        if not self.nuclei:
            raise InputError("nothing is drawn in the half-orbits that thresholds are fitted on")
        settings = self.settings
        best = (0.0, settings.low_threshold, settings.threshold)
        for low, seeds in self.seeds.items():
            swept = curve(np.array(seeds), np.array(self.hits[low]), self.nuclei, self.maps)
            threshold, f1 = swept.best_threshold()
            if f1 >= best[0] and f1 > 0:
                best = (f1, low, threshold)
        f1, low, threshold = best
        # The level that low stands for is the same as before; it may not be above the threshold.
        low = min(level_of(low) / LEVELS, threshold)
        fitted = replace(settings, threshold=threshold, low_threshold=low)
        return FittedThresholds(fitted, f1, self.nuclei)
