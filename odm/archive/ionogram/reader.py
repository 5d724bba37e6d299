"""Ionograms: from a file of any known format to one kind of xarray dataset.

| format | found by | file |
|---|---|---|
| SNR matrix with its axes, `.npz`, `.h5`, `.npy` with a sidecar | datasets | `matrix` |
| chirpsounder2, oblique chirps, `.h5` | dataset ``SNR`` with ``freqs`` | `sounders` |
| VIPIR, vertical, `.ngi` (NetCDF-3) | first bytes ``CDF`` | `sounders` |

The content decides; the name only tells `.npy` apart. `range_convention` says what a range is:

- ``backscatter``: half the delay times c, the group path from ground to ground of one hop;
- ``vertical``: half the delay times c, the virtual height;
- ``oblique``: the delay times c, over the whole link.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from odm.archive.ionogram.base import CONVENTIONS, Ionogram
from odm.archive.ionogram.key import ENDINGS, IonogramKey
from odm.core.errors import ArchiveError, InputError, OdmError
from odm.core.faults import first_line
from odm.core.files import read_bytes, without_options

if TYPE_CHECKING:
    import xarray as xr

LEAST_FREQUENCIES, LEAST_RANGES = 2, 8

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_NPY = b"\x93NUMPY"
_NETCDF = b"CDF"


def open_ionogram(path: object) -> xr.Dataset:
    """Open an ionogram of any known format.

    Args:
        path: local path or any `pyarrow.fs` URI (``s3://…``).

    Returns:
        ``snr`` (dB, float32, NaN where nothing was measured) over ``frequency`` (Hz) and
        ``group_range`` (km), both rising. Attributes: ``range_convention``, ``link`` (or station),
        ``time`` (UTC, ISO 8601, "" if unknown), ``key``, ``format``, ``source``.

    Raises:
        ArchiveError: the file is bad or of no known format; the reason says how.
        TransientError: the store does not answer.
    """
    data = read_bytes(path)
    if not data:
        raise ArchiveError(path, "empty file (0 bytes)")
    try:
        ionogram = _read(path, data)
    except OdmError:
        raise
    except Exception as error:
        # The bytes are all here, so it is no fault of a store; the libraries that read these
        # formats raise nearly anything on damaged ones.
        raise ArchiveError(path, f"damaged file ({first_line(error)})") from None
    return _dataset(path, check_ionogram(path, ionogram))


def is_ionogram(path: object) -> bool:
    """Whether a file is to be read as an ionogram rather than as a half-orbit.

    By its name where that tells, else by what is in it; nothing is said about its health.
    """
    from odm.archive.hdf5 import open_h5
    from odm.archive.orbit.key import OrbitKey

    name = without_options(path).lower()
    if not name.endswith((".h5", ".hdf5")):
        return name.endswith(ENDINGS)
    try:
        OrbitKey.parse(without_options(path))
        return False
    except InputError:
        pass
    try:
        with open_h5(path) as file:
            return "SNR" in file or "snr" in file
    except (ArchiveError, RuntimeError, KeyError):  # damaged: its name has the last word
        return IonogramKey.of_name(path).time is not None


def _read(path: object, data: bytes) -> Ionogram:
    if data.startswith((_ZIP, _NPY)):
        from odm.archive.ionogram.matrix import read_npy, read_npz

        return read_npz(path, data) if data.startswith(_ZIP) else read_npy(path, data)
    if data.startswith(_HDF5):
        from odm.archive.hdf5 import open_h5_bytes
        from odm.archive.ionogram.matrix import read_h5
        from odm.archive.ionogram.sounders import is_chirpsounder, read_chirpsounder

        with open_h5_bytes(path, data) as file:
            return read_chirpsounder(path, file) if is_chirpsounder(file) else read_h5(path, file)
    if data.startswith(_NETCDF):
        from odm.archive.ionogram.sounders import read_vipir

        return read_vipir(path, data)
    raise ArchiveError(
        path,
        "unknown format: neither a matrix (.npz, .npy, .h5), nor chirpsounder2 HDF5, nor VIPIR "
        "NetCDF-3 (.ngi)",
    )


def check_ionogram(path: object, ionogram: Ionogram) -> Ionogram:
    """The ionogram with rising axes in float64 and its SNR in float32.

    Raises:
        ArchiveError: wrong axes, or no value.
    """
    frequency = _axis(path, "frequency", ionogram.frequency)
    group_range = _axis(path, "group_range", ionogram.group_range)
    snr = _numbers(path, "snr", ionogram.snr)
    expected = (frequency.size, group_range.size)
    if snr.shape != expected:
        turned = ": it looks turned over" if snr.shape == expected[::-1] else ""
        raise ArchiveError(
            path,
            f"wrong shape: snr is {snr.shape}, its axes are {expected[0]} frequencies by "
            f"{expected[1]} ranges{turned}",
        )
    if expected[0] < LEAST_FREQUENCIES or expected[1] < LEAST_RANGES:
        raise ArchiveError(path, f"wrong shape: {expected[0]} frequencies by {expected[1]} ranges")
    if ionogram.range_convention not in CONVENTIONS:
        raise ArchiveError(
            path,
            f"range_convention {ionogram.range_convention!r} is none of {', '.join(CONVENTIONS)}",
        )
    _check_units(path, frequency, group_range)
    with np.errstate(over="ignore"):
        snr = snr.astype(np.float32)
    with np.errstate(invalid="ignore"):
        snr[~(np.abs(snr) < 1000)] = np.nan  # dB; nothing else but a fill value is beyond
    if np.isnan(snr).all():
        raise ArchiveError(path, "no valid value: snr is NaN throughout")
    if frequency[0] > frequency[-1]:
        frequency, snr = frequency[::-1], snr[::-1]
    if group_range[0] > group_range[-1]:
        group_range, snr = group_range[::-1], snr[:, ::-1]
    return replace(
        ionogram, snr=np.ascontiguousarray(snr), frequency=frequency, group_range=group_range
    )


def _numbers(path: object, name: str, values: NDArray[Any]) -> NDArray[Any]:
    values = np.asarray(values)
    if values.dtype.kind not in "iuf":
        raise ArchiveError(path, f"{name} holds {values.dtype} values, not numbers")
    return values


def _axis(path: object, name: str, values: NDArray[Any]) -> NDArray[np.float64]:
    axis = _numbers(path, name, values).astype(np.float64).ravel()
    steps = np.diff(axis)
    if not np.isfinite(axis).all() or not ((steps > 0).all() or (steps < 0).all()):
        raise ArchiveError(path, f"wrong axis: {name} does not rise from value to value")
    return axis


def _check_units(
    path: object, frequency: NDArray[np.float64], group_range: NDArray[np.float64]
) -> None:
    """An axis in the wrong unit would give nonsense without a complaint."""
    highest, farthest = float(frequency.max()), float(group_range.max())
    if not 1e5 <= highest <= 1e9 or frequency.min() < 0:
        extent = f"frequency goes to {highest:g} Hz"
        hint = " (is it in MHz or kHz?)" if 0 < highest < 1e5 else ""
    elif not 10 <= farthest <= 1e5:
        extent = f"group_range goes to {farthest:g} km"
        hint = " (is it in m?)" if farthest > 1e5 else ""
    else:
        return
    raise ArchiveError(path, f"wrong axis: {extent}, which no ionogram does{hint}")


def _dataset(path: object, ionogram: Ionogram) -> xr.Dataset:
    import xarray as xr

    key = IonogramKey.of_name(path)
    time = ionogram.time
    if np.isnat(time) and key.time is not None:
        time = np.datetime64(key.time, "ns")
    axes = {
        "frequency": (ionogram.frequency, "Hz", "frequency"),
        "group_range": (ionogram.group_range, "km", f"group range ({ionogram.range_convention})"),
    }
    decibels = {"units": "dB", "long_name": "signal-to-noise ratio"}
    return xr.Dataset(
        {"snr": (tuple(axes), ionogram.snr, decibels)},
        coords={
            axis: (axis, numbers, {"units": units, "long_name": name})
            for axis, (numbers, units, name) in axes.items()
        },
        attrs={
            "range_convention": ionogram.range_convention,
            "link": ionogram.link or key.link,
            "time": "" if np.isnat(time) else str(time.astype("datetime64[ms]")),
            "key": key.identity,
            "format": ionogram.file_format,
            "source": str(path),
            **ionogram.more,
        },
    )
