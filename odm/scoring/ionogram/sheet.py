"""`LayerSheet`: all scores of a detector, or of a campaign, on ionograms.

They are those of section 4 of the paper on YOLOX for backscatter ionograms. Precision, recall and
F1 are given over the whole range of the score's threshold, and as one table at one threshold, which
the paper's are not: its F1 of 0.86 and 0.84 cannot be of the precision and recall printed beside
them. Shares have Wilson's 95 % intervals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from odm.catalog.bootstrap import wilson
from odm.core.text import table
from odm.scoring.calibration import reliability
from odm.scoring.ionogram.boxes import (
    STRICT,
    BoxCounts,
    ScoredIonogram,
    box_rates,
    calibrated_boxes,
)
from odm.scoring.matching import OVERLAPS, match_findings
from odm.scoring.sheet import ScoreSheet, interval_text, rounded, wrapped

NOTHING = "nothing"
PAPER: dict[str, dict[str, float]] = {
    "Es": {"truths": 43, "found": 51, "true": 35, "ap25": 0.7994},
    "F": {"truths": 49, "found": 76, "true": 46, "ap25": 0.7865},
}
"""Ma et al. 2025: the numbers behind its precision and recall (35/51, 35/43; 46/76, 46/49)."""
PAPER_NOTE = (
    "paper: Ma et al. 2025, about 43 Es and 49 F boxes of real ionograms; its printed F1 (0.86, "
    "0.84) belongs to another threshold than its precision and recall, of which F1 is given here"
)
EDGE_TITLE = "Leading edges, where the true one is seen (6 dB); errors in km, found less true"
_CARD = ("truths", "precision", "recall", "f1", "precision_interval", "recall_interval", "ap25",
         "ap50", "ap")  # fmt: skip
_LAYER_COLUMNS = ("layer", "IoU", "there", "found", "precision", "recall", "F1", "AP25", "AP50",
                  "AP")  # fmt: skip
_EDGE_FIGURES = {
    "found": ("coverage", ".3f"),
    "median": ("signed_median_km", "+.1f"),
    "|median|": ("median_km", ".1f"),
    "|p95|": ("p95_km", ".1f"),
    "within a gate": ("within_gate", ".3f"),
    "within sigma": ("within_sigma", ".3f"),
}
"""Figure and format of a column of the table of edges."""


@dataclass(frozen=True, kw_only=True)
class LayerSheet(ScoreSheet):
    """Scores as `layer_sheet` computes them.

    Attributes:
        counts: ionograms, those without a layer, and true layers by class.
        threshold: of the score, at which a box counts as found in the tables.
        layers: per overlap and class: truths, found, true, precision, recall, f1, intervals;
            ap25, ap50, ap (0.5 to 0.95); the threshold of the largest F1.
        curves: per overlap and class: threshold, precision, recall, f1.
        confusion: true layer → found layer → how often, at an overlap of 0.25.
        layer_free: false layers on ionograms without one.
        calibration: ``ece`` and ``reliability`` of the scores at an overlap of 0.5.
        groups: average precisions by group, such as the ray model of a simulation.
        paper: the same of the paper, as far as it says.
        edges: per class: true edges that can be seen, their points, the share found, errors in
            km; see `odm.scoring.ionogram.edges`. Empty where there is no truth or no edge.
    """

    SEED: ClassVar[str] = "simulation_seed"

    layers: list[dict[str, Any]]
    curves: dict[str, dict[str, dict[str, list[float]]]]
    confusion: dict[str, dict[str, int]]
    layer_free: dict[str, Any]
    calibration: dict[str, Any]
    groups: list[dict[str, Any]]
    paper: list[dict[str, Any]]
    edges: list[dict[str, Any]] = field(default_factory=list)

    def card_scores(self) -> dict[str, Any]:
        """Return the scores that a model's card shows."""
        return {
            "ionograms": self.counts["ionograms"],
            "threshold": self.threshold,
            "layers": {
                f"{row['layer']} at {row['overlap']:g}": {name: row[name] for name in _CARD}
                for row in self.layers
            },
            "layer_free": self.layer_free,
            "ece": self.calibration["ece"],
            "statement": self.caveat,
        }

    def heading(self) -> list[str]:
        """Return the line that says how much was scored."""
        return [", ".join(f"{k.replace('_', ' ')} {v}" for k, v in self.counts.items())]

    def parts(self, *, brief: bool) -> list[str]:
        """Return the tables and remarks; ``brief``: those of layers and edges."""
        title = f"Layers, score >= {self.threshold:g}"
        parts = [table(_LAYER_COLUMNS, map(_cells, self.layers), title)]
        if self.edges:
            columns = ("layer", "edges", "points", *_EDGE_FIGURES, "false edges")
            parts.append(table(columns, map(_edge_cells, self.edges), EDGE_TITLE))
        if brief:
            return parts
        if self.paper:
            rows = [_cells({"overlap": 0.25, **row}) for row in self.paper]
            parts += [table(_LAYER_COLUMNS, rows, "The paper"), wrapped(PAPER_NOTE)]
        found_as = [[true, *found.values()] for true, found in self.confusion.items()]
        parts.append(table(("true", *self.confusion), found_as, "Found as (IoU >= 0.25)"))
        free = self.layer_free
        parts.append(
            f"false layers on {free['with_false_layers']} of {free['ionograms']} ionograms without "
            f"a layer: {_share(free['share'], free['interval'])}\n"
            f"calibration error of the scores {rounded(self.calibration['ece'])}"
        )
        if self.groups:
            names = [name for name in self.groups[0] if name.startswith("ap")]
            groups = [
                [row["group"], row["ionograms"], *(rounded(row[name]) for name in names)]
                for row in self.groups
            ]
            columns = ("group", "ionograms", *names)
            parts.append(table(columns, groups, "Average precision by group"))
        return parts


def _cells(row: dict[str, Any]) -> Sequence[str]:
    shares = [_share(row[name], row[f"{name}_interval"]) for name in ("precision", "recall")]
    averages = [rounded(row.get(name)) for name in ("f1", "ap25", "ap50", "ap")]
    counts = [f"{row[name]:g}" for name in ("overlap", "truths", "found")]
    return [row["layer"], *counts, *shares, *averages]


def _edge_cells(row: dict[str, Any]) -> Sequence[str]:
    figures = [
        format(row[name], digits) if name in row else "-" for name, digits in _EDGE_FIGURES.values()
    ]
    return [row["layer"], str(row["edges"]), str(row["points"]), *figures, str(row["false_edges"])]


def _share(value: float, interval: Any) -> str:
    return f"{rounded(value)} {interval_text(interval)}".rstrip()


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
    counts = {true: dict.fromkeys(labels, 0) for true in labels}
    for ionogram in ionograms:
        overlaps = ionogram.overlaps
        true, found = ionogram.true_classes, np.asarray(ionogram.classes, np.int64)
        same = true[:, None] == found[None, :]
        missed, false = set(range(len(true))), set(range(len(found)))
        for allowed in (same, ~same):
            usable = np.where(allowed, overlaps, 0.0)
            for i, j in match_findings(usable, ionogram.scores.tolist(), at).pairs:
                counts[names[true[i]]][names[found[j]]] += 1
                overlaps[i, :] = overlaps[:, j] = 0
                missed.discard(i)
                false.discard(j)
        for i in missed:
            counts[names[true[i]]][NOTHING] += 1
        for j in false:
            counts[NOTHING][names[found[j]]] += 1
    return counts


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
