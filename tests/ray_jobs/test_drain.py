"""A training on a machine that is about to be taken away, and one whose driver is told to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from odm.core.errors import Stopped
from odm.training import plans
from odm.training.events import read_events
from odm.training.launch import Launch
from odm.training.loop import Answer, ProgressReport, TrainingResult
from odm.training.ranks import Ranks
from ray_jobs.cluster.room import Cluster
from ray_jobs.training.train import train_on_ray
from tests.ray_jobs.machines import ROOT, machines
from tests.ray_jobs.trainings import make_plan

pytestmark = pytest.mark.timeout(1200)
ONE = Launch(workers=1, cpus=1, max_failures=0)
NO_OTHERS = ("schedule.epochs=1000", "schedule.validation_epochs=1000")


def slow(plan: plans.TrainingPlan, ranks: Ranks, listener: Any, **sources: Any) -> TrainingResult:
    """Steps that take a while, so that there is time to be told something; what is then asked of
    the loop is written down."""

    def hear(report: ProgressReport) -> Answer:
        if report.kind == "steps":
            time.sleep(0.2)
        answer = Answer(int(listener(report) or 0))
        if answer & Answer.KEEP:
            (plan.run.folder / "asked").write_text(f"{int(answer)} {report.step}")
        return answer

    return plans.train_planned(plan, ranks, hear, **sources)


def test_a_driver_that_is_told_to_stop_leaves_a_checkpoint(
    cluster: Cluster, dataset: Path, tmp_path: Path
) -> None:
    plan = make_plan(dataset, tmp_path, *NO_OTHERS)

    def kill() -> None:
        while not read_events(plan.run.metrics):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(Stopped, match=r"stopped as asked at step \d+"):
        train_on_ray(plan, ONE, work=slow)
    thread.join()
    last = plan.run.checkpoints.load_last()
    assert last is not None and last[0].step == read_events(plan.run.metrics)[-1]["step"]
    assert not (plan.run.folder / "ray").exists()


@pytest.mark.slow
def test_a_training_writes_a_checkpoint_before_its_machine_goes(
    dataset: Path, tmp_path: Path
) -> None:
    """Drained with a deadline, as `ray_jobs.preemption` does it."""
    words = [sys.executable, "-m", "tests.ray_jobs.test_drain", str(dataset), str(tmp_path)]
    with machines(tmp_path) as there:
        there.start_head()
        there.join("first", 1)
        plan = make_plan(dataset, tmp_path, *NO_OTHERS, "data.batch_size=2")
        driver = subprocess.Popen(words, cwd=ROOT, env=there.environment)
        try:
            while len(read_events(plan.run.metrics)) < 2:
                assert driver.poll() is None
                time.sleep(0.1)
            drain = "\n".join(
                [
                    "import datetime, ray",
                    "from ray_jobs.cluster.connection import connect",
                    "from ray_jobs.preemption import drain",
                    "with connect() as cluster:",
                    "    ids = [n['NodeID'] for n in ray.nodes() if n['NodeName'] == 'first']",
                    "    at = datetime.datetime.fromisoformat(%r)",
                    "    assert drain(cluster.address, ids[0], at)",
                ]
            )
            until = (datetime.now(UTC) + timedelta(seconds=120)).isoformat()
            subprocess.run(
                [sys.executable, "-c", drain % until], cwd=ROOT, env=there.environment, check=True
            )
            deadline = time.monotonic() + 100
            asked = plan.run.folder / "asked"
            while not asked.exists():
                assert driver.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
            what, step = map(int, asked.read_text().split())
            assert what == Answer.KEEP  # and to go on, for as long as there is time
            while plan.run.checkpoints.load_last()[0].step < step:  # type: ignore[index]
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            driver.kill()
            driver.wait()


if __name__ == "__main__":
    dataset, out = map(Path, sys.argv[1:])
    train_on_ray(make_plan(dataset, out, *NO_OTHERS, "data.batch_size=2"), ONE, work=slow)
