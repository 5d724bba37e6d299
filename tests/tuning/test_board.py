"""What a sweep says while it runs, where nobody looks at a terminal."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from optuna.distributions import IntDistribution

from odm.core import progress
from tuning.board import Board
from tuning.objectives import objectives_of
from tuning.runners.local import run_plain
from tuning.study import Ledger, TrialRequest
from tuning.trial import Tell, TrialOutcome

WIDE = IntDistribution(0, 100)


def ledger_of(path: Path, *names: str) -> Ledger:
    return Ledger(
        path / "study", "x", objectives_of("segmenter"), dict.fromkeys(names or ("a",), WIDE)
    )


def test_fast_trials_are_not_a_line_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = ledger_of(tmp_path)
    with closing(Board(ledger, 40)) as board:
        run_plain(ledger, 40, lambda asked, tell: TrialOutcome({"region_f1": 0.5}, False), board)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) < 10
    assert lines[-1] == (
        "sweep: 40 of 40 trials: 40 done, 0 stopped, 0 failed, 0 running, "
        "best region_f1 0.5 (trial 0)"
    )


def test_what_came_too_soon_is_shown_before_a_wait(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = ledger_of(tmp_path)
    board = Board(ledger, 3)
    monkeypatch.setattr(progress, "LEAST_S", 60.0)
    ledger.finish(ledger.ask().number, {"region_f1": 0.5}, stopped=False)
    board.show()
    board.tick()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "LEAST_S", 0.0)  # time enough has passed
    board.tick()
    assert capsys.readouterr().err.startswith("sweep: 1 of 3 trials: 1 done")
    board.tick()  # nothing is new, and that was not long ago
    board.close()
    assert capsys.readouterr().err == ""


def test_a_long_trial_shows_what_a_short_one_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = ledger_of(tmp_path)
    monkeypatch.setattr(progress, "LEAST_S", 60.0)

    def run(asked: TrialRequest, tell: Tell) -> TrialOutcome:
        if asked.number == 1:
            assert capsys.readouterr().err == ""
            monkeypatch.setattr(progress, "LEAST_S", 0.0)
            tell(1, 0.4)
            assert capsys.readouterr().err.startswith("sweep: 1 of 2 trials: 1 done")
        return TrialOutcome({"region_f1": 0.5}, False)

    with closing(Board(ledger, 2)) as board:
        run_plain(ledger, 2, run, board)


def test_repeated_trials_are_called_by_what_they_repeat(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = ledger_of(tmp_path, "of", "seed")
    for seed in (1, 2):
        ledger.queue({"of": 7, "seed": seed})

    def run(asked: TrialRequest, tell: object) -> TrialOutcome:
        if asked.values["seed"] == 2:
            raise MemoryError
        return TrialOutcome({"region_f1": 0.5}, False)

    with closing(Board(ledger, 2, "other seeds")) as board:
        run_plain(ledger, 2, run, board)
    said = capsys.readouterr().err
    assert "best region_f1 0.5 (trial 7 with seed 1)" in said
    assert "trial 7 with seed 2 failed: out of memory" in said
