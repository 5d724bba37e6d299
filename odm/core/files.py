"""Paths opened and files written, local or of any `pyarrow.fs` URI.

A file appears whole or not at all: locally it is written to a temporary name beside its place and
renamed; in an object store it is sent as one object from bytes already complete in memory.
"""

from __future__ import annotations

import io
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from odm.core.errors import ArchiveError, InputError, OdmError
from odm.core.faults import first_line, is_full, translated

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.fs import FileSystem


def is_uri(path: object) -> bool:
    """Return whether a path names a file system by a scheme (``s3://…``, ``file:///…``)."""
    return "://" in str(path)


@lru_cache(maxsize=64)
def _filesystem(root: str) -> tuple[FileSystem, str]:
    """Return the file system of ``scheme://authority?options``, and the prefix of its paths."""
    import pyarrow as pa
    from pyarrow.fs import FileSystem

    try:
        with translated(root, missing=f"{root}: no such bucket or server"):
            return FileSystem.from_uri(root)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ArchiveError, ValueError) as error:
        raise InputError(f"{root}: cannot be resolved ({first_line(error)})") from None


def resolve(path: object) -> tuple[FileSystem, str]:
    """Return the `pyarrow.fs` file system of a path, and the path inside it.

    Raises:
        InputError: a URI whose scheme or options are unknown.
    """
    text = str(path)
    if not is_uri(text):
        from pyarrow.fs import LocalFileSystem

        return LocalFileSystem(), str(Path(text).expanduser().absolute())
    scheme, _, rest = text.partition("://")
    location, _, options = rest.partition("?")
    host, slash, inside = location.partition("/")
    query = f"?{options}" if options else ""
    if scheme == "file":
        from pyarrow.fs import LocalFileSystem

        return LocalFileSystem(), unquote(rest)
    if not host:
        raise InputError(f"{text}: names no bucket or server")
    # One file system per store, not per file: connecting to a store is what costs.
    filesystem, prefix = _filesystem(f"{scheme}://{host}{query}")
    return filesystem, f"{prefix.rstrip('/')}{slash}{inside}".rstrip("/")


def join(path: object, *parts: str) -> str:
    """Return a path with parts below it; the options of a URI stay at its end."""
    text = str(path)
    if not is_uri(text):
        return str(Path(text, *parts))
    location, mark, options = text.partition("?")
    return "/".join([location.rstrip("/"), *parts]) + mark + options


def without_options(path: object) -> str:
    """Return a path without the options of a URI; a local name may hold a question mark."""
    return str(path).partition("?")[0] if is_uri(path) else str(path)


def local_path(path: object) -> Path | None:
    """Return the local path that a path or URI names, or None for a file of another store."""
    text = str(path)
    if not is_uri(text):
        return Path(text).expanduser()
    if text.startswith("file://"):
        return Path(resolve(text)[1])
    return None


def read_bytes(path: object) -> bytes:
    """Return the whole content of a file.

    Raises:
        ArchiveError, TransientError, InputError: see `odm.core.faults.translated`.
    """
    local = local_path(path)
    with translated(path):
        if local is not None:
            return local.read_bytes()
        filesystem, inside = resolve(path)
        with filesystem.open_input_file(inside) as file:
            return file.read()


def exists(path: object) -> bool:
    """Return whether there is a file or folder of this name."""
    return status(path) is not None


def status(path: object) -> FileStatus | None:
    """Return size, time of modification and kind of a file or folder; None where there is none."""
    from pyarrow.fs import FileType

    filesystem, inside = resolve(path)
    with translated(path):
        info = filesystem.get_file_info(inside)
    if info.type == FileType.NotFound:
        return None
    return FileStatus(
        path=str(path),
        size=int(info.size or 0),
        modified_ns=int(info.mtime_ns or 0),
        is_folder=info.type == FileType.Directory,
    )


@dataclass(frozen=True, slots=True)
class FileStatus:
    """A file or folder as a listing shows it.

    Attributes:
        path: as listed.
        size: bytes.
        modified_ns: time of modification, ns since 1970, UTC.
        is_folder: whether it is a folder.
    """

    path: str
    size: int
    modified_ns: int
    is_folder: bool = False


def list_files(folder: object) -> tuple[list[FileStatus], list[str]]:
    """List the files below a folder, at any depth, without opening one; hidden ones are left out.

    Returns:
        The files, and the sub-folders that could not be listed, each with the reason.

    Raises:
        InputError: there is no such folder, or its URI cannot be resolved.
        TransientError: the store does not answer.
    """
    if not str(folder):
        raise InputError("no folder is given")
    local = local_path(folder)
    if local is not None:
        if not local.is_dir():
            what = "is a file, not a folder" if local.exists() else "no such folder"
            raise InputError(f"{folder}: {what}")
        unreadable: list[str] = []
        files = list(_walk(str(local), set(), unreadable))
        if not files and any(problem.startswith(f"{local}:") for problem in unreadable):
            raise InputError(unreadable[0])
        return files, unreadable
    from pyarrow.fs import FileSelector, FileType

    filesystem, inside = resolve(folder)
    with translated(folder, missing=f"{folder}: no such folder"):
        infos = filesystem.get_file_info(FileSelector(inside, recursive=True))
    location, mark, options = str(folder).partition("?")
    files = [
        FileStatus(
            path=f"{location.rstrip('/')}/{info.path[len(inside) :].lstrip('/')}{mark}{options}",
            size=int(info.size or 0),
            modified_ns=int(info.mtime_ns or 0),
        )
        for info in infos
        if info.type == FileType.File and not info.base_name.startswith(".")
    ]
    return files, []


def _walk(
    folder: str, visited: set[tuple[int, int]], unreadable: list[str]
) -> Iterator[FileStatus]:
    # os.scandir takes a third of the time that pyarrow's selector takes on a local disk.
    try:
        place = Path(folder).stat()
        if (place.st_dev, place.st_ino) in visited:  # a link that leads back
            return
        visited.add((place.st_dev, place.st_ino))
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    yield from _walk(entry.path, visited, unreadable)
                elif entry.is_file():
                    stat = entry.stat()
                    yield FileStatus(entry.path, stat.st_size, stat.st_mtime_ns)
    except OSError as error:
        unreadable.append(f"{folder}: cannot be listed ({first_line(error)})")


def write_bytes(path: object, data: bytes) -> None:
    """Write a whole file, of which nobody ever sees a part.

    Raises:
        InputError: the file cannot be written there.
        OdmError: no space is left on the device.
    """
    local = local_path(path)
    if local is not None:
        with replace_file(local) as temporary:
            temporary.write_bytes(data)
        return
    filesystem, inside = resolve(path)
    # The stream is opened only now that the bytes are complete: pyarrow publishes what it has
    # when a body raises.
    with translated(path), filesystem.open_output_stream(inside) as stream:
        stream.write(data)


@contextmanager
def replace_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary local path that is renamed to ``path`` when the body ends well.

    A missing folder is made. When the body raises, the temporary file is removed, and what was at
    ``path`` before is untouched.

    Raises:
        InputError: the folder cannot be made or written.
        OdmError: no space is left on the device.
    """
    target = as_local(path)
    try:
        make_folder(target.parent)
        handle, name = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.name[:80]}.", suffix=target.suffix
        )
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({first_line(error)})") from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes it private, but results are for all
        if target.exists() and not target.is_file():
            what = "a folder" if target.is_dir() else "not a regular file"
            raise InputError(f"{target}: is {what}, so no file can be written there")
        temporary.replace(target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and is_full(error):
            raise OdmError(f"{target}: no space left on the device") from None
        raise


def as_local(path: str | os.PathLike[str]) -> Path:
    """Return a local path, and refuse a URI that has become one by accident (``s3:/bucket``)."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(path)):
        raise InputError(f"{path}: is a URI where a local path is needed")
    return Path(path).expanduser()


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a local folder and its parents.

    Raises:
        InputError: a file is in the way, or there is no permission.
    """
    folder = as_local(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"{folder}: a file is in the way of this folder") from None
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({first_line(error)})") from None
    return folder


@lru_cache(maxsize=1)
def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current


def write_table(path: object, table: pa.Table) -> None:
    """Write a pyarrow table as one whole Parquet file."""
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    write_bytes(path, buffer.getvalue())
