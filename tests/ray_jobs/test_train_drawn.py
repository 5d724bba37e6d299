"""Half-orbits drawn in Ray tasks, ahead of the workers that train."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from odm.core.errors import InputError
from odm.training.drawn.drawer import Drawer
from odm.training.drawn.drawing import Drawing
from odm.training.drawn.source import sources_of
from odm.training.launch import Launch
from odm.training.plans import TrainingPlan, plan_training, train_planned
from odm.training.ranks import Ranks
from odm.training.settings import read_settings
from ray_jobs.cluster.room import Cluster
from ray_jobs.training.drawn import DrawingTasks, draw_on_ray
from ray_jobs.training.launch import WorkerPlacement, place
from ray_jobs.training.train import train_on_ray
from tests.training.tiny_drawn import SETTINGS, opened


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this process; that of the tasks is another one, as on another machine."""
    monkeypatch.setenv("ODM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "drawn"


def make_plan(folder: Path, *changes: str) -> TrainingPlan:
    settings = read_settings(None, [*SETTINGS, "schedule.epochs=2", *changes])
    return plan_training("segmenter", settings, opened(seed=21), folder)


def test_tasks_draw_what_is_drawn_here(cluster: Cluster, cache: Path) -> None:
    samples = opened(seed=22).samples("train")
    drawer = Drawer(1, 1e9, DrawingTasks)
    drawer.expect(sample.drawing for sample in samples)
    for sample in samples:
        image, mask = drawer.load(sample.drawing)
        expected = sample.drawing.draw()
        assert np.array_equal(image, expected[0]) and np.array_equal(mask, expected[1])
    assert len(list(cache.glob("*/*.npz"))) == len(samples)


def test_an_error_of_a_task_is_the_one_of_the_simulator(cluster: Cluster) -> None:
    drawing = opened(seed=23).samples("train")[0].drawing
    other = Drawing(drawing.maker, drawing.number, drawing.direction)
    object.__setattr__(other.maker, "code", "0" * 64)
    with pytest.raises(InputError, match="was changed after the data set was opened"):
        Drawer(1, 1e9, DrawingTasks).load(other)


def test_workers_leave_room_for_what_draws(cluster: Cluster) -> None:
    assert place(cluster, Launch(workers=1), "cpu").cpus == 2
    assert place(cluster, Launch(workers=1), "cpu", spare=1).cpus == 1
    assert place(cluster, Launch(workers=1), "cpu", spare=9).cpus == 1


def test_sources_travel() -> None:
    sources = sources_of(opened(), Drawer(0, 1e9), 1e9)
    there = pickle.loads(pickle.dumps(sources))
    assert there["training"].shelf.drawer is there["validation"].shelf.drawer
    assert there["training"].keys == sources["training"].keys
    assert isinstance(there["training"].shelf._lock, type(threading.Lock()))


def test_what_the_workers_leave_draws(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = make_plan(tmp_path, "runtime.draw_workers=3")
    for workers, tasks in ((1, 1), (2, 0)):
        sources = draw_on_ray(plan, cluster, WorkerPlacement(workers, workers, 1, False))
        assert sources["training"].shelf.drawer.workers == tasks
        assert ("the workers have all CPUs" in capsys.readouterr().err) == (tasks == 0)


def test_a_worker_learns_the_same_as_without_ray(cluster: Cluster, tmp_path: Path) -> None:
    alone = make_plan(tmp_path / "alone", "runtime.draw_workers=0")
    torch.set_num_threads(1)
    train_planned(alone, Ranks())
    plan = make_plan(tmp_path / "ray")
    train_on_ray(plan, Launch(workers=1))
    (mine, weights), (theirs, others) = (
        one.run.checkpoints.load_last() or (None, {}) for one in (alone, plan)
    )
    assert mine == theirs and mine is not None and mine.step == 6
    for name, tensor in weights.items():
        assert torch.equal(tensor, others[name]), name
