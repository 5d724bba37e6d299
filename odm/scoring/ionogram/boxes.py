"""Found boxes against true ones: counts by score that add up, temperature and threshold.

A found box is a hit if it can be paired with a true one of its class, one to one, by falling score,
with an intersection over union of at least so much (`odm.scoring.matching` says how). Average
precision is the area under precision over recall at all points (`odm.scoring.curves`), as the
paper's code has it; COCO's 101 points differ from it by less than 0.01 with more than a few boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.scoring.calibration import fit_temperature
from odm.scoring.curves import Curve, curve, rates
from odm.scoring.matching import box_overlaps, match_boxes

OVERLAPS = (0.25, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""IoU at which boxes are paired: the paper's 0.25, and COCO's 0.5 to 0.95."""
STRICT = OVERLAPS[1:]
LEVELS = 1000
"""Scores are whole 1/1000 (`odm.models.boxes`)."""
CALIBRATED_FROM = 0.05
"""Smallest score of the boxes that have a part in the calibration."""
_ROUNDING = 1e-6
"""Tolerance of scores, which are whole 1/1000, perhaps in float32."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScoredIonogram:
    """An ionogram with its true boxes and all that was found, of every score.

    Attributes:
        name: of the ionogram.
        truth: (T, 5) class, left, top, right, bottom; pixels, or any units in which boxes are
            boxes.
        edges, scores, classes: (F, 4), (F,), (F,) of what was found; scores to be tempered are
            not rounded yet.
        group: such as the ray model of a simulation; scores are given by group too.
    """

    name: str
    truth: NDArray[Any]
    edges: NDArray[Any]
    scores: NDArray[Any]
    classes: NDArray[Any]
    group: str = ""

    @property
    def true_classes(self) -> NDArray[np.int64]:
        """(T,) class of each true box."""
        return np.asarray(self.truth[:, 0], np.int64)

    @property
    def overlaps(self) -> Floats:
        """(T, F) IoU of true and found boxes."""
        return box_overlaps(self.truth[:, 1:], self.edges)

    def tempered(self, temperature: float) -> ScoredIonogram:
        """Return it with scores sigmoid(logit / temperature), whole 1/1000: those of a campaign."""
        from odm.models.boxes import to_levels

        return replace(self, scores=to_levels(self.scores, temperature))

    def above(self, threshold: float) -> ScoredIonogram:
        """Return it with only those boxes whose score is at least ``threshold``."""
        kept = self.scores >= threshold - _ROUNDING
        return replace(
            self, edges=self.edges[kept], scores=self.scores[kept], classes=self.classes[kept]
        )


class BoxCounts:
    """Hits and false boxes by class, overlap and score; counts of images, and of ranks, add up.

    Args:
        classes: number of classes.
        overlaps: IoU at which boxes are paired.

    Attributes:
        found: (classes, overlaps, 2, LEVELS + 1) number of boxes, false or hit, by score.
        truths: (classes,) number of true boxes.
        images: number of images.
    """

    def __init__(self, classes: int, overlaps: Sequence[float] = OVERLAPS) -> None:
        self.overlaps = tuple(overlaps)
        self.found = np.zeros((classes, len(self.overlaps), 2, LEVELS + 1))
        self.truths = np.zeros(classes)
        self.images = 0.0

    @classmethod
    def of(
        cls,
        ionograms: Sequence[ScoredIonogram],
        classes: int,
        overlaps: Sequence[float] = OVERLAPS,
    ) -> BoxCounts:
        """Return the counts of all ionograms."""
        counts = cls(classes, overlaps)
        for ionogram in ionograms:
            truth, found = ionogram.truth[:, 1:], (ionogram.edges, ionogram.scores)
            counts.add(truth, ionogram.true_classes, *found, ionogram.classes)
        return counts

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
            hit = match_boxes(overlaps, scores, true_classes, classes, at).hits.astype(np.int64)
            np.add.at(self.found[:, number], (kinds, hit, levels), 1)

    def curve(self, kind: int, at: float) -> Curve:
        """Return what happens to a class as the threshold of the score falls."""
        false, true = self.found[kind, self.overlaps.index(at)]
        scores = np.arange(LEVELS + 1) / LEVELS
        return curve(
            np.concatenate([scores, scores]),
            np.repeat([False, True], LEVELS + 1),
            float(self.truths[kind]),
            self.images,
            np.concatenate([false, true]),
        )

    def result(self, kind: int, at: float, threshold: float) -> dict[str, float]:
        """Return truths, found, true, precision, recall and F1 of a class at a threshold."""
        swept = self.curve(kind, at)
        kept = swept.threshold >= threshold - _ROUNDING
        true = float(swept.true[kept][-1]) if kept.any() else 0.0
        false = float(swept.false[kept][-1]) if kept.any() else 0.0
        return box_rates(float(self.truths[kind]), true + false, true)

    def average_precision(self, kind: int, *overlaps: float) -> float:
        """Return that of a class, the mean over overlaps; NaN where there is none of it."""
        return float(np.mean([self.curve(kind, at).average_precision() for at in overlaps]))

    def summary(self, names: Sequence[str]) -> dict[str, float]:
        """Return ``ap``, the mean of overlaps 0.5 to 0.95, ``ap50`` and ``ap25``; over the classes
        that there are, and with ``_<name>`` of each."""
        values: dict[str, float] = {}
        for label, overlaps in (("ap", STRICT), ("ap50", (0.5,)), ("ap25", (0.25,))):
            each = [self.average_precision(kind, *overlaps) for kind in range(len(names))]
            known = [value for value in each if not np.isnan(value)]
            values[label] = float(np.mean(known)) if known else float("nan")
            values |= {f"{label}_{n}": value for n, value in zip(names, each, strict=True)}
        return values


def box_rates(truths: float, found: float, true: float) -> dict[str, float]:
    """Return truths, found, true, precision, recall and F1; NaN where one is undefined."""
    shares = rates(true, found - true, truths - true)
    counted = {"truths": truths, "found": found, "true": true}
    return {**counted, **{name: float(value) for name, value in shares.items()}}


def fit_boxes(
    ionograms: Sequence[ScoredIonogram], classes: int, overlap: float = 0.5
) -> tuple[float, float]:
    """Fit temperature and threshold on ionograms with exact scores at temperature 1.

    The temperature makes scores the share of boxes that are right; the threshold gives the largest
    mean F1 of the classes, in steps of 0.01.

    Args:
        ionograms: of validation.
        classes: number of classes.
        overlap: IoU from which a box is right.
    """
    scores, right = calibrated_boxes(ionograms, overlap)
    p = np.clip(scores, 1e-6, 1 - 1e-6)
    temperature = fit_temperature(np.log(p / (1 - p)), ~right, right)
    tempered = [ionogram.tempered(temperature) for ionogram in ionograms]
    counts = BoxCounts.of(tempered, classes, (overlap,))
    steps = np.arange(0.05, 0.96, 0.01)
    f1 = [
        np.nanmean([counts.result(kind, overlap, step)["f1"] for kind in range(classes)])
        for step in steps
    ]
    best = float(steps[int(np.argmax(f1))]) if np.nan_to_num(f1).any() else 0.3
    return round(temperature, 4), round(best, 2)


def calibrated_boxes(
    ionograms: Sequence[ScoredIonogram], at: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the score of every box that is not hopeless, and whether it is right."""
    scores, right = [np.zeros(0)], [np.zeros(0, bool)]
    for ionogram in ionograms:
        classes = np.asarray(ionogram.classes, np.int64)
        match = match_boxes(ionogram.overlaps, ionogram.scores, ionogram.true_classes, classes, at)
        kept = ionogram.scores >= CALIBRATED_FROM
        scores.append(np.asarray(ionogram.scores, np.float64)[kept])
        right.append(match.hits[kept])
    return np.concatenate(scores), np.concatenate(right)
