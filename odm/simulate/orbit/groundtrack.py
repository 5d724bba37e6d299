"""Orbit number <-> time <-> place of CSES-01, as a simulated archive needs it.

From sources: inclination 97.4 degrees and altitude about 507 km; a ground track that repeats after
76 orbits in 5 days; the descending half (digit 0) in daylight at about 14 h local time and the
ascending half (digit 1) in the night at about 02 h; the file of orbit 17538 ascending that starts
at 2021-04-01 01:21:58 UTC; one spectrum every 2.048 s; about 1000 to 1077 rows, cut off between 65
and 69 degrees of latitude.

Assumed here, without a source:

- the orbit is a circle over a sphere, its period exactly 5 d / 76, its node fixed in *mean* local
  time at 14 h and 02 h exactly, without drift over the mission;
- the descending half of an orbit number comes half a period before its ascending half;
- 65 degrees is the usual cut-off and one half-orbit in four goes on to between 65 and 69 degrees,
  independently at its two ends;
- altitude is 503 km at the equator and 512 km at the highest latitudes;
- the file's own magnetic latitude and longitude are those of a centred dipole with its pole at
  80.65 N, 72.68 W; in one file of twenty the longitude has the wrong sign ("often wrong").
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from odm.archive.orbit.key import ORBITS_PER_CYCLE, Direction
from odm.core.errors import InputError

PERIOD_S = 5 * 86400 / ORBITS_PER_CYCLE
ROW_STEP_MS = 2048
"""Time from one spectrum to the next, milliseconds."""
MAXIMUM_ROWS = 1077
LAST_ORBIT = 99_999
"""The last orbit number that a name holds."""
INCLINATION = float(np.radians(97.4))
USUAL_CUTOFF = 65.0
"""Latitude, degrees, where most half-orbits begin and end."""
_DESCENDING_LOCAL_TIME = 14.0
_ASCENDING_LOCAL_TIME = 2.0
_ANCHOR_ORBIT = 17538
_ANCHOR_START = np.datetime64("2021-04-01T01:21:58.000", "ms")
_DIPOLE_POLE = (80.65, -72.68)


@dataclass(frozen=True)
class Track:
    """Places of one half-orbit, all arrays of one value per row (N,).

    ``times`` datetime64[ms] UTC; latitude, longitude, ``dip`` in degrees, ``altitude`` in km,
    ``local_time`` in mean solar hours [0, 24).
    """

    orbit_number: int
    direction: Direction
    times: NDArray[np.datetime64]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    altitude: NDArray[np.float64]
    local_time: NDArray[np.float64]
    dip: NDArray[np.float64]

    @property
    def night(self) -> bool:
        """Whether this is the half in darkness, about 02 h at the equator."""
        return self.direction is Direction.ASCENDING


TRACK_ARRAYS = ("times", "latitude", "longitude", "altitude", "local_time", "dip")
"""Values of a `Track` that are given row by row."""


def seconds_from_equator(latitude: float) -> float:
    """Seconds of flight from the equator to ``latitude`` (degrees, positive)."""
    argument = float(np.arcsin(np.sin(np.radians(latitude)) / np.sin(INCLINATION)))
    return argument / (2 * np.pi) * PERIOD_S


def equator_crossing(orbit_number: int, direction: Direction) -> np.datetime64:
    """When this half-orbit crosses the equator, datetime64[ms] UTC."""
    halves = 2 * (orbit_number - _ANCHOR_ORBIT) - (direction is Direction.DESCENDING)
    anchor_ms = round(seconds_from_equator(USUAL_CUTOFF) * 1000)
    # Whole cycles are taken out first, so that a track repeats to the millisecond.
    cycles, rest = divmod(halves, 2 * ORBITS_PER_CYCLE)
    offset_ms = cycles * 5 * 86_400_000 + round(rest * PERIOD_S * 500)
    return _ANCHOR_START + np.timedelta64(anchor_ms + offset_ms, "ms")


def nominal_start(orbit_number: int, direction: Direction) -> np.datetime64:
    """When this half-orbit passes the usual cut-off, datetime64[ms] UTC."""
    lead_ms = round(seconds_from_equator(USUAL_CUTOFF) * 1000)
    return equator_crossing(orbit_number, direction) - np.timedelta64(lead_ms, "ms")


def first_half(start: datetime) -> tuple[int, Direction]:
    """The first half-orbit whose nominal start is at or after ``start`` (naive UTC).

    Raises:
        InputError: before the first orbit of the satellite, or past five-digit orbit numbers.
    """
    zero = nominal_start(0, Direction.DESCENDING)
    past_s = (np.datetime64(start, "ms") - zero) / np.timedelta64(1, "s")
    half = int(np.ceil(past_s / (PERIOD_S / 2) - 1e-6))
    if half < 2:
        first = nominal_start(1, Direction.DESCENDING).astype("datetime64[D]")
        raise InputError(f"start {start:%Y-%m-%d} is before the first orbit of CSES-01 on {first}")
    orbit_number, digit = divmod(half, 2)
    if orbit_number > LAST_ORBIT:
        raise InputError(f"start {start:%Y-%m-%d} is after orbit {LAST_ORBIT}, the last of a name")
    return orbit_number, Direction.from_digit(digit)


def following(
    orbit_number: int, direction: Direction, every: int = 1
) -> Iterator[tuple[int, Direction]]:
    """This half-orbit and then each ``every``-th after it, without end.

    An even step would stay in one direction; every second half-orbit is then the next one instead,
    so that both directions occur in equal numbers.
    """
    first = 2 * orbit_number + direction.digit
    for turn in itertools.count():
        half = first + turn * every + (turn % 2 if every % 2 == 0 else 0)
        number, digit = divmod(half, 2)
        yield number, Direction.from_digit(digit)


def draw_cutoffs(rng: np.random.Generator) -> tuple[float, float]:
    """Absolute latitudes, degrees, where a half-orbit begins and ends."""
    beyond = np.where(rng.random(2) < 0.25, 4.0 * rng.beta(1.0, 1.5, 2), 0.6 * rng.random(2))
    first, last = USUAL_CUTOFF + beyond
    return float(first), float(last)


def row_times(
    orbit_number: int, direction: Direction, cutoffs: tuple[float, float]
) -> NDArray[np.datetime64]:
    """Times of the spectra of one half-orbit without gaps, datetime64[ms] (N,)."""
    before_ms, after_ms = (1000 * seconds_from_equator(latitude) for latitude in cutoffs)
    count = min(int((before_ms + after_ms) // ROW_STEP_MS) + 1, MAXIMUM_ROWS)
    first = equator_crossing(orbit_number, direction) - np.timedelta64(round(before_ms), "ms")
    return first + np.arange(count) * np.timedelta64(ROW_STEP_MS, "ms")


def fly(orbit_number: int, direction: Direction, times: NDArray[np.datetime64]) -> Track:
    """Where the satellite is at ``times`` (datetime64, N) of one half-orbit."""
    from odm.physics.coordinates import dip_angle

    crossing = equator_crossing(orbit_number, direction)
    seconds = (times - crossing) / np.timedelta64(1, "s")
    descending = direction is Direction.DESCENDING
    angle = 2 * np.pi * seconds / PERIOD_S + (np.pi if descending else 0.0)
    latitude = np.degrees(np.arcsin(np.sin(INCLINATION) * np.sin(angle)))
    # Right ascension from the crossing; local time at the crossing is that of the node.
    ascension = np.degrees(np.arctan2(np.cos(INCLINATION) * np.sin(angle), np.cos(angle)))
    ascension = (ascension - (180.0 if descending else 0.0) + 180.0) % 360.0 - 180.0
    node_time = _DESCENDING_LOCAL_TIME if descending else _ASCENDING_LOCAL_TIME
    local_time = (node_time + ascension / 15.0) % 24.0
    hours = (times - times.astype("datetime64[D]")) / np.timedelta64(1, "h")
    longitude = (15.0 * (local_time - hours) + 180.0) % 360.0 - 180.0
    altitude = 503.0 + 11.0 * np.sin(np.radians(latitude)) ** 2
    # The field model is what costs: a value a degree, and a spline between.
    knots = np.unique(np.append(np.arange(0, len(times), 8), len(times) - 1))
    known = (times.astype("datetime64[ns]"), latitude, longitude, altitude)
    spline = CubicSpline(knots, dip_angle(*(values[knots] for values in known)))
    dip = spline(np.arange(len(times)))
    return Track(orbit_number, direction, times, latitude, longitude, altitude, local_time, dip)


def dipole_coordinates(
    latitude: NDArray[np.float64], longitude: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centred-dipole latitude and longitude, degrees, of geographic ones."""
    pole_lat, pole_lon = np.radians(_DIPOLE_POLE)
    lat, lon = np.radians(latitude), np.radians(longitude) - pole_lon
    sine = np.sin(lat) * np.sin(pole_lat) + np.cos(lat) * np.cos(pole_lat) * np.cos(lon)
    east = np.cos(lat) * np.sin(lon)
    north = -np.sin(lat) * np.cos(pole_lat) + np.cos(lat) * np.sin(pole_lat) * np.cos(lon)
    return np.degrees(np.arcsin(sine)), np.degrees(np.arctan2(east, north))


def conjugate_point(latitude: float, longitude: float) -> tuple[float, float]:
    """Geographic place at the other foot of the centred-dipole field line, degrees."""
    pole_lat, pole_lon = np.radians(_DIPOLE_POLE)
    magnetic_lat, magnetic_lon = (
        np.radians(value[0])
        for value in dipole_coordinates(np.array([latitude]), np.array([longitude]))
    )
    lat, lon = -magnetic_lat, magnetic_lon
    x = np.cos(lat) * np.cos(lon)
    sine = np.sin(lat) * np.sin(pole_lat) - x * np.cos(pole_lat)
    away = np.arctan2(
        np.cos(lat) * np.sin(lon), np.sin(lat) * np.cos(pole_lat) + x * np.sin(pole_lat)
    )
    geographic = np.degrees(away + pole_lon)
    return float(np.degrees(np.arcsin(sine))), float((geographic + 180.0) % 360.0 - 180.0)


def as_datetime(time: np.datetime64) -> datetime:
    """Naive UTC with the milliseconds cut off, as a file name has it."""
    moment: datetime = time.astype("datetime64[s]").item()
    return moment
