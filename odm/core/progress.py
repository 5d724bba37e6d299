"""Progress on standard error: a bar or a line that changes on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from odm.core.text import duration, speed

LINE_EVERY_S = 10.0
"""Time between two plain lines of a loop, in seconds."""
STEADY_S = 1.0
"""Time after the first outcome from which on a rate is worth showing, in seconds."""
LEAST_S = 1.0
"""Shortest time between two plain lines of a status, in seconds."""
STATUS_EVERY_S = 30.0
"""Time after which a status is repeated as a plain line although nothing is new, in seconds."""


class Advance(Protocol):
    """Hears of the progress of a loop."""

    def __call__(self, number: int = 1, note: str = "") -> None:
        """Count units that were just finished.

        Args:
            number: how many; 0 only changes the note.
            note: what to show beside the count.
        """


_shown: list[Advance] = []
"""What is shown now, the innermost last."""


def say(text: str) -> None:
    """Print a line for people to standard error, where it is seen at once."""
    print(text, file=sys.stderr, flush=True)


def unheard(number: int = 1, note: str = "") -> None:
    """Show nothing: an `Advance` for loops that nobody watches."""


def waiting(reason: str) -> None:
    """Say what the work at hand waits for, beside the progress that is shown, if any is.

    Args:
        reason: such as ``loading model``; it stays until the next outcome brings its own note.
    """
    if _shown:
        _shown[-1](0, reason)


@contextmanager
def progress(what: str, total: int, unit: str = "half-orbits") -> Iterator[Advance]:
    """Show how far a loop has come, with its rate and the time left.

    Args:
        what: what is being done, such as ``simulating``.
        total: how many units there are; nothing is shown of none.
        unit: what is counted.

    Yields:
        The function to call after each unit.
    """
    if not total:
        yield unheard
        return
    with (_bar if sys.stderr.isatty() else _lines)(what, total, unit) as advance:
        _shown.append(advance)
        try:
            yield advance
        finally:
            _shown.remove(advance)


class StatusLine:
    """One line about work that is not a loop; it changes on a terminal, and is repeated elsewhere.

    Other text can be printed to standard error meanwhile.

    Args:
        text: returns the line as of now.
    """

    def __init__(self, text: Callable[[], str]) -> None:
        self._text = text
        self._shown_s = time.monotonic()
        self._is_late = False
        self._display: Any = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress, TextColumn
            from rich.table import Column

            column = TextColumn("{task.description}", markup=False, table_column=Column())
            self._display = Progress(column, console=Console(stderr=True))
            self._display.add_task("")
            self._display.start()

    def show(self) -> None:
        """Show the line after something has changed, but not at once if the last one is fresh."""
        now = time.monotonic()
        self._is_late = self._display is None and now - self._shown_s < LEAST_S
        if not self._is_late:
            self._shown_s = now
            self._print()

    def tick(self) -> None:
        """Show the line if it was shown long ago, or if `show` had to wait."""
        soon = self._display is not None or self._is_late
        if time.monotonic() - self._shown_s >= (LEAST_S if soon else STATUS_EVERY_S):
            self.show()

    def close(self) -> None:
        """Show the line for the last time, and leave it."""
        if self._display is not None or self._is_late:
            self._print()
        if self._display is not None:
            self._display.stop()

    def _print(self) -> None:
        if self._display is None:
            say(self._text())
        else:
            self._display.update(self._display.task_ids[0], description=self._text())


class _Lines:
    def __init__(self, what: str, total: int, unit: str) -> None:
        self.what, self.total, self.unit = what, total, unit
        self.done = 0
        self.note = ""
        self.first: tuple[float, int] | None = None
        self.last_shown = time.monotonic()

    def advance(self, number: int = 1, note: str = "") -> None:
        now = time.monotonic()
        if not number:
            if note and note != self.note:
                self._print(note)
            self.note = note
            return
        self.done += number
        self.note = note
        if self.first is None:
            self.first = (now, self.done)
        if now - self.last_shown >= LINE_EVERY_S:
            self.show(now)

    def rate(self, now: float) -> float | None:
        """Return units a second since the first outcome: what came before it was starting."""
        if self.first is None:
            return None
        first_s, already = self.first
        if self.done == already or now - first_s < STEADY_S:
            return None
        return (self.done - already) / (now - first_s)

    def show(self, now: float) -> None:
        self.last_shown = now
        rate = self.rate(now)
        if self.done >= self.total:
            tail = ""
        else:
            tail = f", {'-' if rate is None else duration((self.total - self.done) / rate)} left"
        note = f" ({self.note})" if self.note else ""
        self._print(f"{self.done} of {self.total} {self.unit}, {speed(rate)}{tail}{note}")

    def _print(self, text: str) -> None:
        say(f"{self.what}: {text}")


@contextmanager
def _lines(what: str, total: int, unit: str) -> Iterator[Advance]:
    lines = _Lines(what, total, unit)
    yield lines.advance
    lines.show(time.monotonic())


@contextmanager
def _bar(what: str, total: int, unit: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            # rich leaves the first outcome out too.
            return Text(speed(task.finished_speed or task.speed))

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(),
        TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as display:
        task = display.add_task(what, total=total, note="")

        def advance(number: int = 1, note: str = "") -> None:
            display.update(task, advance=number, note=note)

        yield advance
