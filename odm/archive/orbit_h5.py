"""Careful reading of single datasets from an HDF5 file that may be damaged or unusual."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import h5py
import numpy as np
from numpy.typing import NDArray

from odm.archive.errors import ArchiveError, TransientError
from odm.archive.files import local_path, open_input, translated

_TRUNCATED = re.compile(r"eof = (\d+).*?stored_eof = (\d+)")


@contextmanager
def open_h5(path: object) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading, locally or from another store.

    Raises:
        ArchiveError: there is no such file, or it is empty, truncated or not HDF5.
        TransientError: the store does not answer.
    """
    local = local_path(path)
    if local is not None:
        with translated(path):
            size = local.stat().st_size
            if not local.is_file():
                raise ArchiveError(path, "is a folder, not a file")
            local.open("rb").close()
        if size == 0:
            raise ArchiveError(path, "empty file (0 bytes)")
    source = open_input(path)
    try:
        # Reading needs no lock, and some shared file systems have none to give.
        file = h5py.File(source, "r", locking=False) if local else h5py.File(source, "r")
    except OSError as error:
        raise _opening_error(path, error) from None
    try:
        yield file
    finally:
        file.close()
        if not isinstance(source, str):
            source.close()


def _opening_error(path: object, error: OSError) -> ArchiveError | TransientError:
    text = str(error)
    if match := _TRUNCATED.search(text):
        there, needed = int(match[1]), int(match[2])
        return ArchiveError(
            path,
            f"truncated: the file needs {megabytes(needed)} and ends at {megabytes(there)} "
            f"({100 * there / needed:.0f} % is there)",
        )
    if "signature not found" in text:
        return ArchiveError(path, "not an HDF5 file")
    reason = text.split("(")[-1].rstrip(")")
    return ArchiveError(path, f"damaged HDF5 file ({reason})")


def megabytes(size: int) -> str:
    """``8.3 MB``, or kB and bytes for less."""
    if size >= 1e5:
        return f"{size / 1e6:.1f} MB"
    return f"{size / 1e3:.1f} kB" if size >= 1e3 else f"{size} bytes"


def dataset(path: object, file: h5py.File, name: str) -> h5py.Dataset | None:
    """The dataset ``name`` of the root, None where it is missing."""
    try:
        found = file.get(name)
    except (OSError, KeyError, RuntimeError, ValueError):
        raise ArchiveError(path, f"{name} cannot be opened: damaged HDF5 file") from None
    if found is None:
        return None
    if not isinstance(found, h5py.Dataset):
        raise ArchiveError(path, f"{name} is a group, not a dataset")
    return found


def values(path: object, found: h5py.Dataset) -> NDArray[np.generic]:
    """All values in native byte order, marked fill values as NaN, NumPy type as stored.

    Raises:
        ArchiveError: the data cannot be read or are not numbers.
    """
    name = str(found.name).lstrip("/")
    if found.shape is None:
        raise ArchiveError(path, f"{name} is empty")
    try:
        data = np.asarray(found[...])
    except (OSError, RuntimeError) as error:
        raise ArchiveError(path, f"{name} cannot be read: damaged or truncated data") from error
    if data.dtype.kind in "SO":
        data = _digits(path, name, data)
    if data.dtype.kind not in "iuf":
        raise ArchiveError(path, f"{name} holds {data.dtype} values, not numbers")
    if not data.dtype.isnative:
        data = data.astype(data.dtype.newbyteorder("="))
    if data.dtype.kind == "f":
        for attribute in ("_FillValue", "missing_value"):
            if attribute in found.attrs:
                fill = np.asarray(found.attrs[attribute]).ravel()
                if fill.size and fill.dtype.kind in "iuf":
                    data[data == fill[0].astype(data.dtype)] = np.nan
    return data


def _digits(path: object, name: str, data: NDArray[np.generic]) -> NDArray[np.int64]:
    """Time stamps kept as text."""
    texts = [t.decode("ascii", "replace") if isinstance(t, bytes) else str(t) for t in data.flat]
    if not all(text.strip().isdigit() for text in texts):
        raise ArchiveError(path, f"{name} holds text, not numbers")
    return np.array([int(text) for text in texts], dtype=np.int64).reshape(data.shape)


def vector(
    path: object, file: h5py.File, name: str, rows: int, owner: str
) -> NDArray[np.generic] | None:
    """The values of ``name`` as (rows,), from shapes such as (rows, 1); None where it is missing.

    Raises:
        ArchiveError: it has another number of values than ``owner`` has rows.
    """
    found = dataset(path, file, name)
    if found is None:
        return None
    data = values(path, found).ravel()
    if data.size != rows:
        raise ArchiveError(
            path, f"wrong shape: {name} has {data.size} values, {owner} has {rows} rows"
        )
    return data


def text_attribute(owner: h5py.Dataset | h5py.File, *names: str) -> str:
    """The first of ``names`` that is there, scalar or array of one, bytes or text, as text."""
    for name in names:
        try:
            raw = owner.attrs.get(name)
        except (OSError, TypeError):
            continue
        if raw is None or isinstance(raw, h5py.Empty):
            continue
        flat = np.asarray(raw).ravel()
        if flat.size:
            first = flat[0]
            text = first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
            return text.strip().strip("\x00")
    return ""
