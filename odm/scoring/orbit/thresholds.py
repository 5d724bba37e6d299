"""The thresholds of regions that find the most nuclei with the fewest false ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.archive.orbit.listing import OrbitFile
from odm.core.errors import InputError
from odm.datasets.orbit import OrbitSample
from odm.findings.outlines import Mask
from odm.findings.regions import LEVELS, RegionSettings, find_regions, level_of
from odm.images.geometry import OrbitImageSettings, SpectrogramGeometry
from odm.scoring.curves import curve
from odm.scoring.matching import OVERLAPS, match_regions, overlap_matrix
from odm.scoring.orbit.archive import Predict, Progress, predict_entries
from odm.scoring.orbit.truth import Truth

LOW_THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""From which probability regions may grow; the threshold itself is any level above."""


FEW = 30
"""True regions or layers, below which chance moves thresholds more than the model does."""


def warn_of_few(positives: int, findings: str, number: int, inputs: str) -> list[str]:
    """A sentence on thresholds that were fitted on little, if they were.

    Args:
        positives: true findings there.
        findings: what they are called.
        number: inputs that they are in, or might be.
        inputs: what those are called.
    """
    if positives >= FEW:
        return []
    return [
        f"thresholds were fitted on few true {findings} ({positives}; {inputs}: {number}): below "
        f"{FEW} they follow chance, and others would give other thresholds"
    ]


@dataclass(frozen=True, slots=True)
class FittedThresholds:
    """What `fit_thresholds` found.

    Attributes:
        regions: the settings with the best thresholds.
        f1: of regions, at them.
        overlap: IoU from which a region counts as found.
        nuclei: true regions that it was fitted on.
    """

    regions: RegionSettings
    f1: float
    overlap: float
    nuclei: int


def fit_thresholds(
    predict: Predict,
    entries: Sequence[OrbitFile | OrbitSample],
    images: OrbitImageSettings,
    truth: Truth,
    regions: RegionSettings | None = None,
    *,
    overlap: float = OVERLAPS[0],
    batch: int = 4,
    progress: Progress | None = None,
) -> FittedThresholds:
    """Choose ``threshold`` and ``low_threshold`` for the largest F1 of regions.

    Every pair is tried: low thresholds on a grid, and for each all thresholds at once, as a cut
    through the seeds. Of pairs that are equally good the highest thresholds are taken.

    Args:
        predict: the method, at the temperature that it will be used with.
        entries: labelled half-orbits, which are not those that will be scored.
        images: as the method was trained with.
        truth: their labels.
        regions: the other settings.
        overlap: IoU from which a region counts as found.
        batch: images given to ``predict`` at once.
        progress: called with (done, all).

    Raises:
        InputError: nothing is drawn in the entries.
    """
    settings = regions or RegionSettings()
    fit = ThresholdFit(settings, overlap)
    for done, one in enumerate(predict_entries(predict, entries, images, batch), start=1):
        true = [region.mask for region in truth.regions(one.orbit, settings, one.shown)]
        fit.add(one.probability, one.geometry, one.geometry.mask_to_native(one.valid), true)
        if progress is not None:
            progress(done, len(entries))
    return fit.best()


class ThresholdFit:
    """Adds up what every pair of thresholds would find, map by map.

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
            found = [
                region
                for region in find_regions(probability, geometry, wide)
                if valid[region.mask].any()
            ]
            iou, _ = overlap_matrix(true, [region.mask for region in found])
            sure = [region.seed for region in found]
            self.seeds[low] += sure
            self.hits[low] += match_regions(iou, sure, self.overlap).hits.tolist()

    def best(self) -> FittedThresholds:
        """The pair with the largest F1; of equally good ones the highest.

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
