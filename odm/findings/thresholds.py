"""The thresholds of regions that find the most nuclei with the fewest false ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from odm.archive.errors import InputError
from odm.archive.listing import OrbitFile
from odm.archive.samples import Sample
from odm.findings.curves import curve
from odm.findings.matching import OVERLAPS, match_regions, overlap_matrix
from odm.findings.regions import LEVELS, RegionSettings, find_regions, level_of
from odm.findings.score_archive import Predict, Predicted, Progress, predict_entries
from odm.findings.truth import Truth
from odm.images.geometry import ImageSettings

LOW_THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""From which probability regions may grow; the threshold itself is any level above."""


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
    entries: Sequence[OrbitFile | Sample],
    images: ImageSettings,
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
    seeds: dict[float, list[float]] = {low: [] for low in LOW_THRESHOLDS}
    hits: dict[float, list[bool]] = {low: [] for low in LOW_THRESHOLDS}
    nuclei = 0
    for done, one in enumerate(predict_entries(predict, entries, images, batch), start=1):
        true = [region.mask for region in truth.regions(one.orbit, settings, one.shown)]
        nuclei += len(true)
        for low in LOW_THRESHOLDS:
            sure, matched = _candidates(one, low, settings, true, overlap)
            seeds[low] += sure
            hits[low] += matched
        if progress is not None:
            progress(done, len(entries))
    if not nuclei:
        raise InputError("nothing is drawn in the half-orbits that thresholds are fitted on")
    best = (0.0, settings.low_threshold, settings.threshold)
    for low in LOW_THRESHOLDS:
        swept = curve(np.array(seeds[low]), np.array(hits[low]), nuclei, len(entries))
        threshold, f1 = swept.best_threshold()
        if f1 >= best[0] and f1 > 0:
            best = (f1, low, threshold)
    f1, low, threshold = best
    # The level that low stands for is the same as before; it may not be above the threshold.
    low = min(level_of(low) / LEVELS, threshold)
    fitted = replace(settings, threshold=threshold, low_threshold=low)
    return FittedThresholds(fitted, f1, overlap, nuclei)


def _candidates(
    one: Predicted,
    low: float,
    settings: RegionSettings,
    true: Sequence[np.ndarray],
    overlap: float,
) -> tuple[list[float], list[bool]]:
    """Seed of every region that grows from ``low``, and whether it is a true one."""
    wide = replace(settings, threshold=low, low_threshold=low)
    valid = one.geometry.mask_to_native(one.valid)
    found = [
        region
        for region in find_regions(one.probability, one.geometry, wide)
        if valid[region.mask].any()
    ]
    iou, _ = overlap_matrix(true, [region.mask for region in found])
    sure = [region.seed for region in found]
    return sure, match_regions(iou, sure, overlap).hits.tolist()
