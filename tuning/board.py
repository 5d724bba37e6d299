"""How far a sweep has come, on standard error: one line that changes, or plain lines elsewhere."""

from __future__ import annotations

import sys
import time

from optuna.trial import FrozenTrial

from odm.core.text import duration
from tuning.study import Ledger

LINE_EVERY_S = 30.0
LEAST_S = 1.0
"""Between two lines: thresholds are tried in milliseconds."""


class Board:
    """Shows trials done, running, stopped and failed, the best so far and the time left.

    Args:
        ledger: of the sweep.
        total: trials in all.
        what: is being done.
    """

    def __init__(self, ledger: Ledger, total: int, what: str = "sweep") -> None:
        self.ledger, self.total, self.what = ledger, total, what
        self.began = self._shown = time.monotonic()
        self._pending = False
        self.before = ledger.counts().finished
        self._on_terminal = sys.stderr.isatty()
        self._width = 0

    def line(self) -> str:
        """The line as of now."""
        counts = self.ledger.counts()
        parts = [
            f"{self.what}: {counts.finished} of {self.total} trials: {counts.done} done",
            f"{counts.stopped} stopped",
            f"{counts.failed} failed",
            f"{counts.running} running",
        ]
        best = self.ledger.ranked()[:1]
        for trial in best:
            name = self.ledger.objectives[0].name
            parts.append(f"best {name} {trial.values[0]:.4g} ({called(trial)})")
        new, left = counts.finished - self.before, self.total - counts.finished
        if new > 0 and left > 0:
            each = (time.monotonic() - self.began) / new
            parts.append(f"{duration(each * left)} left")
        return ", ".join(parts)

    def show(self) -> None:
        """Show it, after a trial has begun or ended."""
        now = time.monotonic()
        self._pending = not self._on_terminal and now - self._shown < LEAST_S
        if self._pending:
            return
        self._shown = now
        line = self.line()
        if not self._on_terminal:
            print(line, file=sys.stderr, flush=True)
            return
        print("\r" + line.ljust(self._width), end="", file=sys.stderr, flush=True)
        self._width = len(line)

    def tick(self) -> None:
        """Show it if that was long ago, or if there is something new that came too soon."""
        soon = self._on_terminal or self._pending
        if time.monotonic() - self._shown >= (LEAST_S if soon else LINE_EVERY_S):
            self.show()

    def failed(self, number: int, reason: str) -> None:
        """Say that a trial gave nothing, and why."""
        (trial,) = (one for one in self.ledger.trials if one.number == number)
        self.say(f"{called(trial)} failed: {reason}")

    def say(self, text: str) -> None:
        """A line of its own, which stays."""
        if self._on_terminal and self._width:
            print("\r" + " " * self._width + "\r", end="", file=sys.stderr)
        print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave the line, shown after the last trial."""
        if self._on_terminal:
            self.show()
            print(file=sys.stderr, flush=True)
        elif self._pending:
            print(self.line(), file=sys.stderr, flush=True)


def called(trial: FrozenTrial) -> str:
    """A trial as people know it: one that repeats another with its number and the seed."""
    params = trial.params
    if set(params) == {"of", "seed"}:
        return f"trial {params['of']} with seed {params['seed']}"
    return f"trial {trial.number}"
