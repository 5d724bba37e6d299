"""Progress with rate and time left: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from odm.core.text import duration, speed

LINE_EVERY_S = 10.0
STEADY_S = 1.0
"""Of work after the first outcome, from which on a rate is worth showing."""

Advance = Callable[..., None]
_shown: list[Advance] = []
"""What is shown now, the innermost last."""


def waiting(what: str) -> None:
    """Say what the work at hand waits for, beside the progress that is shown, if any is.

    Args:
        what: such as ``loading model``; it stays until the next outcome brings a note of its own.
    """
    if _shown:
        _shown[-1](0, what)


@contextmanager
def progress(what: str, total: int, unit: str = "half-orbits") -> Iterator[Callable[..., None]]:
    """Show how far a loop has come, on standard error.

    Args:
        what: what is being done, such as ``simulating``.
        total: how many units there are.
        unit: what is counted.

    Yields:
        A function to call with the number of units just finished, and with a note to show beside
        them if there is something to say. Of no units there is nothing to show.
    """
    with ExitStack() as stack:
        if not total:
            yield lambda number=1, note="": None
            return
        if sys.stderr.isatty():
            advance = stack.enter_context(_bar(what, total, unit))
        else:
            lines = _Lines(what, total, unit)
            advance = lines.advance
        _shown.append(advance)
        try:
            yield advance
        finally:
            _shown.remove(advance)
        if not sys.stderr.isatty():
            lines.close()


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
        """Units a second since the first outcome: what came before it was starting."""
        if self.first is None:
            return None
        began, already = self.first
        if self.done == already or now - began < STEADY_S:
            return None
        return (self.done - already) / (now - began)

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
        print(f"{self.what}: {text}", file=sys.stderr, flush=True)

    def close(self) -> None:
        self.show(time.monotonic())


@contextmanager
def _bar(what: str, total: int, unit: str) -> Iterator[Callable[..., None]]:
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
