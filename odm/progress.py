"""Progress with rate and time left: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LINE_EVERY_S = 10.0


@contextmanager
def progress(what: str, total: int, unit: str = "half-orbits") -> Iterator[Callable[..., None]]:
    """Show how far a loop has come, on standard error.

    Args:
        what: what is being done, such as ``simulating``.
        total: how many units there are.
        unit: what is counted.

    Yields:
        A function to call with the number of units just finished, and with a note to show beside
        them if there is something to say.
    """
    if sys.stderr.isatty():
        with _bar(what, total, unit) as advance:
            yield advance
        return
    lines = _Lines(what, total, unit)
    yield lines.advance
    lines.close()


class _Lines:
    def __init__(self, what: str, total: int, unit: str) -> None:
        self.what, self.total, self.unit = what, total, unit
        self.done = 0
        self.note = ""
        self.started = self.last_shown = time.monotonic()

    def advance(self, number: int = 1, note: str = "") -> None:
        self.done += number
        self.note = note
        now = time.monotonic()
        if now - self.last_shown >= LINE_EVERY_S:
            self.last_shown = now
            self.show(now)

    def show(self, now: float) -> None:
        rate = self.done / max(now - self.started, 1e-9)
        left = (self.total - self.done) / rate if rate else float("inf")
        tail = f", {duration(left)} left" if self.done < self.total and rate else ""
        note = f" ({self.note})" if self.note else ""
        print(
            f"{self.what}: {self.done} of {self.total} {self.unit}, {rate:.1f}/s{tail}{note}",
            file=sys.stderr,
            flush=True,
        )

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
            speed = task.finished_speed or task.speed or 0.0
            return Text(f"{speed:.1f} {unit}/s")

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(),
        TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as display:
        task = display.add_task(what, total=total, note="")

        def advance(number: int = 1, note: str = "") -> None:
            display.update(task, advance=number, note=note)

        yield advance


def duration(seconds: float) -> str:
    """``1 h 05 min``, ``12 min`` or ``40 s``."""
    if seconds >= 3600:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"
    return f"{int(seconds // 60)} min" if seconds >= 120 else f"{seconds:.0f} s"
