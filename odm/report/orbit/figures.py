"""Figures of a campaign of half-orbits, after figures 11 to 15 of the nucleus paper, and rates.

Seasons have the paper's colours in the palette of Okabe and Ito, which colour-blind people tell
apart, and a marker each, so that they are told apart in grey too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from odm.archive.orbit.key import ORBITS_PER_CYCLE
from odm.catalog.bins import binned
from odm.catalog.orbit.counting import RATE_PER_S
from odm.catalog.orbit.flown import Flown
from odm.catalog.orbit.statistics import SEASONS
from odm.core.files import join
from odm.images.pictures.figure import new_figure, write_figure
from odm.report.orbit.worldmap import draw_world, miller

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Sheet = Mapping[str, Any]
STYLE = {
    "spring": ("#E69F00", "o"),
    "summer": ("#009E73", "^"),
    "autumn": ("#0072B2", "s"),
    "winter": ("#CC79A7", "D"),
}
_SIDES = {"north": ("#0072B2", "-", "o"), "south": ("#D55E00", "--", "s")}
_MONTHS = ("Mar-May", "Jun-Aug", "Sep-Nov", "Dec-Feb")
_DPI = 160
_CELL_LATITUDE, _CELL_LONGITUDE = 5.0, 10.0


def draw_figures(folder: str, flown: Flown, sheet: Sheet, caption: str) -> list[str]:
    """Write every figure as PNG and PDF.

    Args:
        folder: where.
        flown: the campaign.
        sheet: its `odm.catalog.orbit.statistics.orbit_statistics`.
        caption: what stands under each: campaign, model, statement.

    Returns:
        The names of the figures, without extension.
    """
    drawn = {
        "frequency": frequency_curve(sheet),
        "map": season_map(flown),
        "seasons": season_lines(sheet),
        "dip_histogram": dip_histogram(sheet),
        "dip_map": dip_map(flown),
        "rate_map": rate_map(flown),
        "timeline": timeline(flown),
    }
    for name, figure in drawn.items():
        write_captioned(folder, name, figure, caption)
    return list(drawn)


def write_captioned(folder: str, name: str, figure: Figure, caption: str) -> None:
    """Write a figure as PNG and PDF with a caption under it."""
    import textwrap

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
    for form in ("png", "pdf"):
        write_figure(join(folder, f"{name}.{form}"), figure, form=form, dpi=_DPI)


def frequency_curve(sheet: Sheet) -> Figure:
    """Regions by the frequency of their peak (the paper's figure 11)."""
    figure = new_figure(6.5, 3.6)
    axes = figure.add_subplot()
    facts = sheet["frequency"]
    middles = (np.array(facts["edges"][:-1]) + np.array(facts["edges"][1:])) / 2e3
    axes.plot(middles, facts["regions"], "o-", color="#0072B2", ms=3, lw=1.2)
    for khz, text in ((6.2, "6.2 kHz"), (12.5, "12.5 kHz")):
        axes.axvline(khz, color="0.4", lw=0.8, ls=":")
        axes.annotate(text, (khz, 1), xycoords=("data", "axes fraction"), fontsize=7, va="top",
                      xytext=(3, -3), textcoords="offset points")  # fmt: skip
    axes.set_xlim(0, 25)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("frequency of the peak, kHz")
    axes.set_ylabel("regions in 0.5 kHz")
    _title(axes, f"Frequency of {facts['known']} regions")
    return figure


def season_map(flown: Flown) -> Figure:
    """Regions on the world in Miller's projection, by season (the paper's figure 12)."""
    figure = new_figure(7.5, 5.4)
    axes = figure.add_subplot()
    draw_world(axes)
    latitude = flown.regions["latitude"].to_numpy(float)
    inside = np.isfinite(latitude) & np.isfinite(flown.regions["longitude"].to_numpy(float))
    _scatter_seasons(axes, flown, miller(np.where(inside, latitude, 0)), inside)
    axes.set_xlabel("geographic longitude")
    axes.set_ylabel("geographic latitude")
    _title(axes, f"Places of {int(inside.sum())} regions, by season (spring is March to May)")
    return figure


def season_lines(sheet: Sheet) -> Figure:
    """Regions of each season, north and south (the paper's figure 13)."""
    figure = new_figure(6.5, 3.6)
    axes = figure.add_subplot()
    rows = {row["value"]: row for row in sheet["counts"]["month_season_by_hemisphere"]}
    for shift, (side, (colour, line, marker)) in zip((-0.03, 0.03), _SIDES.items(), strict=True):
        chosen = [rows[f"{season} {side}"] for season in SEASONS]
        numbers = np.array([row["regions"] for row in chosen], dtype=float)
        total = int(numbers.sum())
        bars = [row.get("regions_interval") or (row["regions"],) * 2 for row in chosen]
        low, high = np.array(bars, dtype=float).T
        error = np.maximum([numbers - low, high - numbers], 0)
        axes.errorbar(
            np.arange(4) + shift, numbers, error, color=colour, ls=line, marker=marker, ms=4,
            lw=1.2, capsize=2, elinewidth=0.7, label=f"{side} ({total})",
        )  # fmt: skip
    names = [f"{one}\n{months}" for one, months in zip(SEASONS, _MONTHS, strict=True)]
    axes.set_xticks(range(4), names)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("regions")
    axes.legend(frameon=False, fontsize=8)
    _title(axes, "Regions by season and hemisphere, 95 % intervals over 5-day cycles")
    return figure


def dip_histogram(sheet: Sheet) -> Figure:
    """Regions by dip angle (the paper's figure 14)."""
    figure = new_figure(6.5, 3.6)
    axes = figure.add_subplot()
    facts = sheet["dip_angle"]
    edges = np.array(facts["edges"])
    axes.stairs(facts["regions"], edges, fill=True, color="#56B4E9", ec="#0072B2", lw=0.8)
    for low, high in ((-80, -58), (58, 80)):
        axes.axvspan(low, high, color="0.9", zorder=0)
    axes.set_xlim(-90, 90)
    axes.set_xticks(range(-90, 91, 30))
    axes.set_xlabel("dip angle (IGRF-14), degrees; grey: 58 to 80")
    axes.set_ylabel("regions in 2 degrees")
    _title(axes, f"Dip angle of {facts['known']} regions")
    return figure


def dip_map(flown: Flown) -> Figure:
    """Regions over longitude and dip angle, by season (the paper's figure 15)."""
    figure = new_figure(7.5, 4.2)
    axes = figure.add_subplot()
    dip = flown.regions["dip_angle"].to_numpy(float)
    _scatter_seasons(axes, flown, dip, np.isfinite(dip))
    for limit in (-80, -58, 58, 80):
        axes.axhline(limit, color="0.5", lw=0.6, ls=":")
    axes.set_xlim(-180, 180)
    axes.set_ylim(-90, 90)
    axes.set_xticks(range(-180, 181, 60))
    axes.set_yticks(range(-90, 91, 30))
    axes.set_xlabel("geographic longitude, degrees")
    axes.set_ylabel("dip angle (IGRF-14), degrees")
    _title(axes, f"Dip angle of {int(np.isfinite(dip).sum())} regions, by season")
    return figure


def rate_map(flown: Flown) -> Figure:
    """Regions in 100 hours of valid data per cell of the world; cells never flown stay white."""
    figure = new_figure(7.5, 5.0)
    axes = figure.add_subplot()
    latitudes = np.arange(-90, 91, _CELL_LATITUDE)
    longitudes = np.arange(-180, 181, _CELL_LONGITUDE)
    seconds = _cells(flown.track, latitudes, longitudes, flown.track["seconds"].to_numpy(float))
    found = _cells(flown.regions, latitudes, longitudes, np.ones(len(flown.regions)))
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(seconds > 0, found / seconds * RATE_PER_S, np.nan)
    shown = np.abs(latitudes) <= 85  # the projection has no end
    mesh = axes.pcolormesh(
        longitudes, miller(latitudes[shown]), rate[shown[:-1] & shown[1:]], cmap="cividis"
    )
    figure.colorbar(mesh, ax=axes, shrink=0.75, pad=0.02, label="regions in 100 valid hours")
    draw_world(axes, color="white", lw=0.7)
    draw_world(axes, color="0.2", lw=0.3)
    hours = flown.track["seconds"].sum() / 3600
    _title(axes, f"Rate over {hours:.0f} valid hours; white: not flown")
    return figure


def timeline(flown: Flown) -> Figure:
    """Regions and rate per 5-day cycle."""
    import pandas as pd
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    figure = new_figure(7.5, 3.6)
    above, below = figure.subplots(2, 1, sharex=True)
    first = flown.orbits.groupby("cycle")["start"].min().dt.tz_localize(None)
    cycles = flown.blocks[np.isin(flown.blocks, first.dropna().index)]
    of_region = flown.orbits["cycle"].to_numpy()[flown.regions["orbit"].to_numpy()]
    of_minute = flown.orbits["cycle"].to_numpy()[flown.track["orbit"].to_numpy()]
    found = pd.Series(1.0, index=of_region).groupby(level=0).sum().reindex(cycles, fill_value=0)
    flew = pd.Series(flown.track["seconds"].to_numpy(float), index=of_minute)
    seconds = flew.groupby(level=0).sum().reindex(cycles, fill_value=0).to_numpy()
    times = first.reindex(cycles).to_numpy()
    order = np.argsort(times)
    above.vlines(times, 0, found, color="#0072B2", lw=2)
    above.set_ylabel("regions")
    above.set_ylim(bottom=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(seconds > 0, found / seconds * RATE_PER_S, np.nan)
    line = np.array(rate[order])
    apart = np.flatnonzero(np.diff(cycles[order]) != 1) + 1  # no line over what was not searched
    below.plot(
        np.insert(times[order], apart, times[order][apart]), np.insert(line, apart, np.nan), "o-",
        color="#D55E00", ms=3, lw=0.8,
    )  # fmt: skip
    below.set_ylabel("in 100 valid hours")
    below.set_ylim(bottom=0)
    if len(times):
        locator = AutoDateLocator()
        below.xaxis.set_major_locator(locator)
        below.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    _title(above, f"Regions per 5-day cycle ({ORBITS_PER_CYCLE} orbits) that was searched")
    return figure


def _scatter_seasons(axes: Axes, flown: Flown, height: Any, known: Any) -> None:
    longitude = flown.regions["longitude"].to_numpy(float)
    season = flown.regions["month_season"].to_numpy()
    size = float(np.clip(4000 / max(len(season), 1), 2, 14))
    for name, (colour, marker) in STYLE.items():
        chosen = known & (season == name)
        axes.scatter(longitude[chosen], height[chosen], s=size, c=colour, marker=marker, lw=0.25,
                     edgecolors="0.15", label=f"{name} ({int(chosen.sum())})", zorder=3,
                     rasterized=len(season) > 5000)  # fmt: skip
    axes.legend(ncols=4, frameon=False, fontsize=7, loc="upper center",
                bbox_to_anchor=(0.5, -0.13), markerscale=1.6)  # fmt: skip


def _cells(table: Any, latitudes: Any, longitudes: Any, weights: Any) -> Any:
    rows, columns = binned(table["latitude"], latitudes), binned(table["longitude"], longitudes)
    inside = (rows >= 0) & (columns >= 0)
    shape = (latitudes.size - 1, longitudes.size - 1)
    flat = rows[inside] * shape[1] + columns[inside]
    return np.bincount(flat, weights[inside], minlength=shape[0] * shape[1]).reshape(shape)


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, fontsize=9, loc="left")
