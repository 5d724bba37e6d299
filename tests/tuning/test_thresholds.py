"""Thresholds searched on predictions: no training, and the truth stays what it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from odm.core.errors import InputError
from odm.datasets.ionogram import (
    IonogramDataset,
    IonogramDatasetConfig,
    IonogramSplit,
)
from odm.images.ionogram import IonogramImageSettings
from odm.models.boxes import BoxSettings
from odm.models.card import read_model_card
from odm.models.folder import save_model
from odm.models.networks.detector import create_detector
from odm.models.networks.segmenters import create_model
from odm.simulate.ionogram.archive import simulate_ionograms
from odm.simulate.ionogram.recipe import IonogramSimulation
from tuning.folder import Sweep, SweepFolder
from tuning.retrain import retrain_best
from tuning.spaces import Space, make_space
from tuning.study import TuningError
from tuning.thresholds import RegionMaps, ThresholdSearch, save_thresholds, search_thresholds

PARAMETERS = {
    "probability": {"low": 0.3, "high": 0.9},
    "hysteresis": {"low": 0.3, "high": 1.0},
    "score": {"low": 0.005, "high": 0.5, "log": True},
    "nms": {"low": 0.2, "high": 0.8},
}
SPACE = make_space("thresholds", PARAMETERS)


def search(model: str, data: Path, space: Space, trials: int) -> ThresholdSearch:
    return ThresholdSearch(model, data, space, trials, engine="eager")


@pytest.fixture
def model(dataset: Path, tmp_path: Path) -> str:
    """A model whose weights are as they were drawn: it finds something, somewhere."""
    from odm.datasets.orbit import OrbitDataset

    data = OrbitDataset.load(dataset)
    net = create_model("odm_unet_small", encoder="tu-mobilenetv3_small_050")
    folder = str(tmp_path / "model")
    save_model(
        folder,
        net,
        image=data.settings.to_dict(),
        training_data=data.digest,
        thresholds={"minimum_area": 50, "temperature": 2.0},
    )
    return folder


def test_regions(dataset: Path, model: str, tmp_path: Path) -> None:
    def place_of(sweep: Sweep) -> SweepFolder:
        return SweepFolder.of(sweep, tmp_path, "x")

    place, found = search_thresholds(search(model, dataset, SPACE, 8), place_of)
    with pytest.raises(InputError, match="searched thresholds; there is nothing to train"):
        retrain_best(place, 1)
    assert set(place.read().space.domains) == {"probability", "hysteresis"}
    assert found.thresholds["minimum_area"] == 50
    assert 0.3 <= found.thresholds["threshold"] <= 0.9
    assert found.thresholds["low_threshold"] <= found.thresholds["threshold"]
    before = read_model_card(model)
    card = save_thresholds(model, found, place.name, "abc")
    assert card.digest != before.digest
    assert card.thresholds == {**found.thresholds, "temperature": 2.0}
    with pytest.raises(InputError, match="another model: give another --name"):
        search_thresholds(search(model, dataset, SPACE, 9), place_of)


def test_nothing_is_saved_that_does_not_gain(dataset: Path, model: str, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from tuning.commands import app

    before = read_model_card(model).digest
    space = tmp_path / "space.yaml"
    entry = {"task": "thresholds", "parameters": {"seed_pixels": {"choices": [10]}}}
    space.write_text(yaml.safe_dump(entry))
    command = ["thresholds", model, "--data", str(dataset), "--space", str(space), "--save"]
    done = CliRunner().invoke(
        app, [*command, "--trials", "1", "--out", str(tmp_path), "--engine", "eager"]
    )
    assert done.exit_code == 0, done.output
    assert "nothing beats the thresholds of the model folder on validation" in done.stderr
    assert read_model_card(model).digest == before
    shipped = CliRunner().invoke(app, ["thresholds", "odm_unet_small", "--save"])
    assert "belongs to the package" in str(shipped.exception)


def test_no_thresholds_that_can_be(dataset: Path, model: str, tmp_path: Path) -> None:
    space = make_space("thresholds", {"probability": {"choices": [0.0]}})
    with pytest.raises(TuningError, match=r"none of 2 trials came to its end: thresholds 0\.0 and"):
        search_thresholds(
            search(model, dataset, space, 2), lambda s: SweepFolder.of(s, tmp_path, "x")
        )


def test_a_larger_area_does_not_make_nuclei_go_away(dataset: Path, model: str) -> None:
    from odm.datasets.orbit import OrbitDataset

    maps = RegionMaps(model, OrbitDataset.load(dataset), engine="eager")
    true = [masks for _, masks in maps.maps]
    assert sum(map(len, true))
    assert all(mask.any() for masks in true for mask in masks)  # as good as the truth itself
    scores = maps.score(maps.thresholds({"minimum_area": 10**6}))
    assert scores == {"f1": 0.0, "precision": 0.0, "recall": 0.0}


def test_boxes(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    simulate_ionograms(archive, IonogramSimulation(count=6, seed=4), workers=1)
    image = IonogramImageSettings(height=64, width=64)
    config = IonogramDatasetConfig(
        archive=str(archive),
        annotations=str(archive),
        image=image,
        split=IonogramSplit(by="whole", part="validation"),
    )
    data = tmp_path / "ionograms.yaml"
    opened = IonogramDataset.create(data, config)
    folder = str(tmp_path / "model")
    save_model(
        folder,
        create_detector("yolox_nano"),
        image=image.to_dict(),
        training_data=opened.digest,
        thresholds=BoxSettings(threshold=0.9).to_dict(),
    )
    place, found = search_thresholds(
        search(folder, data, SPACE, 6), lambda s: SweepFolder.of(s, tmp_path, None)
    )
    assert set(place.read().space.domains) == {"score", "nms"}
    assert found.own == {"f1": 0.0, "precision": 0.0, "recall": 0.0}
    assert 0.005 <= found.thresholds["threshold"] <= 0.5
    shutil.rmtree(place.path)
    with pytest.raises(InputError, match="the space holds none of nms, score"):
        search_thresholds(
            search(folder, data, SPACE.only({"probability"}), 6),
            lambda s: SweepFolder.of(s, tmp_path, "y"),
        )
