"""Scores of found layers, as in section 4 of the paper on YOLOX for backscatter ionograms.

Precision, recall and F1 are given over the whole range of the score's threshold, and as one table
at one threshold, which the paper's are not: its F1 of 0.86 and 0.84 cannot be of the precision and
recall printed beside them. Shares have Wilson's 95 % intervals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.catalog.bootstrap import wilson
from odm.scoring.calibration import fit_temperature
from odm.scoring.ionogram.boxes import OVERLAPS, STRICT, BoxCounts, box_overlaps
from odm.scoring.ionogram.sheet import LayerSheet
from odm.scoring.matching import match_regions

TABLE_OVERLAPS = (0.25, 0.5)
"""IoU of the tables: the paper's, and a stricter one."""
NOTHING = "nothing"
CALIBRATED_FROM = 0.05
"""Boxes of a lower score have no part in the calibration."""

PAPER: dict[str, dict[str, float]] = {
    "Es": {"truths": 43, "found": 51, "true": 35, "ap25": 0.7994},
    "F": {"truths": 49, "found": 76, "true": 46, "ap25": 0.7865},
}
"""Ma et al. 2025: the numbers behind its precision and recall (35/51, 35/43; 46/76, 46/49)."""


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

    def tempered(self, temperature: float) -> ScoredIonogram:
        """With scores sigmoid(logit / temperature), in whole 1/1000: those of a campaign."""
        from odm.models.boxes import to_levels

        rounded = to_levels(self.scores, temperature)
        return ScoredIonogram(self.name, self.truth, self.edges, rounded, self.classes, self.group)

    def above(self, threshold: float) -> ScoredIonogram:
        """With those boxes alone whose score is at least ``threshold``."""
        # Scores are whole 1/1000, perhaps in float32.
        kept = self.scores >= threshold - 1e-6
        return ScoredIonogram(
            self.name,
            self.truth,
            self.edges[kept],
            self.scores[kept],
            self.classes[kept],
            self.group,
        )


def count_boxes(
    ionograms: Sequence[ScoredIonogram], classes: int, overlaps: Sequence[float] = OVERLAPS
) -> BoxCounts:
    """Hits and false boxes of all ionograms by class, overlap and score."""
    counts = BoxCounts(classes, overlaps)
    for one in ionograms:
        counts.add(one.truth[:, 1:], one.true_classes, one.edges, one.scores, one.classes)
    return counts


def fit_boxes(
    ionograms: Sequence[ScoredIonogram], classes: int, overlap: float = 0.5
) -> tuple[float, float]:
    """Temperature and threshold, from ionograms of validation with exact scores at temperature 1.

    The temperature makes scores the share of boxes that are right; the threshold gives the largest
    mean F1 of the classes, in steps of 0.01.
    """
    scores, right = _outcomes(ionograms, overlap)
    p = np.clip(scores, 1e-6, 1 - 1e-6)
    temperature = fit_temperature(np.log(p / (1 - p)), ~right, right)
    counts = count_boxes([one.tempered(temperature) for one in ionograms], classes, (overlap,))
    steps = np.arange(0.05, 0.96, 0.01)
    f1 = [
        np.nanmean([_at(counts, kind, overlap, t)["f1"] for kind in range(classes)]) for t in steps
    ]
    best = float(steps[int(np.argmax(f1))]) if np.nan_to_num(f1).any() else 0.3
    return round(temperature, 4), round(best, 2)


def layer_sheet(
    ionograms: Sequence[ScoredIonogram],
    class_names: Sequence[str],
    threshold: float,
    about: dict[str, Any] | None = None,
    caveat: str = "",
) -> LayerSheet:
    """All scores of a detector.

    Args:
        ionograms: with calibrated scores.
        class_names: by class index.
        threshold: of the tables.
        about: what was scored.
        caveat: to be read with it.
    """
    names = tuple(class_names)
    counts = count_boxes(ionograms, len(names))
    shown = [one.above(threshold) for one in ionograms]
    empty = [one for one in shown if not len(one.truth)]
    with_false = sum(bool(len(one.scores)) for one in empty)
    scores, right = _outcomes(ionograms, 0.5)
    groups = sorted({one.group for one in ionograms} - {""})
    return LayerSheet(
        about=dict(about or {}),
        counts={
            "ionograms": len(ionograms),
            "without_layers": len(empty),
            **{name: int(counts.truths[kind]) for kind, name in enumerate(names)},
        },
        threshold=threshold,
        layers=[
            {"layer": name, **_row(counts, kind, at, threshold)}
            for at in TABLE_OVERLAPS
            for kind, name in enumerate(names)
        ],
        curves={
            f"{at:g}": {name: _curve(counts, kind, at) for kind, name in enumerate(names)}
            for at in TABLE_OVERLAPS
        },
        confusion=confusion(shown, names),
        layer_free={
            "ionograms": len(empty),
            "with_false_layers": with_false,
            "false_layers": sum(len(one.scores) for one in empty),
            "share": with_false / len(empty) if empty else math.nan,
            "interval": wilson(with_false, len(empty)),
        },
        calibration={"ece": _ece(scores, right), "reliability": _reliability(scores, right)},
        groups=[
            {
                "group": group,
                "ionograms": len(chosen),
                **count_boxes(chosen, len(names)).summary(names),
            }
            for group in groups
            for chosen in [[one for one in ionograms if one.group == group]]
        ],
        paper=[_paper_row(name) for name in names if name in PAPER],
        caveat=caveat,
    )


def confusion(
    ionograms: Sequence[ScoredIonogram], names: Sequence[str], at: float = 0.25
) -> dict[str, dict[str, int]]:
    """How often each true layer (or nothing) was found as each layer (or as nothing).

    Boxes of one class are paired first; what is left, whatever its class: an Es found as F is a
    swap.
    """
    labels = (*names, NOTHING)
    table = {true: dict.fromkeys(labels, 0) for true in labels}
    for one in ionograms:
        overlaps = box_overlaps(one.truth[:, 1:], one.edges)
        true, found = one.true_classes, np.asarray(one.classes, np.int64)
        same = true[:, None] == found[None, :]
        left_true, left_found = set(range(len(true))), set(range(len(found)))
        for allowed in (same, ~same):
            usable = np.zeros(overlaps.shape)
            rows, columns = sorted(left_true), sorted(left_found)
            chosen = np.ix_(rows, columns)
            usable[chosen] = np.where(allowed[chosen], overlaps[chosen], 0.0)
            for i, j in match_regions(usable, one.scores.tolist(), at).pairs:
                table[names[true[i]]][names[found[j]]] += 1
                left_true.discard(i)
                left_found.discard(j)
        for i in left_true:
            table[names[true[i]]][NOTHING] += 1
        for j in left_found:
            table[NOTHING][names[found[j]]] += 1
    return table


def _at(counts: BoxCounts, kind: int, at: float, threshold: float) -> dict[str, float]:
    curve = counts.curve(kind, at)
    kept = curve.threshold >= threshold - 1e-6
    true = float(curve.true[kept][-1]) if kept.any() else 0.0
    false = float(curve.false[kept][-1]) if kept.any() else 0.0
    return _shares(float(counts.truths[kind]), true + false, true)


def _shares(truths: float, found: float, true: float) -> dict[str, float]:
    return {
        "truths": truths,
        "found": found,
        "true": true,
        "precision": true / found if found else math.nan,
        "recall": true / truths if truths else math.nan,
        "f1": 2 * true / (found + truths) if found + truths else math.nan,
    }


def _with_intervals(row: dict[str, float]) -> dict[str, Any]:
    return {
        **row,
        "precision_interval": wilson(row["true"], row["found"]),
        "recall_interval": wilson(row["true"], row["truths"]),
    }


def _row(counts: BoxCounts, kind: int, at: float, threshold: float) -> dict[str, Any]:
    best, f1 = counts.curve(kind, at).best_threshold()
    return {
        "overlap": at,
        **_with_intervals(_at(counts, kind, at, threshold)),
        "ap25": counts.average_precision(kind, 0.25),
        "ap50": counts.average_precision(kind, 0.5),
        "ap": counts.average_precision(kind, *STRICT),
        "best_threshold": best,
        "best_f1": f1,
    }


def _paper_row(name: str) -> dict[str, Any]:
    given = PAPER[name]
    row = _with_intervals(_shares(given["truths"], given["found"], given["true"]))
    return {"layer": name, **row, "ap25": given["ap25"]}


def _curve(counts: BoxCounts, kind: int, at: float) -> dict[str, list[float]]:
    curve = counts.curve(kind, at)
    return {
        "threshold": curve.threshold.tolist(),
        "precision": curve.precision.tolist(),
        "recall": curve.recall.tolist(),
        "f1": curve.f1.tolist(),
    }


def _outcomes(
    ionograms: Sequence[ScoredIonogram], at: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Score of every box that is not hopeless, and whether it is right."""
    from odm.scoring.ionogram.boxes import hits

    scores, right = [np.zeros(0)], [np.zeros(0, bool)]
    for one in ionograms:
        overlaps = box_overlaps(one.truth[:, 1:], one.edges)
        found = np.asarray(one.classes, np.int64)
        hit = hits(overlaps, one.scores, one.true_classes, found, at)
        kept = one.scores >= CALIBRATED_FROM
        scores.append(np.asarray(one.scores, np.float64)[kept])
        right.append(hit[kept])
    return np.concatenate(scores), np.concatenate(right)


def _reliability(scores: NDArray[np.float64], right: NDArray[np.bool_]) -> list[dict[str, float]]:
    """Per tenth of the score: boxes, their mean score, and the share that is right."""
    bins = np.minimum((scores * 10).astype(int), 9)
    return [
        {
            "lower": tenth / 10,
            "boxes": int((bins == tenth).sum()),
            "score": float(scores[bins == tenth].mean()),
            "right": float(right[bins == tenth].mean()),
        }
        for tenth in range(10)
        if (bins == tenth).any()
    ]


def _ece(scores: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Expected calibration error: how far score and share lie apart, weighted by boxes."""
    rows = _reliability(scores, right)
    total = sum(row["boxes"] for row in rows)
    if not total:
        return math.nan
    return sum(row["boxes"] * abs(row["score"] - row["right"]) for row in rows) / total
