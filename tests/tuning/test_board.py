"""What a sweep says while it runs, where nobody looks at a terminal."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from optuna.distributions import IntDistribution

from tuning.board import Board
from tuning.objectives import objectives_of
from tuning.plain import run_plain
from tuning.study import Asked, Ledger
from tuning.trial import Outcome

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
        run_plain(ledger, 40, lambda asked, tell: Outcome({"region_f1": 0.5}, False), board)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) < 10
    assert lines[-1] == (
        "sweep: 40 of 40 trials: 40 done, 0 stopped, 0 failed, 0 running, "
        "best region_f1 0.5 (trial 0)"
    )


def test_repeated_trials_are_called_by_what_they_repeat(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = ledger_of(tmp_path, "of", "seed")
    for seed in (1, 2):
        ledger.queue({"of": 7, "seed": seed})

    def run(asked: Asked, tell: object) -> Outcome:
        if asked.values["seed"] == 2:
            raise MemoryError
        return Outcome({"region_f1": 0.5}, False)

    with closing(Board(ledger, 2, "other seeds")) as board:
        run_plain(ledger, 2, run, board)
    said = capsys.readouterr().err
    assert "best region_f1 0.5 (trial 7 with seed 1)" in said
    assert "trial 7 with seed 2 failed: out of memory" in said
