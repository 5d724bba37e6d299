"""Which found region is which true one: one to one, by their overlap in time and frequency.

Overlap is intersection over union of the masks at native size, whose pixels are one row of the
file by one frequency bin: equal areas of the time-frequency plane.

**How pairs are chosen.** Found regions are taken by falling confidence, and each counts as a hit if
the hits so far and it can *all* be paired with different true regions (an augmenting path, as in
Kuhn's algorithm, is searched for). This has two properties that neither "the best of what is left"
nor one optimal assignment has alone: whether a region is a hit does not depend on regions of lower
confidence, so one pass gives the whole precision-recall curve; and at every threshold the number of
hits is the largest that any one-to-one pairing reaches. Who is paired with whom, for the errors, is
then the pairing of the hits with the largest sum of overlaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from odm.findings.outlines import Mask, bounding_box

Floats = NDArray[np.float64]

OVERLAPS = (0.25, 0.5)
"""IoU at which regions are matched: loosely, since outlines are a matter of taste; and strictly."""


@dataclass(frozen=True, slots=True)
class Match:
    """Result of `match_regions`.

    Attributes:
        hits: (F,) bool, which found regions count as true.
        pairs: (true, found) indices of the hits, by found index.
    """

    hits: NDArray[np.bool_]
    pairs: tuple[tuple[int, int], ...]


def overlap_matrix(truth: Sequence[Mask], found: Sequence[Mask]) -> tuple[Floats, Floats]:
    """IoU and shared pixels of each true (rows) with each found (columns) mask, (T, F) both."""
    shared = np.zeros((len(truth), len(found)))
    found_boxes = [bounding_box(mask) for mask in found]
    for i, mask in enumerate(truth):
        rows, columns = bounding_box(mask)
        for j, (other_rows, other_columns) in enumerate(found_boxes):
            box = (_common(rows, other_rows), _common(columns, other_columns))
            if box[0].start < box[0].stop and box[1].start < box[1].stop:
                shared[i, j] = np.count_nonzero(mask[box] & found[j][box])
    areas = np.array([np.count_nonzero(mask) for mask in truth], dtype=np.float64)
    others = np.array([np.count_nonzero(mask) for mask in found], dtype=np.float64)
    union = areas[:, None] + others[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0), shared


def _common(one: slice, other: slice) -> slice:
    return slice(max(one.start, other.start), min(one.stop, other.stop))


def match_regions(iou: NDArray[Any], confidences: Sequence[float], at: float) -> Match:
    """Pair true with found regions, one to one; see the module for how.

    Args:
        iou: (T, F) as `overlap_matrix` gives it.
        confidences: (F,); of equal ones the first counts as higher.
        at: IoU that a pair must reach.
    """
    iou = np.asarray(iou, dtype=np.float64)
    enough = iou >= at
    owner: dict[int, int] = {}  # true → found

    def place(found: int, tried: set[int]) -> bool:
        for true in np.argsort(-iou[:, found], kind="stable").tolist():
            if enough[true, found] and true not in tried:
                tried.add(true)
                if true not in owner or place(owner[true], tried):
                    owner[true] = found
                    return True
        return False

    hits = np.zeros(iou.shape[1], dtype=bool)
    for found in np.argsort(-np.asarray(confidences, dtype=np.float64), kind="stable").tolist():
        hits[found] = place(found, set())
    chosen = np.flatnonzero(hits)
    # Every hit can be paired, so an overlap that is too small never pays.
    weights = np.where(enough[:, chosen], iou[:, chosen], -float(iou.size + 1))
    rows, columns = linear_sum_assignment(weights, maximize=True)
    order = np.argsort(columns)
    pairs = tuple((int(rows[k]), int(chosen[columns[k]])) for k in order)
    return Match(hits, pairs)
