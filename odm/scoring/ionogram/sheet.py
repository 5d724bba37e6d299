"""`LayerSheet`: all scores of a detector on one data set, as text, as JSON and as pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from odm.core.files import join, write_bytes
from odm.core.text import table
from odm.images.pictures.figure import new_figure, write_figure
from odm.scoring.orbit.sheet import in_words, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER_NOTE = (
    "paper: Ma et al. 2025, about 43 Es and 49 F boxes of real ionograms; its printed F1 (0.86, "
    "0.84) belongs to another threshold than its precision and recall, of which F1 is given here"
)

EDGE_TITLE = "Leading edges, where the true one is seen (6 dB); errors in km, found less true"
Line = tuple[NDArray[Any], NDArray[Any]]
"""Pixels (x, y) of a leading edge on a picture."""


@dataclass(frozen=True, slots=True)
class LayerSheet:
    """Scores of found layers. Plain values throughout; NaN is "undefined".

    Attributes:
        about: what was scored, on which data, with which settings.
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
        caveat: to be read with it.
        edges: per class: true edges that can be seen, their points, the share found, errors in
            km; see `odm.scoring.ionogram.edges`. Empty where there is no truth or no edge.
    """

    about: dict[str, Any]
    counts: dict[str, int]
    threshold: float
    layers: list[dict[str, Any]]
    curves: dict[str, dict[str, dict[str, list[float]]]]
    confusion: dict[str, dict[str, int]]
    layer_free: dict[str, Any]
    calibration: dict[str, Any]
    groups: list[dict[str, Any]]
    paper: list[dict[str, Any]]
    caveat: str = ""
    edges: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> str:
        """As JSON; what is undefined is null."""
        return json.dumps(plain(asdict(self)), indent=1) + "\n"

    def to_text(self, brief: bool = False) -> str:
        """Tables for people; ``brief``: the first ones only."""
        lines = [f"{name}: {in_words(value)}" for name, value in self.about.items()]
        lines += [", ".join(f"{k.replace('_', ' ')} {v}" for k, v in self.counts.items()), ""]
        lines += _table(
            f"Layers, score >= {self.threshold:g}", [_cells(row) for row in self.layers]
        )
        if self.edges:
            lines += _table(EDGE_TITLE, [_edge_cells(row) for row in self.edges])
        if brief:
            return "\n".join([*lines, self.caveat]).rstrip() + "\n"
        lines += _table("The paper", [_cells({"overlap": 0.25, **row}) for row in self.paper])
        if self.paper:
            lines += [PAPER_NOTE, ""]
        lines += _table(
            "Found as (IoU >= 0.25)",
            [
                {"true": true, **{name: str(number) for name, number in found.items()}}
                for true, found in self.confusion.items()
            ],
        )
        free = self.layer_free
        lines.append(
            f"false layers on {free['with_false_layers']} of {free['ionograms']} ionograms without "
            f"a layer: {_share(free['share'], free['interval'])}"
        )
        lines += [f"calibration error of the scores {_number(self.calibration['ece'])}", ""]
        lines += _table(
            "Average precision by group",
            [
                {
                    "group": row["group"],
                    "ionograms": str(row["ionograms"]),
                    **{k: _number(v) for k, v in row.items() if k.startswith("ap")},
                }
                for row in self.groups
            ],
        )
        return "\n".join([*lines, self.caveat]).rstrip() + "\n"


@dataclass(frozen=True, slots=True)
class LayerExample:
    """An ionogram to look at: image (H, W), true boxes (T, 5), found (F, 4), (F,), (F,).

    ``true_lines`` and ``lines`` are leading edges, true and found.
    """

    name: str
    image: NDArray[np.uint8]
    truth: NDArray[Any]
    edges: NDArray[Any]
    scores: NDArray[Any]
    classes: NDArray[Any]
    true_lines: tuple[Line, ...] = ()
    lines: tuple[Line, ...] = ()


def write_sheet(
    folder: object, sheet: LayerSheet, class_names: Sequence[str], examples: Sequence[LayerExample]
) -> list[str]:
    """Write ``sheet.json``, ``sheet.txt``, ``curves.png`` and, with examples, ``examples.png``.

    Returns:
        What was written.
    """
    written = [join(folder, name) for name in ("sheet.json", "sheet.txt", "curves.png")]
    write_bytes(written[0], sheet.to_json().encode())
    write_bytes(written[1], sheet.to_text().encode())
    write_figure(written[2], curve_figure(sheet), tight=True)
    if examples:
        written.append(join(folder, "examples.png"))
        write_figure(written[3], example_figure(examples, class_names), tight=True)
    return written


def curve_figure(sheet: LayerSheet) -> Figure:
    """Precision, recall and F1 over the threshold; a line of panels per overlap."""
    figure = new_figure(10, 3.4 * len(sheet.curves))
    panels = figure.subplots(len(sheet.curves), 3, squeeze=False, sharex=True, sharey=True)
    for line, (overlap, curves) in zip(panels, sheet.curves.items(), strict=True):
        for axes, what in zip(line, ("precision", "recall", "f1"), strict=True):
            for name, curve in curves.items():
                axes.step(curve["threshold"], curve[what], where="post", label=name)
            axes.axvline(sheet.threshold, color="grey", linewidth=0.8)
            axes.set(xlim=(0, 1), ylim=(0, 1.02), title=f"{what}, IoU >= {overlap}")
        line[0].legend()
    for axes in panels[-1]:
        axes.set_xlabel("threshold of the score")
    figure.text(0.5, -0.02, sheet.caveat, ha="center", va="top", fontsize=7, wrap=True)
    return figure


def example_figure(examples: Sequence[LayerExample], class_names: Sequence[str]) -> Figure:
    """Ionogram images with true boxes and edges (white) and found ones (coloured, with scores)."""
    from matplotlib.patches import Rectangle

    columns = min(4, len(examples))
    rows = -(-len(examples) // columns)
    figure = new_figure(3.2 * columns, 3.4 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, one in zip(panels, examples, strict=False):
        height, width = one.image.shape
        axes.imshow(one.image, cmap="gray", vmin=0, vmax=255, extent=(0, width, height, 0))
        axes.set_title(one.name, fontsize=7)
        for _, *edges in one.truth.tolist():
            axes.add_patch(_outline(Rectangle, edges, "white", "--"))
        for edges, score, kind in zip(one.edges.tolist(), one.scores, one.classes, strict=True):
            colour = f"C{int(kind)}"
            axes.add_patch(_outline(Rectangle, edges, colour, "-"))
            label = f"{class_names[int(kind)]} {score:.2f}"
            axes.text(edges[0] + 2, edges[1] - 2, label, color=colour, fontsize=7)
        for x, y in one.true_lines:
            axes.plot(x, y, color="white", linewidth=1.4)
        for x, y in one.lines:
            axes.plot(x, y, ".", color="red", markersize=1.5)
        axes.set(xlim=(0, width), ylim=(height, 0))
    return figure


def _outline(kind: Any, edges: Sequence[float], colour: str, style: str) -> Any:
    left, top, right, bottom = edges
    return kind(
        (left, top), right - left, bottom - top, fill=False, edgecolor=colour, linestyle=style
    )


def _cells(row: dict[str, Any]) -> dict[str, str]:
    return {
        "layer": row["layer"],
        "IoU": f"{row['overlap']:g}",
        "there": f"{row['truths']:g}",
        "found": f"{row['found']:g}",
        "precision": _share(row["precision"], row["precision_interval"]),
        "recall": _share(row["recall"], row["recall_interval"]),
        "F1": _number(row["f1"]),
        "AP25": _number(row["ap25"]),
        "AP50": _number(row.get("ap50")),
        "AP": _number(row.get("ap")),
    }


def _edge_cells(row: dict[str, Any]) -> dict[str, str]:
    def number(name: str, digits: str = ".1f") -> str:
        return "-" if name not in row else format(row[name], digits)

    return {
        "layer": row["layer"],
        "edges": str(row["edges"]),
        "points": str(row["points"]),
        "found": number("coverage", ".3f"),
        "median": number("signed_median_km", "+.1f"),
        "|median|": number("median_km"),
        "|p95|": number("p95_km"),
        "within a gate": number("within_gate", ".3f"),
        "within sigma": number("within_sigma", ".3f"),
        "false edges": str(row["false_edges"]),
    }


def _share(value: float, interval: Any) -> str:
    if interval is None:
        return _number(value)
    return f"{_number(value)} [{interval[0]:.2f}, {interval[1]:.2f}]"


def _number(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"


def _table(title: str, rows: Sequence[dict[str, str]]) -> list[str]:
    return [table(list(rows[0]), (row.values() for row in rows), title), ""] if rows else []
