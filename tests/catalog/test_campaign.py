"""Campaigns, their catalog and how two of them compare."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import duckdb
import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from odm.catalog.campaign import CARD, CampaignCard, CampaignLock, load_campaign, open_campaign
from odm.catalog.catalog import build_catalog, to_csv, write_catalog
from odm.catalog.compare import box_overlap, compare, match
from odm.catalog.ionogram.inputs import IONOGRAMS
from odm.catalog.orbit.inputs import ORBITS
from odm.catalog.outcomes import Input, outcome_table
from odm.core.errors import InputError, OdmError
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


def test_a_kill_while_the_card_is_written_leaves_a_folder_to_go_on_with(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / f".{CARD}.x1y2z3.json").write_text('{"format"')
    one = campaign(tmp_path / "c", outcome(1))
    assert load_campaign(tmp_path / "c") == one


def test_settings_are_free_until_there_is_an_outcome(tmp_path: Path) -> None:
    first = campaign(tmp_path / "c", flip=False)
    with first.lock(), pytest.raises(InputError, match=r"settings\.flip is false there"):
        campaign(tmp_path / "c", flip=True)  # a driver is at work with them
    second = campaign(tmp_path / "c", flip=True)
    assert load_campaign(tmp_path / "c").card == second.card
    second.check_card()
    with pytest.raises(OdmError, match=r"another campaign: settings\.flip is true there"):
        first.check_card()
    second.commit([outcome(1)])
    with pytest.raises(InputError, match=r"settings\.flip is true there and false here"):
        campaign(tmp_path / "c", flip=False)


@pytest.mark.parametrize("lost", ["status", "digest", "source", "findings"])
def test_results_of_another_version_are_one_sentence(tmp_path: Path, lost: str) -> None:
    old = outcome(1, a_region(1))
    number = old.column_names.index(lost)
    nested = pa.array([[{"region_id": "a"}]])
    old = old.set_column(number, lost, nested) if lost == "findings" else old.drop_columns(lost)
    campaign(tmp_path / "c", old)
    card = json.loads((tmp_path / "c" / CARD).read_text())
    # Without a change of its columns another version is read as ever.
    now = campaign(tmp_path / "now", outcome(1, a_region(1)))
    (tmp_path / "now" / CARD).write_text(json.dumps({**card, "result_version": 1}))
    assert build_catalog([load_campaign(tmp_path / "now")], ORBITS).num_rows == 1
    assert compare(load_campaign(tmp_path / "now"), now).equal
    (tmp_path / "c" / CARD).write_text(json.dumps({**card, "result_version": 1}))
    one = load_campaign(tmp_path / "c")
    with pytest.raises(InputError, match=r"holds version 1 of the results, .* reads version \d"):
        compare(one, now)


def ionogram(identity: str, dated: bool) -> pa.Table:
    """The outcome of an ionogram with one layer."""
    key = {"key_link": "T", "key_time": pd.Timestamp("2021-01-01", tz="UTC") if dated else None}
    one = Input(identity, f"{identity}.npz", "", f"{identity}.npz", 1, 1, key)
    layer = {"ionogram_id": identity, "layer": "F", "confidence": 0.9}
    return outcome_table(IONOGRAMS, one, findings=[layer])


def test_a_path_names_an_ionogram_in_its_own_archive_only(tmp_path: Path) -> None:
    opened = []
    for name in ("a", "b", "b2"):
        card = CampaignCard("ionograms", f"/archive-{name[0]}", {"digest": "d"})
        opened.append(open_campaign(tmp_path / name, card))
        opened[-1].commit([ionogram("monday", dated=False), ionogram("T_2021", dated=True)])
    for chosen, expected in ((opened, 3), (opened[:2], 3), (opened[1:], 2)):
        table = build_catalog(chosen, IONOGRAMS)
        assert table.num_rows == expected
        assert table.schema.metadata[b"inputs"] == str(expected).encode()
