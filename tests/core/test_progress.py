"""What is said of a loop's progress, and what is not said before it is known."""

from __future__ import annotations

import pytest

import odm.core.progress
from odm.core.progress import progress, waiting


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(odm.core.progress, "time", clock)
    return clock


def test_a_rate_is_that_since_the_first_outcome(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("doing", 100) as advance:
        clock.now += 60  # starting
        advance(1, "detected 1")
        said = capsys.readouterr().err
        assert said == "doing: 1 of 100 half-orbits, -/s, - left (detected 1)\n"
        clock.now += 20
        advance(40)
        assert capsys.readouterr().err == "doing: 41 of 100 half-orbits, 2.0/s, 30 s left\n"
        advance(59)  # 99 in 20 s
    assert capsys.readouterr().err == "doing: 100 of 100 half-orbits, 5.0/s\n"


def test_what_is_waited_for_is_said_at_once_and_once(capsys: pytest.CaptureFixture[str]) -> None:
    waiting("nothing is shown yet")
    with progress("doing", 3):
        waiting("loading model")
        waiting("loading model")
        assert capsys.readouterr().err == "doing: loading model\n"
    waiting("nothing is shown any more")
    assert capsys.readouterr().err == "doing: 0 of 3 half-orbits, -/s, - left (loading model)\n"


def test_of_nothing_there_is_nothing_to_show(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("doing", 0) as advance:
        waiting("loading model")
        advance(0)
    assert capsys.readouterr().err == ""
