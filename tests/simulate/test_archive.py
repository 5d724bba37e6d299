"""Whole simulated archives: layout, bytes, truth, refusals."""

import hashlib
import json

import cv2
import h5py
import numpy as np
import pytest

from odm.archive.orbit.key import OrbitKey
from odm.archive.orbit.reader import read_orbit
from odm.catalog.orbit.regions import REGION_SCHEMA
from odm.core.errors import InputError
from odm.simulate.orbit.archive import simulate_orbits
from odm.simulate.orbit.recipe import FAMILIES, OrbitSimulation, choose_families


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Six half-orbits with nuclei, two modes."""
    out = tmp_path_factory.mktemp("simulated") / "archive"
    summary = simulate_orbits(
        out,
        OrbitSimulation(
            half_orbits=6, start="2021-11-01", prevalence=1.0, seed=7, burst=0.5, burst_rows=(2, 3)
        ),
    )
    return out, summary


@pytest.fixture(scope="module")
def truth(archive):
    import pyarrow.parquet as pq

    return pq.read_table(archive[0] / "truth.parquet")


def test_names_follow_each_other_from_the_start(archive):
    out, summary = archive
    manifest = json.loads((out / "simulation.json").read_text())
    keys = [OrbitKey.parse(name) for name in manifest["keys"]]
    assert sorted(path.name for path in out.glob("*.h5")) == sorted(manifest["keys"])
    assert summary.half_orbits == 6 == len(keys)
    assert keys[0].start.isoformat() >= "2021-11-01"
    halves = [2 * key.orbit_number + key.direction.digit for key in keys]
    assert halves == list(range(halves[0], halves[0] + 6))
    steps = np.diff([key.start.timestamp() for key in keys])
    assert np.all(np.abs(steps - 2842) < 180)


def test_the_layout_is_that_of_cses(archive):
    """With h5py alone."""
    out, _ = archive
    waveforms = 0
    for path in out.glob("*.h5"):
        with h5py.File(path) as file:
            rows = file["A133_P"].shape[0]
            assert 880 <= rows <= 1077
            expected = {
                **{f"A13{n}_P": ((rows, 1024), "<f8", "mV/m/Hz^0.5") for n in (1, 2, 3)},
                "FREQ": ((1024, 1), "<f8", "Hz"),
                "UTC_TIME": ((rows, 1), "<i8", "YYYYMMDDhhmmssmmm"),
                "VERSE_TIME": ((rows, 1), "<i8", "ms"),
                **dict.fromkeys(("GEO_LAT", "GEO_LON"), ((rows, 1), "<f4", "degree")),
                **dict.fromkeys(("MAG_LAT", "MAG_LON"), ((rows, 1), "<f4", "degree")),
                "ALTITUDE": ((rows, 1), "<f4", "km"),
                "WORKMODE": ((rows, 1), "<i4", None),
            }
            burst = int((file["WORKMODE"][:] == 2).sum())
            if burst:
                waveforms += 1
                shape = (25 * burst, 2048)
                expected |= {f"A13{n}_W": (shape, "<f8", "mV/m") for n in (1, 2, 3)}
            assert set(file) == set(expected)
            for name, (shape, kind, units) in expected.items():
                data = file[name]
                assert (data.shape, data.dtype.str) == (shape, kind), name
                assert data.chunks is None
                assert data.compression is None
                assert units is None or data.attrs["units"][0] == units.encode()
            key = OrbitKey.parse(path.name)
            assert file.attrs["ORBITNUM"][0] == key.orbit_number
            assert file.attrs["ORBITTYPE"][0] == key.direction.digit
            first = str(file["UTC_TIME"][0, 0])
            assert len(first) == 17
            assert file["FREQ"][1, 0] == pytest.approx(24.4140625)
            z = file["A133_P"][:]
            assert -9.5 < np.log10(np.median(z[z > 0]) ** 2) < -6
    assert 0 < waveforms < 6


def test_our_reader_takes_them_and_both_clocks_agree(archive):
    out, _ = archive
    for path in out.glob("*.h5"):
        orbit = read_orbit(path, "xyz")
        with h5py.File(path) as file:
            verse = np.datetime64("2009-01-01", "ms") + file["VERSE_TIME"][:, 0]
        np.testing.assert_array_equal(orbit.times, verse.astype("datetime64[ns]"))
        steps = np.diff(orbit.times) / np.timedelta64(1, "ms")
        assert steps.min() == 2048
        assert np.all(steps % 2048 == 0)
        late = (orbit.times[0] - np.datetime64(orbit.key.start)) / np.timedelta64(1, "s")
        assert 0 <= late <= 97
        assert np.isfinite(orbit.psd("z")).mean() > 0.98


def test_truth_is_the_catalog_with_more_columns(archive, truth):
    _out, summary = archive
    assert truth.schema.names[: len(REGION_SCHEMA)] == REGION_SCHEMA.names
    assert truth.num_rows == summary.nuclei >= summary.with_nuclei == 6
    assert set(truth["model"].to_pylist()) == {"truth"}


def test_masks_match_the_measured_regions(archive, truth):
    out, _ = archive
    for stem in {source[:-3] for source in truth["source"].to_pylist()}:
        rows = [row for row in truth.to_pylist() if row["source"] == f"{stem}.h5"]
        mask = cv2.imread(str(out / "masks" / f"{stem}.png"), cv2.IMREAD_UNCHANGED)
        orbit = read_orbit(out / f"{stem}.h5")
        assert mask.shape == orbit.shape[::-1]
        assert set(np.unique(mask)) == {0, 255}
        _count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        assert sorted(stats[1:, cv2.CC_STAT_AREA]) == sorted(row["area_pixels"] for row in rows)
        for row in rows:
            assert row["mask"] == f"masks/{stem}.png"
            assert 500 <= row["area_pixels"] <= 8000
            peak = np.datetime64(row["time_peak"].tz_localize(None), "ns")
            column = int(np.flatnonzero(orbit.times == peak)[0])
            line = 1023 - int(np.argmin(np.abs(orbit.frequency - row["frequency_peak"])))
            assert labels[line, column] > 0
            assert row["psd_peak"] == orbit.psd("z")[column, 1023 - line]
            assert row["frequency_min"] <= row["centre_frequency"] <= row["frequency_max"]
            assert 40 <= abs(row["centre_latitude"]) <= 70
            assert 2 <= row["contrast_db"] <= 18


def test_same_seed_same_bytes_with_other_workers_and_neighbours(archive, tmp_path):
    """Two workers, and a shorter archive, give the very same files."""
    out, _ = archive
    settings = {"seed": 7, "prevalence": 1.0, "burst": 0.5, "burst_rows": (2, 3)}
    simulate_orbits(tmp_path / "b", OrbitSimulation(half_orbits=6, **settings), workers=2)
    assert digests(tmp_path / "b") == digests(out)
    simulate_orbits(tmp_path / "c", OrbitSimulation(half_orbits=1, every=5, **settings))
    short = digests(tmp_path / "c")
    name = next(name for name in short if name.endswith(".h5"))
    assert short[name] == digests(out)[name]
    simulate_orbits(tmp_path / "d", OrbitSimulation(half_orbits=1, **settings | {"seed": 8}))
    assert not set(digests(tmp_path / "d").values()) & set(short.values())


def test_prevalence_and_almost_nuclei_without_nuclei(tmp_path):
    summary = simulate_orbits(
        tmp_path / "none",
        OrbitSimulation(half_orbits=4, every=61, prevalence=0.0, seed=3, components="z"),
    )
    assert summary.nuclei == summary.with_nuclei == 0
    assert not (tmp_path / "none" / "masks").exists()
    with h5py.File(next((tmp_path / "none").glob("*.h5"))) as file:
        assert "A133_P" in file
        assert "A131_P" not in file


def test_again_into_the_same_folder_is_allowed_only_with_the_same_settings(tmp_path):
    out = tmp_path / "archive"
    simulate_orbits(out, OrbitSimulation(half_orbits=1, seed=1, components="z"))
    before = digests(out)
    next(out.glob("*.h5")).unlink()
    simulate_orbits(out, OrbitSimulation(half_orbits=1, seed=1, components="z"))
    assert digests(out) == before
    with pytest.raises(InputError, match="other settings"):
        simulate_orbits(out, OrbitSimulation(half_orbits=1, seed=2, components="z"))
    assert digests(out) == before


def test_a_simulation_that_stopped_can_be_run_again(tmp_path):
    """Until all is there, no manifest says so."""

    def stop(number=1, note=""):
        raise KeyboardInterrupt

    out = tmp_path / "archive"
    settings = {"half_orbits": 2, "seed": 1, "components": "z"}
    with pytest.raises(KeyboardInterrupt):
        simulate_orbits(out, OrbitSimulation(**settings), advance=stop)
    assert not (out / "simulation.json").exists()
    with pytest.raises(InputError, match="other settings"):
        simulate_orbits(out, OrbitSimulation(**settings, prevalence=0.1))
    simulate_orbits(out, OrbitSimulation(**settings))
    simulate_orbits(tmp_path / "undisturbed", OrbitSimulation(**settings))
    assert digests(out) == digests(tmp_path / "undisturbed")


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="not empty"):
        simulate_orbits(tmp_path, OrbitSimulation(half_orbits=1))
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        ({"half_orbits": 0}, "half_orbits"),
        ({"start": "yesterday"}, "no date"),
        ({"start": "2016-01-01"}, "before the first orbit"),
        ({"start": "2036-01-01", "half_orbits": 20000}, "past orbit"),
        ({"prevalence": 1.5}, "prevalence"),
        ({"difficulty": -0.1}, "difficulty"),
        ({"burst": float("nan")}, "burst"),
        ({"burst_rows": (9, 3)}, "burst_rows"),
        ({"seed": -1}, "seed"),
        ({"every": 0}, "every"),
        ({"components": "w"}, "components"),
        ({"families": {"colour": ["red"]}}, "colour"),
        ({"families": {"shape": ["square"]}}, "square"),
        ({"families": {"shape": []}}, "no shape is left"),
    ],
)
def test_bad_settings_are_one_sentence_and_leave_nothing(tmp_path, setting, word):
    out = tmp_path / "archive"
    with pytest.raises(InputError, match=word) as caught:
        simulate_orbits(out, OrbitSimulation(**{"half_orbits": 1} | setting))
    assert "\n" not in str(caught.value)
    assert not out.exists()


def test_no_workers_are_refused(tmp_path):
    with pytest.raises(InputError, match="workers"):
        simulate_orbits(tmp_path / "archive", OrbitSimulation(half_orbits=1), workers=0)
    assert not (tmp_path / "archive").exists()


def test_held_out_families_are_taken_from_those_that_occur():
    chosen = choose_families({"shape": ["ring", "lobed"]}, held_out={"shape": ["ring"]})
    assert chosen == FAMILIES | {"shape": ("lobed",)}
    with pytest.raises(InputError, match="square"):
        choose_families({}, held_out={"shape": ["square"]})
    with pytest.raises(InputError, match="no shape is left"):
        choose_families({"shape": ["ring"]}, held_out={"shape": ["ring"]})


def test_progress_counts_up(tmp_path):
    seen = []
    simulate_orbits(
        tmp_path / "a",
        OrbitSimulation(half_orbits=2, components="z"),
        advance=lambda number=1, note="": seen.append(number),
    )
    assert seen == [1, 1]
