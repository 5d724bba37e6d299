"""Ray Train around the loop: the same numbers as without it, and killed in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch

from odm.core.errors import InputError
from odm.models.folder import load_model
from odm.training import plans
from odm.training.events import EventLog, read_events
from odm.training.launch import Launch
from odm.training.ranks import Ranks
from odm.training.settings import read_settings
from ray_jobs.cluster.room import Cluster, ClusterError
from ray_jobs.training.train import train_on_ray
from tests.ray_jobs.trainings import KILLED_STEP, SETTINGS, TWO, is_gone, killed, make_plan


@pytest.fixture(scope="module")
def undisturbed(
    cluster: Cluster, dataset: Path, tmp_path_factory: pytest.TempPathFactory
) -> plans.TrainingPlan:
    """Ten steps on two workers."""
    plan = make_plan(dataset, tmp_path_factory.mktemp("undisturbed"))
    result, card = train_on_ray(plan, TWO)
    assert (result.step, result.reason) == (10, "epochs")
    assert load_model(plan.run.model).card.digest == card.digest
    return plan


def assert_same(plan: plans.TrainingPlan, other: plans.TrainingPlan) -> None:
    """The same bits, and every step told once."""
    assert plan.run.digest == other.run.digest
    for mine, theirs in (
        (plan.run.checkpoints.load_last(), other.run.checkpoints.load_last()),
        (plan.run.checkpoints.load_best(), other.run.checkpoints.load_best()),
    ):
        assert mine is not None and theirs is not None
        assert mine[0] == theirs[0]
        for name, tensor in mine[1].items():
            assert torch.equal(tensor, theirs[1][name]), name
    steps = [
        [(e["kind"], e["step"], e.get("loss")) for e in read_events(p.run.metrics)]
        for p in (plan, other)
    ]
    assert steps[0] == steps[1]


def test_ten_steps_on_two_workers_equal_those_of_one_process(
    undisturbed: plans.TrainingPlan, dataset: Path, tmp_path: Path
) -> None:
    plan = make_plan(dataset, tmp_path)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        plans.train_planned(plan, Ranks(), EventLog(plan.run.metrics))
    finally:
        torch.set_num_threads(before)
    alone, together = (read_events(p.run.metrics) for p in (plan, undisturbed))
    losses = [[e["loss"] for e in events if e["kind"] == "steps"] for events in (alone, together)]
    assert len(losses[0]) == 10
    assert max(losses[0]) - min(losses[0]) > 0.01
    assert losses[1] == pytest.approx(losses[0], abs=1e-4)
    _, mine = plan.run.checkpoints.load_best()
    _, theirs = undisturbed.run.checkpoints.load_best()
    assert max(float((mine[n].float() - theirs[n].float()).abs().max()) for n in mine) <= 1e-4
    names = sorted(path.name for path in undisturbed.run.folder.iterdir())
    assert "tensorboard" in names and "config.yaml" in names
    assert "ray" not in names  # nothing of Ray's is left


def test_a_killed_worker_is_replaced(
    undisturbed: plans.TrainingPlan,
    dataset: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plan = make_plan(dataset, tmp_path)
    train_on_ray(plan, TWO, work=killed)
    assert (plan.run.folder / "disturbed").exists()
    assert (
        f"going on from step {KILLED_STEP - 1}, in epoch {KILLED_STEP}" in capsys.readouterr().err
    )
    assert_same(plan, undisturbed)


def test_a_killed_driver_is_started_again(
    undisturbed: plans.TrainingPlan, dataset: Path, tmp_path: Path
) -> None:
    plan = make_plan(dataset, tmp_path)
    program = [sys.executable, "-m", "tests.ray_jobs.trainings", str(dataset), str(tmp_path)]
    environment = {**os.environ, "RAY_ADDRESS": "local"}
    driver = subprocess.Popen(program, env=environment, cwd=Path(__file__).parents[2])
    pid = plan.run.folder / "pid"
    try:
        while not pid.exists():
            assert driver.poll() is None
            time.sleep(0.1)
    finally:
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    worker = pid.read_text()
    deadline = time.monotonic() + 60
    while not is_gone(worker):
        assert time.monotonic() < deadline, "a worker has outlived its driver"
        time.sleep(0.2)
    position, _ = plan.run.checkpoints.load_last() or (None, None)
    assert position is not None and position.step == KILLED_STEP - 1
    train_on_ray(plan, TWO)
    assert_same(plan, undisturbed)


def test_a_finished_run_is_told_without_a_cluster_or_a_sample(
    undisturbed: plans.TrainingPlan, capsys: pytest.CaptureFixture[str]
) -> None:
    def read(*_: object) -> dict[str, object]:
        raise AssertionError("samples were read")

    before = load_model(undisturbed.run.model).card.digest
    nowhere = Launch(workers=99, address="127.0.0.1:1")
    result, card = train_on_ray(undisturbed, nowhere, read=read)
    assert (result.step, result.reason, card.digest) == (10, "epochs", before)


def test_a_model_is_fine_tuned_on_workers(
    undisturbed: plans.TrainingPlan, dataset: Path, tmp_path: Path
) -> None:
    settings = read_settings(None, [*SETTINGS, "schedule.epochs=1", "optimiser.learning_rate=1e-9"])
    folder = str(undisturbed.run.model)
    plan = plans.plan_training("segmenter", settings, dataset, tmp_path, folder)
    result, _ = train_on_ray(plan, TWO)
    assert result.step == 1
    assert json.loads((plan.run.folder / "run.json").read_text())["init"] == folder
    # A step that is next to none leaves the weights that it began with.
    before, after = (load_model(one.run.model).model.state_dict() for one in (undisturbed, plan))
    for name, tensor in before.items():
        if not name.endswith("temperature"):  # follows the schedule
            torch.testing.assert_close(after[name], tensor, atol=1e-5, rtol=0)


def test_what_no_worker_can_do_is_a_sentence_and_not_tried_again(
    cluster: Cluster, dataset: Path, tmp_path: Path
) -> None:
    plan = make_plan(dataset, tmp_path, "data.batch_size=5")
    with pytest.raises(InputError, match="needs as many samples for training, and there are 4"):
        train_on_ray(plan, Launch(workers=1, cpus=1))
    assert not read_events(plan.run.metrics)


def test_more_workers_than_there_is_room_for(
    cluster: Cluster, dataset: Path, tmp_path: Path
) -> None:
    plan = make_plan(dataset, tmp_path)
    begun = time.monotonic()
    for launch, sentence in (
        (Launch(workers=8, cpus=1), "8 workers of 1 CPU each, the cluster has 2 CPUs"),
        (Launch(workers=(4, 8), cpus=1), "4 workers of 1 CPU each, the cluster has 2 CPUs"),
        (Launch(workers=1, cpus=3), "1 worker of 3 CPUs each, the cluster has 2 CPUs"),
        (Launch(workers=1, gpu=True), "1 worker of 1 GPU each, the cluster has 0 GPUs"),
    ):
        with pytest.raises(ClusterError, match=sentence) as caught:
            train_on_ray(plan, launch)
        assert caught.value.exit_code == 1
    assert time.monotonic() - begun < 5


def test_the_command_finds_the_runner() -> None:
    """What is installed comes from this file, and may be older."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    points = tomllib.loads(text)["project"]["entry-points"]["odm.runners"]
    point = EntryPoint("train segmenter", points["train segmenter"], "odm.runners")
    assert point.load() is train_on_ray
