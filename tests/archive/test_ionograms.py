"""Readers of ionograms, against files made by other code, and one real file."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import odm
from odm.archive.ionogram.key import IonogramKey
from odm.archive.ionogram.listing import list_ionograms
from odm.archive.ionogram.matrix import write_matrix
from odm.archive.ionogram.reader import is_ionogram
from odm.core import files
from odm.core.errors import ArchiveError, InputError, TransientError
from tests.ionogram_files import (
    CHIRP,
    T0,
    VIPIR,
    contents,
    write_chirpsounder,
    write_h5,
    write_npy,
    write_npz,
    write_vipir,
)
from tests.lookalike import contents as orbit_contents
from tests.lookalike import write as write_orbit
from tests.real import real_file
from tests.soak.test_damage import damage


def check_contract(ds: Any) -> None:
    """What every format owes."""
    assert set(ds.data_vars) == {"snr"}
    assert ds.snr.dims == ("frequency", "group_range")
    assert ds.snr.dtype == np.float32
    assert ds.snr.attrs["units"] == "dB"
    assert (ds.frequency.attrs["units"], ds.group_range.attrs["units"]) == ("Hz", "km")
    assert (np.diff(ds.frequency) > 0).all()
    assert (np.diff(ds.group_range) > 0).all()
    assert ds.attrs["range_convention"] in ("backscatter", "vertical", "oblique")
    assert ds.attrs["source"]


WRITERS = {
    "npz": lambda path, data, **more: write_npz(path / "a.npz", data, **more),
    "h5": lambda path, data, **more: write_h5(path / "a.h5", data, **more),
    "npy": lambda path, data, **more: write_npy(path / "a.npy", data, **more),
}


@pytest.mark.parametrize("form", WRITERS)
def test_a_matrix_in_every_form(tmp_path: Path, form: str) -> None:
    data = contents()
    facts = {"time": "2022-08-15T03:15:00", "link": "WHU", "range_convention": "backscatter"}
    ds = odm.open_ionogram(WRITERS[form](tmp_path, data, **facts))
    check_contract(ds)
    for name, values in data.items():
        np.testing.assert_array_equal(ds[name], values)
    assert ds.attrs["time"] == "2022-08-15T03:15:00.000"
    assert ds.attrs["link"] == "WHU"


def test_axes_that_fall_are_turned_with_the_data(tmp_path: Path) -> None:
    data = contents()
    turned = {
        "snr": data["snr"][::-1, ::-1].astype(">f8"),
        "frequency": data["frequency"][::-1],
        "group_range": data["group_range"][::-1].reshape(-1, 1),
    }
    ds = odm.open_ionogram(write_npz(tmp_path / "a.npz", turned))
    for name, values in data.items():
        np.testing.assert_array_equal(ds[name], values)


def test_what_is_not_said_comes_from_the_name(tmp_path: Path) -> None:
    ds = odm.open_ionogram(write_npz(tmp_path / "WHU_20220815_031500.npz", contents()))
    assert (ds.attrs["link"], ds.attrs["time"]) == ("WHU", "2022-08-15T03:15:00.000")
    assert ds.attrs["range_convention"] == "backscatter"
    ds = odm.open_ionogram(write_npz(tmp_path / "b.npz", contents(), time=1660533300.0))
    assert ds.attrs["time"] == "2022-08-15T03:15:00.000"


def test_what_is_written_is_read_and_is_always_the_same(tmp_path: Path) -> None:
    data = contents()
    for name in ("a.npz", "b.npz"):
        write_matrix(
            tmp_path / name, *data.values(), time="2022-08-15", range_convention="vertical"
        )
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    ds = odm.open_ionogram(tmp_path / "a.npz")
    np.testing.assert_array_equal(ds.snr, data["snr"])
    assert ds.attrs["range_convention"] == "vertical"


@pytest.mark.parametrize("applied", [True, False])
def test_chirpsounder(tmp_path: Path, applied: bool) -> None:
    data = write_chirpsounder(tmp_path / CHIRP, applied)
    ds = odm.open_ionogram(tmp_path / CHIRP)
    check_contract(ds)
    linear = 10 ** (ds.snr.values / 10) - 1
    np.testing.assert_array_equal(np.isnan(linear), np.isnan(data["SNR"]))
    np.testing.assert_allclose(linear, np.maximum(data["SNR"], -0.999), rtol=1e-4, atol=1e-3)
    # A quarter of a second is a long way for light.
    added = 0.0 if applied else 299_792.458 * (T0 % 1)
    np.testing.assert_allclose(ds.group_range, data["ranges"] / 1e3 + added)
    assert ds.attrs["range_convention"] == "oblique"
    assert ds.attrs["link"] == "cyprus-sodankyla-cha"
    assert ds.attrs["time"] == "2020-09-30T16:54:03.250"
    assert ds.attrs["chirp_rate_hz_per_s"] == 100e3


def test_vipir(tmp_path: Path) -> None:
    data = write_vipir(tmp_path / VIPIR)
    ds = odm.open_ionogram(tmp_path / VIPIR)
    check_contract(ds)
    np.testing.assert_allclose(
        ds.snr, data["total_power"] - data["total_noise"][:, None], atol=1e-5
    )
    np.testing.assert_allclose(ds.frequency, data["Frequency"].astype("f8") * 1e3)
    assert ds.attrs["range_convention"] == "vertical"
    assert ds.attrs["time"] == "2020-10-02T05:58:04.000"


def test_a_real_vertical_ionogram() -> None:
    ds = odm.open_ionogram(real_file(VIPIR))
    check_contract(ds)
    assert ds.snr.shape == (452, 512)
    assert float(ds.frequency[0]) == 1_601_000
    assert float(ds.frequency[-1]) == pytest.approx(15.17e6, rel=1e-3)
    assert float(ds.group_range[-1]) == pytest.approx(767.5, abs=0.1)
    assert ds.attrs["key"] == "JM91J_20201002_055804"
    # The F trace, where the eye sees it: 3 MHz, between 220 and 245 km.
    at_3_mhz = ds.snr.sel(frequency=3e6, method="nearest").sel(group_range=slice(100, 400))
    assert 215 < float(at_3_mhz.group_range[int(np.argmax(at_3_mhz.values))]) < 245
    assert float(at_3_mhz.max()) > 30


def change(**changes: Any) -> dict[str, np.ndarray]:
    data = contents() | {name: value for name, value in changes.items() if value is not None}
    return {name: value for name, value in data.items() if changes.get(name, 0) is not None}


BAD: dict[str, tuple[dict[str, np.ndarray], dict[str, object], str]] = {
    "no snr": (change(snr=None), {}, "missing .* snr"),
    "no axis": (change(group_range=None), {}, "missing .* group_range|gives no group_range"),
    "turned over": (change(snr=np.zeros((60, 40))), {}, "turned over"),
    "other size": (change(frequency=6e6 + 1e5 * np.arange(41)), {}, "wrong shape: snr is"),
    "three axes": (change(snr=np.zeros((40, 60, 2))), {}, "wrong shape"),
    "one frequency": (
        change(snr=np.zeros((1, 60)), frequency=np.array([6e6])), {}, "1 frequencies by 60"
    ),
    "all NaN": (change(snr=np.full((40, 60), np.nan)), {}, "no valid value"),
    "all fill": (change(snr=np.full((40, 60), -9999.0)), {}, "no valid value"),
    "MHz": (change(frequency=6 + 0.1 * np.arange(40)), {}, "is it in MHz"),
    "metres": (change(group_range=3e4 + 7.5e3 * np.arange(60)), {}, "is it in m"),
    "not rising": (change(frequency=np.full(40, 6e6)), {}, "frequency does not rise"),
    "NaN in an axis": (change(group_range=np.full(60, np.nan)), {}, "group_range does not rise"),
    "convention": (change(), {"range_convention": "slant"}, "range_convention 'slant'"),
    "time": (change(), {"time": "yesterday"}, "no date"),
    "a day's digits": (change(), {"time": "20220815"}, "may be a date or seconds"),
}  # fmt: skip


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("fault", BAD)
def test_a_bad_matrix_says_why(tmp_path: Path, fault: str, form: str) -> None:
    data, more, reason = BAD[fault]
    if form == "npy" and "snr" not in data:
        pytest.skip("there is no file then")
    path = WRITERS[form](tmp_path, data, **more)
    with pytest.raises(ArchiveError, match=reason) as caught:
        odm.open_ionogram(path)
    assert caught.value.path == str(path)
    assert "\n" not in str(caught.value)


class Trap:
    """Unpickling this would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    trap = np.array([Trap(tmp_path / "sprung")], dtype=object)
    np.savez(tmp_path / "a.npz", **(contents() | {"snr": trap}))
    np.savez(tmp_path / "b.npz", **contents(), link=trap)
    np.save(tmp_path / "c.npy", trap)
    (tmp_path / "d.npz").write_bytes(pickle.dumps(contents()))
    for name, reason in (("a.npz", "pickle"), ("b.npz", "pickle"), ("c.npy", "pickle")):
        with pytest.raises(ArchiveError, match=reason):
            odm.open_ionogram(tmp_path / name)
    with pytest.raises(ArchiveError, match="unknown format"):
        odm.open_ionogram(tmp_path / "d.npz")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_truncated_files(tmp_path: Path, share: float) -> None:
    paths = [writer(tmp_path, contents()) for writer in WRITERS.values()]
    write_chirpsounder(tmp_path / CHIRP)
    write_vipir(tmp_path / VIPIR)
    for path in [*paths, tmp_path / CHIRP, tmp_path / VIPIR]:
        whole = path.read_bytes()
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(ArchiveError) as caught:
            odm.open_ionogram(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty file"), (b"hello, world", "unknown format"), (b"CDF\x01", "NetCDF")],
)
def test_what_is_no_ionogram(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match=reason):
        odm.open_ionogram(path)
    with pytest.raises(ArchiveError, match="no such file"):
        odm.open_ionogram(tmp_path / "b.npz")


def test_npy_without_its_sidecar(tmp_path: Path) -> None:
    path = write_npy(tmp_path / "a.npy", contents())
    path.with_suffix(".json").write_text("{")
    with pytest.raises(ArchiveError, match=r"a\.json cannot be understood"):
        odm.open_ionogram(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(ArchiveError, match="has no axes"):
        odm.open_ionogram(path)
    axes = {"frequency": {"start": 6e6, "step": 1e5}, "group_range": {"start": 30, "step": 7.5}}
    ds = odm.open_ionogram(write_npy(path, {"snr": contents()["snr"]}, **axes))
    np.testing.assert_array_equal(ds.group_range, contents()["group_range"])


def test_a_store_that_does_not_answer_is_no_bad_file(monkeypatch: pytest.MonkeyPatch) -> None:
    class Store:
        def open_input_file(self, inside: str) -> Any:
            raise OSError("When reading: AWS Error SLOW_DOWN during GetObject operation")

    monkeypatch.setattr(files, "resolve", lambda path: (Store(), "inside"))
    with pytest.raises(TransientError):
        odm.open_ionogram("s3://bucket/WHU_20220815_031500.npz")


@pytest.mark.parametrize(
    ("path", "link", "time"),
    [
        (CHIRP, "cyprus-sodankyla-cha-001", "2020-09-30T16:54:03.250000"),
        (f"2020/{VIPIR}", "JM91J", "2020-10-02T05:58:04"),
        ("WHU-XT_20220815_031500.npz", "WHU-XT", "2022-08-15T03:15:00"),
        ("whu-20220815T031500.h5", "whu", "2022-08-15T03:15:00"),
        ("a/b/any.npz", "", None),
        ("WHU_20221315_031500.npz", "", None),
    ],
)
def test_keys(path: str, link: str, time: str | None) -> None:
    key = IonogramKey.parse(path)
    assert key.link == link
    assert (key.time.isoformat() if key.time else None) == time
    assert key.identity == (path if time is None else key.identity)
    assert (time is None) == ("/" in key.identity or key.identity == path)
    with pytest.raises(InputError, match="relative"):
        IonogramKey.parse(f"/{path}")


def test_listing(tmp_path: Path) -> None:
    for name in ("WHU_20220815_033000.npz", "b/WHU_20220815_031500.npz", "other.npz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_npz(tmp_path / name, contents())
    write_npz(tmp_path / "b/WHU_20220815_033000.npz", contents())
    write_npy(tmp_path / "c.npy", contents())
    listing = list_ionograms(tmp_path)
    assert [entry.key.identity for entry in listing.entries] == [
        "c.npy", "other.npz", "WHU_20220815_031500", "WHU_20220815_033000"
    ]  # fmt: skip
    assert [entry.key.path for entry in listing.entries][2] == "b/WHU_20220815_031500.npz"
    assert len(listing.superseded) == 1
    assert listing.other_files == (str(tmp_path / "c.json"),)
    with pytest.raises(InputError, match="no such folder"):
        list_ionograms(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no ionogram"):
        list_ionograms(tmp_path / "empty")


def test_a_sidecar_counts_in_what_a_listing_says_of_its_ionogram(tmp_path: Path) -> None:
    path = write_npy(tmp_path / "c.npy", contents())
    axes = path.with_suffix(".json")
    os.utime(path, ns=(10**18, 10**18))
    os.utime(axes, ns=(2 * 10**18, 2 * 10**18))
    (before,) = list_ionograms(tmp_path).entries
    assert before.size == path.stat().st_size + axes.stat().st_size
    assert before.modified_ns == 2 * 10**18
    axes.write_text(axes.read_text() + "\n")
    (after,) = list_ionograms(tmp_path).entries
    assert after.size == before.size + 1
    axes.unlink()
    (alone,) = list_ionograms(tmp_path).entries
    assert (alone.size, alone.modified_ns) == (path.stat().st_size, 10**18)


def test_half_orbits_and_ionograms_are_told_apart(tmp_path: Path) -> None:
    assert not is_ionogram(write_orbit(tmp_path, orbit_contents(rows=4)))
    assert not is_ionogram(write_orbit(tmp_path, orbit_contents(rows=4), name="unnamed.h5"))
    assert is_ionogram(write_h5(tmp_path / "a.h5", contents()))
    write_chirpsounder(tmp_path / CHIRP)
    assert is_ionogram(tmp_path / CHIRP)
    assert is_ionogram("anything.ngi")


def test_random_damage_is_an_archive_error_or_nothing(tmp_path: Path) -> None:
    paths = [write_npy(tmp_path / "a.npy", contents()), tmp_path / "a.npz", tmp_path / VIPIR]
    write_matrix(paths[1], *contents().values())
    write_vipir(paths[2])
    bad = 0
    for path in paths:
        whole = path.read_bytes()
        for seed in range(40):
            path.write_bytes(damage(whole, seed))
            try:
                odm.open_ionogram(path)
            except ArchiveError as error:
                bad += 1
                assert "\n" not in str(error)
    assert bad > 60
