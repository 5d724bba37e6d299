"""Figures of a campaign of ionograms: occurrence of layers, edges over time, two campaigns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from odm.images.pictures.figure import new_figure
from odm.report.orbit.comparison import STYLE as SIDE_STYLE
from odm.report.shared.sides import SIDES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Sheet = Mapping[str, Any]
_FEW_DAYS = np.timedelta64(10, "D")
_STYLES = (
    ("#E69F00", "^", "--"), ("#0072B2", "o", "-"), ("#009E73", "s", "-."),
    ("#CC79A7", "D", ":"), ("#56B4E9", "v", "--"), ("#D55E00", "P", "-"),
)  # fmt: skip
"""Colour (of Okabe and Ito), marker and line of each layer, by turns."""


def occurrence(sheet: Sheet) -> Figure:
    """Share of ionograms with each layer, by hour and by day."""
    figure = new_figure(6.5, 5.6)
    by_hour, by_day = figure.subplots(2, 1)
    days = np.empty(0, "datetime64[D]")
    number = len(sheet["layers"])
    for place, (layer, facts) in enumerate(sheet["layers"].items()):
        aside = 0.24 * ((place + 0.5) / number - 0.5) * 2  # bars do not hide each other
        hours = [row for row in facts["by_hour"] if row["of"]]
        days = np.array([row["value"] for row in facts["by_day"]], "datetime64[D]")
        beside = days.astype("datetime64[m]") + np.timedelta64(round(1440 * aside), "m")
        name = (layer, _STYLES[place % len(_STYLES)])
        _shares(by_hour, name, np.array([row["value"] for row in hours]) + aside, hours)
        _shares(by_day, name, beside, facts["by_day"])
    by_hour.set_xlim(-0.5, 23.5)
    by_hour.set_xticks(range(0, 24, 3))
    by_hour.set_xlabel("hour, UTC")
    by_hour.legend(frameon=False)
    by_hour.set_title(
        f"Layers in {sheet['ionograms']} ionograms; 95 % intervals, as if each were independent",
        fontsize=9, loc="left",
    )  # fmt: skip
    by_day.set_xlabel("day, UTC")
    if days.size:
        by_day.set_xlim(days.min() - np.timedelta64(1, "D"), days.max() + np.timedelta64(1, "D"))
    _dates(by_day, bool(days.size), by_days=bool(np.ptp(days) < _FEW_DAYS) if days.size else False)
    for axes in (by_hour, by_day):
        axes.set_ylim(-0.03, 1.03)
        axes.set_ylabel("share of ionograms")
    return figure


def _shares(
    axes: Axes, name: tuple[str, tuple[str, str, str]], x: Any, rows: Sequence[Sheet]
) -> None:
    share = np.array([row["share"] for row in rows], dtype=float)
    ends = np.array([row["interval"] for row in rows], dtype=float).reshape(-1, 2).T
    layer, (colour, marker, dash) = name
    axes.errorbar(
        x, share, np.abs(ends - share), color=colour, marker=marker, ls=dash, ms=4, lw=1.2,
        capsize=2, elinewidth=0.7, label=layer,
    )  # fmt: skip


def edges(layers: pd.DataFrame, names: Sequence[str]) -> Figure:
    """Minimum group range and highest frequency over time; hollow where only a box is known."""
    figure = new_figure(7.5, 5.2)
    near, high = figure.subplots(2, 1, sharex=True)
    times = layers["time"].dt.tz_localize(None).to_numpy()
    has = layers["has_edge"].to_numpy(dtype=bool)
    size = float(np.clip(4000 / max(len(layers), 1), 3, 14))
    for axes, name, scale in ((near, "minimum_group_range", 1), (high, "edge_frequency_max", 1e-6)):
        values = layers[name].to_numpy(dtype=float) * scale
        for place, layer in enumerate(names):
            of_layer = (layers["layer"] == layer).to_numpy()
            colour, marker, _ = _STYLES[place % len(_STYLES)]
            for chosen, fill, what in ((of_layer & has, colour, "edge"),
                                       (of_layer & ~has, "none", "box")):  # fmt: skip
                if chosen.any():
                    axes.scatter(
                        times[chosen], values[chosen], s=size, c=fill, marker=marker, lw=0.7,
                        edgecolors=colour, label=f"{layer}, {what} ({int(chosen.sum())})",
                        rasterized=len(layers) > 5000,
                    )  # fmt: skip
    near.set_ylabel("minimum group range, km")
    high.set_ylabel("highest frequency, MHz")
    high.set_xlabel("UTC")
    _dates(high, bool((~np.isnat(times)).any()))
    if len(layers):
        near.legend(
            ncols=4, frameon=False, fontsize=7, loc="lower left", bbox_to_anchor=(0, 1.08)
        )  # fmt: skip
    near.set_title("Leading edges over time", fontsize=9, loc="left")
    return figure


def comparison(tables: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]) -> Figure:
    """Nearest border of the layers of both, of only A and of only B, over time."""
    figure = new_figure(7.5, 3.8)
    axes = figure.add_subplot()
    some = False
    for side, table in enumerate(tables):
        colour, marker = SIDE_STYLE[side]
        times = table["time"].dt.tz_localize(None).to_numpy()
        some = some or bool((~np.isnat(times)).any())
        axes.scatter(
            times, table["range_min"], s=10, c=colour, marker=marker, lw=0.25, edgecolors="0.15",
            label=f"{SIDES[side]} ({len(table)})", zorder=3 + side,
        )  # fmt: skip
    axes.set_ylabel("nearest range of the box, km")
    axes.set_xlabel("UTC")
    _dates(axes, some)
    axes.legend(ncols=3, frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.2))
    axes.set_title("Layers that both campaigns have, and that one has", fontsize=9, loc="left")
    return figure


def _dates(axes: Axes, some: bool, *, by_days: bool = False) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, DayLocator

    if some:
        locator = DayLocator() if by_days else AutoDateLocator()
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
