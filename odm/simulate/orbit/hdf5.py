"""Writes a simulated half-orbit in the layout of the CSES-01 EFD files.

The layout is that of the files: a flat root, contiguous little-endian datasets without dimension
scales, amplitude in mV/m/Hz^0.5, waveforms in burst files only. Assumed, without a source: `units`
as one-element byte arrays, WORKMODE as int32, ORBITTYPE as the direction digit, and the file's
dipole coordinates (see `groundtrack`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from odm.core.files import replace_file
from odm.simulate.orbit.emission import FREQUENCY
from odm.simulate.orbit.groundtrack import dipole_coordinates
from odm.simulate.orbit.half_orbit import HalfOrbit
from odm.simulate.orbit.recipe import OrbitRecipe

NAMES = {"x": "A131", "y": "A132", "z": "A133"}
"""Stem of the datasets of each component."""
_VERSE_EPOCH = np.datetime64("2009-01-01T00:00:00.000", "ms")


def write_half_orbit(folder: Path, half: HalfOrbit, recipe: OrbitRecipe) -> Path:
    """Write ``half`` into ``folder`` under its own name, whole or not at all.

    The bytes depend on nothing but the arguments: HDF5 is told to store no time of writing.
    """
    path = folder / half.key.name
    rng = recipe.stream(half.key.orbit_number, half.key.direction, "file")
    with replace_file(path) as temporary, h5py.File(temporary, "w", libver="earliest") as file:
        for name, values in half.amplitude.items():
            _put(file, f"{NAMES[name]}_P", values, "<f8", "mV/m/Hz^0.5")
        for name, values in half.waveform.items():
            _put(file, f"{NAMES[name]}_W", values, "<f8", "mV/m")
        _put(file, "FREQ", FREQUENCY[:, None], "<f8", "Hz")
        _put_track(file, half, wrong_sign=rng.random() < 0.05)
        file.attrs["ORBITNUM"] = np.array([half.key.orbit_number], dtype="<i4")
        file.attrs["ORBITTYPE"] = np.array([half.key.direction.digit], dtype="<i4")
    return path


def _put_track(file: h5py.File, half: HalfOrbit, wrong_sign: bool) -> None:
    track = half.track
    since = (track.times - _VERSE_EPOCH).astype(np.int64)
    magnetic_latitude, magnetic_longitude = dipole_coordinates(track.latitude, track.longitude)
    columns: dict[str, tuple[NDArray[Any], str, str]] = {
        "UTC_TIME": (utc_stamps(track.times), "<i8", "YYYYMMDDhhmmssmmm"),
        "VERSE_TIME": (since, "<i8", "ms"),
        "GEO_LAT": (track.latitude, "<f4", "degree"),
        "GEO_LON": (track.longitude, "<f4", "degree"),
        "MAG_LAT": (magnetic_latitude, "<f4", "degree"),
        "MAG_LON": (-magnetic_longitude if wrong_sign else magnetic_longitude, "<f4", "degree"),
        "ALTITUDE": (track.altitude, "<f4", "km"),
        "WORKMODE": (half.work_mode, "<i4", ""),
    }
    for name, (values, kind, units) in columns.items():
        _put(file, name, values[:, None], kind, units)


def _put(file: h5py.File, name: str, values: NDArray[np.generic], kind: str, units: str) -> None:
    data = file.create_dataset(name, data=values.astype(kind, copy=False), track_times=False)
    if units:
        data.attrs["units"] = np.array([units.encode()])


def utc_stamps(times: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Return integers ``YYYYMMDDhhmmssmmm`` of datetime64[ms]."""
    texts = np.datetime_as_string(times, unit="ms")
    return np.array([int(re.sub(r"\D", "", text)) for text in texts], dtype=np.int64)
