"""Statistics of campaigns whose numbers are known beforehand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from odm.catalog.activity import read_index
from odm.catalog.bins import binned
from odm.catalog.orbit.flown import COLUMNS, Flown, flown_of
from odm.catalog.orbit.statistics import exposure, orbit_statistics
from odm.core.errors import InputError
from tests.report.flights import START, campaign, outcome, paper_year, region, track

NEXT_CYCLE = START + pd.Timedelta(days=5)


def flown(folder: Path, *outcomes: pa.Table) -> Flown:
    return flown_of(campaign(folder, outcomes).outcomes(COLUMNS))


def counts(rows: list[dict[str, Any]]) -> dict[str, int]:
    return {row["value"]: row["regions"] for row in rows}


def test_paper_year(tmp_path: Path) -> None:
    """The published counts go in, so they come out: a check of counting and nothing else."""
    sheet = orbit_statistics(flown_of(paper_year(tmp_path).outcomes(COLUMNS)), resamples=200)
    assert sheet["regions"]["total"] == 453
    assert sheet["regions"]["half_orbits_with_a_region"] == 402
    assert sheet["regions"]["half_orbits_by_number_of_regions"] == {"1": 351, "2": 51}
    assert counts(sheet["counts"]["hemisphere"]) == {"north": 266, "south": 187}
    by_season = {"spring": 142, "summer": 124, "autumn": 129, "winter": 58}
    assert counts(sheet["counts"]["month_season"]) == by_season
    both = counts(sheet["counts"]["month_season_by_hemisphere"])
    assert list(both.values()) == [80, 62, 71, 53, 79, 50, 36, 22]
    below = sheet["frequency"]["shares"]["below_12500_hz"]
    assert (below["regions"], below["of"]) == (452, 453)
    assert below["interval"][0] <= below["share"] <= below["interval"][1]
    assert sheet["latitude"]["shares"]["abs_40_to_70_deg"]["share"] == 1
    local = counts(sheet["counts"]["local_season"])  # in the south, the opposite one
    assert local == {"spring": 130, "summer": 93, "autumn": 141, "winter": 89}


def test_exposure_is_what_was_valid(tmp_path: Path) -> None:
    """Gaps and quarantined half-orbits are no exposure; regions fall into the cells they lie in."""
    half_valid = track(latitudes=[52, 57], valid_share=0.5)
    months_later = START + pd.Timedelta(days=40)
    data = flown(
        tmp_path,
        outcome(1, region(1), points=track(latitudes=[52, 57])),
        outcome(2, points=half_valid),
        outcome(3, reason="truncated"),
        outcome(4, points=track(months_later, latitudes=[57], mlt=float("nan"))),
    )
    cells = exposure(data)
    minute = 30 * 2.048
    by_cell = {
        (one.latitude, one.mlt if one.mlt == one.mlt else None, one.month): one
        for one in cells.itertuples()
    }
    assert len(by_cell) == 3
    first = by_cell[50.0, 14.0, "2021-11"]
    assert first.valid_seconds == pytest.approx(1.5 * minute) and first.regions == 0
    second = by_cell[55.0, 14.0, "2021-11"]
    assert second.regions == 1
    assert second.rate == pytest.approx(360_000 / (1.5 * minute))
    unknown = by_cell[55.0, None, "2021-12"]
    assert unknown.valid_seconds == pytest.approx(minute)
    assert cells["valid_seconds"].sum() == pytest.approx(data.track["seconds"].sum())
    sheet = orbit_statistics(data, resamples=0)
    assert sheet["inputs"]["valid_hours"] == pytest.approx(4 * minute / 3600)
    assert sheet["inputs"]["quarantined"] == 1
    assert sheet["rates"]["all"]["rate"] == pytest.approx(360_000 / (4 * minute))


def test_intervals_are_those_of_whole_cycles(tmp_path: Path) -> None:
    """Two cycles, all regions in one: a resample has 0, 3 or 6 regions."""
    searched = [outcome(number) for number in (77, 78)]
    found = [outcome(number, region(number)) for number in (1, 2, 3)]
    sheet = orbit_statistics(flown(tmp_path, *searched, *found), resamples=400)
    assert sheet["inputs"]["five_day_cycles"] == 2
    assert sheet["regions"]["interval"] == (0, 6)
    assert sheet["counts"]["hemisphere"][0]["share"] == 1


def test_one_cycle_has_no_interval(tmp_path: Path) -> None:
    sheet = orbit_statistics(flown(tmp_path, outcome(1, region(1))))
    assert sheet["regions"]["interval"] is None
    assert "share_interval" not in sheet["counts"]["hemisphere"][0]


def test_repeat_track(tmp_path: Path) -> None:
    """Orbit 77 flies over the ground of orbit 1; 78 does not, 79 is in quarantine."""
    data = flown(
        tmp_path,
        outcome(1, region(1)),
        outcome(2, region(2)),
        outcome(3, region(3)),
        outcome(77, region(77, latitude=56, frequency=6900, time=NEXT_CYCLE), time=NEXT_CYCLE),
        outcome(78, region(78, latitude=-56, time=NEXT_CYCLE), time=NEXT_CYCLE),
        outcome(79, reason="truncated", time=NEXT_CYCLE),
    )
    matches = orbit_statistics(data, resamples=0)["matches"]["repeat_track"]
    assert (matches["opportunities"], matches["matched"]) == (2, 1)
    # 2 → 77, 3 → 77 and 78, 1 → 78: of these the first two have a region at 55 degrees.
    assert (matches["neighbours"]["opportunities"], matches["neighbours"]["matched"]) == (4, 2)


def test_conjugate_point(tmp_path: Path) -> None:
    north, south = region(1), region(1, 2, latitude=-54, mlt=14.5)
    other_time = region(2, 2, latitude=-55, mlt=20.0)
    data = flown(
        tmp_path, outcome(1, north, south), outcome(2, region(2), other_time),
        outcome(3, region(3), points=track(latitudes=[50, 55, 60])),
    )  # fmt: skip
    matches = orbit_statistics(data, resamples=0)["matches"]["conjugate_point"]
    assert (matches["opportunities"], matches["matched"]) == (4, 2)


def test_no_region_is_its_own_conjugate(tmp_path: Path) -> None:
    """At the magnetic equator a region lies near its own mirror image; another one counts."""
    alone = region(1, latitude=5, aacgm_latitude=1.0)
    pair = region(2, latitude=5, aacgm_latitude=1.0), region(2, 2, aacgm_latitude=-1.0)
    data = flown(tmp_path, outcome(1, alone), outcome(2, *pair), outcome(20))
    matches = orbit_statistics(data, resamples=0)["matches"]["conjugate_point"]
    assert (matches["opportunities"], matches["matched"]) == (3, 2)


def test_without_magnetic_coordinates(tmp_path: Path) -> None:
    nothing = {"aacgm_latitude": None, "mlt": None, "dip_angle": None}
    points = [{**point, **nothing} for point in track()]
    data = flown(tmp_path, outcome(1, region(1, **nothing), points=points))
    sheet = orbit_statistics(data, resamples=10)
    assert sheet["dip_angle"]["known"] == 0
    assert sheet["dip_angle"]["shares"]["abs_58_to_80_deg"]["share"] is None
    assert sheet["matches"]["conjugate_point"]["share"] is None
    assert exposure(data)["regions"].sum() == 1


def test_without_geographic_coordinates(tmp_path: Path) -> None:
    """What lies nowhere is neither north nor south, nor in a season of its place."""
    lost = region(2, latitude=np.nan, hemisphere="south", local_season="spring")
    sheet = orbit_statistics(flown(tmp_path, outcome(1, region(1)), outcome(2, lost)), resamples=0)
    assert counts(sheet["counts"]["hemisphere"]) == {"north": 1, "south": 0}
    assert sum(counts(sheet["counts"]["local_season"]).values()) == 1
    assert sum(counts(sheet["counts"]["month_season"]).values()) == 2


@pytest.mark.parametrize("only", ["nothing", "quarantined", "clear"])
def test_without_regions(tmp_path: Path, only: str) -> None:
    outcomes = {
        "nothing": [], "quarantined": [outcome(1, reason="empty")], "clear": [outcome(1)],
    }[only]  # fmt: skip
    data = flown(tmp_path, *outcomes)
    sheet = orbit_statistics(data)
    assert sheet["regions"]["total"] == 0
    assert sheet["inputs"][only if only != "nothing" else "clear"] == len(outcomes)
    assert len(exposure(data)) == (27 if only == "clear" else 0)


KP = """time,kp
2021-11-01T00:00:00,4.333
2021-11-01T03:00:00,1.0
2021-11-01T06:00:00Z,-1
"""
GFZ = """# comment
2021 11 01 00.0 01.50 32811.0 32811.1 4.333 32 1
2021 11 01 03.0 04.50 32811.1 32811.2 1.000  4 1
2021 11 01 06.0 07.50 32811.2 32811.3 -1.000 -1 0
"""


# Day, days twice, Bartels' rotation and day, eight Kp, eight ap, Ap, SN, F10.7 twice, D.
GFZ_DAILY = """# comment
2021 10 31 32810 32810.5 2566 20 0.333 0.000 0.333 1.000 1.000 0.667 1.333 2.000    2    0    2 \
   4    4    3    5    7     3  50    108.0    106.0 1
2021 11 01 32811 32811.5 2566 21 4.333 1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000   32    4 \
  -1   -1   -1   -1   -1   -1    -1  50    108.0    106.0 0
"""


# GFZ's half-hourly index, in columns that look like those of Kp.
HP30 = """# comment
2021 11 01 00.0 00.25 32811.00000 32811.01042 4.333 32 1
2021 11 01 00.5 00.75 32811.02083 32811.03125 1.000  4 1
"""


@pytest.mark.parametrize("text", [KP, GFZ, GFZ_DAILY])
def test_occurrence_by_kp(tmp_path: Path, text: str) -> None:
    """The value at or before a time counts, for as long as it holds; -1 is a gap."""
    (tmp_path / "kp.txt").write_text(text)
    index = read_index(tmp_path / "kp.txt", "kp")
    later = START + pd.Timedelta(hours=7)
    data = flown(
        tmp_path / "campaign",
        outcome(1, region(1), region(1, 2, time=START + pd.Timedelta(hours=3, minutes=1))),
        outcome(5, region(5, time=later), time=later),
    )
    sheet = orbit_statistics(data, [index], resamples=0)["activity"]["kp"]
    found = counts(sheet["bins"])
    assert found["4 to 5"] == 1 and found["1 to 2"] == 1 and sum(found.values()) == 2
    assert sheet["regions_without_value"] == 1
    hours = {row["value"]: row["valid_hours"] for row in sheet["bins"]}
    assert hours["4 to 5"] == pytest.approx(27 * 30 * 2.048 / 3600)


def test_kp_of_a_storm(tmp_path: Path) -> None:
    """Lines as GFZ has them of 13 and 14 March 1989: eight Kp a day from 0 UT, before eight ap."""
    (tmp_path / "kp.txt").write_text(
        "#YYY MM DD  days  days_m  Bsr dB    Kp1 ...\n"
        "1989 03 13 20891 20891.5 2126  3  6.000  7.667  8.667  8.333  8.333  8.333  8.667  9.000"
        "   80  179  300  236  236  236  300  400   246 210    256.0    253.0 2\n"
        "1989 03 14 20892 20892.5 2126  4  9.000  7.667  7.667  5.667  5.000  5.333  7.667  7.333"
        "  400  179  179   67   48   56  179  154   158 235    266.7    263.8 2\n"
    )
    index = read_index(tmp_path / "kp.txt", "kp")
    assert index.values.size == 16 and index.holds == np.timedelta64(3, "h")
    at = np.array(["1989-03-13T00", "1989-03-13T23:59", "1989-03-14T00", "1989-03-14T09",
                   "1989-03-15T00"], "datetime64[ns]")  # fmt: skip
    assert index.at(at)[:4].tolist() == [6, 9, 9, 5.667] and np.isnan(index.at(at)[4])


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "holds no line"), ("when,what\n1,2\n", "the header needs time and kp"),
     ("time,kp\nsoon,3\n", "no list of kp"),
     ("2021 11 01\n", "have 3 values, those of GFZ 10 or 28"),
     ("kp,time\n3,2021-11-01\n4\n", "no list of kp"),
     ("time,kp\n2021-11-01,3\n2021-11-01,4\n", "two values of kp for 2021-11-01"),
     ("time,kp\n2021-11-01,3\n", "fewer than two"),
     (HP30, "less than the three hours of Kp")],
)  # fmt: skip
def test_bad_index(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "kp.txt").write_text(text)
    with pytest.raises(InputError, match=why):
        read_index(tmp_path / "kp.txt", "kp")


def test_fill_values_are_gaps(tmp_path: Path) -> None:
    (tmp_path / "dst.csv").write_text(
        "time,dst\n2021-11-01T00,-12\n2021-11-01T01,9999\n2021-11-01T02,-60\n2021-11-01T03,5\n"
    )
    index = read_index(tmp_path / "dst.csv", "dst")
    at = index.at(np.array(["2021-11-01T00:59", "2021-11-01T01:30", "2021-11-01T02", "NaT"],
                           "datetime64[ns]"))  # fmt: skip
    assert at.tolist()[:1] == [-12] and np.isnan(at[[1, 3]]).all() and at[2] == -60


def test_bins() -> None:
    found = binned([-1, 0, 1.9, 2, 4, 4.1, np.nan], [0, 2, 4])
    assert found.tolist() == [-1, 0, 0, 1, 1, -1, -1]
