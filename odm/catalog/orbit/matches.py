"""Regions that come again: on the same ground track 5 days later, and at the conjugate point.

Both are counted beside what neighbouring tracks give, which are as alike in season, local time and
latitude but for the place: without that, a share of matches says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from odm.archive.orbit.key import ORBITS_PER_CYCLE
from odm.catalog.bootstrap import wilson
from odm.catalog.orbit.flown import Flown

if TYPE_CHECKING:
    import pandas as pd

LATITUDE_DEG = 2.0
CONJUGATE_DEG = 3.0
MLT_H = 1.0
FREQUENCY_HZ = 1000.0
_BAND_DEG = 5.0  # a track has a point every 3.8 degrees
_NEIGHBOURS = (-5, -4, -3, -2, -1, 1, 2, 3, 4, 5)


def repeat_matches(flown: Flown) -> dict[str, Any]:
    """Count regions with another on the next pass over the same ground, 76 orbits later.

    Returns:
        ``opportunities``: regions whose place was flown again and searched; ``matched``: those
        with a region within `LATITUDE_DEG` and `FREQUENCY_HZ` there; ``share`` with Wilson's
        interval; ``neighbours``: the share when the pass is 71 to 81 orbits later instead.
    """
    shifts = [ORBITS_PER_CYCLE + neighbour for neighbour in (0, *_NEIGHBOURS)]
    latitude = flown.track["latitude"].to_numpy(float)
    covered = _covered(flown, latitude)

    def near(pairs: pd.DataFrame) -> NDArray[np.bool_]:
        return np.asarray((pairs["latitude"] - pairs["latitude_b"]).abs() <= LATITUDE_DEG)

    facts = _matched(flown, shifts, flown.regions["latitude"], covered, near)
    return {
        "orbits_later": ORBITS_PER_CYCLE,
        "latitude_deg": LATITUDE_DEG,
        "frequency_hz": FREQUENCY_HZ,
        **facts,
    }


def conjugate_matches(flown: Flown) -> dict[str, Any]:
    """Count regions with another at the opposite AACGM latitude on the same half-orbit.

    Returns:
        As `repeat_matches`; within `CONJUGATE_DEG`, `MLT_H` and `FREQUENCY_HZ`, and beside it the
        share when the other half-orbit is 1 to 5 orbits away. None where no AACGM latitude is
        known.
    """
    latitude = flown.track["aacgm_latitude"].to_numpy(float)
    covered = _covered(flown, -latitude)

    def near(pairs: pd.DataFrame) -> NDArray[np.bool_]:
        apart = (pairs["aacgm_latitude"] + pairs["aacgm_latitude_b"]).abs() <= CONJUGATE_DEG
        hours = (pairs["mlt"] - pairs["mlt_b"] + 12) % 24 - 12
        return np.asarray(apart & (hours.abs() <= MLT_H))

    facts = _matched(flown, (0, *_NEIGHBOURS), flown.regions["aacgm_latitude"], covered, near)
    return {
        "aacgm_latitude_deg": CONJUGATE_DEG,
        "mlt_h": MLT_H,
        "frequency_hz": FREQUENCY_HZ,
        **facts,
    }


def _matched(
    flown: Flown, shifts: Sequence[int], latitude: Any, covered: Any, near: Any
) -> dict[str, Any]:
    """Count opportunities and matches of the first shift, and the share of the others together."""
    number, direction = _pass(flown, flown.regions["orbit"])
    names = ["latitude", "aacgm_latitude", "mlt", "frequency_peak"]
    regions = flown.regions[names].assign(region=np.arange(len(flown.regions)), direction=direction)
    own = regions.assign(pass_number=number)
    bands = _band(latitude)
    known = np.isfinite(np.asarray(latitude, dtype=float)) & (number >= 0)
    results = []
    for shift in shifts:
        there = known & np.isin(_code(number + shift, direction, bands), covered)
        shifted = regions.assign(pass_number=number + shift)[there]
        pairs = shifted.merge(own, on=["pass_number", "direction"], suffixes=("", "_b"))
        alike = (pairs["frequency_peak"] - pairs["frequency_peak_b"]).abs() <= FREQUENCY_HZ
        alike &= pairs["region"] != pairs["region_b"]  # near the equator it would be its own match
        results.append((int(there.sum()), int(pairs.loc[near(pairs) & alike, "region"].nunique())))
    opportunities, matched = results[0]
    others, by_chance = np.sum(results[1:], axis=0).tolist()
    return {
        "opportunities": opportunities,
        "matched": matched,
        "share": matched / opportunities if opportunities else None,
        "interval": wilson(matched, opportunities),
        "neighbours": {
            "opportunities": others,
            "matched": by_chance,
            "share": by_chance / others if others else None,
        },
    }


def _pass(flown: Flown, orbit: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return orbit number and direction (0, 1) of the half-orbits of rows."""
    chosen = flown.orbits.iloc[np.asarray(orbit, dtype=np.intp)]
    ascending = np.asarray(chosen["direction"] == "ascending", dtype=np.int64)
    return chosen["orbit_number"].to_numpy(dtype=np.int64), ascending


def _covered(flown: Flown, latitude: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return codes of half-orbit and band of latitude with valid data."""
    number, direction = _pass(flown, flown.track["orbit"])
    chosen = np.isfinite(latitude) & (flown.track["seconds"].to_numpy(float) > 0)
    return np.unique(_code(number[chosen], direction[chosen], _band(latitude[chosen])))


def _band(latitude: ArrayLike) -> NDArray[np.int64]:
    numbers = np.nan_to_num(np.asarray(latitude, dtype=float))
    return np.floor((numbers + 90) / _BAND_DEG).astype(np.int64)


def _code(number: Any, direction: Any, band: Any) -> NDArray[np.int64]:
    return np.asarray((number * 2 + direction) * 64 + band, dtype=np.int64)
