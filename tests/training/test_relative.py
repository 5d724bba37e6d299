"""Training and scoring on relative images, from the command to the sheet."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from odm.cli import app
from odm.core.errors import InputError
from odm.datasets.orbit import OrbitDataset, load_orbit_sample
from odm.images.geometry import OrbitImageSettings
from odm.models.folder import read_model_card
from odm.models.networks.segmenters import create_model
from odm.scoring.evaluation import EvaluationSettings, Running, evaluate_model
from odm.training.errors import TrainingError
from odm.training.masks import MaskTask, crop
from odm.training.plans import plan_training
from odm.training.settings import read_settings
from tests.small_dataset import make_archive

CONFIG = """
model: {architecture: unet_dense, options: {widths: [4, 8]}}
data: {batch_size: 2, validation_batch_size: 2, crop: [64, 96], augmentation: none}
schedule: {epochs: 1}
runtime: {device: cpu, loader_threads: 1}
"""


def call(*arguments: object) -> Any:
    words = [str(argument) for argument in arguments]
    return CliRunner().invoke(app, words, catch_exceptions=False)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_archive(tmp_path_factory.mktemp("relative") / "archive")


@pytest.fixture(scope="module")
def config(archive: Path) -> Path:
    path = archive.parent / "config.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def dataset(archive: Path) -> Path:
    path = archive.parent / "dataset.yaml"
    split = ("--train", 2, "--validation", 1, "--test", 0)
    out = ("--annotations", archive, "--out", path, "--mode", "relative")
    done = call("dataset", "create", archive, *out, *split)
    assert done.exit_code == 0
    assert "image relative 160 x 288, component z, 2 channels of dB" in done.stdout
    return path


def test_a_data_set_of_relative_images_is_stored_and_read_again(dataset: Path) -> None:
    opened = OrbitDataset.load(dataset)
    assert opened.settings == OrbitImageSettings.relative()
    image, mask, geometry = load_orbit_sample(opened.samples("train")[0], opened.settings)
    assert image.shape == (160, 288, 2) and mask.shape == geometry.shape == (160, 288)
    assert set(np.unique(mask)) <= {0, 1, 255} and (mask == 1).any()


def test_a_hemisphere_that_is_not_shown_is_hidden_in_both_channels(dataset: Path) -> None:
    opened = OrbitDataset.load(dataset)
    sample = replace(opened.samples("train")[0], hemisphere="north")
    image, mask, geometry = load_orbit_sample(sample, opened.settings)
    south = geometry.to_physical(np.arange(288), 0)[1] < 0
    assert not image[:, south].any() and not mask[:, south].any()
    assert image[:, ~south].any(axis=(0, 1)).all() and south[: geometry.content[1]].any()


def test_it_is_trained_and_scored(archive: Path, dataset: Path, config: Path) -> None:
    out = ("--out", archive.parent / "runs", "--json", "--local")
    done = call("train", "segmenter", "--config", config, "--data", dataset, *out)
    assert done.exit_code == 0
    folder = Path(json.loads(done.stdout)["run"]) / "model"
    card = read_model_card(folder)
    assert card.image == OrbitImageSettings.relative().to_dict()
    assert card.architecture["options"]["in_channels"] == 2
    running = Running(4, "eager", "cpu", "float32")
    settings = EvaluationSettings(part="validation", running=running, resamples=0)
    sheet = evaluate_model(folder, dataset, settings).sheet
    assert sheet.about["image"]["mode"] == "relative" and sheet.counts["nuclei"] > 0
    classical = evaluate_model("log", dataset, settings).sheet
    assert classical.about["image"]["mode"] == "native"  # its scales are native pixels
    assert classical.about["image"]["minimum"] < classical.about["image"]["maximum"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (["model.options.in_channels=1"], "images have 2 channels and the model takes 1"),
        (["data.augmentation=physical"], "one channel, and these have 2: give none"),
    ],
)
def test_what_does_not_fit_two_channels_is_said_at_once(
    dataset: Path, config: Path, changes: list[str], reason: str
) -> None:
    settings = read_settings(config, changes)
    with pytest.raises((InputError, TrainingError), match=reason):
        plan_training("segmenter", settings, dataset, dataset.parent / "runs")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--mode", "relative", "--limits", "-9", "-6"], "relative images have no limits"),
        (["--mode", "relative", "--size", "256"], "give a --size with resized"),
        (["--mode", "resized"], "give a --size with resized"),
        (["--mode", "square"], "give native, resized or relative"),
    ],
)
def test_image_options_that_contradict_each_other(
    archive: Path, tmp_path: Path, options: list[str], reason: str
) -> None:
    words = ["dataset", "create", archive, "--annotations", archive, "--out", tmp_path / "d.yaml"]
    with pytest.raises(InputError, match=reason):
        call(*words, *options)


def test_a_batch_has_its_channels_first_and_knows_what_is_valid() -> None:
    task = MaskTask(create_model("unet_dense", widths=(4, 8)), read_settings())
    rng = np.random.default_rng(0)
    image = rng.integers(1, 256, (160, 288, 2)).astype(np.uint8)
    image[:, 200:] = 0
    image[3, 4, 1] = 0
    mask = np.zeros((160, 288), np.uint8)
    mask[50, 60] = 1
    batch = task.collate([(image, mask)] * 2)
    assert batch.images.shape == (2, 2, 160, 288)
    assert torch.equal(batch.images[0, 1], torch.from_numpy(image[..., 1].copy()))
    assert not batch.valid[0, 3, 4] and batch.valid[0, 3, 5] and not batch.valid[0, :, 200:].any()
    assert task.inputs(batch).shape == (2, 2, 160, 288)
    part, drawn = crop(image, mask, (32, 64), 1.0, rng)
    assert part.shape == (32, 64, 2) and drawn.sum() == 1
