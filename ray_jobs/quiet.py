"""Lines of Ray's that say nothing to a user, kept from standard error.

Ray's C++ part writes to the file descriptor itself, so that is where a line is dropped. Python's
own standard error goes around the filter: a terminal stays one, and a progress bar a bar.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

RESTARTED_ACTORS = re.compile(
    rb"core_worker\.cc:\d+: Actor with class name: 'MapWorker\(.*has constructor arguments in the "
    rb"object store and max_restarts > 0"
)
"""Ray Data itself passes its operators to its actors so, and holds them until the end."""

DRAIN_S = 2.0


@contextmanager
def dropped(pattern: re.Pattern[bytes] = RESTARTED_ACTORS) -> Iterator[None]:
    """Drop the lines that C++ code writes to standard error and that hold a pattern.

    What is not a whole line when the body ends is passed on as it is.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    readable, writable = os.pipe()
    os.dup2(writable, 2)
    os.close(writable)
    reader = threading.Thread(target=_pass, args=(readable, kept, pattern), daemon=True)
    reader.start()
    before = sys.stderr
    own = _is_standard(before)
    if own:
        sys.stderr = os.fdopen(os.dup(kept), "w", buffering=1, errors="backslashreplace")
    try:
        yield
    finally:
        if own:
            sys.stderr.close()
            sys.stderr = before
        os.dup2(kept, 2)  # which ends the pipe, unless a process that was started here holds it
        reader.join(DRAIN_S)
        if not reader.is_alive():
            os.close(kept)


def _is_standard(stream: object) -> bool:
    try:
        return stream.fileno() == 2  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return False


def _pass(readable: int, to: int, pattern: re.Pattern[bytes]) -> None:
    with os.fdopen(readable, "rb") as lines:
        for line in lines:
            if not pattern.search(line):
                while line:
                    line = line[os.write(to, line) :]
