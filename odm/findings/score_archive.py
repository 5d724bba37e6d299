"""Score a method on a whole archive: read, predict, find regions, measure, compare with truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.archive.errors import InputError
from odm.archive.listing import OrbitFile, list_orbits
from odm.archive.orbits import Orbit
from odm.findings.regions import (
    Region,
    RegionSettings,
    find_regions,
    native_probability,
    region_rows,
)
from odm.findings.score_sheet import ScoreSheet
from odm.findings.scoring import Finding, ScoredOrbit, Scorer
from odm.findings.truth import Truth
from odm.images.geometry import ImageSettings
from odm.images.spectrogram import geometry_of, read_image

Images = NDArray[np.uint8]
Predict = Callable[[Images], NDArray[Any]]
"""Images (B, H, W) uint8 → probability of the foreground (B, H, W), uint8 or float."""
Progress = Callable[[int, int], None]
CANDIDATES_PER_ORBIT = 40
"""At most so many regions of a half-orbit, the surest, extend a curve; the result is never cut."""


@dataclass(frozen=True, slots=True)
class Example:
    """One half-orbit for a picture: its path, and what is true and found in it at the threshold."""

    path: str
    truth: Sequence[NDArray[np.bool_]]
    found: Sequence[NDArray[np.bool_]]
    pairs: Sequence[tuple[int, int]]


def score_archive(
    predict: Predict,
    archive: object,
    images: ImageSettings,
    *,
    truth: Truth | None = None,
    regions: RegionSettings | None = None,
    entries: Sequence[OrbitFile] | None = None,
    batch: int = 4,
    about: Mapping[str, Any] | None = None,
    resamples: int = 1000,
    examples: list[Example] | None = None,
    progress: Progress | None = None,
) -> ScoreSheet:
    """Score a method on the labelled half-orbits of an archive.

    Regions are searched down to ``regions.low_threshold``, so that the curves go further than the
    result; what is scored as the result are those of confidence ``regions.threshold`` and more.

    Args:
        predict: the method, such as a `Predictor`.
        archive: folder or URI of half-orbits.
        images: as the method was trained with.
        truth: labels; by default those of the archive itself, if it is a simulated one.
        regions: how its maps become regions.
        entries: half-orbits to score, of a listing of the archive; by default all that the truth
            knows.
        batch: images given to ``predict`` at once.
        about: shown on the sheet.
        resamples: for intervals.
        examples: takes up to 12 half-orbits for pictures: some right, some missed, some false.
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
    done = 0
    for paths in _batches([entry.path for entry in chosen], batch):
        read = [read_image(path, images) for path in paths]
        maps = predict(np.stack([image for image, _ in read]))
        for (image, orbit), probability in zip(read, maps, strict=True):
            scored = scored_orbit(image, orbit, probability, images, settings, known)
            pairs = scorer.add(scored)
            if examples is not None:
                _collect(examples, orbit, scored, settings, pairs)
            done += 1
            if progress is not None:
                progress(done, len(chosen))
    facts = {**(about or {}), "archive": str(archive), "regions": settings.to_dict()}
    return scorer.sheet(facts, resamples=resamples)


def scored_orbit(
    image: Images,
    orbit: Orbit,
    probability: NDArray[Any],
    images: ImageSettings,
    settings: RegionSettings,
    truth: Truth,
) -> ScoredOrbit:
    """Put what was found and what is true of one half-orbit side by side.

    Args:
        image, orbit: as `read_image` gives them.
        probability: (H, W), of the foreground.
        images, settings, truth: as for `score_archive`.
    """
    assert orbit.key is not None
    geometry = geometry_of(orbit, images)
    wide = replace(settings, threshold=settings.low_threshold)
    candidates = find_regions(probability, geometry, wide)
    result = [one for one in candidates if one.confidence >= settings.threshold]
    weaker = [one for one in candidates if one.confidence < settings.threshold]
    kept, rows = region_rows(
        orbit.path, result, source=orbit.key.name, model="candidate", components="z"
    )
    found = [Finding(region.mask, row) for region, row in zip(kept, rows, strict=True)]
    # What only extends the curves needs no physical values.
    found += [
        Finding(one.mask, {"confidence": one.confidence})
        for one in _surest(weaker)[: max(0, CANDIDATES_PER_ORBIT - len(result))]
    ]
    return ScoredOrbit(
        block=orbit.key.cycle,
        shape=(orbit.frequency.size, orbit.times.size),
        truth=truth.findings(orbit, settings),
        found=found,
        probability=native_probability(probability, geometry),
        valid=geometry.mask_to_native(image > 0),
        confusers=truth.confusers_of(orbit),
    )


def _surest(candidates: list[Region]) -> list[Region]:
    return sorted(candidates, key=lambda one: -one.confidence)


def _batches(paths: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for first in range(0, len(paths), size):
        yield paths[first : first + size]


def _collect(
    examples: list[Example],
    orbit: Orbit,
    scored: ScoredOrbit,
    settings: RegionSettings,
    pairs: Sequence[tuple[int, int]],
) -> None:
    """Keep up to four half-orbits of each sort: all right, something missed, something false."""
    result = [
        number
        for number, one in enumerate(scored.found)
        if one.row["confidence"] >= settings.threshold
    ]
    missed, false = len(scored.truth) - len(pairs), len(result) - len(pairs)
    if not scored.truth and not false:
        return
    sort = (missed > 0, false > 0)
    alike = 0
    for one in examples:
        alike += sort == (len(one.truth) > len(one.pairs), len(one.found) > len(one.pairs))
    if alike < 3:
        examples.append(
            Example(
                path=orbit.path,
                truth=[one.mask for one in scored.truth],
                found=[scored.found[number].mask for number in result],
                pairs=[(true, result.index(found)) for true, found in pairs],
            )
        )
