"""The loop: exact resume, best and early stop, NaN, phases, parts, and that it learns."""

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _NormBase

from odm.core.errors import InputError
from odm.models.networks.segmenters import create_model
from odm.training.checkpoints import Checkpoints
from odm.training.errors import TrainingError
from odm.training.events import EventLog, read_events
from odm.training.loop import Answer, Listener, Loop, ProgressReport
from odm.training.masks import MaskBatch
from odm.training.ranks import Ranks
from tests.training.tiny import Blobs, TinyNet, make_loop, tiny_settings, train, train_here

ROOT = Path(__file__).parents[2]


def run_program(folder: Path, *arguments: str) -> int:
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "tests.training.tiny", str(folder), *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def tensors_of(folder: Path, name: str = "last") -> dict[str, Tensor]:
    checkpoints = Checkpoints(folder)
    found = checkpoints.load_last() if name == "last" else checkpoints.load_best()
    assert found is not None
    return found[1]


def assert_equal(mine: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert mine.keys() == theirs.keys()
    for name, value in mine.items():
        assert torch.equal(value, theirs[name]), name


def without_rates(folder: Path) -> list[dict[str, Any]]:
    records = read_events(folder / "metrics.jsonl")
    return [{k: v for k, v in record.items() if k != "samples_per_s"} for record in records]


def test_killed_in_the_middle_ends_with_the_same_bits(tmp_path: Path) -> None:
    # 3 steps an epoch, 9 in all; checkpoints after steps 2, 3, 5, 6, 8 and 9. The first is killed
    # before step 4 is kept, in the second epoch; the second before the third is validated.
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train_here(whole)
    for step in ("4", "9"):
        assert run_program(killed, step) == -signal.SIGKILL
    found = Checkpoints(killed).load_last()
    assert found is not None and (found[0].step, found[0].epoch, found[0].done) == (8, 2, 2)
    train_here(killed)
    for name in ("last", "best"):
        assert_equal(tensors_of(whole, name), tensors_of(killed, name))
    assert (whole / "last.safetensors").read_bytes() == (killed / "last.safetensors").read_bytes()
    assert without_rates(whole) == without_rates(killed)
    steps = [record["step"] for record in without_rates(killed) if record["kind"] == "steps"]
    assert steps == list(range(1, 10))
    # The state is all there: dropout was on, and each thing that goes on did change.
    assert {name.split("/")[0] for name in tensors_of(whole)} == {"model", "average", "optimiser"}


def test_a_finished_training_does_nothing_more(tmp_path: Path) -> None:
    settings = tiny_settings("schedule.epochs=1")
    first = train(tmp_path, settings)
    before = (tmp_path / "last.safetensors").stat().st_mtime_ns
    kinds = []
    again = train(tmp_path, settings, listener=lambda report: kinds.append(report.kind))
    assert again == first
    assert kinds == []
    assert (tmp_path / "last.safetensors").stat().st_mtime_ns == before


def test_another_seed_gives_other_weights(tmp_path: Path) -> None:
    for seed in (0, 1):
        train(tmp_path / str(seed), tiny_settings("schedule.epochs=1", f"seed={seed}"))
    one, other = (tensors_of(tmp_path / seed) for seed in ("0", "1"))
    assert not torch.equal(one["model/head.weight"], other["model/head.weight"])


def test_checkpoints_that_do_not_fit(tmp_path: Path) -> None:
    settings = tiny_settings("schedule.epochs=1")
    train(tmp_path, settings)
    torch.manual_seed(0)
    wider = TinyNet()
    wider.head = torch.nn.Conv2d(6, 2, 5, padding=2)
    with pytest.raises(TrainingError, match=r"another architecture: 1 tensors differ, head.weight"):
        train(tmp_path, settings, model=wider)
    with pytest.raises(TrainingError, match="is a checkpoint of another run"):
        train(tmp_path, tiny_settings("schedule.epochs=2"))
    last = tmp_path / "last.safetensors"
    data = last.read_bytes()
    for damaged in (data[: len(data) // 2], b"", b"\x80\x04pickle", data[:8] + b"x" * 500):
        last.write_bytes(damaged)
        with pytest.raises(TrainingError, match=r"is damaged or no checkpoint .* remove it"):
            train(tmp_path, settings)


def test_no_number_stops_names_the_step_and_keeps_the_last_good(tmp_path: Path) -> None:
    settings = tiny_settings("runtime.log_steps=2", "runtime.checkpoint_steps=null")
    loop = make_loop(tmp_path, settings)
    honest = loop.task.loss

    def broken(net: Any, batch: Any, ranks: Any) -> dict[str, Tensor]:
        values = honest(net, batch, ranks)
        if loop.position.step == 4:  # of epoch 2, before step 5
            values["loss"] = values["loss"] * math.nan
        return values

    loop.task.loss = broken  # type: ignore[method-assign]
    with pytest.raises(TrainingError) as caught:
        loop.run()
    assert str(caught.value) == (
        "the loss is not a number at step 5 (epoch 2): training stops, the checkpoint of step 3 is "
        "kept; try a lower optimiser.learning_rate or optimiser.clip_norm"
    )
    assert caught.value.exit_code == 1
    found = Checkpoints(tmp_path).load_last()
    assert found is not None and found[0].step == 3
    assert all(bool(value.isfinite().all()) for value in found[1].values())


def test_an_endless_gradient_stops_before_a_checkpoint(tmp_path: Path) -> None:
    loop = make_loop(tmp_path, tiny_settings("optimiser.clip_norm=null"))
    honest = loop.task.loss

    def broken(net: Any, batch: Any, ranks: Any) -> dict[str, Tensor]:
        values = honest(net, batch, ranks)
        if loop.position.step == 1:
            weight = loop.task.model.head.weight  # type: ignore[union-attr]
            # 0 of gradient infinity: the loss itself stays a number.
            values["loss"] = values["loss"] + (weight - weight.detach()).abs().sum().sqrt()  # type: ignore[operator,union-attr]
        return values

    loop.task.loss = broken  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match=r"the gradient is not a number at step 2 .* of step 1"):
        loop.run()


def scripted(
    folder: Path, scores: list[float], *overrides: str
) -> tuple[Any, list[ProgressReport]]:
    """A training whose validations give these scores."""
    reports: list[ProgressReport] = []
    settings = tiny_settings(f"schedule.epochs={len(scores)}", *overrides)
    loop = make_loop(folder, settings, listener=lambda report: reports.append(report))
    loop.validate = lambda: {"mean_iou": scores[loop.position.epoch]}  # type: ignore[method-assign]
    return loop.run(), reports


def test_best_by_validation_and_early_stop(tmp_path: Path) -> None:
    scores = [0.2, 0.5, 0.5, 0.4, 0.3, 0.9]
    result, reports = scripted(tmp_path, scores, "schedule.patience=3")
    assert (result.reason, result.epoch, result.best_epoch) == ("patience", 5, 2)
    assert result.best == {"mean_iou": 0.5}
    assert [r.best for r in reports if r.kind == "epoch"] == [True, True, False, False, False]
    best = Checkpoints(tmp_path).load_best()
    assert (best[0].epoch, best[0].step) == (2, 6)
    # Started again it is still over.
    again, _ = scripted(tmp_path, scores, "schedule.patience=3")
    assert again == result
    patient, _ = scripted(tmp_path / "patient", scores)
    assert (patient.reason, patient.best_epoch) == ("epochs", 6)


def test_validation_every_so_many_epochs_and_at_the_end(tmp_path: Path) -> None:
    scores = [0.9, 0.2, 0.9, 0.3, 0.1]
    result, reports = scripted(tmp_path, scores, "schedule.validation_epochs=2")
    assert (result.epoch, result.best_epoch, result.best) == (5, 4, {"mean_iou": 0.3})
    told = [r.values.get("validation/mean_iou") for r in reports if r.kind == "epoch"]
    assert told == [None, 0.2, None, 0.3, 0.1]
    with pytest.raises(InputError, match="before the first validation"):
        tiny_settings("schedule.validation_epochs=4", "schedule.patience=3")


def test_a_score_that_is_no_number_is_never_better(tmp_path: Path) -> None:
    result, _ = scripted(tmp_path, [math.nan, 0.1, math.nan])
    assert (result.best_epoch, result.best) == (2, {"mean_iou": 0.1})


def test_the_best_checkpoint_holds_the_averaged_weights(tmp_path: Path) -> None:
    train(tmp_path, tiny_settings("schedule.epochs=1"))
    last, best = tensors_of(tmp_path), tensors_of(tmp_path, "best")
    assert torch.equal(best["model/head.weight"], last["average/head.weight"])
    assert not torch.equal(best["model/head.weight"], last["model/head.weight"])
    # Running statistics go with the weights that they are of; other buffers are the model's own.
    name = "encoder.1.running_mean"
    assert torch.equal(best[f"model/{name}"], last[f"average/{name}"])
    assert not torch.equal(best[f"model/{name}"], last[f"model/{name}"])
    assert "average/encoder.1.num_batches_tracked" not in last


def test_a_listener_can_stop_it_and_it_goes_on(tmp_path: Path) -> None:
    settings = tiny_settings("schedule.epochs=2")
    result = train(tmp_path / "a", settings, listener=lambda report: report.step == 2)
    assert (result.reason, result.step) == ("asked", 2)
    train(tmp_path / "a", settings)
    train(tmp_path / "b", settings)
    assert_equal(tensors_of(tmp_path / "a"), tensors_of(tmp_path / "b"))


def test_a_checkpoint_now_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    """Asked for once: to go on, which changes nothing, or to stop there."""
    settings = tiny_settings(
        "schedule.epochs=2", "runtime.log_steps=1", "runtime.checkpoint_steps=null"
    )
    kept: list[int] = []

    def hear(ask: Answer) -> Listener:
        def listener(report: ProgressReport) -> Answer | None:
            if report.kind == "checkpoint":
                kept.append(report.step)
            return ask if report.kind == "steps" and report.step == 1 else None

        return listener

    per_epoch = train(tmp_path / "plain", settings, listener=hear(Answer.NOTHING)).step // 2
    assert per_epoch > 1 and kept == [per_epoch, 2 * per_epoch]
    kept.clear()
    assert train(tmp_path / "kept", settings, listener=hear(Answer.KEEP)).reason == "epochs"
    assert kept == [1, per_epoch, 2 * per_epoch]
    kept.clear()
    stopped = train(tmp_path / "stopped", settings, listener=hear(Answer.STOP | Answer.KEEP))
    assert (stopped.reason, stopped.step, kept) == ("asked", 1, [1])
    train(tmp_path / "stopped", settings)
    for name in ("kept", "stopped"):
        assert_equal(tensors_of(tmp_path / name), tensors_of(tmp_path / "plain"))


def test_parts_of_a_batch_give_its_cross_entropy(tmp_path: Path) -> None:
    # Without Dice, with as many valid pixels in each part and the norm at rest: the same step.
    options = (
        "loss.dice=0", "schedule.freeze_norm=true", "data.augmentation=none", "schedule.epochs=1",
    )  # fmt: skip
    for parts in (1, 2):
        torch.manual_seed(0)
        settings = tiny_settings(*options, f"optimiser.accumulate={parts}")
        train(tmp_path / str(parts), settings, model=TinyNet(dropout=0.0))
    one, two = (tensors_of(tmp_path / parts) for parts in ("1", "2"))
    for name, value in one.items():
        assert (value - two[name]).abs().max() < 1e-5, name


def test_reports_and_lines(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "metrics.jsonl")
    reports: list[ProgressReport] = []

    def listener(report: ProgressReport) -> None:
        log(report)
        reports.append(report)

    settings = tiny_settings("schedule.epochs=1", "runtime.log_steps=2")
    train(tmp_path, settings, listener=listener)
    kinds = [(report.kind, report.step) for report in reports]
    assert kinds == [
        ("begin", 0),
        ("steps", 1), ("checkpoint", 1),
        ("steps", 2), ("checkpoint", 2),
        ("steps", 3), ("epoch", 3), ("checkpoint", 3),
    ]  # fmt: skip
    assert reports[-1].at_end and Path(reports[-1].checkpoint or "").is_file()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["steps", "steps", "steps", "epoch"]
    mean = sum(line["loss"] for line in lines[:3]) / 3
    assert lines[3]["train/loss"] == pytest.approx(mean, rel=1e-12)
    assert lines[0]["learning_rate"] == 1e-3 and lines[0]["temperature"] == 30
    assert 0 <= lines[3]["validation/mean_iou"] <= 1
    # A line cut in the middle, and one beyond where the training goes on from, are dropped.
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "steps", "step": 4, "epoch": 1}\n{"kind": "st')
    log(ProgressReport("begin", step=3, epoch=1, steps_per_epoch=3))
    assert [record["step"] for record in read_events(log.path)] == [1, 2, 3, 3]


@pytest.mark.parametrize(
    "override", ["compute.precision=bfloat16", "compute.channels_last=true", "optimiser.name=sgd"]
)
def test_ways_to_compute(tmp_path: Path, override: str) -> None:
    result = train(tmp_path, tiny_settings("schedule.epochs=2", override))
    assert math.isfinite(result.best["loss"])
    assert tensors_of(tmp_path)["model/head.weight"].dtype == torch.float32


class SameBatch:
    """A feed of one batch, again and again: the loop takes any feed."""

    batch_size = 8
    steps_per_epoch = 20

    def __init__(self, images: Blobs) -> None:
        self.images = images

    def steps(self, epoch: int, first: int, ranks: Ranks) -> Iterator[list[MaskBatch]]:
        samples = [self.images.load(index) for index in range(8)]
        images, masks = (torch.from_numpy(np.stack(part)) for part in zip(*samples, strict=True))
        for _ in range(first, self.steps_per_epoch):
            yield [MaskBatch(images[:, None], masks)]


def test_it_learns_8_images_by_heart(tmp_path: Path) -> None:
    settings = tiny_settings(
        "data.augmentation=none",
        "optimiser.learning_rate=6e-3",
        "optimiser.weight_decay=0",
        "schedule.epochs=5",
        "schedule.temperature_epochs=1",
        "runtime.checkpoint_steps=null",
        "compute.ema=null",
    )
    torch.manual_seed(0)
    model = create_model("odm_unet_small", encoder="tu-mobilenetv3_small_050")
    for module in model.modules():
        if isinstance(module, _NormBase):
            module.momentum = 0.4  # there are few steps in which statistics can settle
    images = Blobs(8, size=64)
    loop = make_loop(tmp_path, settings, model=model, source=images, validation=images)
    loop = Loop(loop.task, SameBatch(images), loop.validation, settings, Checkpoints(tmp_path, {}))
    result = loop.run()
    assert result.best["foreground_iou"] > 0.95
