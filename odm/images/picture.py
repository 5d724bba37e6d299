"""Pictures of half-orbits for people: kHz over UTC and latitude, with a colour bar."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from odm.archive.coordinates import bridged
from odm.archive.files import write_bytes
from odm.archive.orbits import Orbit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = "viridis"
_TICKS = 8


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
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    with np.errstate(divide="ignore"):
        log_psd = np.log10(orbit.psd(component))
    low, high = limits or tuple(np.nanpercentile(log_psd, (1, 99.8)))
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
        axes.legend(loc="upper right")
    _label(axes, orbit, title)
    bar = figure.colorbar(image, ax=axes, pad=0.01, extend="both")
    bar.set_label(f"log$_{{10}}$ PSD of E$_{component}$, (mV/m)$^2$/Hz")
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110, format="png")
    write_bytes(path, buffer.getvalue())


def to_regular_grid(orbit: Orbit, values: NDArray[Any]) -> NDArray[np.float32]:
    """(N, K) values on equal steps of time, rows that are missing as NaN."""
    slot = _slots(orbit)
    grid = np.full((slot[-1] + 1, values.shape[1]), np.nan, dtype=np.float32)
    grid[slot] = values
    return grid


def _slots(orbit: Orbit) -> NDArray[np.intp]:
    """Row of the regular grid for each row of the file; each has one of its own."""
    steps = np.maximum(1, np.rint(np.diff(orbit.times) / _step(orbit))).astype(np.intp)
    # A clock fault of years would ask for a grid of as many rows; a day is enough to see it.
    return np.concatenate([[0], np.cumsum(np.minimum(steps, 40_000))])


def _step(orbit: Orbit) -> np.timedelta64:
    return np.median(np.diff(orbit.times))


def _extent(orbit: Orbit) -> tuple[float, float, float, float]:
    """In rows of the regular grid and kHz, to the edges of the outermost cells."""
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
    slots = _slots(orbit)
    rows = np.linspace(0, orbit.times.size - 1, _TICKS).astype(int)
    latitude = bridged(orbit.latitude)
    axes.set_xticks(
        slots[rows],
        [f"{_clock(orbit.times[row])}\n{_degrees(latitude[row])}" for row in rows],
    )
    axes.set_xlabel(f"UTC on {str(orbit.times[0])[:10]}, and geographic latitude")
    axes.set_ylabel("frequency, kHz")
    side = {"ascending": "ascending, night side", "descending": "descending, day side"}
    name = orbit.key.stem if orbit.key else f"orbit {orbit.orbit_number}"
    axes.set_title(title or f"{name} ({side.get(orbit.direction, orbit.direction)})", fontsize=10)


def _clock(time: np.datetime64) -> str:
    return str(time.astype("datetime64[s]"))[11:]


def _degrees(latitude: float) -> str:
    return f"{abs(latitude):.1f}°{'N' if latitude >= 0 else 'S'}"
