"""Ionograms as a plain SNR matrix with its axes: ``.npz``, ``.h5``, or ``.npy`` with a sidecar.

The matrix: ``snr`` [frequency, group_range] in dB, ``frequency`` in Hz, ``group_range`` in km, and
where they are known ``time`` (ISO 8601 text or seconds since 1970, UTC), ``link``, and
``range_convention`` (``backscatter`` where it is missing). In HDF5 the last three may be attributes
of the file. A ``.npy`` holds ``snr`` alone; beside it lies ``NAME.json`` with the rest, each axis
as a list of numbers or as ``{"start": …, "step": …}``.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from pathlib import PurePath
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from odm.archive.hdf5 import as_text, dataset, text_attribute, values
from odm.archive.ionogram.base import MAXIMUM_VALUES, Ionogram
from odm.core.errors import ArchiveError, InputError
from odm.core.faults import fault, first_line
from odm.core.files import exists, read_bytes, write_bytes

AXES = ("frequency", "group_range")
OPTIONAL = ("time", "link", "range_convention")
_NAT = np.datetime64("NaT", "ns")
LEAST_SECONDS_DIGITS = 9
"""Text of fewer digits is no count of seconds since 1970, but perhaps a year or a day."""
_UNREADABLE = (
    ValueError, OSError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What numpy and zipfile raise on damaged bytes."""


def read_npz(path: object, data: bytes) -> Ionogram:
    """Read a ``.npz``; nothing in it is unpickled."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            for name in ("snr", *AXES):
                if name not in archive:
                    raise ArchiveError(path, f"missing array {name}")
            _check_size(path, archive.zip)
            arrays = {name: archive[name] for name in ("snr", *AXES, *OPTIONAL) if name in archive}
    except _UNREADABLE as error:
        raise _damaged(path, error) from None
    return _ionogram(path, arrays, "matrix (.npz)")


def _check_size(path: object, archive: zipfile.ZipFile | None) -> None:
    """A few kB of zip may ask for TB."""
    size = sum(member.file_size for member in archive.infolist()) if archive else 0
    if size > MAXIMUM_VALUES * 8:
        raise ArchiveError(path, f"unpacks to {size / 1e9:.1f} GB, more than any ionogram")


def _damaged(path: object, error: BaseException) -> ArchiveError:
    text = first_line(error)
    if "pickle" in text or "object array" in text.lower():
        return ArchiveError(path, "holds pickled objects, which are never unpickled")
    return ArchiveError(path, f"damaged or truncated file ({text})")


def read_npy(path: object, data: bytes) -> Ionogram:
    """Read a ``.npy`` and the ``.json`` beside it."""
    try:
        snr = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise _damaged(path, error) from None
    where = sidecar(path)
    try:
        text = read_bytes(where)
    except ArchiveError:
        if exists(where):  # and may not be read: no fault of the ionogram
            raise
        raise ArchiveError(path, f"has no axes: {where} is not there") from None
    try:
        facts = json.loads(text)
        arrays = {name: np.asarray(_listed(path, facts, name, snr)) for name in AXES}
    except (ValueError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ArchiveError(path, f"{where} cannot be understood ({first_line(error)})") from None
    more = {name: np.asarray(facts[name]) for name in OPTIONAL if name in facts}
    return _ionogram(path, arrays | more | {"snr": snr}, "matrix (.npy)")


def sidecar(path: object) -> str:
    """``NAME.json`` beside ``NAME.npy``."""
    location, mark, options = str(path).partition("?")
    return location.removesuffix(PurePath(location).suffix) + ".json" + mark + options


def _listed(path: object, facts: dict[str, Any], name: str, snr: NDArray[Any]) -> ArrayLike:
    if name not in facts:
        raise ArchiveError(path, f"its sidecar gives no {name}")
    axis = facts[name]
    if isinstance(axis, dict):
        count = snr.shape[AXES.index(name)] if snr.ndim == 2 else 0
        return float(axis["start"]) + float(axis["step"]) * np.arange(count)
    return np.asarray(axis)


def read_h5(path: object, file: h5py.File) -> Ionogram:
    """Read an HDF5 file with the datasets ``snr``, ``frequency`` and ``group_range``."""
    arrays: dict[str, NDArray[Any]] = {}
    for name in ("snr", *AXES):
        stored = dataset(path, file, name)
        if stored is None:
            raise ArchiveError(path, f"missing dataset {name}: no ionogram of a known format")
        if stored.size and stored.size > MAXIMUM_VALUES:
            raise ArchiveError(path, f"wrong shape: {name} is {stored.shape}")
        arrays[name] = values(path, stored)
    for name in OPTIONAL:
        text = text_attribute(file, name)
        if not text and isinstance(file.get(name), h5py.Dataset):
            try:
                raw = file[name][()]
            except (OSError, RuntimeError) as error:
                raise fault(path, error, f"{name} cannot be read: damaged HDF5 file") from None
            text = as_text(raw)
        if text:
            arrays[name] = np.asarray(text)
    return _ionogram(path, arrays, "matrix (.h5)")


def _ionogram(path: object, arrays: dict[str, NDArray[Any]], file_format: str) -> Ionogram:
    if arrays["snr"].size > MAXIMUM_VALUES:
        raise ArchiveError(path, f"wrong shape: snr is {arrays['snr'].shape}")
    return Ionogram(
        snr=arrays["snr"],
        frequency=arrays["frequency"],
        group_range=arrays["group_range"],
        range_convention=_text(arrays.get("range_convention")) or "backscatter",
        time=_time(path, arrays.get("time")),
        link=_text(arrays.get("link")),
        file_format=file_format,
        more={},
    )


def _text(value: NDArray[Any] | None) -> str:
    return "" if value is None or value.size != 1 else as_text(value.ravel()[0])


def _time(path: object, value: NDArray[Any] | None) -> np.datetime64:
    if value is None or value.size != 1:
        return _NAT
    if value.dtype.kind == "M":
        return value.ravel()[0].astype("datetime64[ns]")
    text = _text(value)
    if value.dtype.kind not in "iuf" and text.isdecimal() and len(text) < LEAST_SECONDS_DIGITS:
        raise ArchiveError(path, f"time {text!r} may be a date or seconds: write 2022-08-15T00:30")
    try:
        return np.datetime64(round(float(text) * 1e3), "ms").astype("datetime64[ns]")
    except (ValueError, OverflowError):
        pass
    try:
        return np.datetime64(text.removesuffix("Z").replace(" ", "T"), "ns") if text else _NAT
    except ValueError:
        raise ArchiveError(path, f"time {text!r} is no date") from None


def write_matrix(
    path: object,
    snr: ArrayLike,
    frequency: ArrayLike,
    group_range: ArrayLike,
    *,
    time: str = "",
    link: str = "",
    range_convention: str = "backscatter",
) -> None:
    """Write an ionogram as ``.npz``; the same values give the same bytes.

    Args:
        path: ends in ``.npz``.
        snr: (F, R) dB.
        frequency, group_range: (F,) Hz and (R,) km.
        time: ISO 8601, UTC.
        link: or station.
        range_convention: ``backscatter``, ``vertical`` or ``oblique``.
    """
    if not str(path).endswith(".npz"):
        raise InputError(f"{path}: give a name that ends in .npz")
    arrays = {
        "snr": np.asarray(snr),
        "frequency": np.asarray(frequency, dtype=np.float64),
        "group_range": np.asarray(group_range, dtype=np.float64),
        "time": np.asarray(time),
        "link": np.asarray(link),
        "range_convention": np.asarray(range_convention),
    }
    buffer = io.BytesIO()
    # As np.savez_compressed does, but at zlib's fast level: noise hardly gets smaller by trying.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    write_bytes(path, buffer.getvalue())
