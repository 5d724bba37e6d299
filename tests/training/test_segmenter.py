"""`odm train segmenter --local`: from a simulated archive to a model folder."""

import json
import os
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from odm.commands.train import app
from odm.core.errors import InputError, Stopped
from odm.datasets.splits import OrbitSplit
from odm.models.folder import load_model, read_model_card
from odm.training.checkpoints import Checkpoints
from odm.training.errors import TrainingError
from odm.training.events import read_events
from odm.training.launch import Launch
from odm.training.plans import plan_training
from odm.training.run import Run
from odm.training.settings import read_settings
from tests.small_dataset import make_archive, make_dataset

CONFIG = """
model:
  architecture: odm_unet_small
  options: {encoder: tu-mobilenetv3_small_050}
data: {batch_size: 2, validation_batch_size: 1, crop: [64, 64]}
schedule: {epochs: 2}
runtime: {device: cpu, loader_threads: 1, log_steps: 1, checkpoint_steps: 1}
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_archive(tmp_path_factory.mktemp("simulated") / "archive")


@pytest.fixture(scope="module")
def dataset(archive: Path) -> Path:
    return make_dataset(archive)


@pytest.fixture(scope="module")
def config(archive: Path) -> Path:
    path = archive.parent / "config.yaml"
    path.write_text(CONFIG)
    return path


def call(*arguments: object) -> Any:
    words = [str(argument) for argument in arguments]
    return CliRunner().invoke(app, ["segmenter", *words, "--local"], catch_exceptions=False)


@pytest.fixture(scope="module")
def trained(archive: Path, dataset: Path, config: Path) -> dict[str, Any]:
    """What the command prints as JSON, of a whole training."""
    out = archive.parent / "runs"
    done = call("--config", config, "--data", dataset, "--out", out, "--json")
    assert done.exit_code == 0
    assert "4 half-orbits for training, 2 for validation" in done.stderr
    assert "epoch 2 of 2: loss " in done.stderr
    return json.loads(done.stdout)


def test_a_run_and_its_model(trained: dict[str, Any], dataset: Path) -> None:
    run = Path(trained["run"])
    assert run.name.startswith("odm_unet_small-") and len(run.name.split("-")[1]) == 12
    assert (trained["step"], trained["epoch"], trained["ended"]) == (4, 2, "epochs")
    stored = yaml.safe_load((run / "config.yaml").read_text())
    assert stored["model"]["options"]["sdi_channels"] == 16  # resolved
    assert stored["schedule"]["temperature_start"] == 30
    card = read_model_card(run / "model")
    assert card.digest == trained["digest"]
    assert card.image["height"] == 64 and card.image["minimum"] == -8
    assert card.training_data == json.loads((run / "run.json").read_text())["dataset"]
    assert card.thresholds["threshold"] == 0.6
    assert card.metrics["validation"]["mean_iou"] == trained["validation"]["mean_iou"]
    assert "real data are unknown" in card.notes["statement"]
    model = load_model(run / "model").model
    _, tensors = Checkpoints(run / "checkpoints").load_best()
    for name, value in model.state_dict().items():
        assert np.array_equal(value, tensors[f"model/{name}"]), name
    assert len(read_events(run / "metrics.jsonl")) == 6
    assert list((run / "tensorboard").iterdir())


def test_started_again_it_is_done_and_with_another_setting_it_is_another(
    trained: dict[str, Any], dataset: Path, config: Path, archive: Path
) -> None:
    out = archive.parent / "runs"
    again = call("--config", config, "--data", dataset, "--out", out, "runtime.prefetch=1")
    assert again.exit_code == 0
    assert f"{trained['model']}: odm_unet_small, best in epoch" in again.stdout
    assert "validation: mean_iou 0." in again.stdout
    assert "going on" not in again.stderr
    settings = read_settings(config)
    same = plan_training("segmenter", settings, dataset, out)
    assert str(same.run.folder) == trained["run"]
    other = plan_training("segmenter", read_settings(config, ["seed=1"]), dataset, out)
    assert other.run.folder != same.run.folder


def test_fine_tuning_starts_from_the_model(
    trained: dict[str, Any], dataset: Path, archive: Path
) -> None:
    few = ["data.batch_size=2", "schedule.epochs=1", "optimiser.learning_rate=1e-9"]
    few += ["runtime.device=cpu", "compute.ema=null", "optimiser.weight_decay=0"]
    out = archive.parent / "tuned"
    done = call("--data", dataset, "--out", out, "--init", trained["model"], "--json", *few)
    tuned = json.loads(done.stdout)
    before = load_model(trained["model"]).model.state_dict()
    after = load_model(tuned["model"]).model
    assert after.architecture == "odm_unet_small"
    for name, value in after.named_parameters():
        assert (value - before[name]).abs().max() < 1e-6, name
    stored = yaml.safe_load((Path(tuned["run"]) / "config.yaml").read_text())
    assert stored["schedule"]["temperature_start"] == 1
    plain = plan_training("segmenter", read_settings(None, few), dataset, out)
    assert plain.run.folder != Path(tuned["run"])


def test_fine_tuning_another_architecture(
    trained: dict[str, Any], dataset: Path, config: Path, tmp_path: Path
) -> None:
    def planned(*overrides: str) -> None:
        plan_training(
            "segmenter", read_settings(config, overrides), dataset, tmp_path, trained["model"]
        )

    planned()
    with pytest.raises(
        TrainingError, match=r"another architecture, odm_unet_small: set model.arch"
    ):
        planned("model.architecture=odm_unet")
    with pytest.raises(
        TrainingError, match=r"has sdi_channels = 16, and the settings 8: set model"
    ):
        planned("model.options.sdi_channels=8")


def test_bad_input_is_a_sentence(
    archive: Path, dataset: Path, config: Path, tmp_path: Path
) -> None:
    def planned(*overrides: str, data: Path = dataset) -> None:
        plan_training("segmenter", read_settings(config, overrides), data, tmp_path)

    with pytest.raises(
        TrainingError, match=r"has 1 class beside the background .* the model 2: set"
    ):
        planned("model.options.classes=3")
    with pytest.raises(InputError, match="did you mean sdi_channels"):
        planned("model.options.sdi_chanels=8")
    with pytest.raises(InputError, match="did you mean odm_unet"):
        planned("model.architecture=odm_une")
    with pytest.raises(InputError, match="nothing to train"):
        planned("model.architecture=canny", "model.options={}")
    empty = make_dataset(archive, "empty", OrbitSplit(train=1, validation=0, test=1))
    with pytest.raises(TrainingError, match="no labelled half-orbit for validation") as caught:
        planned(data=empty)
    assert caught.value.exit_code == 1
    for arguments, sentence in (
        (("data.batch_size=5",), "needs as many samples for training, and there are 4"),
        (
            ("data.batch_size=1", "model.options.odconv_norm=batch"),
            "cannot train on a batch of 1",
        ),
        (("data.crop=[128,64]",), "data.crop 128 x 64 is larger than the images, 64 x 96"),
        (
            ("schedule.phases=[{freeze: [encodre]}]",),
            "module 'encodre' in the model; did you mean encoder",
        ),
        (("loss.class_weights=[1, 2, 3]",), "class_weights: give 2 numbers"),
    ):
        with pytest.raises(InputError, match=sentence):
            call("--config", config, "--data", dataset, "--out", tmp_path, *arguments)


def test_no_nucleus_for_validation(archive: Path, config: Path, tmp_path: Path) -> None:
    from odm.datasets.orbit import OrbitDataset

    data = make_dataset(archive, "plain", OrbitSplit(train=2, validation=1, test=0))
    opened = OrbitDataset.load(data)
    content = yaml.safe_load(data.read_text())
    masks = {s.labelled.mask_path for s in opened.samples("validation")}
    copy = tmp_path / "annotations"
    (copy / "masks").mkdir(parents=True)
    (copy / "simulation.json").write_bytes((archive / "simulation.json").read_bytes())
    for mask in (archive / "masks").iterdir():
        if mask not in masks:
            (copy / "masks" / mask.name).write_bytes(mask.read_bytes())
    truth = pq.read_table(archive / "truth.parquet")
    kept = [archive / mask not in masks for mask in truth["mask"].to_pylist()]
    pq.write_table(truth.filter(kept), copy / "truth.parquet")
    data.write_text(yaml.safe_dump({**content, "annotations": str(copy)}))
    with pytest.raises(TrainingError, match="no nucleus for validation"):
        plan_training("segmenter", read_settings(config), data, tmp_path)


def test_sigterm_leaves_a_checkpoint_in_the_middle_of_an_epoch(
    dataset: Path, config: Path, tmp_path: Path
) -> None:
    words = ("--config", config, "--data", dataset, "--out", tmp_path)
    # Two steps an epoch: a thousand epochs do not end by themselves.
    changed = ("schedule.epochs=1000", "runtime.checkpoint_steps=null", "runtime.tensorboard=false")
    before = signal.getsignal(signal.SIGTERM)

    def kill() -> None:
        while not any(read_events(path) for path in tmp_path.glob("*/metrics.jsonl")):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(
        Stopped, match=r"stopped as asked at step \d+, .*; the same command goes on"
    ):
        call(*words, *changed)
    thread.join()
    assert Stopped.exit_code == 3 and signal.getsignal(signal.SIGTERM) is before
    (run,) = tmp_path.iterdir()
    last = Checkpoints(run / "checkpoints").load_last()
    assert last is not None and last[0].step == read_events(run / "metrics.jsonl")[-1]["step"]
    assert not (run / "model").exists()


def test_two_processes_in_one_run(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", "abc")
    with (
        run.locked(),
        pytest.raises(TrainingError, match="another process is training"),
        run.locked(),
    ):
        pass
    with run.locked():
        pass


def test_without_local_it_says_what_to_do(
    dataset: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("odm.commands.runners.entry_points", lambda group: ())
    words = ["segmenter", "--config", str(config), "--data", str(dataset)]
    with pytest.raises(InputError, match="add --local for training in this process"):
        CliRunner().invoke(app, words, catch_exceptions=False)


def test_a_runner_takes_the_options_of_its_workers(
    dataset: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    def run(plan: Any, launch: Launch) -> tuple[None, None]:
        taken.append(launch)
        return None, None

    def look_up(group: str) -> list[Any]:
        assert group == "odm.runners"
        return [SimpleNamespace(name="train segmenter", load=lambda: run)]

    monkeypatch.setattr("odm.commands.runners.entry_points", look_up)
    words = ["segmenter", "--config", str(config), "--data", str(dataset), "--out", str(tmp_path)]
    for more in (
        [],
        ["--workers", "2:8", "--cpus-per-worker", "3", "--gpu", "--max-failures", "0"],
        ["--workers", "4", "--no-gpu", "--address", "head:6379"],
    ):
        assert CliRunner().invoke(app, [*words, *more], catch_exceptions=False).exit_code == 0
    assert taken == [
        Launch(),
        Launch((2, 8), 3, True, max_failures=0),
        Launch(4, gpu=False, address="head:6379"),
    ]
    for more, sentence in (
        (["--workers", "many"], "give a number, or the least and the most as MIN:MAX"),
        (["--workers", "3:2"], "--workers 3:2: give 1 or more"),
        (["--workers", "0"], "give 1 or more"),
        (["--workers", "2", "--local"], "are Ray's: not --local"),
    ):
        with pytest.raises(InputError, match=sentence):
            CliRunner().invoke(app, [*words, *more], catch_exceptions=False)


def test_help_has_an_example() -> None:
    shown = CliRunner().invoke(app, ["segmenter", "--help"]).stdout
    assert "Example: odm train segmenter" in shown and "KEY=VALUE" in shown


def test_runs_are_kept_in_a_folder(dataset: Path, config: Path) -> None:
    with pytest.raises(InputError, match="--out s3://bucket/runs: runs are kept in a local or"):
        call("--data", dataset, "--config", config, "--out", "s3://bucket/runs")
    assert not Path("s3:").exists()


def test_a_finished_run_is_known(trained: dict[str, Any], dataset: Path, config: Path) -> None:
    plan = plan_training("segmenter", read_settings(config), dataset, Path(trained["run"]).parent)
    assert str(plan.run.folder) == trained["run"]
    assert plan.is_finished
    other = plan_training(
        "segmenter", read_settings(config, ["seed=5"]), dataset, plan.run.folder.parent
    )
    assert not other.is_finished
