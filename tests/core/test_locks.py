"""A lock between processes: who holds it, waiting for it, and taking it over."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from odm.core.errors import OdmError
from odm.core.locks import FileLock


def test_the_second_is_told_who_holds_it_and_may_wait(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "a" / ".lock"), FileLock(tmp_path / "a" / ".lock")
    assert second.holder() == "another process"
    assert first.acquire() and first.is_ours
    assert not second.acquire()
    assert second.holder().startswith(f"process {os.getpid()} on ")
    with pytest.raises(OdmError, match="busy"), second.held(OdmError("busy")):
        pass
    timer = threading.Timer(0.1, first.release)
    timer.start()
    assert second.acquire(wait_s=10)
    timer.join()
    assert not first.is_ours
    second.release()


def test_who_was_taken_over_notices(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / ".lock"), FileLock(tmp_path / ".lock")
    assert first.acquire()
    assert second.take_over() and second.is_ours and not first.is_ours
    first.release()
    second.release()


def test_where_there_can_be_no_lock(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OdmError, match="cannot be locked"):
        FileLock(tmp_path / "folder").acquire()
