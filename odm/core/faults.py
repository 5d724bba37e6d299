"""Faults of files and stores, sorted by whether trying again may help.

An `OSError` is the fault of the file, of the user, or of the store for the moment; only the first
is for ever. A transient fault taken for a bad file would put a good half-orbit into quarantine; the
other way round, a bad file would be tried again without end.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from odm.core.errors import AccessError, ArchiveError, InputError, OdmError, TransientError

_TRANSIENT_ERRNO = frozenset(
    {
        errno.EAGAIN,
        errno.ECONNABORTED,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTUNREACH,
        errno.EIO,
        errno.EMFILE,
        errno.ENETUNREACH,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
_TRANSIENT = re.compile(
    r"HTTP (?:status|response code):? ?5\d\d|curlCode|"
    r"AWS Error (?:SLOW_DOWN|NETWORK_CONNECTION|SERVICE_UNAVAILABLE|INTERNAL_FAILURE|"
    r"REQUEST_TIMEOUT|THROTTLING|UNKNOWN)|"
    r"\btimed? ?out\b|connection (?:reset|refused|closed)|could not resolve host|\bslow ?down\b",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"ACCESS_DENIED|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|HTTP status 40[13]|"
    r"no credentials",
    re.IGNORECASE,
)
_MISSING = re.compile(r"does not exist|not found|no such bucket|no such key", re.IGNORECASE)
_HDF5_ERRNO = re.compile(r"errno = (\d+)")


def is_transient(error: BaseException, path: object = "") -> bool:
    """Return whether trying again later may help.

    Args:
        error: what a file system, `pyarrow` or HDF5 raised.
        path: the file; removed from the text that is searched, as an orbit number may hold a 503.
    """
    if isinstance(error, TimeoutError | ConnectionError):
        return True
    number = getattr(error, "errno", None)
    text = str(error).replace(str(path), "") if str(path) else str(error)
    if match := _HDF5_ERRNO.search(text):  # HDF5 puts the number into its text
        number = int(match[1])
    if number is not None:
        return number in _TRANSIENT_ERRNO
    return bool(_TRANSIENT.search(text)) and not _DENIED.search(text)


def is_full(error: OSError) -> bool:
    """Return whether the device has no space left."""
    match = _HDF5_ERRNO.search(str(error))
    return (int(match[1]) if match else error.errno) == errno.ENOSPC


def fault(path: object, error: BaseException, reason: str) -> OdmError:
    """Return a `TransientError` where trying again may help, else an `ArchiveError`.

    Args:
        path: the file at hand.
        error: what was raised.
        reason: what is wrong with the file if it is the file's fault.
    """
    if is_transient(error, path):
        return TransientError(path, f"the store did not answer ({first_line(error)})")
    return ArchiveError(path, reason)


@contextmanager
def translated(path: object, missing: str | None = None) -> Iterator[None]:
    """Turn what a file system raises into an error that names ``path``.

    Args:
        path: the file or folder at hand.
        missing: sentence of the `InputError` where there is no such file; None for an
            `AccessError`.

    Raises:
        ArchiveError: the file is bad.
        AccessError: the file is gone, or may not be read.
        TransientError: the store failed for the moment.
        InputError: there is no such file, or the store denies access.
    """
    try:
        yield
    except OdmError:
        raise
    except IsADirectoryError:
        raise ArchiveError(path, "is a folder, not a file") from None
    except PermissionError:
        raise AccessError(path, "no permission") from None
    except OSError as error:
        text = str(error).replace(str(path), "")
        if isinstance(error, FileNotFoundError) or _MISSING.search(text):
            if missing:
                raise InputError(missing) from None
            raise AccessError(path, "no such file") from None
        if _DENIED.search(text):
            raise InputError(f"{path}: the store denies access (credentials?)") from None
        raise fault(path, error, f"cannot be read ({first_line(error)})") from None


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, in lower case at its start."""
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror
    else:
        text = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return text[:1].lower() + text[1:]
