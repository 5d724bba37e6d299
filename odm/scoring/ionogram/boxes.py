"""How good boxes are: overlaps, counts by score that add up, and average precision.

A found box is a hit if it can be paired with a true one of its class, one to one, by falling score,
with an intersection over union of at least so much (`odm.scoring.matching` says how). Average
precision is the area under precision over recall at all points (`odm.scoring.curves`), as the
paper's code has it; COCO's 101 points differ from it by less than 0.01 with more than a few boxes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from odm.scoring.curves import Curve, curve
from odm.scoring.matching import match_regions

OVERLAPS = (0.25, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""IoU at which boxes are paired: the paper's 0.25, and COCO's 0.5 to 0.95."""
STRICT = OVERLAPS[1:]
LEVELS = 1000
"""Scores are whole 1/1000 (`odm.models.boxes`)."""

Floats = NDArray[np.float64]


def box_overlaps(one: NDArray[np.floating], other: NDArray[np.floating]) -> Floats:
    """(T, F) intersection over union of boxes (T, 4) with boxes (F, 4): left, top, right, bottom.

    Any units, the same for both; a box without an area overlaps nothing.
    """
    a, b = np.asarray(one, np.float64).reshape(-1, 4), np.asarray(other, np.float64).reshape(-1, 4)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=-1) for boxes in (a, b)]
    union = areas[0][:, None] + areas[1][None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def hits(
    overlaps: Floats,
    scores: NDArray[np.floating],
    true_classes: NDArray[np.integer],
    found_classes: NDArray[np.integer],
    at: float,
) -> NDArray[np.bool_]:
    """(F,) which found boxes of one image are hits.

    Args:
        overlaps: (T, F).
        scores: (F,).
        true_classes, found_classes: (T,), (F,).
        at: least overlap of a pair.
    """
    same = true_classes[:, None] == found_classes[None, :]
    return match_regions(np.where(same, overlaps, 0.0), scores.tolist(), at).hits


class BoxCounts:
    """Hits and false boxes by class, overlap and score; counts of images, and of ranks, add up.

    Args:
        classes: number of classes.
        overlaps: IoU at which boxes are paired.
    """

    def __init__(self, classes: int, overlaps: Sequence[float] = OVERLAPS) -> None:
        self.overlaps = tuple(overlaps)
        self.found = np.zeros((classes, len(self.overlaps), 2, LEVELS + 1))
        """Boxes by class, overlap, false or hit, and score."""
        self.truths = np.zeros(classes)
        self.images = 0.0

    def add(
        self,
        true_edges: NDArray[np.floating],
        true_classes: NDArray[np.integer],
        edges: NDArray[np.floating],
        scores: NDArray[np.floating],
        classes: NDArray[np.integer],
    ) -> None:
        """Count one image.

        Args:
            true_edges, true_classes: (T, 4), (T,) what is there.
            edges, scores, classes: (F, 4), (F,), (F,) what was found.
        """
        self.images += 1
        np.add.at(self.truths, np.asarray(true_classes, np.int64), 1)
        overlaps = box_overlaps(true_edges, edges)
        levels = np.rint(np.asarray(scores, np.float64) * LEVELS).astype(np.int64)
        kinds = np.asarray(classes, np.int64)
        for number, at in enumerate(self.overlaps):
            hit = hits(overlaps, scores, true_classes, classes, at).astype(np.int64)
            np.add.at(self.found[:, number], (kinds, hit, levels), 1)

    def curve(self, kind: int, at: float) -> Curve:
        """What happens to a class as the threshold of the score falls."""
        false, true = self.found[kind, self.overlaps.index(at)]
        scores = np.arange(LEVELS + 1) / LEVELS
        return curve(
            np.concatenate([scores, scores]),
            np.repeat([False, True], LEVELS + 1),
            float(self.truths[kind]),
            self.images,
            np.concatenate([false, true]),
        )

    def average_precision(self, kind: int, *overlaps: float) -> float:
        """Of a class, the mean over overlaps; NaN where there is none of it."""
        return float(np.mean([self.curve(kind, at).average_precision() for at in overlaps]))

    def summary(self, names: Sequence[str]) -> dict[str, float]:
        """``ap``, the mean of overlaps 0.5 to 0.95, ``ap50`` and ``ap25``; over the classes that
        there are, and with ``_<name>`` of each."""
        values: dict[str, float] = {}
        for label, overlaps in (("ap", STRICT), ("ap50", (0.5,)), ("ap25", (0.25,))):
            each = [self.average_precision(kind, *overlaps) for kind in range(len(names))]
            known = [value for value in each if not np.isnan(value)]
            values[label] = float(np.mean(known)) if known else float("nan")
            values |= {f"{label}_{n}": value for n, value in zip(names, each, strict=True)}
        return values
