"""A detector that is fitted to an archive without labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from odm.archive.orbit.listing import list_orbits
from odm.cli import app
from odm.core.errors import InputError
from odm.findings.regions import RegionSettings, read_thresholds
from odm.images.masks import IGNORED
from odm.models.card import read_model_card
from odm.models.shipped import shipped_model
from odm.simulate.orbit.archive import simulate_orbits
from odm.simulate.orbit.planting import plant_nuclei
from odm.simulate.orbit.recipe import OrbitSimulation
from odm.training.adapting import (
    AdaptSettings,
    Counted,
    choose_half_orbits,
    data_set,
    fit_thresholds,
    prepare_backgrounds,
    suspicious,
)
from odm.training.drawn.backgrounds import ARCHIVE, background_path

NUMBER = 24


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half-orbits of a year, a third of them with a nucleus."""
    folder = tmp_path_factory.mktemp("adapt") / "archive"
    recipe = OrbitSimulation(
        half_orbits=NUMBER, prevalence=0.3, seed=5, components="z", every=450, sky="textures"
    )
    simulate_orbits(folder, recipe, workers=1)
    return folder


@pytest.fixture(scope="module")
def model() -> str:
    return str(shipped_model())


def noise(rows: int = 700, looks: float = 8.0) -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.sqrt(1e-8 * rng.gamma(looks, 1 / looks, (rows, 1024)))


def test_a_planted_nucleus_has_the_power_it_is_said_to_have() -> None:
    before = noise()
    before[100:105] = 1e30  # fill values
    planted = plant_nuclei(before, [20.0, 12.0], np.random.default_rng(2))
    assert planted.contrasts_db == (20.0, 12.0)
    assert set(np.unique(planted.numbers)) == {0, 1, 2}
    assert not planted.ignored.any()
    assert np.all(planted.amplitude[100:105] == 1e30)
    for number, contrast in enumerate(planted.contrasts_db, start=1):
        inside = planted.numbers == number
        assert 500 <= inside.sum() <= 8000
        gained = 10 * np.log10(planted.amplitude[inside] ** 2 / 1e-8)
        # A core at the contrast, an outline at 30 % of it, and speckle.
        assert contrast - 3 < np.quantile(gained, 0.98) < contrast + 3
        assert np.median(gained) > 0.3 * contrast
    elsewhere = (planted.numbers == 0) & (before < 1)
    changed = 20 * np.log10(planted.amplitude[elsewhere] / before[elsewhere])
    assert changed.min() >= 0
    assert np.quantile(changed, 0.95) < 0.1


def test_nuclei_are_planted_apart_from_each_other_and_from_what_is_to_be_avoided() -> None:
    avoid = np.zeros((700, 1024), bool)
    avoid[:, 150:640] = True
    planted = plant_nuclei(noise(), [15.0] * 6, np.random.default_rng(2), avoid)
    assert planted.contrasts_db
    assert not (planted.numbers > 0)[avoid].any()


def test_what_shows_too_little_is_ignored() -> None:
    rng = np.random.default_rng(4)
    steep = noise() * np.repeat(10 ** rng.uniform(-1, 1, (700, 256)), 4, axis=1)
    weak = plant_nuclei(steep, [3.0] * 8, np.random.default_rng(5))
    assert weak.ignored.any() or not weak.contrasts_db
    assert not (weak.ignored & (weak.numbers > 0)).any()


def test_half_orbits_are_chosen_by_name_and_seed_and_whole_cycles_are_held_back(
    archive: Path,
) -> None:
    chosen = choose_half_orbits(archive, 20, seed=0)
    assert len(chosen.train) + len(chosen.held_back) == 20
    assert 6 <= len(chosen.held_back) <= 9
    cycles = [{one.key.cycle for one in part} for part in (chosen.train, chosen.held_back)]
    assert not cycles[0] & cycles[1]
    assert chosen == choose_half_orbits(archive, 20, seed=0)
    assert chosen != choose_half_orbits(archive, 20, seed=1)
    with pytest.raises(InputError, match="give 20 or more"):
        choose_half_orbits(archive, 19, seed=0)


def test_a_suspicious_area_needs_a_suspicious_peak() -> None:
    seen = np.zeros((40, 60), np.uint8)
    seen[5:10, 5:10], seen[7, 7] = 50, 100  # reaches 0.39
    seen[25:30, 40:50] = 60  # only 0.24
    mask = suspicious(seen)
    assert mask[7, 7]
    assert mask[3, 7]  # the margin
    assert not mask[25:30, 40:50].any()


def test_backgrounds_ignore_what_is_suspicious_and_hold_planted_nuclei_back(
    archive: Path, model: str, tmp_path: Path
) -> None:
    chosen = choose_half_orbits(archive, 20, seed=0)
    settings = AdaptSettings(half_orbits=20)
    backgrounds = prepare_backgrounds(chosen, model, settings, tmp_path)
    assert backgrounds.counts == {
        "train": len(chosen.train),
        "validation": len(chosen.held_back),
    }
    masks = []
    for part, count in backgrounds.counts.items():
        for number in range(count):
            with np.load(background_path(backgrounds.folder, part, number)) as arrays:
                assert arrays["image"].shape == (160, 288, 2)
                masks.append((part, arrays["mask"]))
    assert all(set(np.unique(mask)) <= {0, IGNORED} for part, mask in masks if part == "train")
    assert any((mask == IGNORED).any() for part, mask in masks if part == "train")
    assert any((mask == 1).any() for part, mask in masks if part == "validation")
    again = prepare_backgrounds(chosen, model, settings, tmp_path)
    assert again == backgrounds
    other = prepare_backgrounds(chosen, model, AdaptSettings(half_orbits=20, seed=1), tmp_path)
    assert other.digest != backgrounds.digest
    dataset = data_set(backgrounds, 0)
    (train, validation) = dataset.parts
    assert abs(train["skies"][ARCHIVE] / train["half_orbits"] - 0.7) < 0.1
    assert validation["skies"][ARCHIVE] > 0
    names = [sample.name for sample in dataset.samples("train")]
    assert len(set(names)) == len(names)
    sample = next(one for one in dataset.samples("train") if one.drawing.maker.sky == ARCHIVE)
    image, mask = sample.drawing.draw()
    stored = np.load(background_path(backgrounds.folder, "train", sample.drawing.number))
    assert np.array_equal(image, stored["image"])
    assert np.array_equal(mask, stored["mask"])


def test_an_archive_that_cannot_be_read_is_refused(model: str, tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    name = "CSES_01_EFD_3_L02_A1_{:05d}{}_2021010{}_000000_2021010{}_003500_000.h5"
    for number in range(24):
        day = 1 + number // 4
        path = folder / name.format(16000 + number, number % 2, day, day)
        path.write_bytes(b"no HDF5")
    assert len(list_orbits(folder).entries) == 24
    chosen = choose_half_orbits(folder, 24, seed=0)
    with pytest.raises(InputError, match="can be read"):
        prepare_backgrounds(chosen, model, AdaptSettings(), tmp_path / "work")


def counted(low: float, factor: float = 1.0) -> Counted:
    """100 half-orbits: region k of the untouched ones has the confidence 0.9 - k / 100, and of two
    nuclei planted in each one is found at 0.8 and one at 0.5."""
    untouched = [[0.9 - k / 100] if k < 40 else [] for k in range(100)]
    planted = [[(20.0, 0.8 * factor), (5.0, 0.5 * factor)] for _ in range(100)]
    return Counted(low, untouched, planted)


def test_the_least_confidence_allows_the_expected_nuclei_and_a_few_more() -> None:
    settings = AdaptSettings(prevalence=0.05, false_per_100=2)
    one = counted(0.2)
    # At 0.8 half of the plants are found: 0.5 * 1.13 * 5 + 2 = 4.8 regions are allowed; above
    # 0.8, where none is found, 2.
    least = one.least_confidence(settings)
    assert one.per_100(least) == 2
    assert one.recall(least) == 0
    sure = counted(0.2, 1.1)  # found at 0.88
    least = sure.least_confidence(settings)
    assert sure.per_100(least) == 4
    assert sure.recall(least) == 0.5
    generous = AdaptSettings(prevalence=0.05, false_per_100=80)
    assert one.least_confidence(generous) == 0


def test_thresholds_are_fitted_on_one_half_and_told_of_the_other() -> None:
    settings = AdaptSettings(prevalence=0.05, false_per_100=2)
    fitted = fit_thresholds([counted(0.2), counted(0.35, 1.1)], RegionSettings(), settings)
    assert fitted.regions.low_threshold == 0.35
    assert fitted.regions.averaged == "log_odds"
    assert 0.86 < fitted.regions.minimum_confidence < 0.88
    sheet = fitted.sheet
    assert (sheet["planted"], sheet["found"]) == (200, 100)
    assert sheet["untouched_half_orbits"] == 100
    by_contrast = {row["from_db"]: (row["planted"], row["found"]) for row in sheet["by_contrast"]}
    assert by_contrast == {3.0: (100, 0), 6.0: (0, 0), 10.0: (0, 0), 15.0: (100, 100)}


def test_adapt_makes_a_model_that_says_what_it_was_adapted_to(
    archive: Path, model: str, tmp_path: Path
) -> None:
    out = tmp_path / "mine"
    command = ["adapt", str(archive), "--out", str(out), "--model", model, "--local"]
    command += ["--half-orbits", "20", "schedule.epochs=1", "schedule.validation_epochs=1"]
    command += ["runtime.device=cpu", "runtime.tensorboard=false", "--json"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    card = read_model_card(out)
    adapted = card.notes["adapted_to"]
    assert adapted["archive"] == str(archive)
    assert adapted["model"] == read_model_card(model).digest
    assert card.metrics["adapted"]["planted"] > 0
    regions, _ = read_thresholds(card.thresholds)
    assert regions.averaged == "log_odds"
    told = json.loads(result.stdout[result.stdout.index("{") :])
    assert told["after"] == card.metrics["adapted"]
    again = CliRunner().invoke(app, command)  # goes on, and has nothing left to do
    assert again.exit_code == 0, again.output
    assert read_model_card(out).digest == card.digest
