"""`LayerSheet`: all scores of a detector, or of a campaign, on ionograms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from odm.core.text import table
from odm.scoring.sheet import ScoreSheet, interval_text, rounded, wrapped

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
    """Scores as `odm.scoring.ionogram.summary.layer_sheet` computes them.

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
