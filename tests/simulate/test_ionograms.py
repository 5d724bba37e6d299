"""Simulated ionograms: layout, bytes, and whether the truth is true of the data."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import odm
from odm.archive.ionogram.listing import list_ionograms
from odm.core.errors import InputError
from odm.images.layer_truth import read_layers, read_mask
from odm.simulate.ionogram.archive import simulate_ionograms
from odm.simulate.ionogram.backscatter import deposit, layer_echoes
from odm.simulate.ionogram.ionogram import FIRST, STEP, simulate_ionogram
from odm.simulate.ionogram.recipe import IonogramRecipe, IonogramSimulation
from odm.simulate.ionogram.scene import ABSENT_DB, draw_scene

COUNT = 12


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("simulated") / "archive"
    summary = simulate_ionograms(out, IonogramSimulation(count=COUNT, seed=7))
    assert summary.ionograms == COUNT
    return out


@pytest.fixture(scope="module")
def truth(archive: Path) -> list[dict[str, object]]:
    return pq.read_table(archive / "truth.parquet").to_pylist()


def test_layout_and_names(archive: Path, truth: list[dict[str, object]]) -> None:
    manifest = json.loads((archive / "simulation.json").read_text())
    listing = list_ionograms(archive)
    assert [entry.key.name for entry in listing.entries] == manifest["keys"]
    for index, entry in enumerate(listing.entries):
        assert entry.key.time == FIRST + index * STEP
        ds = odm.open_ionogram(entry.path)
        assert ds.attrs["range_convention"] == "backscatter"
        assert ds.attrs["link"] == "SIM7"
        assert ds.attrs["time"][:19] == entry.key.time.isoformat()
        assert (float(ds.frequency[0]), float(ds.frequency[-1])) == (6e6, 30e6)
        np.testing.assert_allclose(np.diff(ds.frequency), 1e5)
        assert float(np.diff(ds.group_range)[0]) in (5.0, 6.0, 7.5)
        assert float(ds.group_range[-1]) == pytest.approx(5000, abs=7.5)
        assert np.isfinite(ds.snr.values).mean() > 0.7
    assert {row["ionogram_id"] for row in truth} <= {e.key.identity for e in listing.entries}
    assert {row["layer"] for row in truth} == {"Es", "F"}


def test_boxes_masks_and_edges_belong_together(archive: Path) -> None:
    for stem, layers in read_layers(archive).items():
        ds = odm.open_ionogram(archive / f"{stem}.npz")
        frequency, ranges = ds.frequency.values, ds.group_range.values
        for layer in layers:
            assert layer.mask_path is not None
            mask = read_mask(layer.mask_path)
            assert mask.shape == ds.snr.shape
            f, r = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            assert layer.frequency == (frequency[f[0]], frequency[f[-1]])
            assert layer.group_range == (ranges[r[0]], ranges[r[-1]])
            assert not np.isnan(layer.edge_group_range).any()
            seen = layer.edge_snr >= 6
            if not seen.any():
                continue
            # Where an edge can be seen the mask begins there, within the pulse.
            gate = ranges[1] - ranges[0]
            rows = np.rint((layer.edge_frequency[seen] - 6e6) / 1e5).astype(int)
            first = np.array([ranges[mask[row]].min() if mask[row].any() else 0 for row in rows])
            late = first - layer.edge_group_range[seen]
            assert np.median(np.abs(late)) < 60 + gate
            assert (late < 120).mean() > 0.9


def test_layers_stand_out_and_the_noise_is_at_0_db(archive: Path) -> None:
    inside, outside = [], []
    known = read_layers(archive)
    for entry in list_ionograms(archive).entries:
        snr = odm.open_ionogram(entry.path).snr.values
        union = np.zeros(snr.shape, dtype=bool)
        for layer in known.get(entry.key.stem, []):
            assert layer.mask_path is not None
            mask = read_mask(layer.mask_path)
            union |= mask
            inside.append(np.nanmedian(snr[mask]))
        outside.append(np.nanmedian(snr[~union]))
    assert np.min(inside) > 2
    assert np.median(inside) > 5
    assert np.abs(outside).max() < 2


def test_the_same_bytes_whatever_the_workers_and_the_number(archive: Path, tmp_path: Path) -> None:
    simulate_ionograms(tmp_path / "few", IonogramSimulation(count=3, seed=7), workers=2)
    whole = digests(archive)
    for name, digest in digests(tmp_path / "few").items():
        if name.endswith((".npz", ".png")):
            assert whole[name] == digest
    simulate_ionograms(tmp_path / "other", IonogramSimulation(count=1, seed=8))
    assert not set(digests(tmp_path / "other").values()) & set(whole.values())


def test_a_folder_of_something_else_is_refused(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="other settings"):
        simulate_ionograms(archive, IonogramSimulation(count=COUNT, seed=8))
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="holds no simulation"):
        simulate_ionograms(tmp_path, IonogramSimulation(count=1))
    for wrong in (
        {"count": 0}, {"count": 1, "kind": "d"}, {"count": 1, "difficulty": 2},
        {"count": 1, "ray_model": "guess"}, {"count": 1, "seed": -1},
    ):  # fmt: skip
        with pytest.raises(InputError):
            simulate_ionograms(tmp_path / "new", IonogramSimulation(**wrong))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("ray_model", ["quasi-parabolic", "layered"])
@pytest.mark.parametrize("kind", ["f", "es", "none"])
def test_kinds_show_what_they_say(kind: str, ray_model: str) -> None:
    recipe = IonogramRecipe(seed=3, kind=kind, difficulty=0.3, ray_model=ray_model)
    found = [{layer.layer for layer in simulate_ionogram(recipe, i).layers} for i in range(3)]
    expected = {"f": {"F"}, "es": {"Es"}, "none": set()}[kind]
    assert all(classes == expected for classes in found)


def test_truth_is_the_ray_tracer_s_own_minimum() -> None:
    """Without waves, tilts and a second mode the edge is the closed form's."""
    from odm.physics.raytrace import QuasiParabola, elevations, minimum_group_path, trace

    scene = draw_scene(IonogramRecipe(seed=1, kind="f", ray_model="quasi-parabolic"), 0)
    calm = replace(
        scene.f, gradient=0.0, tilt_km=0.0, wave=0.0, wave_height_km=0.0, critical_mhz=8.0,
        peak_km=300.0, thickness_km=100.0,
    )  # fmt: skip
    conditions = replace(scene.conditions, x_db=ABSENT_DB, side_db=ABSENT_DB)
    scene = replace(scene, f=calm, conditions=conditions)
    (echo,) = layer_echoes(scene, np.random.default_rng(0))
    fine = trace(np.array([[10.0], [22.0]]), elevations(4000)[None], QuasiParabola(8, 300, 100))
    expected = minimum_group_path(fine.group_path)
    np.testing.assert_allclose(echo.edge[[40, 160]], expected, atol=1)
    np.testing.assert_allclose(expected, [919, 2532], atol=1)
    assert np.isnan(echo.edge[225:]).all()  # nothing above 28.5 MHz
    # Time focusing: the echo begins at the edge and is strongest near it.
    gate = scene.sounder.gate_km
    for column in (40, 160):
        power = echo.power[column]
        first = np.flatnonzero(power > 0)[0] * gate
        assert first == pytest.approx(echo.edge[column], abs=gate)
        assert np.argmax(power) * gate - echo.edge[column] < 60


def test_sporadic_e_hides_the_f_layer_behind_it() -> None:
    scene = draw_scene(IonogramRecipe(seed=2, kind="mixed", ray_model="quasi-parabolic"), 0)
    patch = replace(
        scene.es, critical_mhz=9.0, blanketing=0.95, near_km=0.0, far_km=3000.0, level_db=25.0
    )
    absent = replace(scene.es, level_db=ABSENT_DB)
    scene = replace(scene, remote_es=absent)

    def f_power(es: object) -> tuple[np.ndarray, np.ndarray]:
        echoes = layer_echoes(replace(scene, es=es), np.random.default_rng(0))  # type: ignore[arg-type]
        (f,) = (echo for echo in echoes if echo.layer == "F")
        return f.power.sum(axis=1), f.edge

    open_sky, open_edge = f_power(absent)
    hidden, hidden_edge = f_power(patch)
    # At 8 MHz every ray that the F layer returns is below the blanketing frequency.
    assert open_sky[20] > 0
    assert np.isfinite(open_edge[20])
    assert np.isnan(hidden_edge[20])
    assert hidden[20] < 1e-6 * open_sky[20]


def test_a_series_moves_slowly() -> None:
    recipe = IonogramRecipe(seed=5, kind="mixed", difficulty=0.3, series=True)
    scenes = [draw_scene(recipe, index) for index in range(20)]
    critical = np.array([scene.f.critical_mhz for scene in scenes])
    assert np.abs(np.diff(critical)).max() < 1.0
    assert np.ptp(critical) > 0.05
    assert len({scene.sounder for scene in scenes}) == 1
    assert len({scene.ray_model for scene in scenes}) == 1
    one, two = (simulate_ionogram(recipe, i) for i in (3, 4))
    f_one, f_two = (next(a for a in x.layers if a.layer == "F") for x in (one, two))
    apart = np.abs(f_one.edge - f_two.edge)
    assert np.nanmedian(apart) < 60
    assert one.time + STEP == two.time


def test_ray_tubes_keep_their_power() -> None:
    path = np.array([[100.0, 130.0, 110.0, np.nan, 4990.0, 5020.0]])
    here, beyond = deposit(path, np.ones((1, 6)), np.arange(6.0), 10.0, 501, 5000.0)
    assert here.sum() + beyond.sum() == pytest.approx(3.0)
    assert beyond[0, :3].sum() == pytest.approx(5 / 6)  # 4995 to 5020 km, seen from -5 to 20
    assert here[0, 10:14].sum() == pytest.approx(2.0)
    assert here[0, 11:13].min() > here[0, 10]


def test_a_gap_does_not_cut_a_layer() -> None:
    """Where an edge can be seen, its frequency lies inside the layer's box."""
    recipe = IonogramRecipe(seed=61, kind="mixed", series=True)
    for index in (1, 2, 3):
        for layer in simulate_ionogram(recipe, index).layers:
            columns = np.flatnonzero(layer.mask.any(axis=1))
            seen = np.flatnonzero(layer.edge_snr >= 6)
            assert columns[0] <= seen[0]
            assert seen[-1] <= columns[-1]
