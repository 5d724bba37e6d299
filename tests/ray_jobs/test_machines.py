"""A cluster of several nodes, started as by hand, with a token."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from odm.catalog.campaign import load_campaign
from odm.catalog.compare import compare
from tests.catalog.rows import same
from tests.ray_jobs.machines import ROOT, Machines, machines, odm_words
from tests.reprocess import small

pytestmark = pytest.mark.timeout(900)
INPUTS = 10


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """A head that runs no work, and two nodes."""
    with machines(tmp_path_factory.mktemp("machines")) as made:
        made.start_head()
        made.join("first", 2)
        made.join("second", 2)
        yield made


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive, and the plain runner's campaign."""
    tmp = tmp_path_factory.mktemp("shared")
    small.write_archive(tmp / "archive", INPUTS, bad=True)
    small.write_model(tmp / "model")
    small.run(tmp)
    return tmp


@contextmanager
def driving(there: Machines, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A driver, which is ended whatever happens."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.ray_jobs.campaigns", *words],
        cwd=ROOT,
        env=there.environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as driver:
        try:
            yield driver
        finally:
            driver.kill()


def until(seen: Callable[[], bool], driver: subprocess.Popen[str] | None = None) -> None:
    deadline = time.monotonic() + 600
    while not seen():
        assert driver is None or driver.poll() is None, driver.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_nobody_gets_in_without_the_token(there: Machines, done: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("0" * 32)
    inside = there.environment
    outside = {k: v for k, v in inside.items() if not k.startswith("RAY_AUTH")} | {
        "HOME": str(tmp_path)
    }
    direct = ("reprocess", "orbits", str(done / "archive"), str(tmp_path / "campaign"))
    for environment in (outside, {**inside, "RAY_AUTH_TOKEN_PATH": str(wrong)}):
        for words in (("jobs", "list"), (*direct, "--model", str(done / "model"))):
            said = subprocess.run(
                odm_words(*words), cwd=ROOT, env=environment, capture_output=True, text=True
            )
            assert said.returncode == 1, said.stderr
            line = said.stderr.splitlines()[-1]
            assert "not let this process in: set RAY_AUTH_MODE=token" in line


def test_a_campaign_is_submitted_and_its_exit_code_passed_on(there: Machines, done: Path) -> None:
    words = ("reprocess", "orbits", "archive", "submitted", "--model", "model", "--engine", "eager")
    # Six bad files of 46: more than is allowed, which is exit code 1 after all is done.
    said = there.odm("submit", "--folder", str(done), *words)
    assert said.returncode == 1, said.stdout + said.stderr
    assert "are quarantined, more than the share of 0.05" in said.stdout
    assert f"{INPUTS + 6} done now" in said.stdout and "Runtime env" not in said.stdout
    assert "INFO" not in said.stderr  # of Ray's client
    submitted, plain = (load_campaign(done / name) for name in ("submitted", "campaign"))
    assert same(submitted.outcomes(), plain.outcomes()) and compare(submitted, plain).equal
    (job,) = json.loads(there.odm("jobs", "list", "--json").stdout)
    assert (job["status"], job["exit_code"]) == ("FAILED", 1)
    assert "odm reprocess orbits archive submitted" in job["command"]
    again = there.odm("jobs", "logs", job["id"], "--follow")
    assert again.returncode == 1 and again.stdout == said.stdout
    none = there.odm("jobs", "status", "nothing")
    assert none.returncode == 2 and "knows no job nothing" in none.stderr


def test_a_job_is_stopped_and_keeps_what_is_done(there: Machines, done: Path) -> None:
    words = ("reprocess", "orbits", "archive", "stopped", "--model", "model", "--engine", "eager")
    said = there.odm("submit", "--detach", "--installed", "--folder", str(done), *words)
    name = said.stdout.strip()
    assert said.returncode == 0 and name.startswith("odm-reprocess-")
    log = done / "stopped/log.jsonl"
    until(lambda: log.exists() and "start" in log.read_text())
    time.sleep(2)
    stopped = there.odm("jobs", "stop", name, "--wait")
    assert stopped.stdout.strip() == f"{name}: stopped", stopped.stdout + stopped.stderr
    found = json.loads(there.odm("jobs", "status", name, "--json").stdout)
    assert (found["status"], found["code"]) == ("STOPPED", 3)
    start, end = (json.loads(line) for line in log.read_text().splitlines())
    assert end["event"] == "end" and end["stopped"]
    assert end["done"] == load_campaign(done / "stopped").outcomes().num_rows


def test_a_folder_and_a_gpu_that_are_not_there(there: Machines, done: Path) -> None:
    sent = ("submit", "--installed", "--folder")
    nowhere = there.odm(*sent, "/nowhere", "reprocess", "orbits", "a", "b")
    assert nowhere.returncode == 2
    assert "the cluster's head does not see /nowhere: give --folder" in nowhere.stdout
    words = ("reprocess", "orbits", "archive", "gpu", "--model", "model", "--device", "cuda")
    gpu = there.odm(*sent, str(done), *words)
    assert gpu.returncode in (1, 2) and "GPU" in gpu.stdout.splitlines()[-1]


@pytest.mark.slow
def test_a_campaign_one_of_whose_nodes_is_killed(there: Machines, done: Path) -> None:
    with driving(there, "campaign", str(done)) as driver:
        until((done / "node").exists, driver)
        there.kill((done / "node").read_text())
        assert driver.communicate()[1] is not None and driver.returncode == 0
    killed, plain = (load_campaign(done / name) for name in ("killed", "campaign"))
    assert same(killed.outcomes(), plain.outcomes()) and compare(killed, plain).equal


@pytest.mark.slow
def test_a_training_one_of_whose_nodes_is_killed_and_replaced(
    there: Machines, dataset: Path, tmp_path: Path
) -> None:
    """Two workers of a core each, on two nodes: one can only go on where another has joined."""
    from odm.training import plans
    from odm.training.events import EventLog, read_events
    from odm.training.ranks import Ranks
    from tests.ray_jobs.trainings import KILLED_STEP, make_plan

    for name in set(there.nodes) - {"head"}:
        there.kill(name)
    for name in ("third", "fourth"):
        there.join(name, 1)
    plan = make_plan(dataset, tmp_path)
    with driving(there, "training", str(dataset), str(tmp_path)) as driver:
        until((plan.run.folder / "node").exists, driver)
        there.kill((plan.run.folder / "node").read_text())
        there.join("fifth", 1)
        said = driver.communicate()[1]
        assert driver.returncode == 0, said
    assert f"going on from step {KILLED_STEP - 1}, in epoch {KILLED_STEP}" in said
    alone = make_plan(dataset, tmp_path / "alone")
    plans.train_planned(alone, Ranks(), EventLog(alone.run.metrics))
    losses = [
        [e["loss"] for e in read_events(p.run.metrics) if e["kind"] == "steps"]
        for p in (plan, alone)
    ]
    assert len(losses[0]) == 10 and losses[0] == pytest.approx(losses[1], abs=1e-3)
    assert plan.run.model.is_dir()
