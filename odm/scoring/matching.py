"""Pairs of what is true and what was found: one to one, by the overlap of masks or of boxes.

The overlap is intersection over union. Masks are compared at native size, where a pixel is one row
of the file by one frequency bin, so that areas are those of the time-frequency plane; boxes in any
units, the same for both sides.

**How pairs are chosen.** Findings are taken by falling confidence, and each counts as a hit if the
hits so far and it can *all* be paired with different true ones (an augmenting path, as in Kuhn's
algorithm, is searched for). This has two properties that neither "the best of what is left" nor one
optimal assignment has alone: whether a finding is a hit does not depend on findings of lower
confidence, so one pass gives the whole precision-recall curve; and at every threshold the number of
hits is the largest that any one-to-one pairing reaches. The pairs, which errors are measured on,
are then those of the hits with the largest sum of overlaps.
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
"""IoU at which findings match: loosely, since outlines are a matter of taste; and strictly."""


@dataclass(frozen=True, slots=True)
class Match:
    """Findings that are true, and what they are paired with.

    Attributes:
        hits: (F,) bool, which findings count as true.
        pairs: (true, found) indices of the hits, by found index.
    """

    hits: NDArray[np.bool_]
    pairs: tuple[tuple[int, int], ...]


def mask_overlaps(truth: Sequence[Mask], found: Sequence[Mask]) -> tuple[Floats, Floats]:
    """Return IoU and shared pixels of each true (rows) with each found (columns) mask.

    Args:
        truth, found: masks (K, N) of one half-orbit.

    Returns:
        (T, F) both.
    """
    shared = np.zeros((len(truth), len(found)))
    found_boxes = [bounding_box(mask) for mask in found]
    for i, mask in enumerate(truth):
        rows, columns = bounding_box(mask)
        for j, (found_rows, found_columns) in enumerate(found_boxes):
            box = (_common(rows, found_rows), _common(columns, found_columns))
            if box[0].start < box[0].stop and box[1].start < box[1].stop:
                shared[i, j] = np.count_nonzero(mask[box] & found[j][box])
    areas = [
        np.array([np.count_nonzero(mask) for mask in masks], dtype=np.float64)
        for masks in (truth, found)
    ]
    return _over_union(shared, *areas), shared


def box_overlaps(truth: NDArray[np.floating], found: NDArray[np.floating]) -> Floats:
    """Return the IoU of boxes (T, 4) with boxes (F, 4), (T, F): left, top, right, bottom.

    A box without an area overlaps nothing.
    """
    a, b = (np.asarray(boxes, np.float64).reshape(-1, 4) for boxes in (truth, found))
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=-1) for boxes in (a, b)]
    return _over_union(shared, *areas)


def _common(a: slice, b: slice) -> slice:
    return slice(max(a.start, b.start), min(a.stop, b.stop))


def match_findings(overlaps: NDArray[Any], confidences: Sequence[float], at: float) -> Match:
    """Pair true ones with findings, one to one; the module says how.

    Args:
        overlaps: (T, F) as `mask_overlaps` or `box_overlaps` gives them.
        confidences: (F,); of equal ones the first counts as higher.
        at: IoU that a pair must reach.
    """
    overlaps = np.asarray(overlaps, dtype=np.float64)
    enough = overlaps >= at
    owner: dict[int, int] = {}  # true → found

    def place(found: int, tried: set[int]) -> bool:
        for true in np.argsort(-overlaps[:, found], kind="stable").tolist():
            if enough[true, found] and true not in tried:
                tried.add(true)
                if true not in owner or place(owner[true], tried):
                    owner[true] = found
                    return True
        return False

    hits = np.zeros(overlaps.shape[1], dtype=bool)
    for found in np.argsort(-np.asarray(confidences, dtype=np.float64), kind="stable").tolist():
        hits[found] = place(found, set())
    chosen = np.flatnonzero(hits)
    # Every hit can be paired, so an overlap that is too small never pays.
    weights = np.where(enough[:, chosen], overlaps[:, chosen], -float(overlaps.size + 1))
    rows, columns = linear_sum_assignment(weights, maximize=True)
    order = np.argsort(columns)
    pairs = tuple((int(rows[k]), int(chosen[columns[k]])) for k in order)
    return Match(hits, pairs)


def match_boxes(
    overlaps: Floats,
    scores: NDArray[np.floating],
    true_classes: NDArray[np.integer],
    found_classes: NDArray[np.integer],
    at: float,
) -> Match:
    """Pair the boxes of one image, each with one of its own class.

    Args:
        overlaps: (T, F) of `box_overlaps`.
        scores: (F,).
        true_classes, found_classes: (T,), (F,).
        at: IoU that a pair must reach.
    """
    same = true_classes[:, None] == found_classes[None, :]
    return match_findings(np.where(same, overlaps, 0.0), scores.tolist(), at)


def _over_union(shared: Floats, true_areas: Floats, found_areas: Floats) -> Floats:
    union = true_areas[:, None] + found_areas[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
