"""Half-orbits as inputs of a campaign: their key, their track and how an archive is listed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from odm.archive.orbit.key import OrbitKey
from odm.archive.orbit.listing import list_orbits
from odm.archive.orbit.reader import Orbit
from odm.catalog.fields import field
from odm.catalog.orbit.regions import REGION_SCHEMA
from odm.catalog.outcomes import OutcomeKind
from odm.catalog.selection import Listing
from odm.physics.coordinates import aacgm, bridged, dip_angle, unwrapped, wrapped

TRACK_STEP_S = 60
_TIME = pa.timestamp("ms", tz="UTC")  # Parquet has no coarser one
_USUAL_ALTITUDE_KM = 507.0

ORBITS = OutcomeKind(
    name="orbits",
    inputs="half-orbits",
    findings="regions",
    key=(
        field("satellite", pa.string(), "satellite"),
        field("payload", pa.string(), "payload and band"),
        field("level", pa.string(), "level of processing"),
        field("orbit_number", pa.int32(), "orbit number"),
        field("direction", pa.string(), "ascending (night side) or descending (day side)"),
        field("start", _TIME, "start as the file name says"),
        field("end", _TIME, "end as the file name says"),
        field("suffix", pa.string(), "last part of the file name"),
    ),
    finding=REGION_SCHEMA.remove_metadata(),
    box=(("time_start", "time_end", 2.048), ("frequency_min", "frequency_max", 24.4140625)),
    largest="area_pixels",
    shown=(
        "region_id",
        "time_peak",
        "frequency_peak",
        "latitude",
        "longitude",
        "dip_angle",
        "area_pixels",
        "confidence",
    ),
    track=pa.schema(
        [
            field("time", _TIME, "of a row near the middle of the minute"),
            field("latitude", pa.float32(), "geographic latitude", "degrees"),
            field("longitude", pa.float32(), "geographic longitude", "degrees"),
            field("dip_angle", pa.float32(), "inclination of the field (IGRF-14)", "degrees"),
            field("aacgm_latitude", pa.float32(), "AACGM-v2 latitude", "degrees"),
            field("mlt", pa.float32(), "AACGM-v2 magnetic local time", "hours"),
            field("valid_share", pa.float32(), "share of valid values in the minute", "1"),
            field("rows", pa.int32(), "rows of the file in the minute", "1"),
        ]
    ),
)


def list_orbit_inputs(archive: str) -> Listing:
    """List the half-orbits of an archive as inputs, in order of time.

    Raises:
        InputError: there is no such folder, or no half-orbit in it.
        TransientError: the store does not answer.
    """
    listing = list_orbits(archive)
    times = (file.key.start for file in listing.entries)
    passed_over = "{loser.path}: superseded by {winner.key.name}, which has the same identity"
    return Listing.of(listing, key_columns, times, passed_over)


def key_columns(key: OrbitKey) -> dict[str, Any]:
    """Return the columns of `ORBITS` that a key gives."""
    names = [column.name for column in ORBITS.key]
    return {name: getattr(key, name) for name in names} | {"direction": key.direction.value}


def decimated_track(orbit: Orbit, valid_share: NDArray[np.floating[Any]]) -> list[dict[str, Any]]:
    """Return a point of the track for each minute that has a row.

    Args:
        orbit: half-orbit with its coordinates; its spectra are not used.
        valid_share: (N,) share of valid values in each row of the file.
    """
    seconds = orbit.seconds
    minute = (seconds // TRACK_STEP_S).astype(np.int64)
    starts = np.flatnonzero(np.diff(minute, prepend=-1))
    stops = np.append(starts[1:], minute.size)
    middle = (starts + stops) // 2
    times = orbit.times[middle]
    latitude = bridged(orbit.latitude, seconds)[middle]
    longitude = wrapped(bridged(unwrapped(orbit.longitude), seconds))[middle]
    altitude = orbit.altitude[middle]
    altitude = np.where(np.isnan(altitude), _USUAL_ALTITUDE_KM, altitude)
    magnetic_latitude, mlt = aacgm(times, latitude, longitude, altitude)
    columns: dict[str, list[Any]] = {
        "time": times.astype("datetime64[ms]").tolist(),
        "latitude": latitude.tolist(),
        "longitude": longitude.tolist(),
        "dip_angle": dip_angle(times, latitude, longitude, altitude).tolist(),
        "aacgm_latitude": magnetic_latitude.tolist(),
        "mlt": mlt.tolist(),
        "valid_share": [
            float(valid_share[start:stop].mean()) for start, stop in zip(starts, stops, strict=True)
        ],
        "rows": (stops - starts).tolist(),
    }
    return [dict(zip(columns, point, strict=True)) for point in zip(*columns.values(), strict=True)]
