"""A segmenter of layers is trained by the same loop, on the masks of simulated ionograms."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from odm.cli import app
from odm.core.errors import InputError
from odm.datasets.ionogram import (
    IonogramDataset,
    IonogramDatasetConfig,
    IonogramSplit,
    load_segmented_ionogram,
)
from odm.images.ionogram import IonogramImageSettings
from odm.models.folder import load_model, save_model
from odm.models.networks.detector import create_detector
from odm.models.pipeline import load_pipeline
from odm.simulate.ionogram.archive import simulate_ionograms
from odm.simulate.ionogram.recipe import IonogramSimulation
from odm.training.errors import TrainingError
from odm.training.plans import plan_training, train_here
from odm.training.settings import read_settings
from tests.training.tiny_boxes import write_archive

CONFIG = Path(__file__).parents[2] / "configs" / "layers_small.yaml"
TINY = (
    "data.batch_size=2",
    "schedule.epochs=1",
    "schedule.warmup_epochs=0",
    "runtime.loader_threads=0",
    "runtime.tensorboard=false",
    "runtime.device=cpu",
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layers")
    simulate_ionograms(folder / "archive", IonogramSimulation(count=4, seed=5, kind="mixed"))
    image = IonogramImageSettings(height=64, width=64)
    split = IonogramSplit(train=0.5, validation=0.5, test=0, group_hours=0, seed=3)
    config = IonogramDatasetConfig(
        archive=str(folder / "archive"),
        annotations=str(folder / "archive"),
        image=image,
        split=split,
    )
    IonogramDataset.create(folder / "dataset.yaml", config)
    return folder / "dataset.yaml"


def test_masks_on_the_canvas(dataset: Path) -> None:
    opened = IonogramDataset.load(dataset)
    for sample in opened.all_samples:
        image, mask = load_segmented_ionogram(sample, opened.settings)
        assert image.shape == mask.shape == (64, 64)
        assert mask.dtype == np.uint8
        assert set(np.unique(mask)) - {0} <= {1, 2}
        present = {sample.classes.index(name) + 1 for name in sample.labelled.layers}
        assert set(np.unique(mask)) - {0} == present
        # What belongs to a layer is brighter than what does not.
        assert image[mask > 0].mean() > image[(mask == 0) & (image > 0)].mean() + 20


def test_trained_and_joined(dataset: Path, tmp_path: Path) -> None:
    plan = plan_training("segmenter", read_settings(CONFIG, TINY), dataset, tmp_path / "runs")
    assert len(plan.training) >= 2 and len(plan.validation) >= 1
    result, card = train_here(plan)
    assert card is not None and np.isfinite(result.best["mean_iou"])
    assert card.architecture["options"]["classes"] == 3
    assert plan.facts["ionograms"]["train"] == len(plan.training)
    model = load_model(plan.run.model).model
    assert model.classes == 3
    detector = tmp_path / "detector"
    image = plan.dataset.settings.to_dict()
    nano = create_detector("yolox_nano", classes=["Es", "F"])
    save_model(detector, nano, image=image, thresholds={})
    arguments = ["pipeline", str(tmp_path / "both"), "--detector", str(detector)]
    run = CliRunner().invoke(app, [*arguments, "--segmenter", str(plan.run.model)])
    assert run.exit_code == 0, run.output
    joined = load_pipeline(tmp_path / "both")
    assert set(joined.members) == {"detector", "segmenter"}
    assert joined.members["segmenter"].card.digest == card.digest
    run = CliRunner().invoke(app, [*arguments, "--segmenter", str(detector)])
    assert isinstance(run.exception, InputError)
    assert "is a detector, not a segmenter" in str(run.exception)


def test_boxes_alone_are_not_enough(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive")
    config = IonogramDatasetConfig(
        archive=str(archive),
        annotations=str(archive / "labels.json"),
        image=IonogramImageSettings(height=64, width=64),
        split=IonogramSplit(train=0.5, validation=0.5, test=0, group_hours=0),
    )
    IonogramDataset.create(tmp_path / "dataset.yaml", config)
    with pytest.raises(TrainingError, match="layers without masks"):
        plan_training(
            "segmenter", read_settings(CONFIG, TINY), tmp_path / "dataset.yaml", tmp_path / "runs"
        )
