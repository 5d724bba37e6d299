"""Careful reading of single datasets from an HDF5 file that may be damaged or unusual."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from odm.core.errors import ArchiveError, OdmError
from odm.core.faults import fault, translated
from odm.core.files import local_path, resolve

_HDF5_ERRORS = (OSError, RuntimeError, KeyError, TypeError, ValueError, MemoryError)
"""What h5py raises on damaged files; nearly anything."""

MOST_BYTES = 1_000_000_000
"""Size of one dataset up to which a lack of memory is the machine's fault, not the file's."""

HEAD_BYTES = 256
"""Number of first bytes that show what a file is that is not HDF5."""

_TRUNCATED = re.compile(r"eof = (\d+).*?stored_eof = (\d+)")


@contextmanager
def open_h5(path: object) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading, locally or from another store.

    Raises:
        ArchiveError: there is no such file, or it is empty, truncated or not HDF5.
        TransientError: the store does not answer, now or while the body reads.
    """
    local = local_path(path)
    if local is None:
        with _open_remote(path) as file:
            yield file
        return
    with translated(path):
        if not local.is_file():
            local.open("rb").close()  # raises for what is missing or a folder
            raise ArchiveError(path, "is not a regular file")
        size = local.stat().st_size
        local.open("rb").close()
    if size == 0:
        raise ArchiveError(path, "empty file (0 bytes)")
    try:
        # Reading needs no lock, and some shared file systems have none to give.
        file = h5py.File(str(local), "r", locking=False)
    except OSError as error:
        with translated(path), local.open("rb") as start:
            head = start.read(HEAD_BYTES)
        raise _opening_error(path, error, head) from None
    with file:
        yield file


@contextmanager
def _open_remote(path: object) -> Iterator[h5py.File]:
    filesystem, inside = resolve(path)
    with translated(path), filesystem.open_input_file(inside) as stream:
        source = _Watched(stream)
        try:
            try:
                file = h5py.File(source, "r")
            except OSError as error:
                source.seek(0)
                raise _opening_error(path, error, source.read(HEAD_BYTES)) from None
            with file:
                yield file
        except ArchiveError:
            if source.fault is not None:  # the file is well; it was the store
                raise fault(path, source.fault, "cannot be read from its store") from None
            raise


@contextmanager
def open_h5_bytes(path: object, data: bytes) -> Iterator[h5py.File]:
    """Open an HDF5 file whose bytes are at hand.

    Raises:
        ArchiveError: it is truncated or damaged.
    """
    try:
        file = h5py.File(io.BytesIO(data), "r")
    except (OSError, RuntimeError) as error:
        text = OSError(str(error))
        raise _opening_error(path, text, data[:HEAD_BYTES]) from None
    with file:
        yield file


class _Watched:
    """A file of a store that remembers its last fault: HDF5 would show it as a damaged file."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.fault: OSError | None = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._stream, name)

        def watched(*arguments: Any) -> Any:
            try:
                return method(*arguments)
            except OSError as error:
                self.fault = error
                raise

        return watched


_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def no_signature(head: bytes) -> str:
    """Return what is wrong with a file that has no signature of HDF5, by its first bytes.

    Args:
        head: up to some hundred bytes.
    """
    if not head:
        return "empty file (0 bytes)"
    if len(head) < len(_SIGNATURE) and _SIGNATURE.startswith(head):
        return f"truncated inside its HDF5 signature ({len(head)} of {len(_SIGNATURE)} bytes)"
    if not head.strip(b"\x00"):
        return "not an HDF5 file: it begins with zeros, as one that was never written does"
    text = _as_text(head)
    if text is not None:
        line = (text.strip().splitlines() or [""])[0][:40]
        return f"not an HDF5 file: it is text, and begins with {line!r}"
    return f"not an HDF5 file: it begins with bytes {head[:8].hex(' ')}"


def _as_text(head: bytes) -> str | None:
    """Return bytes as text; None where they are not text."""
    for cut in range(4):  # the last letter may have been cut through
        try:
            text = head[: len(head) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
        printable = all(letter.isprintable() or letter in "\t\r\n\f\ufeff" for letter in text)
        return text if printable and text else None
    return None


def _opening_error(path: object, error: OSError, head: bytes = b"") -> OdmError:
    text = str(error)
    if match := _TRUNCATED.search(text):
        there, needed = int(match[1]), int(match[2])
        return ArchiveError(
            path,
            f"truncated: the file needs {megabytes(needed)} and ends at {megabytes(there)} "
            f"({100 * there / needed:.0f} % is there, {megabytes(needed - there)} missing)",
        )
    if "signature not found" in text:
        return ArchiveError(path, no_signature(head) if head else "not an HDF5 file")
    return fault(path, error, f"damaged HDF5 file ({text.split('(')[-1].rstrip(')')})")


def megabytes(size: int) -> str:
    """Return ``8.3 MB``, or kB and bytes for less."""
    if size >= 1e5:
        return f"{size / 1e6:.1f} MB"
    return f"{size / 1e3:.1f} kB" if size >= 1e3 else f"{size} bytes"


def dataset(path: object, file: h5py.File, name: str) -> h5py.Dataset | None:
    """Return the dataset ``name`` of the root, or None where it is missing."""
    try:
        stored = file.get(name)
    except _HDF5_ERRORS as error:
        raise fault(path, error, f"{name} cannot be opened: damaged HDF5 file") from None
    if stored is None:
        return None
    if not isinstance(stored, h5py.Dataset):
        raise ArchiveError(path, f"{name} is a group, not a dataset")
    return stored


def values(path: object, stored: h5py.Dataset) -> NDArray[np.generic]:
    """Return all values in native byte order, marked fill values as NaN, NumPy type as stored.

    Raises:
        ArchiveError: the data cannot be read or are not numbers.
        MemoryError: there is no room for what is no more than `MOST_BYTES`.
    """
    name = str(stored.name).lstrip("/")
    if stored.shape is None:
        raise ArchiveError(path, f"{name} is empty")
    try:
        data = np.asarray(stored[...])
    except MemoryError:
        if stored.nbytes <= MOST_BYTES:
            raise
        raise ArchiveError(
            path, f"{name} cannot be read: it asks for {stored.nbytes} bytes"
        ) from None
    except _HDF5_ERRORS as error:
        reason = f"{name} cannot be read: damaged data, or stored in a form that is not known here"
        raise fault(path, error, reason) from None
    if data.dtype.kind in "SO":
        data = _digits(path, name, data)
    if data.dtype.kind not in "iuf":
        raise ArchiveError(path, f"{name} holds {data.dtype} values, not numbers")
    if not data.dtype.isnative:
        data = data.astype(data.dtype.newbyteorder("="))
    if data.dtype.kind == "f":
        for name_of_fill in ("_FillValue", "missing_value"):
            fill = attribute(stored, name_of_fill)
            if fill is not None and fill.dtype.kind in "iuf":
                data[data == fill[0].astype(data.dtype)] = np.nan
    return data


def _digits(path: object, name: str, data: NDArray[np.generic]) -> NDArray[np.int64]:
    """Convert time stamps kept as text to numbers."""
    texts = [t.decode("ascii", "replace") if isinstance(t, bytes) else str(t) for t in data.flat]
    if not all(text.strip().isdigit() for text in texts):
        raise ArchiveError(path, f"{name} holds text, not numbers")
    return np.array([int(text) for text in texts], dtype=np.int64).reshape(data.shape)


def vector(
    path: object, file: h5py.File, name: str, rows: int, owner: str
) -> NDArray[np.generic] | None:
    """Return the values of ``name`` as (rows,), from shapes such as (rows, 1), or None where it is
    missing.

    Raises:
        ArchiveError: it has another number of values than ``owner`` has rows.
    """
    stored = dataset(path, file, name)
    if stored is None:
        return None
    check_size(path, stored, name, rows, f"{owner} has {rows} rows")
    return values(path, stored).ravel()


def check_size(path: object, stored: h5py.Dataset, name: str, expected: int, why: str) -> None:
    """Refuse another number of values before they are read: a damaged shape may ask for TB."""
    size = int(stored.size or 0)
    if size != expected:
        raise ArchiveError(path, f"wrong shape: {name} has {size} values, {why}")


def attribute(owner: h5py.Dataset | h5py.File, name: str) -> NDArray[Any] | None:
    """Return an attribute's values (at least one), flat, or None where it is missing or damaged."""
    try:
        raw = owner.attrs.get(name)
        if raw is None or isinstance(raw, h5py.Empty):
            return None
        flat = np.asarray(raw).ravel()
    except _HDF5_ERRORS:
        return None
    return flat if flat.size else None


def text_attribute(owner: h5py.Dataset | h5py.File, *names: str) -> str:
    """Return the first of some attributes that is there, a scalar or an array of one, as text."""
    for name in names:
        stored = attribute(owner, name)
        if stored is not None:
            return as_text(stored[0]).strip("\x00")
    return ""


def as_text(value: object) -> str:
    """Return bytes or another value as text, without blanks around it."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.strip()
