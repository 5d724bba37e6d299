"""Campaigns, their catalog and how two of them compare."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import duckdb
import geopandas as gpd
import pyarrow.parquet as pq
import pytest

from odm.archive.errors import InputError, OdmError
from odm.catalog.campaign import CARD, load_campaign, open_campaign
from odm.catalog.catalog import build_catalog, to_csv, write_catalog
from odm.catalog.compare import box_overlap, compare, match
from odm.catalog.lock import CampaignLock
from odm.catalog.orbit_kind import ORBITS
from tests.catalog.rows import a_region, campaign, outcome


def test_a_catalog_is_opened_by_other_programs(tmp_path: Path) -> None:
    one = campaign(
        tmp_path / "c",
        outcome(2, a_region(2), a_region(2, 3, region_id="second")),
        outcome(1, a_region(1)),
        outcome(3),
        outcome(4, reason="truncated"),
    )
    table = build_catalog([one], ORBITS)
    path = tmp_path / "catalog.parquet"
    write_catalog(path, table)
    frame = gpd.read_parquet(path)
    assert frame.orbit_number.tolist() == [1, 2, 2]  # in order of time
    assert frame.geometry.x.tolist() == [10.0] * 3
    count, share = duckdb.sql(
        f"select count(*), avg(confidence) from '{path}' where frequency_min > 4000"
    ).fetchall()[0]
    assert (count, share) == (3, pytest.approx(0.9))
    schema = pq.read_schema(path)
    assert all(field.metadata[b"units"] for field in schema)
    assert schema.field("duration").metadata[b"units"] == b"s"
    assert b"simulated data" in schema.metadata[b"statement"]
    assert json.loads(schema.metadata[b"model"])["digest"] == "m" * 64
    assert schema.metadata[b"inputs"] == b"4"


def test_a_catalog_as_csv(tmp_path: Path) -> None:
    one = campaign(tmp_path / "c", outcome(1, a_region(1)))
    text = to_csv(build_catalog([one], ORBITS))
    heading = [line for line in text.splitlines() if line.startswith("#")]
    assert "# bandwidth [Hz]: frequency_max - frequency_min" in heading
    assert "# region_id [none]: identity of the half-orbit and number in it" in heading
    body = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    (row,) = csv.DictReader(io.StringIO(body))
    assert row["geometry"] == "POINT (10 50)"
    assert row["flags"] == "gap;burst"
    assert row["time_start"] == "2021-11-01T01:34:00+00:00"
    assert row["outline"].startswith("POLYGON ((1635730440.000 5000, ")
    with pytest.raises(InputError, match=r"ends in \.parquet or \.csv"):
        write_catalog(tmp_path / "c.xlsx", build_catalog([one], ORBITS))


def test_campaigns_of_one_model_are_joined_and_others_refused(tmp_path: Path) -> None:
    one = campaign(tmp_path / "a", outcome(1, a_region(1)), outcome(2))
    later = campaign(tmp_path / "b", outcome(2, a_region(2), generation=1), outcome(3))
    assert build_catalog([one, later], ORBITS)["orbit_number"].to_pylist() == [1, 2]
    empty = campaign(tmp_path / "e")
    assert build_catalog([empty], ORBITS).num_rows == 0
    assert len(build_catalog([empty, one], ORBITS)) == 1
    other = campaign(tmp_path / "d", digest="d" * 64)
    with pytest.raises(InputError, match=r"not of one model: model\.digest is mmm"):
        build_catalog([one, other], ORBITS)
    set_otherwise = campaign(tmp_path / "s", flip=True)
    with pytest.raises(InputError, match=r"settings\.flip is not set there and true"):
        build_catalog([one, set_otherwise], ORBITS)


def test_equal_campaigns_have_no_difference(tmp_path: Path) -> None:
    rows = (outcome(1, a_region(1)), outcome(2), outcome(3, reason="bad"))
    one = campaign(tmp_path / "a", *rows)
    # Done in another order, in other parts, one twice, from a copy of the archive.
    other = campaign(tmp_path / "b", rows[2], rows[1], outcome(1, a_region(1), modified_ns=9))
    other.commit([rows[1], rows[2]])
    assert compare(one, other).equal
    renamed = campaign(tmp_path / "c", outcome(1, a_region(1, model="other")), *rows[1:])
    assert compare(one, renamed).equal


def test_what_one_found_and_the_other_did_not(tmp_path: Path) -> None:
    one = campaign(
        tmp_path / "a",
        outcome(1, a_region(1), a_region(1, 5)),
        outcome(2, a_region(2, area_pixels=7)),
        outcome(3),
        outcome(5),
    )
    other = campaign(
        tmp_path / "b",
        outcome(1, a_region(1, 0.2, 5200), a_region(1, 5.9)),
        outcome(2),
        outcome(3, reason="truncated"),
        outcome(5),
    )
    found = compare(one, other)
    assert found.matched == 1
    assert [row.finding["area_pixels"] for row in found.only_a] == [1000, 7]
    assert len(found.only_b) == 1
    assert found.agreement == pytest.approx(1 / 4)
    assert found.statuses["detected", "clear"] == 1
    assert found.statuses["clear", "quarantined"] == 1
    assert len(found.differing) == 3
    assert json.loads(json.dumps(found.to_dict()))["regions"]["only_a"] == 2
    empty = compare(one, campaign(tmp_path / "e"))
    assert empty.statuses["clear", "absent"] == 2
    assert not empty.equal


def test_regions_are_matched_by_their_boxes() -> None:
    first, second = a_region(1), a_region(1, 0.5)
    assert box_overlap(ORBITS, first, first) == pytest.approx(1)
    assert box_overlap(ORBITS, first, second) == pytest.approx(1 / 3, abs=0.03)
    assert box_overlap(ORBITS, first, a_region(1, low_hz=9000)) == 0
    # The better pair is taken although the worse one comes first.
    assert match(ORBITS, [second, first], [first]) == [(1, 0)]


def test_a_lock_is_free_when_its_holder_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "c" / "lock"
    with CampaignLock(path), pytest.raises(OdmError, match=f"process {os.getpid()}"):
        CampaignLock(path).__enter__()
    with CampaignLock(path) as lock:
        lock.check()
        path.unlink()
        with pytest.raises(OdmError, match="taken over"):
            lock.check()


def test_a_folder_that_is_no_campaign(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no campaign"):
        load_campaign(tmp_path)
    one = campaign(tmp_path / "c")
    assert load_campaign(tmp_path / "c") == one
    (tmp_path / "c" / CARD).write_text("{}")
    with pytest.raises(InputError, match="damaged"):
        load_campaign(tmp_path / "c")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="in the way"):
        open_campaign(tmp_path / "file" / "c", one.card)


def test_a_setting_that_one_card_lacks_is_named_and_not_dumped() -> None:
    from odm.catalog.campaign import CampaignCard

    model = {"digest": "0" * 64, "architecture": "log"}
    one = CampaignCard("orbits", "/a", model, {"regions": {"threshold": 0.6}})
    other = CampaignCard("orbits", "/a", model, {"flip": False})
    assert one.differences(other) == [
        "settings.flip is not set there and false here",
        "settings.regions.threshold is 0.6 there and not set here",
    ]
