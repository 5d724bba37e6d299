"""Outcomes, their parts and their union."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from odm.catalog.orbit.inputs import ORBITS
from odm.catalog.outcomes import row_digest, union
from odm.catalog.parts import compact, list_parts, read_outcomes, write_part
from odm.catalog.selection import (
    LEDGER_COLUMNS,
    Listing,
    Selection,
    relative_to,
    select,
    status_counts,
)
from odm.core.errors import OdmError
from tests.catalog.rows import a_region, an_input, outcome, same


def test_of_two_rows_the_union_keeps_the_one_that_the_contract_says(tmp_path: Path) -> None:
    low = outcome(1, a_region(1, low_hz=1000))
    high = outcome(1, a_region(1, low_hz=2000))
    smaller = min(low, high, key=lambda table: table["digest"][0].as_py())
    failed = outcome(1, reason="truncated")
    newer = outcome(1, generation=1, reason="truncated still")
    cases = {
        "the higher generation": ([low, newer], newer),
        "success over quarantine": ([failed, low], low),
        "the smaller digest": ([low, high], smaller),
    }
    for order in (1, -1):
        for name, (tables, expected) in cases.items():
            got = union(pa.concat_tables([*tables, outcome(2)][::order]))
            assert same(got.slice(0, 1), expected), name
            assert got["identity"].to_pylist() == sorted(set(got["identity"].to_pylist()))
    assert same(union(low), low)


def test_parts_are_named_by_what_they_hold_and_read_as_one(tmp_path: Path) -> None:
    tables = [outcome(1, a_region(1)), outcome(2), outcome(3, reason="empty file (0 bytes)")]
    first = write_part(tmp_path, tables)
    assert write_part(tmp_path, tables[::-1]) == first
    write_part(tmp_path, tables[:1])
    write_part(tmp_path, [outcome(3, generation=1)])
    (tmp_path / ".part-half-written.parquet").write_bytes(b"PAR1")
    assert len(list_parts(tmp_path)) == 3
    table = read_outcomes(tmp_path)
    assert table["status"].to_pylist() == ["detected", "clear", "clear"]
    assert table["generation"].to_pylist() == [0, 0, 1]
    assert table.schema.equals(ORBITS.schema)
    ids = read_outcomes(tmp_path, ["size"])
    assert set(ids.column_names) == {"identity", "generation", "status", "digest", "size"}
    before = read_outcomes(tmp_path)
    assert compact(tmp_path) == (3, 1)
    assert compact(tmp_path) == (1, 1)
    assert same(read_outcomes(tmp_path), before)


def test_a_compaction_that_is_killed_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        write_part(tmp_path, [outcome(number, a_region(number))])
    before = read_outcomes(tmp_path)
    removed = itertools.count()

    def killed(path: str) -> None:
        Path(path).unlink()
        if next(removed) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr("odm.catalog.parts._remove", killed)
    with pytest.raises(KeyboardInterrupt):
        compact(tmp_path)
    assert same(read_outcomes(tmp_path), before)
    monkeypatch.undo()
    compact(tmp_path)
    assert len(list_parts(tmp_path)) == 1
    assert same(read_outcomes(tmp_path), before)


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    name = write_part(tmp_path, [outcome(1)])
    (tmp_path / name).write_bytes(b"PAR1 and more")
    with pytest.raises(OdmError, match=f"{name}: a damaged part"):
        read_outcomes(tmp_path)


def test_the_digest_covers_every_column_and_is_of_what_is_read_back(tmp_path: Path) -> None:
    table = outcome(1, a_region(1))
    write_part(tmp_path, [table])
    (row,) = read_outcomes(tmp_path).to_pylist()
    assert row_digest(row) == row["digest"] == table["digest"][0].as_py()
    for name in set(row) - {"digest"}:
        assert row_digest({**row, name: "changed"}) != row["digest"], name


def test_every_column_has_a_unit_or_says_that_it_has_none() -> None:
    for schema in (ORBITS.schema, ORBITS.finding, ORBITS.track):
        for one in schema:
            assert one.metadata[b"units"], one.name
            assert one.metadata[b"description"], one.name


def test_sources_are_relative_to_the_archive() -> None:
    assert relative_to("/a/b", "/a/b/2021/x.h5") == "2021/x.h5"
    assert relative_to("/a/b/", "/a/b/x.h5") == "x.h5"
    assert relative_to("s3://k/a?region=x", "s3://k/a/2021/x.h5?region=x") == "2021/x.h5"
    assert relative_to("/a/b", "/a/bc/x.h5") == "/a/bc/x.h5"


def test_selection_keeps_and_counts_what_is_done() -> None:
    import datetime

    inputs = tuple(an_input(number) for number in range(5))
    times = tuple(datetime.datetime(2021, 11, 1 + number) for number in range(5))
    listing = Listing(inputs, times)
    ledger = union(
        pa.concat_tables(
            [
                outcome(0, a_region(0)),
                outcome(1, reason="bad"),
                outcome(2, modified_ns=4),
                outcome(9),
            ]
        ).select(LEDGER_COLUMNS)
    )
    plain = select(listing, ledger, Selection())
    assert [one.key["orbit_number"] for one in plain.todo] == [3, 4]
    assert plain.counts == {"detected": 1, "clear": 1, "quarantined": 1}
    assert (plain.changed, plain.absent, len(plain.selected)) == (1, 1, 5)
    again = select(listing, ledger, Selection(retry_quarantined=True, refresh=True))
    assert [(one.key["orbit_number"], one.generation) for one in again.todo] == [
        (1, 1), (2, 1), (3, 0), (4, 0)
    ]  # fmt: skip
    one = select(listing, ledger, Selection(retry_quarantined=True, refresh=True, limit=1))
    assert len(one.todo) == 1
    assert sum(one.counts.values()) + len(one.todo) + 2 == 5
    between = select(listing, ledger, Selection(since=times[1], until=times[3]))
    assert len(between.selected) == 2
    counts = status_counts(ledger, [one.identity for one in inputs])
    assert counts == {"detected": 1, "clear": 2, "quarantined": 1, "pending": 2}
    assert status_counts(pa.table({}), None)["pending"] is None


SCAN = """
import sys, time
from pathlib import Path
from odm.catalog.parts import read_outcomes
from odm.catalog.selection import LEDGER_COLUMNS
before = time.process_time()
table = read_outcomes(sys.argv[1], LEDGER_COLUMNS)
# Not ru_maxrss: that begins at the peak of the process that started this one.
status = Path("/proc/self/status").read_text()
peak_mb = int(status.split("VmHWM:")[1].split()[0]) / 1024
print(table.num_rows, time.process_time() - before, peak_mb)
"""


def test_the_ledger_of_100_000_half_orbits_is_read_in_bounds(tmp_path: Path) -> None:
    one = outcome(1).drop_columns(["identity", "digest"])
    per_part, parts = 10_000, 10
    filler = one.take(pa.array([0] * per_part))
    for part in range(parts):
        names = [f"CSES_01_EFD_3_{part * per_part + row:06d}0" for row in range(per_part)]
        table = filler.append_column("identity", pa.array(names)).append_column(
            "digest", pa.array([f"{row:032x}" for row in range(per_part)])
        )
        pq.write_table(table, tmp_path / f"part-{part:032x}.parquet")
    command = [sys.executable, "-c", SCAN, str(tmp_path)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    rows, seconds, peak_mb = int(out[0]), float(out[1]), float(out[2])
    assert rows == per_part * parts
    assert seconds < 10  # of processor, so that other tests may run beside this one
    assert peak_mb < 500
