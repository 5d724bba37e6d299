"""Listing an archive without opening a file."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from odm.archive.orbit.listing import list_orbits
from odm.core.errors import InputError
from tests.lookalike import NAME, renamed


def touch(path: Path, size: int = 3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


def test_nested_and_flat_sorted_by_start(tmp_path: Path) -> None:
    touch(tmp_path / "2021/05" / renamed(18000))
    touch(tmp_path / renamed(17000), size=11)
    touch(tmp_path / "2021/04" / renamed(17538, 0))
    listing = list_orbits(tmp_path)
    assert [entry.key.orbit_number for entry in listing.entries] == [17000, 17538, 18000]
    first = listing.entries[0]
    assert first.size == 11
    assert first.modified_ns == Path(first.path).stat().st_mtime_ns
    assert Path(first.path) == tmp_path / renamed(17000)


def test_of_one_identity_the_later_version_wins_and_the_other_is_reported(tmp_path: Path) -> None:
    old = touch(tmp_path / "b" / renamed(17538, suffix="001"))
    new = touch(tmp_path / "a" / renamed(17538, level="L2A"))
    copy = touch(tmp_path / "z" / renamed(17538, level="L2A"))
    listing = list_orbits(tmp_path)
    assert [entry.path for entry in listing.entries] == [str(new)]
    assert {loser.path for loser, _ in listing.superseded} == {str(old), str(copy)}
    assert all(winner.path == str(new) for _, winner in listing.superseded)
    assert "2 files superseded" in listing.report()


def test_other_names_are_counted_not_fatal(tmp_path: Path) -> None:
    touch(tmp_path / NAME)
    touch(tmp_path / "notes.txt")
    touch(tmp_path / NAME.replace("EFD_3", "EFD_1"))
    touch(tmp_path / ".hidden.h5")
    listing = list_orbits(tmp_path)
    assert len(listing) == 1
    assert [Path(path).name for path in listing.other_files] == ["notes.txt"]
    assert [Path(path).name for path in listing.other_payload] == [NAME.replace("EFD_3", "EFD_1")]
    assert "1 other file passed over (1 .txt)" in listing.report()


@pytest.mark.parametrize("make", ["empty", "missing", "file", "foreign"])
def test_a_folder_without_half_orbits_is_one_sentence(tmp_path: Path, make: str) -> None:
    folder = tmp_path / "archive"
    if make == "file":
        folder.write_text("x")
    elif make != "missing":
        folder.mkdir()
    if make == "foreign":
        touch(folder / "picture.png")
    with pytest.raises(InputError) as caught:
        list_orbits(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("uri", ["nowhere://bucket/x", "s3://", "file:///no/such/folder"])
def test_a_uri_that_does_not_resolve_is_one_sentence(uri: str) -> None:
    with pytest.raises(InputError) as caught:
        list_orbits(uri)
    assert "\n" not in str(caught.value)


def test_ten_thousand_names_without_opening_one(tmp_path: Path) -> None:
    for number in range(10_000):
        folder = tmp_path / f"{number // 1000:02d}"
        if number % 1000 == 0:
            folder.mkdir()
        path = folder / renamed(number // 2, number % 2)
        os.close(os.open(path, os.O_CREAT, 0o000))  # opening one would fail for a plain user
    started = time.perf_counter()
    listing = list_orbits(tmp_path)
    assert len(listing) == 10_000
    assert time.perf_counter() - started < 5
