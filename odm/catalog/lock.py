"""One driver at a time: a file lock that names who holds it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from odm.core.errors import OdmError
from odm.core.faults import first_line
from odm.core.files import make_folder


class CampaignLock:
    """Keeps a second driver out of a campaign for as long as this process lives.

    The lock is the kernel's, so it ends with its process however that ends; it also works between
    the machines of a shared file system that supports locks. With ``take_over`` the file is
    replaced: the first driver notices when it next commits, and stops.

    Args:
        path: of the lock file, local.
        take_over: go in even if another driver holds it.
    """

    def __init__(self, path: Path, *, take_over: bool = False) -> None:
        self.path = path
        self.take_over = take_over
        self._file: IO[str] | None = None

    def __enter__(self) -> CampaignLock:
        make_folder(self.path.parent)
        try:
            file = self._held() or (self._replaced() if self.take_over else None)
        except OSError as error:
            raise OdmError(f"{self.path}: cannot be locked ({first_line(error)})") from None
        if file is None:
            raise OdmError(
                f"{self.path.parent}: {self.holder()} is at work in this campaign; wait for it, or "
                "take over with --take-over"
            )
        self._file = file
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def check(self) -> None:
        """Whether the lock is still ours.

        Raises:
            OdmError: another driver has taken over.
        """
        assert self._file is not None
        if not self._is_the_file(self._file):
            raise OdmError(f"{self.path.parent}: {self.holder()} has taken over this campaign")

    def holder(self) -> str:
        """Who holds it, in words."""
        try:
            facts = json.loads(self.path.read_text())
            return f"process {facts['pid']} on {facts['host']} (since {facts['since']})"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"

    def _held(self) -> IO[str] | None:
        """The file with the lock on it and our name in it; None where another has it."""
        while True:
            file = self.path.open("a+")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                return None
            if self._is_the_file(file):  # not replaced since it was opened
                file.truncate(0)
                file.write(json.dumps(_facts()))
                file.flush()
                return file
            file.close()

    def _replaced(self) -> IO[str] | None:
        with suppress(FileNotFoundError):
            self.path.unlink()
        return self._held()

    def _is_the_file(self, file: IO[str]) -> bool:
        try:
            there, ours = self.path.stat(), os.fstat(file.fileno())
        except FileNotFoundError:
            return False
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def _facts() -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": now}
