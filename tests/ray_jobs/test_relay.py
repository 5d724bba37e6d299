"""What workers tell the driver through files; no Ray is needed for it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from odm.core.errors import InputError
from odm.training.errors import TrainingError
from odm.training.loop import ProgressReport
from ray_jobs.training.relay import Follower, Relay

STEPS = ProgressReport("steps", step=3, epoch=1, steps_per_epoch=2, samples=8, values={"loss": 0.5})


@pytest.fixture
def relay(tmp_path: Path) -> Relay:
    relay = Relay.of(tmp_path)
    relay.open()
    return relay


def test_reports_come_once_and_whole(relay: Relay) -> None:
    follower = Follower(relay)
    assert list(follower.new()) == []
    relay.tell(STEPS)
    relay.tell(ProgressReport("checkpoint", 3, 1, 2, checkpoint="last"))  # of no interest there
    assert list(follower.new()) == [STEPS]
    line = json.dumps(asdict(STEPS)) + "\n"
    with relay.reports.open("a") as file:
        file.write(line[:20])
        file.flush()
        assert list(follower.new()) == []
        file.write(line[20:])
    assert list(follower.new()) == [STEPS]
    with relay.reports.open("a") as file:  # a worker was killed within a line
        file.write(line[:20] + line + line)
    assert list(follower.new()) == [STEPS]


def test_why_ranks_cannot_go_on(relay: Relay) -> None:
    assert relay.failures() == [] and not relay.all_failed(1, 0)
    relay.fail(0, TrainingError("the loss is not a number"))
    relay.fail(1, InputError("no such option"))
    assert relay.all_failed(2, 0) and not relay.all_failed(3, 0)
    assert [(type(e), str(e), e.exit_code) for e in relay.failures()] == [
        (TrainingError, "the loss is not a number", 1),
        (InputError, "no such option", 2),
    ]


def test_a_worker_of_an_earlier_launch_disturbs_nothing(relay: Relay, tmp_path: Path) -> None:
    """Its driver was killed, and the same command was given again before Ray ended it."""
    relay.arrive(0)
    again = Relay.of(tmp_path)
    again.open()
    with pytest.raises(TrainingError, match="another launch has begun here"):
        relay.tell(STEPS)
    relay.fail(0, TrainingError("another launch has begun here"))
    again.check()
    assert again.failures() == [] and not again.arrived
    assert list(Follower(again).new()) == []
    again.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_machines_do_not_share(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=f"{tmp_path}: a worker .* does not see this folder"):
        Relay.of(tmp_path).check()
