"""The catalog of regions as a file."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow.parquet as pq
import pytest

from odm.archive.orbit.reader import read_orbit
from odm.catalog.orbit.regions import REGION_SCHEMA, read_regions, write_regions
from odm.findings.measure import measure_regions
from tests.lookalike import START, contents, write

DESIGN = (
    "region_id orbit_number direction hemisphere time_start time_end time_peak frequency_min "
    "frequency_max frequency_peak latitude longitude altitude dip_angle aacgm_latitude mlt "
    "file_magnetic_latitude local_time month_season local_season psd_peak psd_mean psd_peak_x "
    "psd_peak_y area_pixels bandwidth duration confidence flags source model geometry outline"
)


def rows(tmp_path: Path) -> list[dict[str, object]]:
    data = contents()
    data["A133_P"][12, 300] = 0.1  # the peak
    data["A131_P"][13, 301] = 0.02
    data["A133_P"][14, 300] = -9999
    orbit = read_orbit(write(tmp_path, data), "xyz")
    mask = np.zeros((1024, 60), dtype=bool)
    mask[1023 - 310 : 1023 - 290 + 1, 10:16] = True  # frequencies 290-310, rows 10-15
    psd = {component: orbit.psd(component) for component in "xyz"}
    return measure_regions(orbit, psd, [mask], source="a/b.h5", model="truth")


def test_a_region_is_measured_on_the_native_data(tmp_path: Path) -> None:
    (row,) = rows(tmp_path)
    step = 50_000 / 2048
    start = np.datetime64(START)
    assert row["region_id"] == "CSES_01_EFD_3_175381_01"
    assert np.datetime64(row["time_start"].tz_localize(None)) == start + np.timedelta64(20480, "ms")
    assert np.datetime64(row["time_peak"].tz_localize(None)) == start + np.timedelta64(24576, "ms")
    assert row["duration"] == pytest.approx(5 * 2.048)
    assert row["frequency_min"] == 290 * step
    assert row["frequency_max"] == 310 * step
    assert row["frequency_peak"] == 300 * step
    assert row["bandwidth"] == pytest.approx(20 * step)
    assert row["area_pixels"] == 21 * 6
    assert row["psd_peak"] == pytest.approx(0.01)
    assert row["psd_peak_x"] == pytest.approx(0.0004)
    assert row["psd_mean"] == pytest.approx(0.01 / 125, rel=1e-3)
    assert row["latitude"] == pytest.approx(-65 + 12 * 130 / 59, abs=1e-4)
    assert row["hemisphere"] == "south"
    assert row["month_season"] == "spring"
    assert row["local_season"] == "autumn"
    assert row["dip_angle"] < -40
    assert row["flags"] == []
    times = [point["time"] for point in row["outline"]]
    assert (min(times), max(times)) == (row["time_start"], row["time_end"])


def test_flags(tmp_path: Path) -> None:
    data = contents()
    data["WORKMODE"][50:] = 2
    data["A133_P"][30:34, 200:220] = -9999
    data["A133_P"][54, 488] = 1.0  # 11.914 kHz
    data["UTC_TIME"][20:] += 11_000  # whole seconds: 11 s later, no carry beyond the minute
    data = {
        k: np.delete(v, slice(20, 25), axis=0) if v.shape[0] == 60 else v for k, v in data.items()
    }
    del data["VERSE_TIME"]
    data["UTC_TIME"][20:] -= 11_000
    orbit = read_orbit(write(tmp_path, data))

    def flags(first: int, last: int, low: int, high: int) -> list[str]:
        mask = np.zeros((55, 1024), dtype=bool)
        mask[first : last + 1, low : high + 1] = True
        return measure_regions(orbit, {"z": orbit.psd()}, [np.rot90(mask)], source="", model="")[0][
            "flags"
        ]

    assert flags(2, 10, 300, 400) == []
    assert flags(2, 19, 300, 400) == ["gap"]  # its last row borders on the gap
    assert flags(0, 5, 300, 400) == ["pass_end"]
    assert flags(2, 5, 1000, 1023) == ["band_edge"]
    assert flags(2, 5, 0, 20) == ["band_edge"]
    assert flags(46, 50, 480, 500) == ["known_line", "burst"]
    assert flags(25, 29, 195, 225) == ["low_valid_share"]


def test_the_columns_of_the_design_in_its_order() -> None:
    assert REGION_SCHEMA.names == DESIGN.split()
    assert all(field.metadata[b"description"] for field in REGION_SCHEMA)


def test_geopandas_opens_it_and_units_are_there(tmp_path: Path) -> None:
    written = rows(tmp_path)
    path = tmp_path / "regions.parquet"
    write_regions(path, written, about={"statement": "simulated"})
    table = gpd.read_parquet(path)
    assert table.crs.to_epsg() is None or table.crs.to_epsg() == 4326
    assert table.geometry.x[0] == pytest.approx(written[0]["longitude"])
    assert table.geometry.y[0] == pytest.approx(written[0]["latitude"])
    schema = pq.read_schema(path)
    assert schema.field("bandwidth").metadata[b"units"] == b"Hz"
    assert schema.metadata[b"statement"] == b"simulated"
    assert read_regions(path).region_id.tolist() == ["CSES_01_EFD_3_175381_01"]


def test_an_empty_catalog_is_still_a_catalog(tmp_path: Path) -> None:
    write_regions(tmp_path / "none.parquet", [])
    assert len(read_regions(tmp_path / "none.parquet")) == 0
