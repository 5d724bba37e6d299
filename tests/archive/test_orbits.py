"""The reader, against files made by other code."""

from __future__ import annotations

import pickle
from datetime import timedelta
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import odm
from odm.archive.orbit.reader import read_orbit
from odm.core.errors import ArchiveError, InputError
from tests.lookalike import NAME, START, contents, stamp, write

Change = dict[str, Any]


def test_the_contract(tmp_path: Path) -> None:
    data = contents()
    ds = odm.open_orbit(write(tmp_path, data))
    assert set(ds.data_vars) == {"psd_z"}
    assert ds.psd_z.dims == ("time", "frequency")
    np.testing.assert_array_equal(ds.psd_z, data["A133_P"] ** 2)
    assert ds.psd_z.attrs["units"] == "(mV/m)^2/Hz"
    assert ds.time.dtype == "datetime64[ns]"
    assert ds.time.values[0] == np.datetime64(START)
    assert ds.time.values[1] - ds.time.values[0] == np.timedelta64(2048, "ms")
    np.testing.assert_array_equal(ds.frequency, data["FREQ"].ravel())
    for name, source in {
        "latitude": "GEO_LAT",
        "longitude": "GEO_LON",
        "file_magnetic_latitude": "MAG_LAT",
        "file_magnetic_longitude": "MAG_LON",
        "altitude": "ALTITUDE",
        "work_mode": "WORKMODE",
    }.items():
        np.testing.assert_array_equal(ds[name], data[source].ravel())
        assert ds[name].dims == ("time",)
        assert ds[name].attrs["units"]
    assert ds.attrs["key"] == NAME
    assert ds.attrs["frame"] == "as file"


def test_other_components_on_request(tmp_path: Path) -> None:
    data = contents()
    ds = odm.open_orbit(write(tmp_path, data), components="xz")
    assert set(ds.data_vars) == {"psd_x", "psd_z"}
    np.testing.assert_array_equal(ds.psd_x, data["A131_P"] ** 2)
    with pytest.raises(InputError, match="x, y and z"):
        odm.open_orbit(tmp_path / NAME, components="q")


def test_every_fill_value_becomes_nan(tmp_path: Path) -> None:
    data = contents()
    fills = [-9999, -99999, -999999, np.nan, 0.0, -1e-12, np.inf, -np.inf, 9.96921e36]
    data["A133_P"][0, : len(fills)] = fills
    ds = odm.open_orbit(write(tmp_path, data))
    bad = np.isnan(ds.psd_z.values)
    assert bad[0, : len(fills)].all()
    assert bad.sum() == len(fills)


def test_a_declared_positive_fill_value_becomes_nan(tmp_path: Path) -> None:
    data = contents()
    data["A133_P"][3, 4] = 5.0
    path = write(tmp_path, data, attributes={"A133_P": {"_FillValue": np.array([5.0])}})
    bad = np.isnan(odm.open_orbit(path).psd_z.values)
    assert bad[3, 4]
    assert bad.sum() == 1


@pytest.mark.parametrize("name", ["units", "Units", "Unit"])
@pytest.mark.parametrize("form", ["text", "bytes", "array"])
def test_units_in_every_spelling(tmp_path: Path, name: str, form: str) -> None:
    unit = "mV/m/Hz^0.5"
    value = {"text": unit, "bytes": np.bytes_(unit), "array": np.array([unit.encode()])}[form]
    path = write(tmp_path, contents(), attributes={"A133_P": {name: value}})
    assert odm.open_orbit(path).psd_z.attrs["file_units"] == unit


def spectrum(change: Any) -> Change:
    data = contents()
    return {"A133_P": change(data["A133_P"])}


VARIATIONS: dict[str, tuple[Change, dict[str, Any]]] = {
    "big-endian": (spectrum(lambda p: p.astype(">f8")), {}),
    "float32": (spectrum(lambda p: p.astype("<f4")), {}),
    "big-endian float32": (spectrum(lambda p: p.astype(">f4")), {}),
    "chunked": ({}, {"chunks": (1, 1024)}),
    "compressed": ({}, {"chunks": (16, 1024), "compression": "gzip", "shuffle": True}),
    "vectors without second axis": (
        {k: v.ravel() for k, v in contents().items() if v.shape[1] == 1},
        {},
    ),
    "vectors as rows": ({k: v.T for k, v in contents().items() if v.shape[1] == 1}, {}),
    "times as text": (
        {"UTC_TIME": np.array([[str(v[0]).encode()] for v in contents()["UTC_TIME"]])},
        {},
    ),
    "waveforms there": ({"A133_W": np.zeros((50, 2048))}, {}),
}


@pytest.mark.parametrize("variation", VARIATIONS)
def test_every_storage_form_reads_the_same(tmp_path: Path, variation: str) -> None:
    change, options = VARIATIONS[variation]
    plain = contents()
    orbit = read_orbit(write(tmp_path, plain | change, **options))
    rtol = 2e-7 if "float32" in variation else 0
    np.testing.assert_allclose(orbit.psd(), plain["A133_P"] ** 2, rtol=rtol)
    assert orbit.amplitude["z"].dtype.isnative
    assert orbit.times[0] == np.datetime64(START)
    assert orbit.latitude.dtype == np.float64


@pytest.mark.parametrize("digits", [14, 12, 8])
def test_short_stamps_are_completed_with_zeros(tmp_path: Path, digits: int) -> None:
    data = contents(rows=3)
    whole = [START.replace(microsecond=0) + timedelta(days=day) for day in range(3)]
    data["UTC_TIME"] = np.array([[int(str(stamp(moment))[:digits])] for moment in whole])
    del data["VERSE_TIME"]
    times = odm.open_orbit(write(tmp_path, data)).time.values
    unit = {14: "s", 12: "m", 8: "D"}[digits]
    expected = [np.datetime64(moment).astype(f"datetime64[{unit}]") for moment in whole]
    np.testing.assert_array_equal(times, np.array(expected).astype("datetime64[ns]"))


def test_missing_rows_are_not_invented(tmp_path: Path) -> None:
    data = {name: np.delete(v, slice(10, 20), axis=0) for name, v in contents().items()}
    data["FREQ"] = contents()["FREQ"]
    ds = odm.open_orbit(write(tmp_path, data))
    assert ds.sizes["time"] == 50
    steps = np.diff(ds.time.values) / np.timedelta64(1, "ms")
    assert steps[9] == 11 * 2048
    assert (np.delete(steps, 9) == 2048).all()


@pytest.mark.parametrize("name", ["WORKMODE", "ALTITUDE", "MAG_LAT", "VERSE_TIME", "A131_P"])
def test_what_may_be_missing(tmp_path: Path, name: str) -> None:
    data = contents()
    del data[name]
    ds = odm.open_orbit(write(tmp_path, data))
    assert ds.sizes == {"time": 60, "frequency": 1024}
    if name == "WORKMODE":
        assert (ds.work_mode == 0).all()
    if name == "ALTITUDE":
        assert np.isnan(ds.altitude).all()


def test_verse_time_stands_in_for_utc(tmp_path: Path) -> None:
    data = contents()
    del data["UTC_TIME"]
    assert odm.open_orbit(write(tmp_path, data)).time.values[0] == np.datetime64(START)


def test_verse_time_fills_a_stamp_that_is_none(tmp_path: Path) -> None:
    data = contents()
    data["UTC_TIME"][7] = -9999
    data["VERSE_TIME"] = data["VERSE_TIME"] + 400  # its own clock is off
    times = odm.open_orbit(write(tmp_path, data)).time.values
    assert times[7] == np.datetime64(START) + np.timedelta64(7 * 2048, "ms")


def test_a_clock_that_stands_still_is_not_averaged_in(tmp_path: Path) -> None:
    data = contents()
    data["UTC_TIME"][3:] = data["UTC_TIME"][3]
    times = odm.open_orbit(write(tmp_path, data)).time.values
    assert times[0] == np.datetime64(START)
    assert times[59] == np.datetime64(START) + np.timedelta64(59 * 2048, "ms")


def test_a_row_is_counted_in_the_file_when_stamps_are_missing(tmp_path: Path) -> None:
    data = contents()
    data["UTC_TIME"][5] = -9999
    data["UTC_TIME"][[20, 21]] = data["UTC_TIME"][[21, 20]]
    with pytest.raises(ArchiveError, match="time goes backwards at row 21 of UTC_TIME"):
        odm.open_orbit(write(tmp_path, data))


def test_verse_time_in_disorder_does_not_matter_where_utc_is_good(tmp_path: Path) -> None:
    data = contents()
    data["VERSE_TIME"] = data["VERSE_TIME"][::-1]
    assert odm.open_orbit(write(tmp_path, data)).time.values[0] == np.datetime64(START)


def test_positions_with_fill_values_and_other_longitudes(tmp_path: Path) -> None:
    data = contents()
    data["GEO_LAT"][5] = -9999
    data["GEO_LON"][:] = 190.0
    ds = odm.open_orbit(write(tmp_path, data))
    assert np.isnan(ds.latitude.values[5])
    assert np.isnan(ds.latitude.values).sum() == 1
    assert (ds.longitude == -170).all()


def test_magnetic_longitude_and_altitude_that_cannot_be(tmp_path: Path) -> None:
    data = contents()
    data["MAG_LON"][:] = 190.0
    data["ALTITUDE"][3] = 0.0
    ds = odm.open_orbit(write(tmp_path, data))
    assert (ds.file_magnetic_longitude == -170).all()
    assert np.isnan(ds.altitude.values).tolist() == [row == 3 for row in range(60)]


def test_frequency_in_khz_becomes_hz(tmp_path: Path) -> None:
    data = contents()
    data["FREQ"] = data["FREQ"] / 1000
    path = write(tmp_path, data, attributes={"FREQ": {"units": "kHz"}})
    np.testing.assert_allclose(odm.open_orbit(path).frequency[-1], 1023 * 50_000 / 2048)


def test_a_file_under_another_name_still_opens(tmp_path: Path) -> None:
    ds = odm.open_orbit(write(tmp_path, contents(), name="copy of a file.h5"))
    assert ds.attrs["key"] == ""
    assert ds.attrs["orbit_number"] == 17538
    assert ds.attrs["direction"] == "ascending"
    data = contents()
    data["GEO_LAT"] = -data["GEO_LAT"]
    ds = odm.open_orbit(write(tmp_path, data, name="another.h5"))
    assert ds.attrs["direction"] == "descending"


def without(*names: str) -> Change:
    return dict.fromkeys(names)


def swapped_times() -> Change:
    utc = contents()["UTC_TIME"].copy()
    utc[[20, 21]] = utc[[21, 20]]
    return {"UTC_TIME": utc}


def stamp_with_75_seconds() -> Change:
    utc = contents()["UTC_TIME"].copy()
    utc[0] = 20210401012175000
    return {"UTC_TIME": utc, "VERSE_TIME": None}


def repeated_times() -> Change:
    utc = contents()["UTC_TIME"].copy()
    utc[21] = utc[20]
    return {"UTC_TIME": utc, "VERSE_TIME": None}


BAD: dict[str, tuple[Change, str]] = {
    "missing spectrum": (without("A133_P"), "missing dataset A133_P"),
    "missing frequency": (without("FREQ"), "missing dataset FREQ"),
    "missing time": (without("UTC_TIME", "VERSE_TIME"), "missing dataset UTC_TIME"),
    "missing latitude": (without("GEO_LAT"), "missing dataset GEO_LAT"),
    "one-dimensional": ({"A133_P": np.ones(1024)}, r"wrong shape: A133_P is \(1024,\)"),
    "no rows": ({"A133_P": np.ones((0, 1024))}, "wrong shape"),
    "other rows": ({"GEO_LAT": np.zeros((59, 1))}, "GEO_LAT has 59 values, A133_P has 60 rows"),
    "other frequencies": (
        {"FREQ": np.arange(1000.0)},
        "FREQ has 1000 values, A133_P has 1024 columns",
    ),
    "a frequency of fill": (
        {"FREQ": np.concatenate([[-9999], np.arange(1, 1024.0)])},
        "FREQ does not increase",
    ),
    "an endless frequency": (
        {"FREQ": np.concatenate([np.arange(1023.0), [np.inf]])},
        "FREQ does not increase",
    ),
    "frequencies in disorder": ({"FREQ": np.ones(1024)}, "FREQ does not increase"),
    "no valid value": ({"A133_P": np.full((60, 1024), -9999.0)}, "no valid value: A133_P"),
    "no valid position": ({"GEO_LON": np.full((60, 1), -9999.0)}, "no valid value: GEO_LON"),
    "time backwards": (swapped_times(), "time goes backwards at row 21 "),
    "75 seconds": (stamp_with_75_seconds(), "UTC_TIME holds no time at row 0"),
    "time stands still": (repeated_times(), "time stands still at row 21"),
    "no time": (
        {"UTC_TIME": np.full((60, 1), -9999), "VERSE_TIME": None},
        "UTC_TIME holds no time at row 0",
    ),
    "text for numbers": ({"GEO_LAT": np.array([[b"north"]] * 60)}, "GEO_LAT holds text"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_file_says_why(tmp_path: Path, fault: str) -> None:
    change, reason = BAD[fault]
    data = {name: v for name, v in (contents() | change).items() if v is not None}
    path = write(tmp_path, data)
    with pytest.raises(ArchiveError, match=reason) as caught:
        odm.open_orbit(path)
    assert caught.value.path == str(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["A133_P", "UTC_TIME"])
def test_a_shape_beyond_all_bounds_is_not_read(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, {k: v for k, v in contents().items() if k != name})
    with h5py.File(path, "a") as file:
        file.create_dataset(name, (10**10, 1024), dtype="<f8", chunks=(1, 1024))
    with pytest.raises(ArchiveError, match=f"wrong shape: {name}"):
        odm.open_orbit(path)


def test_half_precision_and_numbers_whose_square_is_none(tmp_path: Path) -> None:
    data = contents()
    data["A133_P"][4, 4] = 1e-170
    bad = np.isnan(odm.open_orbit(write(tmp_path, data)).psd_z.values)
    assert np.argwhere(bad).tolist() == [[4, 4]]
    data["A133_P"] = np.full((60, 1024), 0.25, dtype="<f2")
    assert (odm.open_orbit(write(tmp_path, data)).psd_z == 0.0625).all()


def test_orbit_number_from_attributes_of_any_kind(tmp_path: Path) -> None:
    for value, expected in ((17538.0, 17538), (b"17538", 17538), ("none", -1)):
        path = write(tmp_path, contents(), name="copy.h5")
        with h5py.File(path, "a") as file:
            file.attrs["ORBITNUM"] = value
        assert read_orbit(path).orbit_number == expected


def test_a_group_in_place_of_a_dataset(tmp_path: Path) -> None:
    path = write(tmp_path, {k: v for k, v in contents().items() if k != "A133_P"})
    with h5py.File(path, "a") as file:
        file.create_group("A133_P")
    with pytest.raises(ArchiveError, match="A133_P is a group"):
        odm.open_orbit(path)


@pytest.mark.parametrize("share", [0.999, 0.5, 0.02])
def test_truncated_says_how_much_is_there(tmp_path: Path, share: float) -> None:
    path = write(tmp_path, contents())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ArchiveError, match=r"truncated: the file needs 1\.5 MB and ends at") as e:
        odm.open_orbit(path)
    assert f"({100 * int(share * len(whole)) / len(whole):.0f} % is there, " in e.value.reason


@pytest.mark.parametrize("size", range(0, 600, 37))
def test_a_stump_of_any_length_is_an_archive_error(tmp_path: Path, size: int) -> None:
    path = write(tmp_path, contents())
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ArchiveError):
        odm.open_orbit(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty file"), (b"<html>not found</html>" * 99, "not an HDF5 file")],
)
def test_what_is_no_hdf5(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / NAME
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match=reason):
        odm.open_orbit(path)


def test_damaged_chunks(tmp_path: Path) -> None:
    path = write(tmp_path, contents(), chunks=(60, 1024), compression="gzip")
    with h5py.File(path) as file:
        chunk = file["A133_P"].id.get_chunk_info(0)
    with path.open("r+b") as raw:
        raw.seek(chunk.byte_offset)
        raw.write(b"\xff" * 4096)
    with pytest.raises(ArchiveError, match="A133_P cannot be read"):
        odm.open_orbit(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no such file"):
        odm.open_orbit(tmp_path / NAME)
    with pytest.raises(ArchiveError, match="is a folder"):
        odm.open_orbit(tmp_path)


def test_an_archive_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(ArchiveError("a.h5", "truncated")))
    assert (error.path, error.reason, str(error)) == ("a.h5", "truncated", "a.h5: truncated")
