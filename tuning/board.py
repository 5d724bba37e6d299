"""What a sweep says of its trials while it runs, on standard error."""

from __future__ import annotations

import time

from optuna.trial import FrozenTrial

from odm.core.progress import StatusLine, say
from odm.core.text import duration
from tuning.study import Ledger


class Board(StatusLine):
    """Shows trials done, running, stopped and failed, the best so far and the time left.

    Args:
        ledger: the sweep's trials.
        total: number of trials in all.
        what: what is being done.
    """

    def __init__(self, ledger: Ledger, total: int, what: str = "sweep") -> None:
        self.ledger, self.total, self.what = ledger, total, what
        self._start_s = time.monotonic()
        self._finished_before = ledger.counts().finished
        super().__init__(self._line)

    def _line(self) -> str:
        counts = self.ledger.counts()
        parts = [
            f"{self.what}: {counts.finished} of {self.total} trials: {counts.done} done",
            f"{counts.stopped} stopped",
            f"{counts.failed} failed",
            f"{counts.running} running",
        ]
        for trial in self.ledger.ranked()[:1]:
            name = self.ledger.objectives[0].name
            parts.append(f"best {name} {trial.values[0]:.4g} ({called(trial)})")
        new, left = counts.finished - self._finished_before, self.total - counts.finished
        if new > 0 and left > 0:
            parts.append(f"{duration((time.monotonic() - self._start_s) / new * left)} left")
        return ", ".join(parts)

    def failed(self, number: int, reason: str) -> None:
        """Say that a trial gave nothing, and why."""
        (trial,) = (trial for trial in self.ledger.trials if trial.number == number)
        say(f"{called(trial)} failed: {reason}")


def called(trial: FrozenTrial) -> str:
    """Return what people call a trial: one that repeats another by that one's number and seed."""
    params = trial.params
    if set(params) == {"of", "seed"}:
        return f"trial {params['of']} with seed {params['seed']}"
    return f"trial {trial.number}"
