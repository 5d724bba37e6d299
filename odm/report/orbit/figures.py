"""Figures of a campaign of half-orbits, after figures 11 to 15 of the nucleus paper, and rates."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from odm.archive.orbit.key import ORBITS_PER_CYCLE
from odm.catalog.bins import binned
from odm.catalog.orbit.counting import RATE_PER_S
from odm.catalog.orbit.flown import Flown
from odm.catalog.orbit.statistics import SEASONS
from odm.images.pictures.figure import new_figure
from odm.report.shared import figures as styles
from odm.report.shared.figures import legend_below, plot, point_size, scatter_sides, set_dates
from odm.report.shared.page import page_file

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Sheet = Mapping[str, Any]
_SEASON_STYLES = {
    "spring": (styles.ORANGE, "o"),
    "summer": (styles.GREEN, "^"),
    "autumn": (styles.BLUE, "s"),
    "winter": (styles.PURPLE, "D"),
}
_HEMISPHERE_STYLES = {"north": (styles.BLUE, "-", "o"), "south": (styles.VERMILION, "--", "s")}
_MONTHS = ("Mar-May", "Jun-Aug", "Sep-Nov", "Dec-Feb")
NORTHERNMOST = 85.0
_LONGITUDES = range(-180, 181, 60)
_LATITUDES = (-75, -60, -40, -20, 0, 20, 40, 60, 75)
_CELL_LATITUDE, _CELL_LONGITUDE = 5.0, 10.0


def miller(latitude: ArrayLike) -> NDArray[np.float64]:
    """Return the height on the map, in degrees of longitude.

    Source: Snyder 1987, "Map projections, a working manual", eq. 11-1 and 11-2.
    """
    phi = np.radians(np.asarray(latitude, dtype=float))
    return np.degrees(1.25 * np.log(np.tan(np.pi / 4 + 0.4 * phi)))


@lru_cache(maxsize=1)
def coastlines() -> tuple[NDArray[np.float64], ...]:
    """Return lines (n, 2) of longitude and latitude in degrees.

    Source: Natural Earth 1:110m, public domain; the packaged file has them in 0.1 degrees.
    """
    lines: list[list[int]] = json.loads(page_file("coastline.json"))["lines"]
    return tuple(np.array(line, dtype=float).reshape(-1, 2) / 10 for line in lines)


def draw_world(axes: Axes, **style: Any) -> None:
    """Draw coastlines and a grid of degrees on axes whose y is `miller`."""
    for line in coastlines():
        axes.plot(line[:, 0], miller(line[:, 1]), **{"color": "0.55", "lw": 0.6, **style})
    axes.set(xlim=(-180, 180), ylim=miller([-NORTHERNMOST, NORTHERNMOST]), aspect="equal")
    axes.set_xticks(_LONGITUDES, [_degrees(x, "EW") for x in _LONGITUDES])
    axes.set_yticks(miller(_LATITUDES).tolist(), [_degrees(y, "NS") for y in _LATITUDES])
    axes.grid(color="0.85", lw=0.4)
    axes.set_axisbelow(True)


def _degrees(value: int, sides: str) -> str:
    side = "" if value in (0, 180, -180) else sides[0] if value > 0 else sides[1]
    return f"{abs(value)}°{side}"


def frequency_curve(sheet: Sheet) -> Figure:
    """Draw regions by the frequency of their peak (the paper's figure 11)."""
    facts = sheet["frequency"]
    figure, axes = plot(
        6.5, 3.6, f"Frequency of {facts['known']} regions", "frequency of the peak, kHz",
        "regions in 0.5 kHz",
    )  # fmt: skip
    middles = (np.array(facts["edges"][:-1]) + np.array(facts["edges"][1:])) / 2e3
    axes.plot(middles, facts["regions"], "o-", color=styles.BLUE, ms=3, lw=1.2)
    for khz, text in ((6.2, "6.2 kHz"), (12.5, "12.5 kHz")):
        axes.axvline(khz, color="0.4", lw=0.8, ls=":")
        axes.annotate(text, (khz, 1), xycoords=("data", "axes fraction"), fontsize=7, va="top",
                      xytext=(3, -3), textcoords="offset points")  # fmt: skip
    axes.set(xlim=(0, 25), ylim=(0, None))
    return figure


def season_map(flown: Flown) -> Figure:
    """Draw regions on the world in Miller's projection, by season (the paper's figure 12)."""
    latitude = flown.regions["latitude"].to_numpy(float)
    known = np.isfinite(latitude) & np.isfinite(flown.regions["longitude"].to_numpy(float))
    title = f"Places of {int(known.sum())} regions, by season (spring is March to May)"
    figure, axes = plot(7.5, 5.4, title, "geographic longitude", "geographic latitude")
    draw_world(axes)
    _scatter_seasons(axes, flown, miller(np.where(known, latitude, 0)), known)
    return figure


def season_lines(sheet: Sheet) -> Figure:
    """Draw the number of regions of each season, north and south (the paper's figure 13)."""
    title = "Regions by season and hemisphere, 95 % intervals over 5-day cycles"
    figure, axes = plot(6.5, 3.6, title, y_label="regions")
    rows = {row["value"]: row for row in sheet["counts"]["month_season_by_hemisphere"]}
    for shift, (hemisphere, style) in zip((-0.03, 0.03), _HEMISPHERE_STYLES.items(), strict=True):
        counts = [rows[f"{season} {hemisphere}"] for season in SEASONS]
        numbers = np.array([row["regions"] for row in counts], dtype=float)
        intervals = [row.get("regions_interval") or (row["regions"],) * 2 for row in counts]
        low, high = np.array(intervals, dtype=float).T
        error = np.maximum([numbers - low, high - numbers], 0)
        colour, line, marker = style
        axes.errorbar(
            np.arange(4) + shift, numbers, error, color=colour, ls=line, marker=marker,
            label=f"{hemisphere} ({int(numbers.sum())})", **styles.ERROR_BARS,
        )  # fmt: skip
    names = [f"{season}\n{months}" for season, months in zip(SEASONS, _MONTHS, strict=True)]
    axes.set_xticks(range(4), names)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8)
    return figure


def dip_histogram(sheet: Sheet) -> Figure:
    """Draw regions by dip angle (the paper's figure 14)."""
    facts = sheet["dip_angle"]
    figure, axes = plot(
        6.5, 3.6, f"Dip angle of {facts['known']} regions",
        "dip angle (IGRF-14), degrees; grey: 58 to 80", "regions in 2 degrees",
    )  # fmt: skip
    edges = np.array(facts["edges"])
    axes.stairs(
        facts["regions"], edges, fill=True, color=styles.SKY_BLUE, ec=styles.BLUE, lw=0.8
    )  # fmt: skip
    for low, high in ((-80, -58), (58, 80)):
        axes.axvspan(low, high, color="0.9", zorder=0)
    axes.set(xlim=(-90, 90), xticks=range(-90, 91, 30))
    return figure


def dip_map(flown: Flown) -> Figure:
    """Draw regions over longitude and dip angle, by season (the paper's figure 15)."""
    dip = flown.regions["dip_angle"].to_numpy(float)
    known = np.isfinite(dip)
    figure, axes = plot(
        7.5, 4.2, f"Dip angle of {int(known.sum())} regions, by season",
        "geographic longitude, degrees", "dip angle (IGRF-14), degrees",
    )  # fmt: skip
    _scatter_seasons(axes, flown, dip, known)
    for limit in (-80, -58, 58, 80):
        axes.axhline(limit, color="0.5", lw=0.6, ls=":")
    axes.set(xlim=(-180, 180), ylim=(-90, 90), xticks=_LONGITUDES, yticks=range(-90, 91, 30))
    return figure


def rate_map(flown: Flown) -> Figure:
    """Draw regions in 100 valid hours per cell of the world; cells never flown stay white."""
    hours = flown.track["seconds"].sum() / 3600
    figure, axes = plot(7.5, 5.0, f"Rate over {hours:.0f} valid hours; white: not flown")
    latitudes = np.arange(-90, 91, _CELL_LATITUDE)
    longitudes = np.arange(-180, 181, _CELL_LONGITUDE)
    seconds = _cells(flown.track, latitudes, longitudes, flown.track["seconds"].to_numpy(float))
    rate = _rate(_cells(flown.regions, latitudes, longitudes, np.ones(len(flown.regions))), seconds)
    shown = np.abs(latitudes) <= 85  # the projection has no end
    mesh = axes.pcolormesh(
        longitudes, miller(latitudes[shown]), rate[shown[:-1] & shown[1:]], cmap="cividis"
    )
    figure.colorbar(mesh, ax=axes, shrink=0.75, pad=0.02, label="regions in 100 valid hours")
    draw_world(axes, color="white", lw=0.7)
    draw_world(axes, color="0.2", lw=0.3)
    return figure


def timeline(flown: Flown) -> Figure:
    """Draw regions and rate per 5-day cycle."""
    import pandas as pd

    figure = new_figure(7.5, 3.6)
    above, below = figure.subplots(2, 1, sharex=True)
    first = flown.orbits.groupby("cycle")["start"].min().dt.tz_localize(None)
    cycles = flown.blocks[np.isin(flown.blocks, first.dropna().index)]
    of_region = flown.orbits["cycle"].to_numpy()[flown.regions["orbit"].to_numpy()]
    of_minute = flown.orbits["cycle"].to_numpy()[flown.track["orbit"].to_numpy()]
    regions, seconds = (
        pd.Series(values, index=cycle).groupby(level=0).sum().reindex(cycles, fill_value=0)
        for values, cycle in ((1.0, of_region), (flown.track["seconds"].to_numpy(), of_minute))
    )
    times = first.reindex(cycles).to_numpy()
    order = np.argsort(times)
    above.vlines(times, 0, regions, color=styles.BLUE, lw=2)
    above.set(ylabel="regions", ylim=(0, None))
    line = _rate(regions.to_numpy(), seconds.to_numpy())[order]
    apart = np.flatnonzero(np.diff(cycles[order]) != 1) + 1  # no line over what was not searched
    below.plot(
        np.insert(times[order], apart, times[order][apart]), np.insert(line, apart, np.nan), "o-",
        color=styles.VERMILION, ms=3, lw=0.8,
    )  # fmt: skip
    below.set(ylabel="in 100 valid hours", ylim=(0, None))
    if len(times):
        set_dates(below)
    title = f"Regions per 5-day cycle ({ORBITS_PER_CYCLE} orbits) that was searched"
    styles.set_title(above, title)
    return figure


def sides_map(findings: Sequence[pd.DataFrame]) -> Figure:
    """Draw where the regions of both campaigns, of only A and of only B lie."""
    figure, axes = plot(7.5, 5.2, "Regions that both campaigns have, and that one has")
    draw_world(axes)

    def place(regions: pd.DataFrame) -> tuple[Any, Any]:
        latitude = np.clip(regions["latitude"].to_numpy(float), -NORTHERNMOST, NORTHERNMOST)
        return regions["longitude"], miller(latitude)

    scatter_sides(axes, findings, place)
    legend_below(axes, 3, -0.08)
    return figure


def _scatter_seasons(axes: Axes, flown: Flown, height: Any, known: Any) -> None:
    longitude = flown.regions["longitude"].to_numpy(float)
    season = flown.regions["month_season"].to_numpy()
    size = point_size(len(season), 2)
    for name, (colour, marker) in _SEASON_STYLES.items():
        shown = known & (season == name)
        axes.scatter(longitude[shown], height[shown], s=size, c=colour, marker=marker, lw=0.25,
                     edgecolors="0.15", label=f"{name} ({int(shown.sum())})", zorder=3,
                     rasterized=len(season) > styles.MANY_POINTS)  # fmt: skip
    legend_below(axes, 4, -0.13, markerscale=1.6)


def _rate(regions: Any, seconds: Any) -> NDArray[np.float64]:
    """Return regions in 100 valid hours, NaN where there are none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(seconds > 0, regions / seconds * RATE_PER_S, np.nan)


def _cells(table: Any, latitudes: Any, longitudes: Any, weights: Any) -> Any:
    rows, columns = binned(table["latitude"], latitudes), binned(table["longitude"], longitudes)
    inside = (rows >= 0) & (columns >= 0)
    shape = (latitudes.size - 1, longitudes.size - 1)
    flat = rows[inside] * shape[1] + columns[inside]
    return np.bincount(flat, weights[inside], minlength=shape[0] * shape[1]).reshape(shape)
