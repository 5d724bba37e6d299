"""Ionograms in the formats of sounders: chirpsounder2 and VIPIR.

Oblique ionograms of chirpsounder2 (https://github.com/jvierine/chirpsounder2), HDF5:
``SNR`` [frequency, range] is linear, (P - median) / median, and NaN below a threshold; ``freqs`` in
Hz; ``ranges`` in m over the whole link. Where ``range_offset_applied`` is false, the receiver's
clock started ``t0``'s fraction of a second late, and that way of light is added.

Vertical ionograms of VIPIR sounders (``.ngi``), NetCDF-3 as the NOAA archive has them: power and
noise of each frequency in dB, so their difference is the SNR; ``Range`` in km, ``Frequency`` in
kHz.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from odm.archive.hdf5 import as_text, dataset, text_attribute, values
from odm.archive.ionogram.base import MAXIMUM_VALUES, Ionogram
from odm.core.errors import ArchiveError
from odm.core.faults import first_line

LIGHT_KM_S = 299_792.458


def is_chirpsounder(file: h5py.File) -> bool:
    """Whether the file looks like one of chirpsounder2's."""
    return all(name in file for name in ("SNR", "freqs", "ranges"))


def read_chirpsounder(path: object, file: h5py.File) -> Ionogram:
    """Read a chirpsounder2 ionogram.

    Raises:
        ArchiveError: a dataset is missing or damaged.
    """
    arrays = {}
    for name in ("SNR", "freqs", "ranges"):
        stored = dataset(path, file, name)
        if stored is None or (stored.size or 0) > MAXIMUM_VALUES:
            raise ArchiveError(path, f"wrong shape: {name}")
        arrays[name] = values(path, stored).astype(np.float64)
    start = _scalar(file, "t0")
    ranges_km = arrays["ranges"].ravel() / 1e3
    applied = _scalar(file, "range_offset_applied")
    if not applied and np.isfinite(start):
        ranges_km = ranges_km + LIGHT_KM_S * (start % 1.0)
    time = np.datetime64("NaT", "ns")
    if np.isfinite(start):
        time = np.datetime64(round(start * 1e6), "us").astype("datetime64[ns]")
    names = [_text(file, name) for name in ("txname", "station_name", "ch")]
    with np.errstate(invalid="ignore", divide="ignore"):
        # Below 0 the power was under the median: as good as the noise, but no value in dB.
        snr = 10 * np.log10(np.maximum(arrays["SNR"], -0.999) + 1)
    return Ionogram(
        snr=snr,
        frequency=arrays["freqs"],
        group_range=ranges_km,
        range_convention="oblique",
        time=time,
        link="-".join(name for name in names if name),
        file_format="chirpsounder2 (.h5)",
        more={"chirp_rate_hz_per_s": _scalar(file, "rate")} if "rate" in file else {},
    )


def _raw(file: h5py.File, name: str) -> Any:
    with contextlib.suppress(OSError, RuntimeError, KeyError, TypeError):
        stored = file.get(name)
        if isinstance(stored, h5py.Dataset) and stored.size == 1:
            return np.asarray(stored[()]).ravel()[0]
    return None


def _scalar(file: h5py.File, name: str) -> float:
    """Return a number from a dataset or attribute; NaN (0 for a flag) where it is missing."""
    raw = _raw(file, name)
    if raw is None:
        raw = text_attribute(file, name) or (0.0 if name == "range_offset_applied" else np.nan)
    text = as_text(raw)
    if text.lower() in ("true", "false"):
        return float(text.lower() == "true")
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _text(file: h5py.File, name: str) -> str:
    raw = _raw(file, name)
    return text_attribute(file, name) if raw is None else as_text(raw)


POWERS = (("total_power", "total_noise"), ("O-mode_power", "O-mode_noise"))
"""The first of these that a file has is read."""


def read_vipir(path: object, data: bytes) -> Ionogram:
    """Read a ``.ngi`` file.

    Raises:
        ArchiveError: truncated, damaged, or another kind of NetCDF.
    """
    try:
        file = _opened(data)
        variables = {name: _values(variable) for name, variable in file.variables.items()}
        attributes = {name: _words(value) for name, value in file._attributes.items()}
    except Exception as error:  # scipy raises nearly anything on damaged bytes
        raise ArchiveError(
            path, f"truncated or damaged NetCDF file ({first_line(error)})"
        ) from None
    for name in ("Range", "Frequency"):
        if name not in variables:
            raise ArchiveError(path, f"NetCDF file without {name}: no VIPIR ionogram")
    known = [pair for pair in POWERS if pair[0] in variables and variables[pair[0]].ndim == 2]
    if not known:
        raise ArchiveError(path, "NetCDF file without total_power or O-mode_power")
    power, noise = known[0]
    level = variables[power].astype(np.float64)
    floor = variables.get(noise)
    if floor is None or floor.size != level.shape[0]:
        floor = np.nanmedian(level, axis=1)
    station = attributes.get("station") or _words(variables.get("StationName", b""))
    return Ionogram(
        snr=level - floor.astype(np.float64).reshape(-1, 1),
        frequency=variables["Frequency"].astype(np.float64) * 1e3,
        group_range=variables["Range"],
        range_convention="vertical",
        time=_vipir_time(variables, attributes),
        link=_words(variables.get("URSI", b"")) or station,
        file_format="VIPIR (.ngi, NetCDF-3)",
        more={"station": station, "power": power},
    )


def _opened(data: bytes) -> Any:
    from scipy.io import netcdf_file

    class Tolerant(netcdf_file):  # type: ignore[misc]  # scipy has no types
        """A file may have an attribute ``mode``, which scipy would take for its own on closing."""

        def close(self) -> None:
            self.fp.close()

        __del__ = close

    return Tolerant(io.BytesIO(data), "r", mmap=False)


def _values(variable: Any) -> NDArray[Any]:
    data = np.asarray(variable.data)
    return data.astype(data.dtype.newbyteorder("=")) if data.dtype.kind in "iuf" else data


def _words(value: Any) -> str:
    raw = value.tobytes() if isinstance(value, np.ndarray) else value
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    return text.replace("\x00", " ").strip()


def _vipir_time(variables: dict[str, NDArray[Any]], attributes: dict[str, str]) -> np.datetime64:
    epoch = variables.get("epoch")
    if epoch is not None and epoch.size == 1 and int(epoch.ravel()[0]) > 0:
        return np.datetime64(int(epoch.ravel()[0]), "s").astype("datetime64[ns]")
    try:
        stamp = attributes.get("time_coverage_start", "NaT").removesuffix("Z")
        return np.datetime64(stamp, "ns")
    except ValueError:
        return np.datetime64("NaT", "ns")
