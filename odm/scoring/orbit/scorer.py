"""Scores of found regions against true ones, one half-orbit after another.

A `Scorer` keeps a few numbers per region and per 5-day block, never a mask or a map, so that a year
fits in memory. `Scorer.sheet` turns them into a `ScoreSheet`.

Truth comes as contours. The published masks may have been drawn as boxes, so every score is also
given against the ellipse (same centre and second moments) and the bounding box of each true region.
For intervals, half-orbits are resampled by whole 5-day cycles of the ground track
(`OrbitKey.cycle`): within one they are not independent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from odm.findings.outlines import Mask, bounding_box
from odm.findings.regions import reaches
from odm.scoring.calibration import LEVELS, level_counts
from odm.scoring.matching import OVERLAPS, match_regions, overlap_matrix
from odm.scoring.orbit.sheet import ScoreSheet
from odm.scoring.orbit.summary import summarise
from odm.scoring.orbit.tally import (
    ERRORS,
    NOTHING,
    NUCLEUS,
    PAPER_PREVALENCE,
    PIXEL_SOURCES,
    PIXEL_THRESHOLD,
    TRUTH_SHAPES,
    Confuser,
    ScoredOrbit,
    Tally,
    Tempering,
)
from odm.scoring.pixels import confusion_matrix

_TOUCHES_NUCLEUS = 0.1


class Scorer:
    """Collects scores.

    Args:
        threshold: of seeds; regions from there on are the result that is scored. Curves are cuts
            through the confidences.
        overlaps: IoU at which regions are matched.
        prevalence: share of half-orbits with a nucleus, for which false regions are stated.
    """

    def __init__(
        self,
        threshold: float,
        *,
        overlaps: Sequence[float] = OVERLAPS,
        prevalence: float = PAPER_PREVALENCE,
    ) -> None:
        self.threshold = threshold
        self.overlaps = tuple(overlaps)
        self.prevalence = prevalence
        self.tally = Tally()

    def add(self, orbit: ScoredOrbit) -> list[tuple[int, int]]:
        """Score one half-orbit.

        Returns:
            Pairs (true, found) of the result, contours at the first overlap: what a picture shows.

        Raises:
            ValueError: a mask or map of another shape than the half-orbit, or a confidence that is
                no number.
        """
        confidences = [one.confidence for one in orbit.found]
        if not np.isfinite([*confidences, *(one.seed for one in orbit.found)]).all():
            raise ValueError(f"the confidences of found regions are {confidences}: not all numbers")
        masks = [finding.mask for finding in (*orbit.truth, *orbit.found)]
        for array in (*masks, orbit.probability, orbit.valid):
            if array is not None and array.shape != orbit.shape:
                raise ValueError(f"a mask or map of {array.shape} is not one of {orbit.shape}")
        shapes = _truth_shapes([finding.mask for finding in orbit.truth])
        pairs = self._match(orbit, shapes)
        self._count_pixels(orbit, shapes)
        self._measure(orbit, pairs)
        self._blame(orbit, pairs)
        self.tally.blocks.append(orbit.block)
        self.tally.clear.append(not orbit.truth)
        return pairs

    def sheet(
        self,
        about: Mapping[str, Any] | None = None,
        *,
        resamples: int = 1000,
        temperature: float | None = None,
        fitted_on: str = "validation",
        tempered: bool = False,
    ) -> ScoreSheet:
        """Everything in figures.

        Args:
            about: what was scored on which data, with which seed; shown on top.
            resamples: for the intervals, 0 for none.
            temperature: fitted on other data than these. Without one it is fitted on these, which
                flatters, and the sheet says so.
            fitted_on: the data that the temperature is from.
            tempered: whether the maps that were added are at that temperature already.

        Raises:
            ValueError: nothing was added.
        """
        return summarise(
            self.tally,
            self.threshold,
            self.overlaps,
            self.prevalence,
            about or {},
            resamples,
            None if temperature is None else Tempering(temperature, fitted_on, tempered),
        )

    def _match(self, orbit: ScoredOrbit, shapes: Mapping[str, list[Mask]]) -> list[tuple[int, int]]:
        tally, number = self.tally, len(self.tally.blocks)
        found = [finding.mask for finding in orbit.found]
        confidences = [one.confidence for one in orbit.found]
        seeds = [one.seed for one in orbit.found]
        hits, correct, recovered, first = [], [], [], None
        result = reaches(seeds, self.threshold)
        for masks in shapes.values():
            iou, _ = overlap_matrix(masks, found)
            for at in self.overlaps:
                hits.append(match_regions(iou, confidences, at).hits)
                # The pairs of the result alone: another region may not take a true one away.
                kept = np.flatnonzero(result)
                match = match_regions(iou[:, kept], [confidences[k] for k in kept], at)
                pairs = [(true, int(kept[k])) for true, k in match.pairs]
                right = np.zeros(len(found), dtype=bool)
                right[kept] = match.hits
                correct.append(right)
                recovered.append([true in dict(pairs) for true in range(len(masks))])
                first = pairs if first is None else first
        tally.found_orbit += [number] * len(found)
        tally.confidence += confidences
        tally.seed += seeds
        tally.hits += np.array(hits, dtype=bool).T.tolist()
        tally.correct += np.array(correct, dtype=bool).T.tolist()
        tally.truth_orbit += [number] * len(orbit.truth)
        tally.contrast += [float(one.row.get("contrast_db", np.nan)) for one in orbit.truth]
        tally.area += [int(one.mask.sum()) for one in orbit.truth]
        tally.recovered += np.array(recovered, dtype=bool).T.tolist()
        return first or []

    def _count_pixels(self, orbit: ScoredOrbit, shapes: Mapping[str, list[Mask]]) -> None:
        """Confusion matrices (source, shape, 2, 2) of the block, and the map's levels."""
        counts = self.tally.confusion.setdefault(
            orbit.block, np.zeros((len(PIXEL_SOURCES), len(TRUTH_SHAPES), 2, 2), np.int64)
        )
        result = [one.mask for one in orbit.found if reaches(one.seed, self.threshold)]
        predicted: list[Mask | None] = [None, _union(result, orbit.shape)]
        if orbit.probability is not None:
            predicted[0] = orbit.probability >= np.ceil(PIXEL_THRESHOLD * LEVELS)
        for place, masks in enumerate(shapes.values()):
            truth = _union(masks, orbit.shape)
            for source, pixels in enumerate(predicted):
                if pixels is not None:
                    counts[source, place] += confusion_matrix(truth, pixels, orbit.valid)
            if orbit.probability is not None and place == 0:
                self.tally.levels += level_counts(orbit.probability, truth, orbit.valid)

    def _measure(self, orbit: ScoredOrbit, pairs: Sequence[tuple[int, int]]) -> None:
        for true, found in pairs:
            drawn, result = orbit.truth[true], orbit.found[found]
            for name, (column, factor, unit) in ERRORS.items():
                if column in drawn.row and column in result.row:
                    error = result.row[column] - drawn.row[column]
                    value = error.total_seconds() if unit == "s" else float(error)
                    self.tally.errors[name].append(value * factor)
            self.tally.boundary.append(boundary_distance(drawn.mask, result.mask))

    def _blame(self, orbit: ScoredOrbit, pairs: Sequence[tuple[int, int]]) -> None:
        """Count what the false regions of the result are."""
        paired = {found for _, found in pairs}
        false = [
            one
            for number, one in enumerate(orbit.found)
            if number not in paired and reaches(one.seed, self.threshold)
        ]
        self.tally.present.update(one.kind for one in orbit.confusers)
        if false:
            _, shared = overlap_matrix([one.mask for one in orbit.truth], [m.mask for m in false])
            for number, one in enumerate(false):
                touched = shared[:, number].sum() >= _TOUCHES_NUCLEUS * one.mask.sum()
                kind = NUCLEUS if touched else confuser_of(one.mask, orbit.confusers)
                self.tally.alarms[kind] += 1


def confuser_of(mask: Mask, confusers: Sequence[Confuser]) -> str:
    """Kind of the confuser that a false region is taken for; `NOTHING` where none was drawn.

    Of those whose extent holds at least a quarter of the region, the one whose extent fits the
    region's own box best (IoU): a patch rather than the whistler that crosses it.
    """
    rows, columns = bounding_box(mask)
    best, kind = 0.0, NOTHING
    area = np.count_nonzero(mask)
    for one in confusers:
        if np.count_nonzero(mask[one.rows, one.columns]) < 0.25 * area:
            continue
        shared = _overlap(rows, one.rows) * _overlap(columns, one.columns)
        union = _size(rows) * _size(columns) + _size(one.rows) * _size(one.columns) - shared
        if shared / union > best:
            best, kind = shared / union, one.kind
    return kind


def boundary_distance(one: Mask, other: Mask) -> tuple[float, float]:
    """Mean distance, and that of 95 %, from outline to nearest outline, both ways, in pixels."""
    from odm.datasets.labels.agreement import boundary_offsets

    boxes = [bounding_box(one), bounding_box(other)]
    window = tuple(
        slice(max(0, min(a.start, b.start) - 1), max(a.stop, b.stop) + 1)
        for a, b in zip(*boxes, strict=True)
    )
    distance = np.hypot(*boundary_offsets(one[window], other[window]).T)
    return float(distance.mean()), float(np.percentile(distance, 95))


def _truth_shapes(masks: Sequence[Mask]) -> dict[str, list[Mask]]:
    from odm.images.masks import SHAPES

    shapes: dict[str, list[Mask]] = {"contour": list(masks)}
    for name in TRUTH_SHAPES[1:]:
        # One by one: the boxes of neighbours may overlap, and are still two regions.
        shapes[name] = [SHAPES[name](mask).astype(bool) for mask in masks]
    return shapes


def _union(masks: Sequence[Mask], shape: tuple[int, int]) -> Mask:
    union = np.zeros(shape, dtype=bool)
    for mask in masks:
        union |= mask
    return union


def _size(one: slice) -> int:
    return max(0, one.stop - one.start)


def _overlap(one: slice, other: slice) -> int:
    return max(0, min(one.stop, other.stop) - max(one.start, other.start))
