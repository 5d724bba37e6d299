"""Score a method on a whole archive: read, predict, find regions, measure, compare with truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.archive.orbit.listing import OrbitFile, list_orbits
from odm.archive.orbit.reader import Orbit
from odm.core.errors import InputError
from odm.datasets.orbit import OrbitSample, shown_columns
from odm.findings.outlines import Mask
from odm.findings.regions import (
    Region,
    RegionSettings,
    find_regions,
    native_probability,
    reaches,
    region_rows,
)
from odm.images.geometry import OrbitImageSettings, SpectrogramGeometry
from odm.images.spectrogram import geometry_of, read_spectrogram
from odm.scoring.orbit.cases import Example, example_of
from odm.scoring.orbit.scorer import Scorer
from odm.scoring.orbit.sheet import ScoreSheet
from odm.scoring.orbit.tally import Finding, ScoredOrbit
from odm.scoring.orbit.truth import Truth

Images = NDArray[np.uint8]
Predict = Callable[[Images], NDArray[Any]]
"""Images (B, H, W) uint8 → probability of the foreground (B, H, W), uint8 or float."""
Progress = Callable[[int, int], None]
CANDIDATES_PER_ORBIT = 40
"""At most so many regions of a half-orbit, the surest, extend a curve; the result is never cut."""


@dataclass(frozen=True, slots=True)
class Predicted:
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


def score_archive(
    predict: Predict,
    archive: object,
    images: OrbitImageSettings,
    *,
    truth: Truth | None = None,
    regions: RegionSettings | None = None,
    entries: Sequence[OrbitFile | OrbitSample] | None = None,
    batch: int = 4,
    about: Mapping[str, Any] | None = None,
    resamples: int = 1000,
    temperature: float | None = None,
    fitted_on: str = "validation",
    tempered: bool = False,
    examples: list[Example] | None = None,
    progress: Progress | None = None,
) -> ScoreSheet:
    """Score a method on the labelled half-orbits of an archive.

    Regions are searched down to ``regions.low_threshold``, so that the curves go further than the
    result; what is scored as the result are those of ``regions.threshold`` and more.

    Args:
        predict: the method, such as a `Predictor`.
        archive: folder or URI of half-orbits.
        images: as the method was trained with.
        truth: labels; by default those of the archive itself, if it is a simulated one.
        regions: how its maps become regions.
        entries: half-orbits to score, of a listing of the archive or of a data set; by default all
            that the truth knows. Of a sample that shows one hemisphere only that one is scored.
        batch: images given to ``predict`` at once.
        about: shown on the sheet.
        resamples: for intervals.
        temperature, fitted_on, tempered: see `Scorer.sheet`.
        examples: takes every half-orbit where something is true or was found, for
            `odm.scoring.orbit.cases.pick_cases`.
        progress: called with (done, all).

    Raises:
        InputError: no labelled half-orbit, or settings that cannot be meant.
        ArchiveError: a half-orbit is bad.
    """
    known = Truth.load(str(archive)) if truth is None else truth
    settings = regions or RegionSettings()
    listed = list_orbits(archive).entries if entries is None else entries
    chosen = [entry for entry in listed if known.knows(entry.key)]
    if not chosen:
        raise InputError(f"{archive}: no half-orbit of it is labelled")
    scorer = Scorer(settings.threshold)
    for done, one in enumerate(predict_entries(predict, chosen, images, batch), start=1):
        scored = scored_orbit(one, settings, known)
        pairs = scorer.add(scored)
        if examples is not None:
            example = example_of(one.orbit.path, scored, settings.threshold, pairs)
            examples += [] if example is None else [example]
        if progress is not None:
            progress(done, len(chosen))
    facts = {**(about or {}), "archive": str(archive), "regions": settings.to_dict()}
    return scorer.sheet(
        facts,
        resamples=resamples,
        temperature=temperature,
        fitted_on=fitted_on,
        tempered=tempered,
    )


def predict_entries(
    predict: Predict,
    entries: Sequence[OrbitFile | OrbitSample],
    images: OrbitImageSettings,
    batch: int,
) -> Iterator[Predicted]:
    """Read half-orbits and run a method over them, in their order.

    Args:
        predict, images, batch: as for `score_archive`.
        entries: half-orbits.

    Raises:
        ArchiveError: a half-orbit is bad.
    """
    for first in range(0, len(entries), batch):
        part = entries[first : first + batch]
        read = [read_spectrogram(entry.path, images) for entry in part]
        shown = []
        for entry, (image, orbit) in zip(part, read, strict=True):
            shown.append(_hide(entry, image, geometry_of(orbit, images)))
        maps = predict(np.stack([image for image, _ in read]))
        for (image, orbit), probability, columns in zip(read, maps, shown, strict=True):
            if columns is not None:
                probability = np.where(image > 0, probability, 0).astype(probability.dtype)
            geometry = geometry_of(orbit, images)
            yield Predicted(orbit, geometry, probability, image > 0, columns)


def _hide(
    entry: OrbitFile | OrbitSample, image: Images, geometry: SpectrogramGeometry
) -> Mask | None:
    """Blank what a sample does not show, in place; its native columns that are shown."""
    if not isinstance(entry, OrbitSample) or entry.hemisphere is None:
        return None
    latitude = geometry.to_physical(np.arange(geometry.shape[1]), 0)[1]
    image[:, ~shown_columns(latitude, entry.hemisphere)] = 0
    places, _ = geometry.from_native(np.arange(geometry.times.size), 0)
    return shown_columns(geometry.to_physical(places, 0)[1], entry.hemisphere)


def scored_orbit(one: Predicted, settings: RegionSettings, truth: Truth) -> ScoredOrbit:
    """Put what was found and what is true of one half-orbit side by side.

    Args:
        one: the half-orbit.
        settings, truth: as for `score_archive`.
    """
    orbit = one.orbit
    assert orbit.key is not None
    valid = one.geometry.mask_to_native(one.valid)
    wide = replace(settings, threshold=settings.low_threshold)
    candidates = find_regions(one.probability, one.geometry, wide)
    result = [region for region in candidates if reaches(region.seed, settings.threshold)]
    # Of fill values alone there is no region; `region_rows` sees to that for the result.
    weaker = [
        region
        for region in candidates
        if not reaches(region.seed, settings.threshold) and valid[region.mask].any()
    ]
    kept, rows = region_rows(
        orbit.path, result, source=orbit.key.name, model="candidate", components="z"
    )
    found = [
        Finding(region.mask, {**row, "seed": region.seed})
        for region, row in zip(kept, rows, strict=True)
    ]
    # What only extends the curves needs no physical values.
    found += [
        Finding(region.mask, {"confidence": region.confidence, "seed": region.seed})
        for region in _surest(weaker)[: max(0, CANDIDATES_PER_ORBIT - len(result))]
    ]
    return ScoredOrbit(
        block=orbit.key.cycle,
        shape=(orbit.frequency.size, orbit.times.size),
        truth=truth.findings(orbit, settings, one.shown),
        found=found,
        probability=native_probability(one.probability, one.geometry),
        valid=valid,
        confusers=truth.confusers_of(orbit, one.shown),
    )


def _surest(candidates: list[Region]) -> list[Region]:
    return sorted(candidates, key=lambda one: -one.confidence)
