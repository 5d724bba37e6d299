"""Figures of a campaign of ionograms: occurrence of layers, edges over time, two campaigns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from odm.catalog.activity import utc
from odm.images.pictures.figure import new_figure
from odm.report.shared import figures as styles
from odm.report.shared.figures import legend_below, plot, scatter_sides, set_dates, set_title

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Sheet = Mapping[str, Any]
Style = tuple[str, str, str]
_FEW_DAYS = np.timedelta64(10, "D")
_LAYER_STYLES: tuple[Style, ...] = (
    (styles.ORANGE, "^", "--"), (styles.BLUE, "o", "-"), (styles.GREEN, "s", "-."),
    (styles.PURPLE, "D", ":"), (styles.SKY_BLUE, "v", "--"), (styles.VERMILION, "P", "-"),
)  # fmt: skip
"""Colour, marker and line of each layer, by turns."""


def draw_occurrence(sheet: Sheet) -> Figure:
    """Draw the share of ionograms with each layer, by hour and by day."""
    figure = new_figure(6.5, 5.6)
    by_hour, by_day = figure.subplots(2, 1)
    days = np.empty(0, "datetime64[D]")
    number = len(sheet["layers"])
    for place, (layer, facts) in enumerate(sheet["layers"].items()):
        aside = 0.24 * ((place + 0.5) / number - 0.5) * 2  # bars do not hide each other
        hours = [row for row in facts["by_hour"] if row["of"]]
        days = np.array([row["value"] for row in facts["by_day"]], "datetime64[D]")
        beside = days.astype("datetime64[m]") + np.timedelta64(round(1440 * aside), "m")
        style = _style(place)
        of_hours = np.array([row["value"] for row in hours]) + aside
        _draw_shares(by_hour, layer, style, of_hours, hours)
        _draw_shares(by_day, layer, style, beside, facts["by_day"])
    by_hour.set(xlim=(-0.5, 23.5), xticks=range(0, 24, 3), xlabel="hour, UTC")
    by_hour.legend(frameon=False)
    intervals = "95 % intervals, as if each were independent"
    set_title(by_hour, f"Layers in {sheet['ionograms']} ionograms; {intervals}")
    by_day.set_xlabel("day, UTC")
    if days.size:
        by_day.set_xlim(days.min() - np.timedelta64(1, "D"), days.max() + np.timedelta64(1, "D"))
        set_dates(by_day, daily=bool(np.ptp(days) < _FEW_DAYS))
    for axes in (by_hour, by_day):
        axes.set(ylim=(-0.03, 1.03), ylabel="share of ionograms")
    return figure


def _draw_shares(
    axes: Axes, layer: str, style: Style, x: NDArray[Any], rows: Sequence[Sheet]
) -> None:
    share = np.array([row["share"] for row in rows], dtype=float)
    ends = np.array([row["interval"] for row in rows], dtype=float).reshape(-1, 2).T
    colour, marker, line = style
    axes.errorbar(
        x, share, np.abs(ends - share), color=colour, marker=marker, ls=line, label=layer,
        **styles.ERROR_BARS,
    )  # fmt: skip


def draw_edges(layers: pd.DataFrame, names: Sequence[str]) -> Figure:
    """Draw minimum group range and highest frequency over time; hollow where there is no edge."""
    figure = new_figure(7.5, 5.2)
    near, high = figure.subplots(2, 1, sharex=True)
    times = utc(layers["time"])
    has_edge = layers["has_edge"].to_numpy(dtype=bool)
    for axes, name, scale in ((near, "minimum_group_range", 1), (high, "edge_frequency_max", 1e-6)):
        values = layers[name].to_numpy(dtype=float) * scale
        for place, layer in enumerate(names):
            of_layer = (layers["layer"] == layer).to_numpy()
            colour, marker, _ = _style(place)
            for shown, fill, part in ((of_layer & has_edge, colour, "edge"),
                                      (of_layer & ~has_edge, "none", "box")):  # fmt: skip
                if shown.any():
                    axes.scatter(
                        times[shown], values[shown], s=styles.point_size(len(layers), 3), c=fill,
                        marker=marker, lw=0.7, edgecolors=colour,
                        label=f"{layer}, {part} ({int(shown.sum())})",
                        rasterized=len(layers) > styles.MANY_POINTS,
                    )  # fmt: skip
    near.set_ylabel("minimum group range, km")
    high.set(ylabel="highest frequency, MHz", xlabel="UTC")
    if not np.isnat(times).all():
        set_dates(high)
    if len(layers):
        near.legend(
            ncols=4, frameon=False, fontsize=7, loc="lower left", bbox_to_anchor=(0, 1.08)
        )  # fmt: skip
    set_title(near, "Leading edges over time")
    return figure


def draw_sides(findings: Sequence[pd.DataFrame]) -> Figure:
    """Draw the nearest border of the layers of both campaigns, of only A and of only B."""
    figure, axes = plot(
        7.5, 3.8, "Layers that both campaigns have, and that one has", "UTC",
        "nearest range of the box, km",
    )  # fmt: skip
    scatter_sides(axes, findings, lambda layers: (utc(layers["time"]), layers["range_min"]))
    if not all(np.isnat(utc(layers["time"])).all() for layers in findings):
        set_dates(axes)
    legend_below(axes, 3, -0.2)
    return figure


def _style(place: int) -> Style:
    return _LAYER_STYLES[place % len(_LAYER_STYLES)]
