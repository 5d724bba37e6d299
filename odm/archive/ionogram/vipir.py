"""Vertical ionograms of VIPIR sounders (``.ngi``): NetCDF-3 as the NOAA archive has them.

Power and noise of each frequency in dB, so their difference is the SNR. ``Range`` in km,
``Frequency`` in kHz.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import netcdf_file

from odm.archive.ionogram.base import Ionogram
from odm.core.errors import ArchiveError
from odm.core.faults import first_line

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
        attributes = {name: _text(value) for name, value in file._attributes.items()}
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
    station = attributes.get("station") or _text(variables.get("StationName", np.array(b"")))
    return Ionogram(
        snr=level - floor.astype(np.float64).reshape(-1, 1),
        frequency=variables["Frequency"].astype(np.float64) * 1e3,
        group_range=variables["Range"],
        range_convention="vertical",
        time=_time(variables, attributes),
        link=_text(variables.get("URSI", np.array(b""))) or station,
        file_format="VIPIR (.ngi, NetCDF-3)",
        more={"station": station, "power": power},
    )


def _opened(data: bytes) -> netcdf_file:
    class Tolerant(netcdf_file):  # type: ignore[misc]  # scipy has no types
        """A file may have an attribute ``mode``, which scipy would take for its own on closing."""

        def close(self) -> None:
            self.fp.close()

        __del__ = close

    return Tolerant(io.BytesIO(data), "r", mmap=False)


def _values(variable: Any) -> NDArray[Any]:
    data = np.asarray(variable.data)
    return data.astype(data.dtype.newbyteorder("=")) if data.dtype.kind in "iuf" else data


def _text(value: Any) -> str:
    raw = value.tobytes() if isinstance(value, np.ndarray) else value
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    return text.replace("\x00", " ").strip()


def _time(variables: dict[str, NDArray[Any]], attributes: dict[str, str]) -> np.datetime64:
    epoch = variables.get("epoch")
    if epoch is not None and epoch.size == 1 and int(epoch.ravel()[0]) > 0:
        return np.datetime64(int(epoch.ravel()[0]), "s").astype("datetime64[ns]")
    try:
        stamp = attributes.get("time_coverage_start", "NaT").removesuffix("Z")
        return np.datetime64(stamp, "ns")
    except ValueError:
        return np.datetime64("NaT", "ns")
