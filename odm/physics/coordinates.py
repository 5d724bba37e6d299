"""Where a measurement lies in the Earth's magnetic field and in local time.

Geographic coordinates are geodetic degrees, altitudes km above the ellipsoid, times datetime64 in
UTC. Everything is vectorised over points of one shape; a point with a NaN gives NaN, and so does a
time outside 1990-2029, where the field models end.

Sources: IGRF-14 through `ppigrf`; AACGM-v2 (Shepherd 2014) and its magnetic local time through
`aacgmv2`. The "magnetic latitude" of the nucleus-shaped regions' paper is most likely the dip
angle: its text speaks of the dip angle, and its values (58-80 degrees) are out of reach of dipole
or corrected latitudes at 40-70 degrees geographic.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_SEASONS = ("winter", "spring", "summer", "autumn")


def _points(*arrays: ArrayLike) -> tuple[list[NDArray[Any]], tuple[int, ...]]:
    together = np.broadcast_arrays(*[np.asarray(array) for array in arrays])
    return [array.ravel() for array in together], together[0].shape


def _modelled(times: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    return (times >= np.datetime64("1990")) & (times < np.datetime64("2030"))  # NaT is neither


def _by_day(times: NDArray[np.datetime64], known: NDArray[np.bool_]) -> Iterator[tuple[Any, Any]]:
    """Yield days with the points on them: the main field moves by < 0.001 degrees a day."""
    days = times.astype("datetime64[D]")
    for day in np.unique(days[known]):
        yield day.astype(datetime), known & (days == day)


def dip_angle(
    times: ArrayLike, latitude: ArrayLike, longitude: ArrayLike, altitude_km: ArrayLike
) -> Floats:
    """Return the inclination of the geomagnetic field in degrees.

    It is positive where the field points down (north). The model is IGRF-14, evaluated once a day.
    """
    from odm.physics.main_field import main_field

    (time, lat, lon, alt), shape = _points(times, latitude, longitude, altitude_km)
    dip = np.full(lat.size, np.nan)
    known = np.isfinite(lat) & np.isfinite(lon) & np.isfinite(alt) & _modelled(time)
    for day, chosen in _by_day(time, known):
        east, north, up = main_field(lon[chosen], lat[chosen], alt[chosen], day)
        dip[chosen] = np.degrees(np.arctan2(-up, np.hypot(east, north)))
    return dip.reshape(shape)


def aacgm(
    times: ArrayLike, latitude: ArrayLike, longitude: ArrayLike, altitude_km: ArrayLike
) -> tuple[Floats, Floats]:
    """Return AACGM-v2 latitude in degrees and magnetic local time in hours [0, 24).

    Both are NaN near the magnetic equator, where AACGM is not defined.
    """
    import aacgmv2

    (time, lat, lon, alt), shape = _points(times, latitude, longitude, altitude_km)
    magnetic_latitude = np.full(lat.size, np.nan)
    mlt = np.full(lat.size, np.nan)
    known = np.isfinite(lat) & np.isfinite(lon) & np.isfinite(alt) & _modelled(time)
    for day, chosen in _by_day(time, known):
        noon = datetime(day.year, day.month, day.day, 12)
        mag_lat, mag_lon, _ = aacgmv2.convert_latlon_arr(
            lat[chosen], lon[chosen], alt[chosen], noon, method_code="G2A"
        )
        magnetic_latitude[chosen] = mag_lat
        index = np.flatnonzero(chosen)[np.isfinite(mag_lon)]
        moments = [
            datetime.fromtimestamp(second, UTC).replace(tzinfo=None)
            for second in time[index].astype("datetime64[ms]").astype(np.int64) / 1000
        ]
        if moments:
            mlt[index] = aacgmv2.convert_mlt(mag_lon[np.isfinite(mag_lon)], moments)
    return magnetic_latitude.reshape(shape), np.mod(mlt, 24).reshape(shape)


def local_time(times: ArrayLike, longitude: ArrayLike) -> Floats:
    """Return mean solar local time in hours [0, 24)."""
    (time, lon), shape = _points(times, longitude)
    since_midnight = time.astype("datetime64[ns]") - time.astype("datetime64[D]")
    hours = since_midnight / np.timedelta64(1, "h")
    return np.mod(hours + lon.astype(np.float64) / 15, 24).reshape(shape)


def month_season(times: ArrayLike) -> NDArray[np.str_]:
    """Return the season by month as the paper counts it: March to May is spring anywhere."""
    return local_season(times, latitude=0.0)


def local_season(times: ArrayLike, latitude: ArrayLike) -> NDArray[np.str_]:
    """Return the season at the place: in the south, the opposite of `month_season`."""
    months = np.asarray(times).astype("datetime64[M]").astype(np.int64) % 12  # 0 January
    south = np.asarray(latitude) < 0
    return np.array(_SEASONS)[((months + 1) // 3 + 2 * south) % 4]


def unwrapped(longitude: Floats) -> Floats:
    """Return longitude along a track without jumps at the date line, NaN kept."""
    continuous = longitude.copy()
    known = np.isfinite(continuous)
    continuous[known] = np.unwrap(continuous[known], period=360)
    return continuous


def bridged(track: Floats, along: Floats) -> Floats:
    """Return a quantity along a track, NaN interpolated linearly; the outermost slope goes on.

    Args:
        track: (N,) with NaN.
        along: (N,) where the values lie, such as seconds; increasing.
    """
    known = np.flatnonzero(np.isfinite(track))
    if known.size in (0, track.size):
        return track
    filled = np.interp(along, along[known], track[known])
    if known.size > 1:
        for beyond, (near, far) in (
            (slice(0, known[0]), known[[0, 1]]),
            (slice(known[-1] + 1, None), known[[-1, -2]]),
        ):
            slope = (track[near] - track[far]) / (along[near] - along[far])
            filled[beyond] = track[near] + slope * (along[beyond] - along[near])
    return filled


def wrapped(longitude: Floats) -> Floats:
    """Return longitude in [-180, 180)."""
    return np.mod(longitude + 180, 360) - 180
