"""Styles of the figures of all reports, and how a figure is written.

Colours are from the palette of Okabe and Ito, which colour-blind people tell apart, and each goes
with a marker of its own, so that they are told apart in grey too.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from odm.core.files import join
from odm.images.pictures.figure import new_figure, write_figure
from odm.report.shared.comparison import SIDES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ORANGE, SKY_BLUE, GREEN = "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
ERROR_BARS: dict[str, Any] = {"ms": 4, "lw": 1.2, "capsize": 2, "elinewidth": 0.7}
MANY_POINTS = 5000
"""Points from which on a scatter is drawn as an image inside a PDF."""
_SIDE_STYLES = (("0.6", "o"), (BLUE, "^"), (ORANGE, "s"))
_FORMATS = ("png", "pdf")
_DPI = 160


def plot(
    width: float, height: float, title: str, x_label: str = "", y_label: str = ""
) -> tuple[Figure, Axes]:
    """Return an empty figure, in inches, and its only axes."""
    figure = new_figure(width, height)
    axes = figure.add_subplot()
    set_title(axes, title)
    axes.set(xlabel=x_label, ylabel=y_label)
    return figure, axes


def set_title(axes: Axes, text: str) -> None:
    """Write a title above the left end of axes."""
    axes.set_title(text, fontsize=9, loc="left")


def legend_below(axes: Axes, columns: int, y: float, **more: Any) -> None:
    """Draw a legend under axes, at a height in shares of theirs."""
    where: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, y)}
    axes.legend(ncols=columns, frameon=False, fontsize=7, **where, **more)


def set_dates(axes: Axes, *, daily: bool = False) -> None:
    """Write short dates along the horizontal axis, one a day where ``daily``."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, DayLocator

    locator = DayLocator() if daily else AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def point_size(number: int, smallest: float) -> float:
    """Return the area of a marker in points squared, smaller the more points there are."""
    return float(np.clip(4000 / max(number, 1), smallest, 14))


def scatter_sides(
    axes: Axes, tables: Sequence[pd.DataFrame], place: Callable[[pd.DataFrame], tuple[Any, Any]]
) -> None:
    """Draw the findings of both campaigns, of only A and of only B.

    Args:
        axes: where.
        tables: the findings, in this order.
        place: function from findings to their x and y.
    """
    for side, (table, (colour, marker)) in enumerate(zip(tables, _SIDE_STYLES, strict=True)):
        axes.scatter(
            *place(table), s=10, c=colour, marker=marker, lw=0.25, edgecolors="0.15",
            label=f"{SIDES[side]} ({len(table)})", zorder=3 + side,
        )  # fmt: skip


def write_captioned(folder: str, name: str, figure: Figure, caption: str) -> list[str]:
    """Write a figure as PNG and PDF with a caption under it, and return the names of the files."""
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(caption, int(width * 17), break_long_words=True)
    below = 0.125 * (len(lines) + 1)
    figure.set_size_inches(width, height + below)
    share = below / (height + below)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0, share, 1, 1 - share))  # type: ignore[call-arg]
    figure.text(
        0.01, share * 0.9, "\n".join(lines), fontsize=6.5, color="0.25", va="top", parse_math=False
    )
    names = [f"{name}.{form}" for form in _FORMATS]
    for file, form in zip(names, _FORMATS, strict=True):
        write_figure(join(folder, file), figure, form=form, dpi=_DPI)
    return names
