"""Half-orbits of CSES-01 EFD-VLF: from a file to numpy arrays, or to an xarray dataset.

The files hold **amplitude** spectral density in mV/m/Hz^0.5; the power spectral density is its
square. The axes of Ex, Ey and Ez in the files are not documented, so the frame is kept "as file"
and Z is never taken for the vertical.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from odm.archive.hdf5 import check_size, dataset, open_h5, text_attribute, values, vector
from odm.archive.orbit.key import OrbitKey
from odm.archive.orbit.times import combine, parse_utc, parse_verse
from odm.core.errors import ArchiveError, InputError
from odm.core.files import without_options

if TYPE_CHECKING:
    import xarray as xr

SPECTRA = {"x": "A131_P", "y": "A132_P", "z": "A133_P"}
"""Dataset of each component's amplitude spectral density."""

PSD_UNITS = "(mV/m)^2/Hz"
MAXIMUM_AMPLITUDE = 1e9
"""mV/m/Hz^0.5; nothing that an antenna in space measures, so above it a value is a fill value."""

MAXIMUM_VALUES = 100_000 * 1024
"""Largest number of values in one spectrum; a half-orbit has a hundredth of it. A damaged shape
may say anything."""

_UNITS_NAMES = ("units", "Units", "Unit", "unit", "UNITS")

Floats = NDArray[np.floating[Any]]


def valid_amplitude(amplitude: Floats) -> NDArray[np.bool_]:
    """Return where an amplitude is a measurement: finite, positive and no fill value."""
    return (amplitude > 0) & (amplitude < MAXIMUM_AMPLITUDE)


@dataclass(frozen=True, slots=True)
class Orbit:
    """One half-orbit in numpy arrays, as a reading worker needs it.

    Attributes:
        path: where it was read.
        key: from the file name; None where the name is not that of a half-orbit.
        amplitude: per component (N, K), mV/m/Hz^0.5, as stored: fill values are still there.
        times: (N,) datetime64[ns], UTC, strictly increasing; missing rows are not invented.
        frequency: (K,) Hz, strictly increasing.
        latitude, longitude: (N,) geographic, degrees, longitude in [-180, 180]; NaN if invalid.
        altitude: (N,) km.
        file_magnetic_latitude, file_magnetic_longitude: (N,) degrees, as the file says.
        work_mode: (N,) 1 survey, 2 burst, 0 unknown.
        orbit_number: -1 where neither the name nor the file says it.
        direction: ``ascending`` or ``descending``.
    """

    path: str
    key: OrbitKey | None
    amplitude: dict[str, Floats]
    times: NDArray[np.datetime64]
    frequency: NDArray[np.float64]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    altitude: NDArray[np.float64]
    file_magnetic_latitude: NDArray[np.float64]
    file_magnetic_longitude: NDArray[np.float64]
    work_mode: NDArray[np.int8]
    orbit_number: int
    direction: str

    @property
    def shape(self) -> tuple[int, int]:
        """Rows (time) and columns (frequency) of a spectrum."""
        return self.times.size, self.frequency.size

    @property
    def seconds(self) -> NDArray[np.float64]:
        """(N,) seconds since the first row."""
        return (self.times - self.times[0]) / np.timedelta64(1, "s")

    def psd(self, component: str = "z") -> NDArray[np.float64]:
        """Power spectral density (N, K) in (mV/m)^2/Hz, NaN where there is no measurement."""
        amplitude = self.amplitude[component].astype(np.float64)
        amplitude[~valid_amplitude(amplitude)] = np.nan
        psd = np.square(amplitude, out=amplitude)
        psd[psd == 0] = np.nan  # an amplitude so small that its square is none
        return psd


def check_components(components: Iterable[str]) -> tuple[str, ...]:
    """Return ``"zx"`` or ``["z", "x"]`` as a tuple.

    Raises:
        InputError: a component other than x, y and z, or none.
    """
    chosen = tuple(dict.fromkeys(str(component).lower() for component in components))
    if not chosen or not set(chosen) <= set(SPECTRA):
        raise InputError(f"components {components!r}: give one or more of x, y and z")
    return chosen


def check_component(component: str) -> str:
    """Return one of x, y and z.

    Raises:
        InputError: anything else.
    """
    chosen = check_components(component)
    if len(chosen) != 1:
        raise InputError(f"component {component!r}: give one of x, y and z")
    return chosen[0]


def read_orbit(path: object, components: Iterable[str] = "z") -> Orbit:
    """Read a half-orbit straight into numpy: the spectra asked for and the coordinates, no more.

    Args:
        path: local path or `pyarrow.fs` URI.
        components: which of the spectra x, y, z.

    Raises:
        ArchiveError: the file is bad; the reason says how.
        TransientError: the store does not answer.
    """
    chosen = check_components(components)
    with open_h5(path) as file:
        amplitude = {name: _spectrum(path, file, SPECTRA[name]) for name in chosen}
        shape = amplitude[chosen[0]].shape
        for component in chosen[1:]:
            if amplitude[component].shape != shape:
                raise ArchiveError(
                    path,
                    f"wrong shape: {SPECTRA[component]} is {amplitude[component].shape}, "
                    f"{SPECTRA[chosen[0]]} is {shape}",
                )
        owner = SPECTRA[chosen[0]]
        frequency = _frequency(path, file, shape[1], owner)
        rows = partial(vector, path, file, rows=shape[0], owner=owner)
        times = _times(path, rows("UTC_TIME"), rows("VERSE_TIME"))

        def coordinate(name: str, limit: float, required: bool = False) -> NDArray[np.float64]:
            data = rows(name)
            if data is None:
                if required:
                    raise ArchiveError(path, f"missing dataset {name}")
                return np.full(shape[0], np.nan)
            numbers = data.astype(np.float64)
            with np.errstate(invalid="ignore"):
                numbers[~(np.abs(numbers) <= limit)] = np.nan  # -9999 and its kin lie far outside
            if required and np.isnan(numbers).all():
                raise ArchiveError(path, f"no valid value: {name} holds only fill values")
            return numbers

        latitude = coordinate("GEO_LAT", 90, required=True)
        longitude = coordinate("GEO_LON", 360, required=True)
        altitude = coordinate("ALTITUDE", 1e5)
        magnetic_latitude, magnetic_longitude = (
            coordinate("MAG_LAT", 90),
            coordinate("MAG_LON", 360),
        )
        modes = rows("WORKMODE")
        known_modes = 0 if modes is None else np.where((modes == 1) | (modes == 2), modes, 0)
        try:
            key = OrbitKey.parse(without_options(path))
        except InputError:
            key = None
        number, direction = _identity(file, key, latitude)
        return Orbit(
            path=str(path),
            key=key,
            amplitude=amplitude,
            times=times,
            frequency=frequency,
            latitude=latitude,
            longitude=_wrap(longitude),
            altitude=np.where(altitude > 0, altitude, np.nan),
            file_magnetic_latitude=magnetic_latitude,
            file_magnetic_longitude=_wrap(magnetic_longitude),
            work_mode=np.full(shape[0], known_modes, dtype=np.int8),
            orbit_number=number,
            direction=direction,
        )


def read_spectrum(path: object, component: str = "z") -> Floats:
    """Read one spectrum (N, K) in mV/m/Hz^0.5 as stored, and nothing else of the file.

    Raises:
        ArchiveError: the file is bad; the reason says how.
    """
    with open_h5(path) as file:
        return _spectrum(path, file, SPECTRA[check_component(component)])


def _spectrum(path: object, file: h5py.File, name: str) -> Floats:
    stored = dataset(path, file, name)
    if stored is None:
        raise ArchiveError(path, f"missing dataset {name}")
    if stored.ndim != 2 or min(stored.shape) < 2:
        few = stored.ndim == 2 and stored.shape[0] < 2
        why = "too few rows" if few else "not rows of time by frequency"
        raise ArchiveError(path, f"wrong shape: {name} is {stored.shape}, {why}")
    if stored.size > MAXIMUM_VALUES:
        raise ArchiveError(path, f"wrong shape: {name} is {stored.shape}, more than any half-orbit")
    data = values(path, stored)
    # Half precision cannot even hold the limit below.
    keep = data.dtype.kind == "f" and data.dtype.itemsize >= 4
    amplitude: Floats = data.astype(data.dtype if keep else "f8", copy=False)
    # Every 64th row tells for nearly all files and costs nothing.
    if not (valid_amplitude(amplitude[::64]).any() or valid_amplitude(amplitude).any()):
        raise ArchiveError(path, f"no valid value: {name} holds only fill values")
    return amplitude


def _frequency(path: object, file: h5py.File, columns: int, owner: str) -> NDArray[np.float64]:
    stored = dataset(path, file, "FREQ")
    if stored is None:
        raise ArchiveError(path, "missing dataset FREQ")
    check_size(path, stored, "FREQ", columns, f"{owner} has {columns} columns")
    frequency = values(path, stored).ravel().astype(np.float64)
    if text_attribute(stored, *_UNITS_NAMES).lower() == "khz":
        frequency *= 1000
    finite = bool(np.isfinite(frequency).all())
    if not finite or not (np.diff(frequency) > 0).all() or frequency[0] < 0:
        raise ArchiveError(path, "FREQ does not increase from column to column")
    return frequency


def _times(
    path: object, utc: NDArray[np.generic] | None, verse: NDArray[np.generic] | None
) -> NDArray[np.datetime64]:
    if utc is None and verse is None:
        raise ArchiveError(path, "missing dataset UTC_TIME")
    try:
        return combine(
            None if utc is None else parse_utc(_whole(utc)),
            None if verse is None else parse_verse(_whole(verse)),
        )
    except ValueError as error:
        raise ArchiveError(path, str(error)) from None


def _whole(numbers: NDArray[np.generic]) -> NDArray[np.int64]:
    if numbers.dtype.kind == "f":
        numbers = np.where(np.isfinite(numbers) & (np.abs(numbers) < 1e18), numbers, 0)
    return numbers.astype(np.int64)


def _wrap(longitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Longitude in [-180, 180], from either convention."""
    return np.where(longitude > 180, longitude - 360, longitude)


def _identity(
    file: h5py.File, key: OrbitKey | None, latitude: NDArray[np.float64]
) -> tuple[int, str]:
    """Orbit number and direction: the name knows best, then the attributes, then the track."""
    if key is not None:
        return key.orbit_number, key.direction.value
    try:
        number = int(float(text_attribute(file, "ORBITNUM", "OrbitNum", "orbitnum")))
    except (ValueError, OverflowError):
        number = -1
    known = latitude[~np.isnan(latitude)]
    return number, "ascending" if known[-1] > known[0] else "descending"


def open_orbit(path: object, components: Iterable[str] = "z") -> xr.Dataset:
    """Open a half-orbit as an xarray dataset.

    Args:
        path: local path or any `pyarrow.fs` URI (``s3://…``).
        components: which spectra, of x, y and z; only what is asked for is read.

    Returns:
        Dims ``time`` and ``frequency``. Variables ``psd_z`` (``psd_x``, ``psd_y``) in (mV/m)^2/Hz,
        float64, NaN where invalid. Coordinates ``time`` (UTC), ``frequency`` (Hz), ``latitude``,
        ``longitude``, ``file_magnetic_latitude``, ``file_magnetic_longitude`` (degrees),
        ``altitude`` (km), ``work_mode``. One column per stored row: missing rows are not invented.

    Raises:
        ArchiveError: the file is bad; the reason says how.
        TransientError: the store does not answer.
    """
    import xarray as xr

    orbit = read_orbit(path, components)
    with open_h5(path) as file:
        file_units = {
            name: text_attribute(file[SPECTRA[name]], *_UNITS_NAMES) for name in orbit.amplitude
        }
    spectra = {
        f"psd_{component}": (
            ("time", "frequency"),
            orbit.psd(component),
            {
                "units": PSD_UNITS,
                "long_name": f"electric field power spectral density, component {component}",
                "file_dataset": SPECTRA[component],
                "file_units": file_units[component],
                "frame": "as file",
            },
        )
        for component in orbit.amplitude
    }
    return xr.Dataset(spectra, coords=_coordinates(orbit), attrs=_attributes(orbit))


def _coordinates(orbit: Orbit) -> dict[str, Any]:
    def along_track(data: NDArray[Any], units: str, name: str, **more: str) -> tuple[Any, ...]:
        return ("time", data, {"units": units, "long_name": name, **more})

    as_file = {"comment": "as the file says; often wrong"}
    return {
        "time": ("time", orbit.times, {"long_name": "time (UTC)"}),
        "frequency": ("frequency", orbit.frequency, {"units": "Hz", "long_name": "frequency"}),
        "latitude": along_track(orbit.latitude, "degrees_north", "geographic latitude"),
        "longitude": along_track(orbit.longitude, "degrees_east", "geographic longitude"),
        "file_magnetic_latitude": along_track(
            orbit.file_magnetic_latitude, "degrees", "magnetic latitude", **as_file
        ),
        "file_magnetic_longitude": along_track(
            orbit.file_magnetic_longitude, "degrees", "magnetic longitude", **as_file
        ),
        "altitude": along_track(orbit.altitude, "km", "altitude"),
        "work_mode": along_track(
            orbit.work_mode, "1", "work mode", meanings="0 unknown, 1 survey, 2 burst"
        ),
    }


def _attributes(orbit: Orbit) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "key": orbit.key.name if orbit.key else "",
        "orbit_number": orbit.orbit_number,
        "direction": orbit.direction,
        "frame": "as file",
        "psd_units": PSD_UNITS,
        "source": orbit.path,
    }
    if orbit.key:
        attributes |= {
            "identity": orbit.key.identity,
            "satellite": orbit.key.satellite,
            "payload": orbit.key.payload,
            "level": orbit.key.level,
            "name_start": orbit.key.start.isoformat(),
            "name_end": orbit.key.end.isoformat(),
        }
    return attributes
