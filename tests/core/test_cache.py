"""The user's cache: where it is, and that one process makes what all need."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from odm.core.cache import one_at_a_time, user_cache


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ODM_CACHE", str(tmp_path / "own"))
    assert user_cache("exports", "a") == tmp_path / "own" / "exports" / "a"
    monkeypatch.delenv("ODM_CACHE")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache("exports") == tmp_path / "odm" / "exports"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert user_cache() == Path.home() / ".cache" / "odm"
    assert not (tmp_path / "own").exists()


def make(path: Path, made: Path) -> None:
    with one_at_a_time(path):
        if not path.exists():
            with made.open("a") as file:
                file.write("made\n")
            path.write_text("whole")


def test_one_process_makes_what_all_need(tmp_path: Path) -> None:
    path, made = tmp_path / "cache" / "model.xml", tmp_path / "made"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=make, args=(path, made)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert made.read_text() == "made\n"


def test_a_place_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = False
    with one_at_a_time(tmp_path / "file" / "model.xml"):
        done = True
    assert done and (tmp_path / "file").read_text() == "in the way"
