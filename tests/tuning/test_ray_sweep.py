"""Sweeps on Ray Tune: killed trials and drivers, more trials than room, and what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from odm.datasets.orbit import OrbitDataset
from odm.training.loop import ProgressReport
from odm.training.ranks import Ranks
from ray_jobs.cluster.room import Cluster, ClusterError
from tests.ray_jobs.trainings import is_gone
from tests.tuning.sweeps import ONE, kill_when, settings, space, sweep, tried
from tuning.board import Board
from tuning.folder import SweepFolder
from tuning.objectives import objectives_of
from tuning.placement import SweepPlacement
from tuning.runners.ray import _Watch, held_samples, run_on_ray
from tuning.runners.room import TrialRoom, make_room
from tuning.scores import ScoredTraining
from tuning.stopping import Rule
from tuning.study import Ledger
from tuning.sweep import SearchOptions, make_context, plan_sweep
from tuning.trial import TrialContext

ROOT = Path(__file__).parents[2]


class Deadly(TrialContext):
    """A job whose second trial is killed in the middle, as by the system's out-of-memory killer."""

    @property
    def work(self) -> Any:
        return DeadlyWork("mean_iou")


class DeadlyWork(ScoredTraining):
    def __call__(self, plan: Any, ranks: Ranks, listener: Any = None, **sources: Any) -> Any:
        def hear(report: ProgressReport) -> bool:
            if "0001" in str(plan.run.folder) and report.kind == "checkpoint":
                os.kill(os.getpid(), 9)
            if "0002" in str(plan.run.folder) and report.kind == "checkpoint":
                raise MemoryError
            return bool(listener(report))

        return super().__call__(plan, ranks, hear, **sources)


def drive(
    cluster: Cluster,
    dataset: Path,
    out: Path,
    total: int,
    kind: type[TrialContext] = TrialContext,
    *overrides: str,
    rule: Rule | None = None,
    room: TrialRoom | None = None,
) -> tuple[Ledger, TrialContext]:
    """A sweep on a cluster that is connected."""
    planned, opened = plan_sweep(
        settings(*overrides),
        space(),
        dataset,
        SearchOptions(("mean_iou",), rule or Rule("none"), seed=1),
    )
    folder = SweepFolder.of(planned, out, "sweep")
    ledger = Ledger(
        folder.journal, "sweep", planned.looked_for, planned.space.distributions, seed=1,
        rule=planned.rule,
    )  # fmt: skip
    ledger.adopt_orphans()
    made = make_context(folder, planned, opened)
    job = kind(made.task, made.base, made.datasets, made.objectives, made.folder)
    sources = held_samples(cluster, job)
    board = Board(ledger, total)
    run_on_ray(ledger, job, total, sources, room or make_room(cluster), board)
    return ledger, job


def test_a_killed_trial_fails_with_its_reason(
    cluster: Cluster, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger, job = drive(
        cluster, dataset, tmp_path, 4, Deadly, room=make_room(cluster, SweepPlacement(concurrent=1))
    )
    assert [one.state.name for one in ledger.trials] == ["COMPLETE", "FAIL", "FAIL", "COMPLETE"]
    reasons = [one.user_attrs.get("reason") for one in ledger.trials]
    assert reasons[1] == "its process died: killed, or out of memory"
    assert reasons[2] == "out of memory"
    assert "trial 1 failed: its process died" in capsys.readouterr().err
    assert not (job.folder / "ray").exists()


def test_a_process_that_dies_after_its_trial_has_told_all(tmp_path: Path) -> None:
    searched = space()
    ledger = Ledger(tmp_path / "study", "x", objectives_of("segmenter"), searched.distributions)
    number = ledger.ask().number
    job = TrialContext("segmenter", settings(), {}, ledger.objectives, tmp_path)
    watch = _Watch(ledger, job, Board(ledger, 1), 60)
    trial = SimpleNamespace(config={"number": number, "folder": number}, error_file=None)
    facts = {"facts": {"region_f1": 0.5, "epochs": 3}, "stopped": False}
    watch.on_trial_result(1, [trial], trial, facts)
    watch.on_trial_error(2, [trial], trial)
    assert [one.state.name for one in ledger.trials] == ["COMPLETE"]


def test_more_trials_than_room_with_early_stopping(
    cluster: Cluster, dataset: Path, tmp_path: Path
) -> None:
    """Two at once, of seven; those without Ray would be stopped by the same rule."""
    room = make_room(cluster)
    assert room.concurrent == 2
    ledger, job = drive(cluster, dataset, tmp_path, 7, rule=Rule("asha", reduction=2), room=room)
    counts = ledger.counts()
    assert counts.done + counts.stopped == 7
    assert counts.stopped
    for one in ledger.trials:
        if one.state.name == "PRUNED":
            assert one.user_attrs["stopped"] < 3
            assert (job.folder / one.user_attrs["run"] / "checkpoints").is_dir()


def test_the_same_as_without_ray(cluster: Cluster, dataset: Path, tmp_path: Path) -> None:
    ledger, _ = drive(
        cluster, dataset, tmp_path, 2, room=make_room(cluster, SweepPlacement(concurrent=1))
    )
    _, plain = sweep(dataset, tmp_path / "plain", 2, objectives=("mean_iou",))
    assert tried(ledger) == tried(plain)
    for mine, theirs in zip(ledger.trials, plain.trials, strict=True):
        assert mine.values == pytest.approx(theirs.values, abs=1e-6)


def test_a_killed_driver_is_started_again(cluster: Cluster, dataset: Path, tmp_path: Path) -> None:
    """On a Ray of its own, beside the one of these tests."""
    program = [sys.executable, "-m", "tests.tuning.sweeps", "ray", str(dataset), str(tmp_path), "3"]
    trials = tmp_path / "killed" / "trials"
    driver = subprocess.Popen(program, cwd=ROOT)
    kill_when(trials, "0001/*/checkpoints/last.safetensors", driver)
    assert is_gone(str(driver.pid))
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    planned, _ = plan_sweep(settings(), space(), dataset, SearchOptions(rule=Rule("none"), seed=1))
    folder = SweepFolder.of(planned, tmp_path, "killed")
    ledger = Ledger(
        folder.journal, "killed", planned.looked_for, planned.space.distributions, seed=1
    )
    assert ledger.counts().done == 3
    _, plain = sweep(dataset, tmp_path / "plain", 3)
    assert tried(ledger) == tried(plain)
    assert len(list(trials.iterdir())) == 3


def test_what_is_missing_is_said_before_the_first_trial(
    cluster: Cluster, dataset: Path, tmp_path: Path
) -> None:
    """The Ray of these tests has two CPUs and no dashboard."""
    begun = time.monotonic()
    for where, sentence in (
        (SweepPlacement(cpus=3), "1 trial of 3 CPUs each, the cluster has 2 CPUs"),
        (SweepPlacement(gpus=0.5), "1 trial of 0.5 GPUs each, the cluster has 0 GPUs"),
        (SweepPlacement(workers=4), "4 workers of 1 CPU each, the cluster has 2 CPUs"),
        (
            SweepPlacement(workers=2),
            "need the dashboard and the State API of the cluster.*take --workers 1",
        ),
    ):
        with pytest.raises(ClusterError, match=sentence):
            sweep(dataset, tmp_path, 2, where, name="sweep")
    assert time.monotonic() - begun < 180
    assert not (tmp_path / "sweep" / "trials").exists()


def test_trials_that_never_find_room_end_the_sweep(
    cluster: Cluster, dataset: Path, tmp_path: Path
) -> None:
    """Somebody else takes both CPUs after the check."""
    import ray

    @ray.remote(num_cpus=1.5)
    class Other:
        def at_work(self) -> bool:
            return True

    other = Other.remote()  # type: ignore[attr-defined]
    planned, opened = plan_sweep(settings(), space(), dataset, SearchOptions(seed=1))
    folder = SweepFolder.of(planned, tmp_path, "busy")
    ledger = Ledger(folder.journal, "busy", planned.looked_for, planned.space.distributions, seed=1)
    job = make_context(folder, planned, opened)
    room = TrialRoom(cpus=1, gpus=0, concurrent=1, wait_s=4)
    assert OrbitDataset.load(dataset).digest == opened.digest
    assert ray.get(other.at_work.remote())
    begun = time.monotonic()
    try:
        with pytest.raises(ClusterError, match="no room for a trial in 4 s: the cluster is busy"):
            run_on_ray(ledger, job, 2, {}, room, Board(ledger, 2))
    finally:
        ray.kill(other)
    assert time.monotonic() - begun < 60
    assert ledger.counts().finished == 0
    assert ledger.adopt_orphans() == 1  # and is tried again


@pytest.mark.slow
def test_nested_trials_with_more_of_them_than_room(
    cluster: Cluster, dataset: Path, tmp_path: Path
) -> None:
    """Trials of two workers, one at a time, stopped early, beside another Ray on this machine."""
    program = [sys.executable, "-m", "tests.tuning.sweeps", "two", str(dataset), str(tmp_path), "4"]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stderr[-2000:]
    study = Ledger(
        tmp_path / "killed" / "study.journal",
        "killed",
        plan_sweep(settings(), space(), dataset)[0].looked_for,
        space().distributions,
    )
    counts = study.counts()
    assert counts.done + counts.stopped == 4
    assert counts.stopped
    assert ONE.concurrent == 1
