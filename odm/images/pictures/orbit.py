"""Pictures of half-orbits for people: kHz over UTC and latitude, with a colour bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from odm.archive.orbit.reader import Orbit
from odm.images.pictures.figure import new_figure, write_figure
from odm.physics.coordinates import bridged, unwrapped, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = "viridis"
_LONGEST_GAP = 600
"""Rows (20 minutes); longer ones are drawn as long as this."""


def draw_orbit(
    path: object,
    orbit: Orbit,
    *,
    component: str = "z",
    outlines: Sequence[NDArray[np.bool_]] = (),
    outline_name: str = "truth",
    limits: tuple[float, float] | None = None,
    title: str | None = None,
) -> None:
    """Write a PNG of one spectrogram.

    Args:
        path: the picture.
        orbit: with the spectrum of ``component``.
        component: x, y or z.
        outlines: masks (K, N), row 0 the highest frequency, drawn as contours.
        outline_name: what the contours are, for the legend.
        limits: of the colours, log10 of (mV/m)^2/Hz; from percentiles of the file if None.
        title: instead of the name and the direction.
    """
    figure = new_figure(11, 6)
    axes = figure.add_subplot()
    with np.errstate(divide="ignore"):
        log_psd = np.log10(orbit.psd(component))
    low, high = limits or tuple(np.nanpercentile(log_psd, (1, 99.5)))
    image = axes.imshow(
        to_regular_grid(orbit, log_psd).T,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=_extent(orbit),
        vmin=low,
        vmax=high,
        cmap=COLOURS,
    )
    axes.set_facecolor("0.85")  # what is missing
    for mask in outlines:
        _outline(axes, orbit, mask)
    if len(outlines):
        axes.plot([], [], color="red", label=outline_name)
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), frameon=False, borderpad=0)
    _label(axes, orbit, title)
    bar = figure.colorbar(image, ax=axes, pad=0.01, extend="both")
    bar.set_label(f"log$_{{10}}$ PSD of E$_{component}$, (mV/m)$^2$/Hz")
    write_figure(path, figure)


def to_regular_grid(orbit: Orbit, values: NDArray[Any]) -> NDArray[np.float32]:
    """(N, K) values on equal steps of time, rows that are missing as NaN."""
    slot = _slots(orbit)
    grid = np.full((slot[-1] + 1, values.shape[1]), np.nan, dtype=np.float32)
    grid[slot] = values
    return grid


def _slots(orbit: Orbit) -> NDArray[np.intp]:
    """Row of the regular grid for each row of the file; each has one of its own."""
    steps = np.diff(orbit.times)
    in_rows = steps / np.median(steps)
    # Stamps of whole seconds make steps of 2 and 3 s where nothing is missing.
    rows = np.where(in_rows > 1.5, np.rint(in_rows), 1)
    # A clock fault of years would ask for a grid of as many rows.
    return np.concatenate([[0], np.cumsum(np.minimum(rows, _LONGEST_GAP).astype(np.intp))])


def _extent(orbit: Orbit) -> tuple[float, float, float, float]:
    """Return the extent in rows of the regular grid and kHz, to the outermost cells' edges."""
    step_khz = (orbit.frequency[-1] - orbit.frequency[0]) / (orbit.frequency.size - 1) / 1e3
    low, high = orbit.frequency[0] / 1e3, orbit.frequency[-1] / 1e3
    return -0.5, _slots(orbit)[-1] + 0.5, low - step_khz / 2, high + step_khz / 2


def _outline(axes: Axes, orbit: Orbit, mask: NDArray[np.bool_]) -> None:
    upright = np.rot90(mask, -1).astype(np.float32)
    grid = np.nan_to_num(to_regular_grid(orbit, upright)).T
    grid = np.pad(grid, 1)  # a region at the border still gets a closed line
    rows = np.arange(grid.shape[1]) - 1
    step_khz = (orbit.frequency[-1] - orbit.frequency[0]) / (orbit.frequency.size - 1) / 1e3
    khz = orbit.frequency[0] / 1e3 + (np.arange(grid.shape[0]) - 1) * step_khz
    axes.contour(rows, khz, grid, levels=[0.5], colors="red", linewidths=1.0)


def _label(axes: Axes, orbit: Orbit, title: str | None) -> None:
    slots, rows = _slots(orbit), _whole_minutes(orbit)
    latitude = bridged(orbit.latitude, orbit.seconds)
    longitude = wrapped(bridged(unwrapped(orbit.longitude), orbit.seconds))
    axes.set_xticks(
        slots[rows],
        [
            f"{_clock(orbit.times[row])}\n{_degrees(latitude[row], 'NS')}\n"
            f"{_degrees(longitude[row], 'EW')}"
            for row in rows
        ],
    )
    first, last = (str(orbit.times[end])[:10] for end in (0, -1))
    day = first if first == last else f"{first} to {last}"
    axes.set_xlabel(f"UTC, {day}; geographic latitude and longitude")
    axes.set_xlim(*_extent(orbit)[:2])
    axes.set_ylim(*_extent(orbit)[2:])
    axes.set_ylabel("frequency, kHz")
    side = {"ascending": "ascending, night side", "descending": "descending, day side"}
    name = orbit.key.stem if orbit.key else f"orbit {orbit.orbit_number}"
    axes.set_title(
        title or f"{name} ({side.get(orbit.direction, orbit.direction)})", fontsize=10, loc="left"
    )


def _whole_minutes(orbit: Orbit) -> NDArray[np.intp]:
    """Rows nearest to whole minutes, at a round spacing; the ends where that gives too few."""
    first, last = orbit.times[0], orbit.times[-1]
    minutes = (last - first) / np.timedelta64(1, "m")
    spacing = next((step for step in (1, 2, 5, 10, 15, 30, 60) if minutes / step <= 9), None)
    if spacing is None or minutes < 2:
        return np.array([0, orbit.times.size - 1])
    midnight = first.astype("datetime64[D]")
    since = (first - midnight) / np.timedelta64(1, "m")
    turns = np.arange(np.ceil(since / spacing), (since + minutes) // spacing + 1)
    ticks = midnight + (turns * spacing * 60).astype("timedelta64[s]")
    later = np.clip(np.searchsorted(orbit.times, ticks), 1, orbit.times.size - 1)
    nearer = np.abs(orbit.times[later - 1] - ticks) < np.abs(orbit.times[later] - ticks)
    return np.unique(later - nearer)


def _clock(time: np.datetime64) -> str:
    # To the nearest minute where that is within half a row, else to the second.
    minute = (time + np.timedelta64(30, "s")).astype("datetime64[m]")
    near = np.abs(time - minute) <= np.timedelta64(1100, "ms")
    return str(minute if near else time.astype("datetime64[s]"))[11:]


def _degrees(value: float, sides: str) -> str:
    return f"{abs(value):.1f}°{sides[0] if value >= 0 else sides[1]}"
