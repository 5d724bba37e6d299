"""A folder of the user's for what can be made again but costs time, such as exported models."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "ODM_CACHE"
EXPORTS = "exports"
"""Folder in it: one model's export serves all campaigns and all their workers."""
WAIT_S = 600.0
"""For another process that makes the same thing; then this one makes it as well."""


def user_cache(*parts: str) -> Path:
    """A place in the user's cache: ``ODM_CACHE`` if that is set, else where the system keeps such.

    Nothing is made here.
    """
    if given := os.environ.get(VARIABLE):
        return Path(given).expanduser().joinpath(*parts)
    if sys.platform == "darwin":
        return Path.home().joinpath("Library", "Caches", "odm", *parts)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).joinpath("odm", *parts)


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Let one process of this machine after the other in, so that the first one's work serves all.

    It is a courtesy: where no lock can be had, or its holder needs more than `WAIT_S`, the body
    runs all the same.

    Args:
        path: of what is made; the lock lies beside it.
    """
    import fcntl

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.with_name(f".{path.name}.lock").open("a")
    except OSError:
        yield
        return
    with file:  # closing it lets go, and so does the end of the process
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.2)
            except OSError:
                break
            else:
                break
        yield
