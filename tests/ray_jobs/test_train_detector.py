"""Detectors on Ray Train: two workers, one of them killed while backbone and neck rest."""

from __future__ import annotations

import os
import signal
import tomllib
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from odm.datasets.ionogram import (
    IonogramDataset,
    IonogramDatasetConfig,
    IonogramSplit,
)
from odm.images.ionogram import IonogramImageSettings
from odm.models.folder import load_model
from odm.training import plans
from odm.training.events import listeners, read_events
from odm.training.launch import Launch
from odm.training.loop import ProgressReport, TrainingResult
from odm.training.ranks import Ranks
from odm.training.settings import DetectorSettings, read_settings
from ray_jobs.cluster.room import Cluster
from ray_jobs.training.train import train_on_ray
from tests.training import tiny_boxes

TWO = Launch(workers=2, cpus=1, max_failures=1)
KILLED_STEP = 2
SETTINGS = (
    "data.batch_size=4",
    "data.validation_batch_size=2",
    "data.mosaic=0.5",
    "schedule.epochs=3",
    "schedule.warmup_epochs=0",
    "schedule.validation_epochs=3",
    "schedule.phases=[{epochs: 2, freeze: [backbone]}, {}]",
    "compute.ema=0.9",
    "compute.channels_last=false",  # DDP warns of strides of depthwise gradients
    "runtime.device=cpu",
    "runtime.loader_threads=0",
    "runtime.log_steps=1",
    "runtime.checkpoint_steps=1",
    "runtime.tensorboard=false",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight ionograms for training and four for validation."""
    top = tmp_path_factory.mktemp("boxes")
    (top / "archive").mkdir()
    tiny_boxes.write_archive(top / "archive", 12)
    config = IonogramDatasetConfig(
        archive=str(top / "archive"),
        annotations=str(top / "archive" / "labels.json"),
        image=IonogramImageSettings(height=64, width=64),
        split=IonogramSplit(
            by="time",
            validation_from=datetime(2022, 8, 15, 2),
            test_from=datetime(2022, 8, 16),
            purge_hours=0,
        ),
    )
    IonogramDataset.create(top / "dataset.yaml", config)
    return top / "dataset.yaml"


def make_plan(data: Path, out: Path) -> plans.TrainingPlan:
    return plans.plan_training(
        "detector", read_settings(None, SETTINGS, DetectorSettings), data, out
    )


def watched(
    plan: plans.TrainingPlan, ranks: Ranks, listener: Any, **sources: Any
) -> TrainingResult:
    """Every rank keeps its weights at the end of each epoch; the second ends by SIGKILL once."""

    class Watched(plans.Loop):
        """Tells what it holds."""

        def __init__(self, *arguments: Any, **more: Any) -> None:
            super().__init__(*arguments, **more)
            loops.append(self)

    loops: list[plans.Loop] = []

    def hear(report: ProgressReport) -> None:
        folder = plan.run.folder
        if report.kind == "epoch":
            weights = loops[0].stepper.model.state_dict()
            name = f"rank{ranks.rank}-epoch{report.epoch}.safetensors"
            save_file({n: v.clone().contiguous() for n, v in weights.items()}, folder / name)
        if report.kind == "steps" and report.step == KILLED_STEP and ranks.rank == 1:
            try:
                (folder / "disturbed").touch(exist_ok=False)
            except FileExistsError:
                return
            os.kill(os.getpid(), signal.SIGKILL)

    before = plans.Loop
    plans.Loop = Watched
    try:
        return plans.train_planned(plan, ranks, listeners(listener, hear), **sources)
    finally:
        plans.Loop = before


@pytest.mark.slow  # the same launch as in test_train.py, where a worker is killed too
def test_it_resumes_after_a_kill_and_the_ranks_stay_equal(
    cluster: Cluster, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = make_plan(data, tmp_path / "undisturbed")
    result, card = train_on_ray(plan, TWO)
    assert (result.epoch, result.reason) == (3, "epochs")
    assert load_model(plan.run.model).card.digest == card.digest
    assert card.architecture["kind"] == "detector"

    again = make_plan(data, tmp_path / "killed")
    train_on_ray(again, TWO, work=watched)
    assert (again.run.folder / "disturbed").exists()
    assert f"going on from step {KILLED_STEP - 1}" in capsys.readouterr().err
    assert_same(plan, again)

    weights = {
        (rank, epoch): load_file(again.run.folder / f"rank{rank}-epoch{epoch}.safetensors")
        for rank in (0, 1)
        for epoch in (1, 2, 3)
    }
    for epoch in (1, 2, 3):
        assert equal(weights[0, epoch], weights[1, epoch])
    neck, head = "backbone.C3_p4.conv1.conv.weight", "head.stems.0.conv.weight"
    one, two, three = (weights[0, epoch] for epoch in (1, 2, 3))
    assert torch.equal(one[neck], two[neck]) and not torch.equal(two[neck], three[neck])
    assert not torch.equal(one[head], two[head])


def equal(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def assert_same(plan: plans.TrainingPlan, other: plans.TrainingPlan) -> None:
    """The same bits at the end, and every step told once."""
    mine, theirs = (p.run.checkpoints.load_last() for p in (plan, other))
    assert mine is not None and theirs is not None
    assert mine[0] == theirs[0] and equal(mine[1], theirs[1])
    steps = [
        [(e["step"], e["loss"]) for e in read_events(p.run.metrics) if e["kind"] == "steps"]
        for p in (plan, other)
    ]
    assert len(steps[0]) == 6 and steps[0] == steps[1]


def test_the_command_finds_the_runner() -> None:
    """What is installed comes from this file, and may be older."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    points = tomllib.loads(text)["project"]["entry-points"]["odm.runners"]
    point = EntryPoint("train detector", points["train detector"], "odm.runners")
    assert point.load() is train_on_ray
