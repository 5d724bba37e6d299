"""A lock between processes, on a local file, that names who holds it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from odm.core.errors import OdmError
from odm.core.faults import first_line
from odm.core.files import make_folder

_POLL_S = 0.2
"""Time between two tries while waiting, in seconds."""


class FileLock:
    """A lock that the kernel keeps, so that it ends with its process however that ends.

    It also works between the machines of a shared file system that supports locks.

    Args:
        path: the lock file, local; it stays after the lock is released.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def acquire(self, wait_s: float = 0.0) -> bool:
        """Take the lock, and return whether that succeeded.

        Args:
            wait_s: how long to wait while another process holds it, in seconds.

        Raises:
            OdmError: the file cannot be made, or its file system has no locks.
        """
        deadline_s = time.monotonic() + wait_s
        make_folder(self.path.parent)
        with self._translated():
            while not self._try():
                if time.monotonic() >= deadline_s:
                    return False
                time.sleep(_POLL_S)
        return True

    def take_over(self) -> bool:
        """Replace the lock file, so that its holder can notice (`is_ours`); then take the lock."""
        with self._translated():
            self.path.unlink(missing_ok=True)
        return self.acquire()

    def release(self) -> None:
        """Let other processes in."""
        if self._file is not None:
            with suppress(OSError):  # a full disk; the descriptor is closed all the same
                self._file.close()
            self._file = None

    @contextmanager
    def held(self, refusal: OdmError) -> Iterator[None]:
        """Hold the lock while the body runs.

        Args:
            refusal: what to raise where another process holds it; who that is is added.
        """
        if not self.acquire():
            raise type(refusal)(f"{refusal}: {self.holder()}")
        try:
            yield
        finally:
            self.release()

    @property
    def is_ours(self) -> bool:
        """Whether this process still holds the lock, and nobody has taken over."""
        return self._file is not None and self._is_at_path(self._file)

    def holder(self) -> str:
        """Return who holds it, in words."""
        try:
            facts = json.loads(self.path.read_text())
            return f"process {facts['pid']} on {facts['host']} (since {facts['since']})"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OdmError(f"{self.path}: cannot be locked ({first_line(error)})") from None

    def _try(self) -> bool:
        while True:
            file = self.path.open("a+")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                return False
            except OSError:
                file.close()
                raise
            if self._is_at_path(file):  # it was not replaced since it was opened
                now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
                facts = {"pid": os.getpid(), "host": socket.gethostname(), "since": now}
                with suppress(OSError):  # a full disk; the lock is ours all the same
                    file.truncate(0)
                    file.write(json.dumps(facts))
                    file.flush()
                self._file = file
                return True
            file.close()

    def _is_at_path(self, file: IO[str]) -> bool:
        try:
            there, ours = self.path.stat(), os.fstat(file.fileno())
        except FileNotFoundError:
            return False
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)
