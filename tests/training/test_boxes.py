"""Boxes as the second task: epochs, validation, going on, several ranks."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from odm.models.networks.detector import create_detector
from odm.training.boxes import BoxTask, from_targets, to_targets
from odm.training.checkpoints import Checkpoints
from odm.training.events import read_events
from odm.training.feed import ThreadFeed
from odm.training.ranks import Ranks
from tests.training.tiny import on_ranks
from tests.training.tiny_boxes import Layers, box_loop, box_settings, train_here

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def task() -> BoxTask:
    return BoxTask(create_detector("yolox_nano"), box_settings(), Layers())


def test_targets_and_back() -> None:
    boxes = np.array([[1, 10, 20, 40, 30], [0, 0, 0, 5, 7]], np.float32)
    targets = to_targets(boxes)
    assert targets.tolist() == [[1, 25, 25, 30, 10], [0, 2.5, 3.5, 5, 7]]
    padded = np.vstack([targets, np.zeros((2, 5), np.float32)])
    assert np.array_equal(from_targets(padded), boxes)


def test_a_batch_pads_boxes_and_images(task: BoxTask) -> None:
    small = (np.full((32, 64), 9, np.uint8), np.array([[1, 2, 3, 20, 30]], np.float32))
    large = (np.full((64, 64), 7, np.uint8), np.zeros((0, 5), np.float32))
    batch = task.collate([small, large])
    assert batch.images.shape == (2, 1, 64, 64) and batch.targets.shape == (2, 1, 5)
    assert batch.images[0, 0, 31, 0] == 9 and batch.images[0, 0, 32, 0] == 0
    assert batch.targets[1].abs().sum() == 0


def test_the_last_epochs_are_plain_and_measure_distances() -> None:
    settings = box_settings("schedule.epochs=10", "data.plain_epochs=3", "loss.l1_epochs=2")
    task = BoxTask(create_detector("yolox_nano"), settings, Layers())
    sample = task.source.load(0)  # type: ignore[union-attr]
    seen = []
    for epoch in range(10):
        task.begin_epoch(epoch)
        varied = any(
            not np.array_equal(task.prepare(sample, seed)[0], sample[0]) for seed in range(8)
        )
        seen.append((varied, bool(task.model.head.use_l1)))
    assert seen == [(True, False)] * 7 + [(False, False), (False, True), (False, True)]
    task.begin_epoch(0)
    assert task.prepare(sample, None) is sample  # validation never varies


def test_what_is_drawn_does_not_depend_on_threads_or_the_order_of_the_source() -> None:
    class Turned:
        """The same samples in another order."""

        inner = Layers()
        keys, positive = inner.keys[::-1], inner.positive[::-1]

        def load(self, index: int) -> Any:
            return self.inner.load(len(self.keys) - 1 - index)

    def images(source: Any, threads: int) -> list[Tensor]:
        task = BoxTask(create_detector("yolox_nano"), box_settings(), source)
        feed = ThreadFeed(source, task.prepare, task.collate, 4, threads=threads)
        return [parts[0].images for parts in feed.steps(0, 0, Ranks())]

    first, again, turned = images(Layers(), 0), images(Layers(), 3), images(Turned(), 2)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(first, turned, strict=True))


def test_a_validation_does_not_depend_on_the_batches(task: BoxTask) -> None:
    source = Layers(5, seed=3)
    samples = [source.load(index) for index in range(5)]
    results = []
    task.model.eval()
    for size in (1, 5):
        meter = task.meter(torch.device("cpu"))
        for first in range(0, 5, size):
            meter.update(task.model, task.collate(samples[first : first + size]))
        results.append(meter.compute(Ranks()))
    assert results[0] == pytest.approx(results[1], rel=1e-3, nan_ok=True)
    assert {"loss", "box", "ap", "ap50_Es", "ap25_F"} <= set(results[0])


def test_killed_and_gone_on_with_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train_here(whole)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.training.tiny_boxes", str(killed), "5"]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    found = Checkpoints(killed).load_last()
    assert found is not None and found[0].step == 4
    train_here(killed)
    for name in ("last.safetensors", "best.safetensors"):
        assert (whole / name).read_bytes() == (killed / name).read_bytes()
    steps = [e["step"] for e in read_events(killed / "metrics.jsonl") if e["kind"] == "steps"]
    assert steps == list(range(1, 9))


def ranks_work(ranks: Ranks, folder: Path) -> dict[str, Any]:
    return {"loss": loss_and_gradients(ranks), "phases": phases(ranks, folder)}


def loss_and_gradients(ranks: Ranks) -> dict[str, Any]:
    """Normalisation at rest, which would be per rank; the ranks have unequally many boxes."""
    torch.manual_seed(2)
    task = BoxTask(create_detector("yolox_nano"), box_settings(), Layers())
    model = task.model.eval()
    net = ranks.wrap(model)
    source = Layers(8)
    order = [0, 1, 3, 4]  # 3 has no box
    begin, number = ranks.rank * 4 // ranks.world_size, 4 // ranks.world_size
    batch = task.collate([source.load(i) for i in order[begin : begin + number]])
    values = task.loss(net, batch, ranks)
    values["loss"].backward()
    mean = ranks.sum(values["loss"].detach()) / ranks.world_size
    picked = ("backbone.backbone.stem.conv.conv.weight", "head.reg_preds.1.weight")
    gradients = {n: p.grad for n, p in model.named_parameters() if n in picked}
    return {"loss": float(mean), "gradients": gradients}


def phases(ranks: Ranks, folder: Path) -> list[dict[str, Tensor]]:
    """Weights at the begin and after each epoch: backbone and neck rest in the first."""
    settings = box_settings("schedule.phases=[{epochs: 1, freeze: [backbone]}, {}]",
                            "schedule.epochs=2", "runtime.checkpoint_steps=null")  # fmt: skip
    seen = []

    def listener(report: Any) -> None:
        if report.kind in ("begin", "epoch"):
            model = loop.stepper.model
            seen.append({name: value.clone() for name, value in model.state_dict().items()})

    loop = box_loop(folder / "phases", settings, ranks=ranks, listener=listener)
    loop.run()
    return seen


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two ranks gives."""
    folder = tmp_path_factory.mktemp("two")
    return on_ranks(2, ranks_work, folder / "ranks", folder)


def test_the_loss_is_that_of_one_rank(two: list[dict[str, Any]]) -> None:
    alone = loss_and_gradients(Ranks())
    for rank in two:
        assert rank["loss"]["loss"] == pytest.approx(alone["loss"], rel=1e-4)
        for name, gradient in alone["gradients"].items():
            error = (rank["loss"]["gradients"][name] - gradient).abs().max()
            assert error <= 1e-3 * gradient.abs().max(), name


def test_frozen_then_free_the_ranks_stay_equal(two: list[dict[str, Any]]) -> None:
    first, second = (rank["phases"] for rank in two)
    for name in ("backbone.C3_p4.conv1.conv.weight", "backbone.backbone.stem.conv.bn.running_mean"):
        begin, frozen, free = (weights[name] for weights in first)
        assert torch.equal(begin, frozen), name
        assert not torch.equal(frozen, free), name
    head = "head.stems.0.conv.weight"
    assert not torch.equal(first[0][head], first[1][head])
    for mine, theirs in zip(first, second, strict=True):
        for name, value in mine.items():
            assert torch.equal(value, theirs[name]), name


@pytest.mark.slow
def test_it_learns_a_handful_of_images(tmp_path: Path) -> None:
    source = Layers(6, size=96)
    settings = box_settings(
        "data.mosaic=0",
        "data.mixup=0",
        "data.flip=0",
        "data.colour=0",
        "data.zoom=0",
        "data.plain_epochs=0",
        "data.batch_size=6",
        "optimiser.name=adamw",
        "optimiser.learning_rate=2e-3",
        "optimiser.betas=[0.9, 0.999]",
        "schedule.epochs=600",
        "schedule.validation_epochs=600",
        "loss.l1_epochs=100",
        "compute.ema=null",
        "runtime.checkpoint_steps=null",
    )
    result = box_loop(tmp_path, settings, source=source, validation=source).run()
    assert result.best["ap50"] > 0.9
