"""Pictures of a `LayerSheet`: curves over the threshold, and examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from odm.images.pictures.figure import new_figure
from odm.scoring.ionogram.boxes import ScoredIonogram
from odm.scoring.ionogram.sheet import LayerSheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXAMPLES = 12
Line = tuple[NDArray[Any], NDArray[Any]]
"""Pixels (x, y) of a leading edge on a picture."""


@dataclass(frozen=True, slots=True)
class LayerExample:
    """An ionogram to look at.

    Attributes:
        image: (H, W) uint8.
        scored: its true boxes, and those that were found.
        true_lines, lines: leading edges, true and found.
    """

    image: NDArray[np.uint8]
    scored: ScoredIonogram
    true_lines: tuple[Line, ...] = ()
    lines: tuple[Line, ...] = ()


def spread(number: int) -> list[int]:
    """Return which of a number of ionograms become examples.

    They are evenly spread, and not chosen by how good they are.
    """
    return np.unique(np.linspace(0, number - 1, EXAMPLES).astype(int)).tolist()


def layer_figures(sheet: LayerSheet, examples: Sequence[LayerExample] = ()) -> dict[str, Figure]:
    """Draw ``curves.png`` and, with examples, ``examples.png``."""
    figures = {"curves.png": curve_figure(sheet)}
    if examples:
        names = list(next(iter(sheet.curves.values())))
        figures["examples.png"] = example_figure(examples, names)
    return figures


def curve_figure(sheet: LayerSheet) -> Figure:
    """Draw precision, recall and F1 over the threshold; a line of panels per overlap."""
    figure = new_figure(10, 3.4 * len(sheet.curves))
    panels = figure.subplots(len(sheet.curves), 3, squeeze=False, sharex=True, sharey=True)
    for line, (overlap, curves) in zip(panels, sheet.curves.items(), strict=True):
        for axes, rate in zip(line, ("precision", "recall", "f1"), strict=True):
            for name, curve in curves.items():
                axes.step(curve["threshold"], curve[rate], where="post", label=name)
            axes.axvline(sheet.threshold, color="grey", linewidth=0.8)
            axes.set(xlim=(0, 1), ylim=(0, 1.02), title=f"{rate}, IoU >= {overlap}")
        line[0].legend()
    for axes in panels[-1]:
        axes.set_xlabel("threshold of the score")
    figure.text(0.5, -0.02, sheet.caveat, ha="center", va="top", fontsize=7, wrap=True)
    return figure


def example_figure(examples: Sequence[LayerExample], class_names: Sequence[str]) -> Figure:
    """Draw ionograms with true boxes and edges (white) and found ones (coloured, with scores)."""
    columns = min(4, len(examples))
    rows = -(-len(examples) // columns)
    figure = new_figure(3.2 * columns, 3.4 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, example in zip(panels, examples, strict=False):
        scored, (height, width) = example.scored, example.image.shape
        axes.imshow(example.image, cmap="gray", vmin=0, vmax=255, extent=(0, width, height, 0))
        axes.set_title(scored.name, fontsize=7)
        for _, *edges in scored.truth.tolist():
            axes.add_patch(_outline(edges, "white", "--"))
        found = zip(scored.edges.tolist(), scored.scores, scored.classes, strict=True)
        for edges, score, kind in found:
            colour = f"C{int(kind)}"
            axes.add_patch(_outline(edges, colour, "-"))
            label = f"{class_names[int(kind)]} {score:.2f}"
            axes.text(edges[0] + 2, edges[1] - 2, label, color=colour, fontsize=7)
        for x, y in example.true_lines:
            axes.plot(x, y, color="white", linewidth=1.4)
        for x, y in example.lines:
            axes.plot(x, y, ".", color="red", markersize=1.5)
        axes.set(xlim=(0, width), ylim=(height, 0))
    return figure


def _outline(edges: Sequence[float], colour: str, style: str) -> Any:
    from matplotlib.patches import Rectangle

    left, top, right, bottom = edges
    size = (right - left, bottom - top)
    return Rectangle((left, top), *size, fill=False, edgecolor=colour, linestyle=style)
