"""Scores of found regions against true ones, one half-orbit after another.

A `Scorer` keeps a few numbers per region and per 5-day block, never a mask or a map, so that a year
fits in memory. `Scorer.sheet` turns them into a `RegionSheet`.

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
from odm.scoring.matching import OVERLAPS, box_overlaps, mask_overlaps, match_findings
from odm.scoring.orbit.pictures import Example, example_of, union_mask
from odm.scoring.orbit.sheet import RegionSheet
from odm.scoring.orbit.summary import summarise
from odm.scoring.orbit.tally import (
    ERRORS,
    NOTHING,
    NUCLEUS,
    PIXEL_SOURCES,
    PIXEL_THRESHOLD,
    TRUTH_SHAPES,
    Confuser,
    ScoredOrbit,
    Tally,
    Tempering,
    is_ignored,
)
from odm.scoring.pixels import confusion_matrix

_NUCLEUS_SHARE = 0.1
"""Share of a false region's pixels inside nuclei from which it is an ill-fitting nucleus."""
_CONFUSER_SHARE = 0.25
"""Share of a false region's pixels inside a confuser's extent from which it may be that one."""


Pairs = list[tuple[int, int]]


class Scorer:
    """Collects scores.

    Args:
        threshold: of seeds; regions from there on are the result that is scored. Curves are cuts
            through the confidences.

    Attributes:
        examples: half-orbits of known paths in which something is true or was found.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self.tally = Tally()
        self.examples: list[Example] = []

    def add(self, orbit: ScoredOrbit, path: str = "") -> Pairs:
        """Score one half-orbit.

        Args:
            orbit: what is true and what was found in it.
            path: its file, for an example.

        Returns:
            Pairs (true, found) of the result, contours at the first overlap: what a picture shows.

        Raises:
            ValueError: a mask or map of another shape than the half-orbit, or a confidence that is
                no number.
        """
        confidences = [region.confidence for region in orbit.found]
        if not np.isfinite([*confidences, *(region.seed for region in orbit.found)]).all():
            raise ValueError(f"the confidences of found regions are {confidences}: not all numbers")
        masks = [region.mask for region in (*orbit.truth, *orbit.found)]
        for array in (*masks, orbit.probability, orbit.valid, orbit.ignored):
            if array is not None and array.shape != orbit.shape:
                raise ValueError(f"a mask or map of {array.shape} is not one of {orbit.shape}")
        shapes = _truth_shapes([region.mask for region in orbit.truth])
        pairs = self._match(orbit, shapes)
        self._count_pixels(orbit, shapes)
        self._measure(orbit, pairs)
        self._attribute(orbit, pairs)
        self.tally.blocks.append(orbit.block)
        self.tally.clear.append(not orbit.truth)
        example = example_of(path, orbit, self.threshold, pairs) if path else None
        if example is not None:
            self.examples.append(example)
        return pairs

    def sheet(
        self,
        about: Mapping[str, Any] | None = None,
        *,
        resamples: int = 1000,
        tempering: Tempering | None = None,
    ) -> RegionSheet:
        """Return everything in figures.

        Args:
            about: what was scored on which data, with which seed; shown on top.
            resamples: for the intervals, 0 for none.
            tempering: the temperature of the maps, from other data than these. Without one it is
                fitted on these, which flatters, and the sheet says so.

        Raises:
            ValueError: nothing was added.
        """
        return summarise(self.tally, self.threshold, about or {}, resamples, tempering)

    def _match(self, orbit: ScoredOrbit, shapes: Mapping[str, list[Mask]]) -> Pairs:
        tally, number = self.tally, len(self.tally.blocks)
        found = [region.mask for region in orbit.found]
        confidences = [region.confidence for region in orbit.found]
        result = np.flatnonzero(reaches([region.seed for region in orbit.found], self.threshold))
        hits, correct, recovered = [], [], []
        first: Pairs | None = None
        for masks in shapes.values():
            overlaps, _ = mask_overlaps(masks, found)
            for at in OVERLAPS:
                hits.append(match_findings(overlaps, confidences, at).hits)
                # The pairs of the result alone: another region may not take a true one away.
                match = match_findings(overlaps[:, result], [confidences[k] for k in result], at)
                pairs = [(true, int(result[k])) for true, k in match.pairs]
                right = np.zeros(len(found), dtype=bool)
                right[result] = match.hits
                correct.append(right)
                recovered.append([true in dict(pairs) for true in range(len(masks))])
                first = pairs if first is None else first
        for k, region in enumerate(orbit.found):
            paired = [column[k] for column in hits], [column[k] for column in correct]
            ignored = is_ignored(region.mask, orbit.ignored)
            tally.found.append((number, region.confidence, region.seed, ignored, *paired))
        for k, region in enumerate(orbit.truth):
            contrast, area = float(region.row.get("contrast_db", np.nan)), int(region.mask.sum())
            tally.truth.append((number, contrast, area, [column[k] for column in recovered]))
        return first or []

    def _count_pixels(self, orbit: ScoredOrbit, shapes: Mapping[str, list[Mask]]) -> None:
        """Add confusion matrices (source, shape, 2, 2) to the block, and count the map's levels."""
        valid = counted_pixels(orbit)
        counts = self.tally.confusion.setdefault(
            orbit.block, np.zeros((len(PIXEL_SOURCES), len(TRUTH_SHAPES), 2, 2), np.int64)
        )
        result = [region.mask for region in orbit.found if reaches(region.seed, self.threshold)]
        predicted: list[Mask | None] = [None, union_mask(result, orbit.shape)]
        if orbit.probability is not None:
            predicted[0] = orbit.probability >= np.ceil(PIXEL_THRESHOLD * LEVELS)
        for place, masks in enumerate(shapes.values()):
            truth = union_mask(masks, orbit.shape)
            for source, pixels in enumerate(predicted):
                if pixels is not None:
                    counts[source, place] += confusion_matrix(truth, pixels, valid)
            if orbit.probability is not None and place == 0:
                self.tally.levels += level_counts(orbit.probability, truth, valid)

    def _measure(self, orbit: ScoredOrbit, pairs: Pairs) -> None:
        for true, found in pairs:
            drawn, result = orbit.truth[true], orbit.found[found]
            for name, (column, factor, unit) in ERRORS.items():
                if column in drawn.row and column in result.row:
                    error = result.row[column] - drawn.row[column]
                    value = error.total_seconds() if unit == "s" else float(error)
                    self.tally.errors[name].append(value * factor)
            self.tally.boundary.append(boundary_distance(drawn.mask, result.mask))

    def _attribute(self, orbit: ScoredOrbit, pairs: Pairs) -> None:
        """Count what the false regions of the result are."""
        paired = {found for _, found in pairs}
        false = [
            region.mask
            for number, region in enumerate(orbit.found)
            if number not in paired
            and reaches(region.seed, self.threshold)
            and not is_ignored(region.mask, orbit.ignored)
        ]
        self.tally.present.update(confuser.kind for confuser in orbit.confusers)
        if false:
            _, shared = mask_overlaps([region.mask for region in orbit.truth], false)
            for number, mask in enumerate(false):
                touched = shared[:, number].sum() >= _NUCLEUS_SHARE * mask.sum()
                self.tally.alarms[NUCLEUS if touched else confuser_of(mask, orbit.confusers)] += 1


def counted_pixels(orbit: ScoredOrbit) -> Mask | None:
    """Return where pixels are scored, (K, N): measured and not ignored; None for everywhere."""
    if orbit.ignored is None:
        return orbit.valid
    return ~orbit.ignored if orbit.valid is None else orbit.valid & ~orbit.ignored


def confuser_of(mask: Mask, confusers: Sequence[Confuser]) -> str:
    """Return the kind of the confuser that a false region is taken for, or `NOTHING`.

    Of those whose extent holds at least a quarter of the region, the one whose extent fits the
    region's own box best (IoU): a patch rather than the whistler that crosses it.
    """
    least = _CONFUSER_SHARE * np.count_nonzero(mask)
    near = [
        confuser
        for confuser in confusers
        if np.count_nonzero(mask[confuser.rows, confuser.columns]) >= least
    ]
    if not near:
        return NOTHING
    extents = np.array([_edges(confuser.rows, confuser.columns) for confuser in near])
    (fits,) = box_overlaps(np.array([_edges(*bounding_box(mask))]), extents)
    return near[int(fits.argmax())].kind if fits.max() > 0 else NOTHING


def boundary_distance(first: Mask, second: Mask) -> tuple[float, float]:
    """Return the mean distance from outline to nearest outline, both ways, and that of 95 %.

    Args:
        first, second: masks (K, N).

    Returns:
        Pixels.
    """
    from odm.datasets.labels.agreement import boundary_offsets

    boxes = [bounding_box(first), bounding_box(second)]
    window = tuple(
        slice(max(0, min(a.start, b.start) - 1), max(a.stop, b.stop) + 1)
        for a, b in zip(*boxes, strict=True)
    )
    distance = np.hypot(*boundary_offsets(first[window], second[window]).T)
    return float(distance.mean()), float(np.percentile(distance, 95))


def _truth_shapes(masks: Sequence[Mask]) -> dict[str, list[Mask]]:
    from odm.images.masks import SHAPES

    shapes: dict[str, list[Mask]] = {"contour": list(masks)}
    for name in TRUTH_SHAPES[1:]:
        # One by one: the boxes of neighbours may overlap, and are still two regions.
        shapes[name] = [SHAPES[name](mask).astype(bool) for mask in masks]
    return shapes


def _edges(rows: slice, columns: slice) -> tuple[float, float, float, float]:
    return columns.start, rows.start, columns.stop, rows.stop
