"""The one way to open a path and to write a file: local, or any `pyarrow.fs` URI.

A file appears whole or not at all: locally it is written to a temporary name beside its place and
renamed; in an object store it is sent as one object from bytes already complete in memory.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from odm.archive.errors import ArchiveError, InputError, TransientError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem


def is_uri(path: object) -> bool:
    """Whether ``path`` names a file system by a scheme (``s3://…``, ``file:///…``)."""
    return "://" in str(path)


@lru_cache(maxsize=64)
def _filesystem(root: str) -> tuple[FileSystem, str]:
    """File system of ``scheme://authority?options`` and the prefix that its paths carry."""
    import pyarrow as pa
    from pyarrow.fs import FileSystem

    try:
        return FileSystem.from_uri(root)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, ValueError) as error:
        raise InputError(f"{root}: cannot be resolved ({_first_line(error)})") from None


def resolve(path: object) -> tuple[FileSystem, str]:
    """Split ``path`` into a `pyarrow.fs` file system and the path inside it.

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
        return _filesystem(text)
    if not host:
        raise InputError(f"{text}: names no bucket or server")
    # One file system per store, not per file: connecting to a store is what costs.
    filesystem, prefix = _filesystem(f"{scheme}://{host}{query}")
    return filesystem, f"{prefix.rstrip('/')}{slash}{inside}".rstrip("/")


def join(path: object, *parts: str) -> str:
    """``path`` with ``parts`` below it; the options of a URI stay at its end."""
    text = str(path)
    if not is_uri(text):
        return str(Path(text, *parts))
    location, mark, options = text.partition("?")
    return "/".join([location.rstrip("/"), *parts]) + mark + options


def local_path(path: object) -> Path | None:
    """The local path that ``path`` names, or None for a file of another store."""
    text = str(path)
    if not is_uri(text):
        return Path(text).expanduser()
    if text.startswith("file://"):
        return Path(resolve(text)[1])
    return None


def open_input(path: object) -> IO[bytes] | str:
    """What h5py is given to read: a local path as text, or a seekable file of another store."""
    local = local_path(path)
    if local is not None:
        return str(local)
    filesystem, inside = resolve(path)
    with translated(path):
        return filesystem.open_input_file(inside)


def read_bytes(path: object) -> bytes:
    """The whole content of a file."""
    local = local_path(path)
    with translated(path):
        if local is not None:
            return local.read_bytes()
        filesystem, inside = resolve(path)
        with filesystem.open_input_file(inside) as file:
            return file.read()


def exists(path: object) -> bool:
    """Whether a file or folder of this name is there."""
    return status(path) is not None


def status(path: object) -> FileStatus | None:
    """Size, modification time and kind of ``path``; None where there is nothing."""
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
    """One file or folder as a listing shows it. ``modified_ns``: ns since 1970, UTC."""

    path: str
    size: int
    modified_ns: int
    is_folder: bool = False


def list_files(folder: object) -> list[FileStatus]:
    """Every file below ``folder``, at any depth, without opening one; hidden files are passed over.

    Raises:
        InputError: there is no such folder, or its URI cannot be resolved.
    """
    local = local_path(folder)
    if local is not None:
        if not local.is_dir():
            what = "is a file, not a folder" if local.exists() else "no such folder"
            raise InputError(f"{folder}: {what}")
        return list(_walk(str(local)))
    from pyarrow.fs import FileSelector, FileType

    filesystem, inside = resolve(folder)
    with translated(folder, missing=f"{folder}: no such folder"):
        found = filesystem.get_file_info(FileSelector(inside, recursive=True))
    location, mark, options = str(folder).partition("?")
    return [
        FileStatus(
            path=f"{location.rstrip('/')}/{info.path[len(inside) :].lstrip('/')}{mark}{options}",
            size=int(info.size or 0),
            modified_ns=int(info.mtime_ns or 0),
        )
        for info in found
        if info.type == FileType.File and not info.base_name.startswith(".")
    ]


def _walk(folder: str) -> Iterator[FileStatus]:
    # os.scandir takes a third of the time that pyarrow's selector takes on a local disk.
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    yield from _walk(entry.path)
                elif entry.is_file():
                    stat = entry.stat()
                    yield FileStatus(entry.path, stat.st_size, stat.st_mtime_ns)
    except PermissionError:
        raise InputError(f"{folder}: no permission to list this folder") from None


def write_bytes(path: object, data: bytes) -> None:
    """Write a whole file; nobody ever sees a part of it.

    Raises:
        InputError: the place cannot be written.
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
    """Give a temporary local path that becomes ``path`` when the body ends well.

    The folder is made where it is missing. When the body raises, the temporary file is removed and
    what was at ``path`` before is untouched.

    Raises:
        InputError: the folder cannot be made or written.
    """
    target = Path(path)
    try:
        make_folder(target.parent)
        handle, name = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.name[:80]}.", suffix=target.suffix
        )
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({_first_line(error)})") from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes it private; a result is for all
        if target.is_dir():
            raise InputError(f"{target}: is a folder, so no file can be written there")
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a local folder and its parents.

    Raises:
        InputError: a file is in the way, or there is no permission.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InputError(f"{folder}: a file is in the way of this folder") from None
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({_first_line(error)})") from None
    return folder


@lru_cache(maxsize=1)
def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current


_TRANSIENT = (
    "timeout", "timed out", "slow down", "503", "500", "service unavailable", "internal error",
    "curl", "connection", "throttl", "network",
)  # fmt: skip


@contextmanager
def translated(path: object, missing: str | None = None) -> Iterator[None]:
    """Turn faults of the store into `ArchiveError`, `InputError` or `TransientError`."""
    try:
        yield
    except FileNotFoundError:
        if missing:
            raise InputError(missing) from None
        raise ArchiveError(path, "no such file") from None
    except IsADirectoryError:
        raise ArchiveError(path, "is a folder, not a file") from None
    except PermissionError:
        raise ArchiveError(path, "no permission to read it") from None
    except (InputError, ArchiveError, TransientError):
        raise
    except OSError as error:
        text = str(error).lower()
        if "does not exist" in text or "not found" in text or "no such bucket" in text:
            raise InputError(missing or f"{path}: no such file or folder") from None
        if any(word in text for word in _TRANSIENT):
            raise TransientError(path, f"the store did not answer ({_first_line(error)})") from None
        raise ArchiveError(path, f"cannot be read ({_first_line(error)})") from None


def _first_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[:1].lower() + error.strerror[1:]
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def write_table(path: object, table: Any, **options: Any) -> None:
    """Write a pyarrow table as one whole Parquet file."""
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", **options)
    write_bytes(path, buffer.getvalue())
