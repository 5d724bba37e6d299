"""Miller's cylindrical projection and the world's coastlines."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COASTLINE = "coastline.json"
NORTHERNMOST = 85.0
_LONGITUDES = range(-180, 181, 60)
_LATITUDES = (-75, -60, -40, -20, 0, 20, 40, 60, 75)


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
    text = resources.files("odm.report.page").joinpath(COASTLINE).read_text(encoding="utf-8")
    lines: list[list[int]] = json.loads(text)["lines"]
    return tuple(np.array(line, dtype=float).reshape(-1, 2) / 10 for line in lines)


def draw_world(axes: Axes, **style: Any) -> None:
    """Draw coastlines and a grid of degrees on axes whose y is `miller`."""
    for line in coastlines():
        axes.plot(line[:, 0], miller(line[:, 1]), **{"color": "0.55", "lw": 0.6, **style})
    axes.set_xlim(-180, 180)
    axes.set_ylim(*miller([-NORTHERNMOST, NORTHERNMOST]))
    axes.set_aspect("equal")
    axes.set_xticks(_LONGITUDES, [_degrees(x, "EW") for x in _LONGITUDES])
    axes.set_yticks(miller(_LATITUDES).tolist(), [_degrees(y, "NS") for y in _LATITUDES])
    axes.grid(color="0.85", lw=0.4)
    axes.set_axisbelow(True)


def _degrees(value: int, sides: str) -> str:
    side = "" if value in (0, 180, -180) else sides[0] if value > 0 else sides[1]
    return f"{abs(value)}°{side}"
