"""The user's cache: what can be made again but costs time, such as exported models."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from odm.core.errors import OdmError
from odm.core.locks import FileLock

VARIABLE = "ODM_CACHE"
EXPORTS = "exports"
"""Sub-folder of exported models: one model's export serves all campaigns and all their workers."""
WAIT_S = 600.0
"""How long to wait for another process that makes the same file, in seconds."""


def user_cache(*parts: str) -> Path:
    """Return a path in the user's cache, without making anything there.

    The cache is ``ODM_CACHE`` if that is set, else where the system keeps caches.
    """
    if given := os.environ.get(VARIABLE):
        return Path(given).expanduser().joinpath(*parts)
    if sys.platform == "darwin":
        return Path.home().joinpath("Library", "Caches", "odm", *parts)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).joinpath("odm", *parts)


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Let the processes of this machine in one after the other, so that the first serves all.

    It is a courtesy: where no lock can be had, or its holder needs more than `WAIT_S`, the body
    runs all the same.

    Args:
        path: the file that is made; the lock lies beside it.
    """
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    with suppress(OdmError):
        lock.acquire(WAIT_S)
    try:
        yield
    finally:
        lock.release()
