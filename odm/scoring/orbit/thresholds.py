"""The thresholds of regions that find the most nuclei with the fewest false ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.core.errors import InputError
from odm.findings.outlines import Mask
from odm.findings.regions import LEVELS, RegionSettings, level_of
from odm.images.geometry import SpectrogramGeometry
from odm.scoring.curves import curve
from odm.scoring.matching import OVERLAPS
from odm.scoring.orbit.archive import (
    Advance,
    LabelledOrbits,
    MapSource,
    measured_regions,
    predict_orbits,
    region_hits,
)

LOW_THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Probabilities from which regions may grow; the threshold itself is any level above."""


@dataclass(frozen=True, slots=True)
class FittedThresholds:
    """What `fit_thresholds` chose.

    Attributes:
        regions: the settings with the best thresholds.
        f1: of regions, at them.
        overlap: IoU from which a region counts as found.
        nuclei: number of true regions that it was fitted on.
    """

    regions: RegionSettings
    f1: float
    overlap: float
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
        fit.add(predicted.probability, predicted.geometry, predicted.native_valid, masks)
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
    ) -> None:
        """Count one map.

        Args:
            probability: (H, W) on the canvas of ``geometry``.
            geometry: of the image.
            valid: (K, N) where there is a measurement.
            true: masks (K, N) of the true regions.
        """
        self.nuclei += len(true)
        self.maps += 1
        for low in self.seeds:
            wide = replace(self.settings, threshold=low, low_threshold=low)
            found = measured_regions(probability, geometry, valid, wide)
            seeds = [region.seed for region in found]
            self.seeds[low] += seeds
            self.hits[low] += region_hits(true, found, seeds, self.overlap).tolist()

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
        return FittedThresholds(fitted, f1, self.overlap, self.nuclei)
