"""The Earth's main field: IGRF-14 with the tables of `ppigrf`, read once a process.

`ppigrf.igrf` reads and interpolates its table of coefficients at every call, which costs some ten
times as much as the field of a whole half-orbit.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RADIUS_KM = 6371.2
"""Radius of the sphere that the coefficients belong to."""


def main_field(
    longitude: Floats, latitude: Floats, altitude_km: Floats, day: date
) -> tuple[Floats, Floats, Floats]:
    """Return the field at noon of a day, as `ppigrf.igrf` gives it.

    Source: Alken et al. 2021 (IGRF-13), and IAGA's coefficients of IGRF-14.

    Args:
        longitude, latitude: (N,) geodetic degrees.
        altitude_km: (N,) above the ellipsoid.
        day: from 1900 to 2029.

    Returns:
        The components to the east, to the north and up, (N,) nT each.
    """
    from ppigrf import ppigrf

    colatitude, radius, _, _ = ppigrf.geod2geoc(latitude, altitude_km, altitude_km, altitude_km)
    orders, coefficients = _coefficients(day)
    n, m = np.array(orders).T
    legendre, slope = ppigrf.get_legendre(colatitude, orders)
    angle = np.radians(longitude)[:, None] * m
    cosine, sine = np.cos(angle), np.sin(angle)
    g, h = coefficients
    power = (RADIUS_KM / radius)[:, None] ** (n + 2)
    along = g * cosine + h * sine
    up = (power * (n + 1) * legendre * along).sum(axis=1)
    south = -(power * slope * along).sum(axis=1)
    across = (power * m * legendre * (g * sine - h * cosine)).sum(axis=1)
    east = across / np.sin(np.radians(colatitude))
    _, _, north, geodetic_up = ppigrf.geoc2geod(colatitude, radius, south, up)
    return east, north, geodetic_up


@lru_cache(maxsize=1)
def _table() -> tuple[list[tuple[int, int]], Floats, Floats]:
    """Return degrees and orders, epochs in seconds since 1970, and g and h (2, epochs, orders)."""
    from ppigrf import ppigrf

    g, h = ppigrf.read_shc()
    epochs: Any = g.index.to_numpy().astype("datetime64[s]").astype(np.float64)
    return list(g.columns), epochs, np.stack([g.to_numpy(np.float64), h.to_numpy(np.float64)])


@lru_cache(maxsize=64)
def _coefficients(day: date) -> tuple[list[tuple[int, int]], Floats]:
    """Return degrees and orders, and g and h (2, orders) of a day, linear between the epochs."""
    orders, epochs, table = _table()
    noon = np.datetime64(datetime(day.year, day.month, day.day, 12), "s").astype(np.float64)
    after = int(np.clip(np.searchsorted(epochs, noon), 1, epochs.size - 1))
    share = (noon - epochs[after - 1]) / (epochs[after] - epochs[after - 1])
    return orders, (1 - share) * table[:, after - 1] + share * table[:, after]
