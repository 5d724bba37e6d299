"""The figures of a `LayerSheet`, as in section 4 of the paper on YOLOX for backscatter ionograms.

Precision, recall and F1 are given over the whole range of the score's threshold, and as one table
at one threshold, which the paper's are not: its F1 of 0.86 and 0.84 cannot be of the precision and
recall printed beside them. Shares have Wilson's 95 % intervals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from odm.catalog.bootstrap import wilson
from odm.scoring.calibration import reliability
from odm.scoring.ionogram.boxes import (
    STRICT,
    BoxCounts,
    ScoredIonogram,
    box_rates,
    calibrated_boxes,
)
from odm.scoring.ionogram.sheet import LayerSheet
from odm.scoring.matching import OVERLAPS, match_findings

NOTHING = "nothing"
PAPER: dict[str, dict[str, float]] = {
    "Es": {"truths": 43, "found": 51, "true": 35, "ap25": 0.7994},
    "F": {"truths": 49, "found": 76, "true": 46, "ap25": 0.7865},
}
"""Ma et al. 2025: the numbers behind its precision and recall (35/51, 35/43; 46/76, 46/49)."""


def layer_sheet(
    ionograms: Sequence[ScoredIonogram],
    class_names: Sequence[str],
    threshold: float,
    about: dict[str, Any] | None = None,
    caveat: str = "",
) -> LayerSheet:
    """Return all scores of a detector.

    Args:
        ionograms: with calibrated scores.
        class_names: by class index.
        threshold: of the tables.
        about: what was scored.
        caveat: to be read with it.
    """
    names = tuple(class_names)
    counts = BoxCounts.of(ionograms, len(names))
    shown = [ionogram.above(threshold) for ionogram in ionograms]
    kinds = list(enumerate(names))
    groups = sorted({ionogram.group for ionogram in ionograms} - {""})
    return LayerSheet(
        about=dict(about or {}),
        counts={
            "ionograms": len(ionograms),
            "without_layers": sum(not len(ionogram.truth) for ionogram in ionograms),
            **{name: int(counts.truths[kind]) for kind, name in kinds},
        },
        threshold=threshold,
        layers=[
            {"layer": name, **_row(counts, kind, at, threshold)}
            for at in OVERLAPS
            for kind, name in kinds
        ],
        curves={
            f"{at:g}": {
                name: counts.curve(kind, at).points("threshold", "precision", "recall", "f1")
                for kind, name in kinds
            }
            for at in OVERLAPS
        },
        confusion=confusion(shown, names),
        layer_free=_layer_free(shown),
        calibration=_calibration(ionograms),
        groups=[_group([i for i in ionograms if i.group == name], name, names) for name in groups],
        paper=[_paper_row(name) for name in names if name in PAPER],
        caveat=caveat,
    )


def confusion(
    ionograms: Sequence[ScoredIonogram], names: Sequence[str], at: float = 0.25
) -> dict[str, dict[str, int]]:
    """Count how often each true layer (or nothing) was found as each layer (or as nothing).

    Boxes of one class are paired first; what is left, whatever its class: an Es found as F is a
    swap.
    """
    labels = (*names, NOTHING)
    table = {true: dict.fromkeys(labels, 0) for true in labels}
    for ionogram in ionograms:
        overlaps = ionogram.overlaps
        true, found = ionogram.true_classes, np.asarray(ionogram.classes, np.int64)
        same = true[:, None] == found[None, :]
        missed, false = set(range(len(true))), set(range(len(found)))
        for allowed in (same, ~same):
            usable = np.where(allowed, overlaps, 0.0)
            for i, j in match_findings(usable, ionogram.scores.tolist(), at).pairs:
                table[names[true[i]]][names[found[j]]] += 1
                overlaps[i, :] = overlaps[:, j] = 0
                missed.discard(i)
                false.discard(j)
        for i in missed:
            table[names[true[i]]][NOTHING] += 1
        for j in false:
            table[NOTHING][names[found[j]]] += 1
    return table


def _row(counts: BoxCounts, kind: int, at: float, threshold: float) -> dict[str, Any]:
    best, f1 = counts.curve(kind, at).best_threshold()
    return {
        "overlap": at,
        **_with_intervals(counts.result(kind, at, threshold)),
        "ap25": counts.average_precision(kind, 0.25),
        "ap50": counts.average_precision(kind, 0.5),
        "ap": counts.average_precision(kind, *STRICT),
        "best_threshold": best,
        "best_f1": f1,
    }


def _with_intervals(row: dict[str, float]) -> dict[str, Any]:
    return {
        **row,
        "precision_interval": wilson(row["true"], row["found"]),
        "recall_interval": wilson(row["true"], row["truths"]),
    }


def _paper_row(name: str) -> dict[str, Any]:
    given = PAPER[name]
    row = _with_intervals(box_rates(given["truths"], given["found"], given["true"]))
    return {"layer": name, **row, "ap25": given["ap25"]}


def _layer_free(shown: Sequence[ScoredIonogram]) -> dict[str, Any]:
    false = [len(ionogram.scores) for ionogram in shown if not len(ionogram.truth)]
    with_false = sum(map(bool, false))
    return {
        "ionograms": len(false),
        "with_false_layers": with_false,
        "false_layers": sum(false),
        "share": with_false / len(false) if false else math.nan,
        "interval": wilson(with_false, len(false)),
    }


def _calibration(ionograms: Sequence[ScoredIonogram]) -> dict[str, Any]:
    """Return the calibration error and, per tenth of the score, how many boxes are right."""
    scores, right = calibrated_boxes(ionograms, 0.5)
    diagram = reliability(scores, ~right, right, bins=10)
    return {
        "ece": diagram.ece,
        "reliability": [
            {
                "lower": tenth / 10,
                "boxes": int(diagram.count[tenth]),
                "score": float(diagram.predicted[tenth]),
                "right": float(diagram.observed[tenth]),
            }
            for tenth in np.flatnonzero(diagram.count).tolist()
        ],
    }


def _group(ionograms: Sequence[ScoredIonogram], group: str, names: Sequence[str]) -> dict[str, Any]:
    summary = BoxCounts.of(ionograms, len(names)).summary(names)
    return {"group": group, "ionograms": len(ionograms), **summary}
