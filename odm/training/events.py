"""What a training tells: JSON lines, TensorBoard, and lines or a bar for people.

A training that goes on after it was killed drops what was told beyond the checkpoint that it goes
on from: every step and every epoch is told once.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from odm.core.files import make_folder, read_bytes, write_bytes
from odm.core.progress import Advance, progress, say, unheard
from odm.core.text import duration
from odm.training.loop import Answer, Listener, ProgressReport
from odm.training.run import Run
from odm.training.settings import TrainingSettings


class EventLog:
    """Writes reports to ``metrics.jsonl``, a line each.

    Lines of kind ``steps`` hold the means over the steps since the line before; those of kind
    ``epoch`` the means over the epoch and the metrics of the validation. What is no number is null.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last = time.monotonic()

    def __call__(self, report: ProgressReport) -> None:
        """Write a report down."""
        if report.kind == "begin":
            self._cut(report.step)
            self._last = time.monotonic()
        if report.kind not in ("steps", "epoch"):
            return
        record: dict[str, Any] = {
            "kind": report.kind,
            "step": report.step,
            "epoch": report.epoch,
            **{name: value if math.isfinite(value) else None for name, value in _told(report)},
        }
        now = time.monotonic()
        if report.kind == "steps":
            record["samples_per_s"] = report.samples / max(now - self._last, 1e-9)
        else:
            record["best_epoch"] = report.best_epoch
        self._last = now
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def _cut(self, step: int) -> None:
        """Drop the lines after a step, and one that was only half written."""
        make_folder(self.path.parent)
        kept = [record for record in read_events(self.path) if record["step"] <= step]
        text = "".join(json.dumps(record) + "\n" for record in kept)
        write_bytes(self.path, text.encode())


def read_events(path: Path) -> list[dict[str, Any]]:
    """The lines of a ``metrics.jsonl`` up to one that is not whole; none if there is no file."""
    records: list[dict[str, Any]] = []
    if not path.is_file():
        return records
    for line in read_bytes(path).decode("utf-8", "replace").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            break
        if not isinstance(record, dict) or not isinstance(record.get("step"), int):
            break
        records.append(record)
    return records


class TensorBoard:
    """Writes reports for TensorBoard.

    Args:
        folder: folder of its files.

    Raises:
        ImportError: it is not installed.
    """

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._open = lambda step: SummaryWriter(str(folder), purge_step=step)
        self._writer: Any = None

    def __call__(self, report: ProgressReport) -> None:
        """Write a report down."""
        if report.kind == "begin":
            self._writer = self._open(report.step + 1)  # type: ignore[no-untyped-call]  # tensorboard has no types
        if report.kind in ("steps", "epoch"):
            group = "steps/" if report.kind == "steps" else ""
            for name, value in _told(report):
                self._writer.add_scalar(group + name, value, report.step)
        if report.kind == "checkpoint":
            self._writer.flush()

    def close(self) -> None:
        """Close the files."""
        if self._writer is not None:
            self._writer.close()


def _told(report: ProgressReport) -> list[tuple[str, float]]:
    return sorted(report.values.items())


class Console:
    """Shows how far a training has come, on standard error: rate and time left, a line an epoch.

    Args:
        epochs: at most.
        score: the metric that decides, such as ``mean_iou``.
    """

    def __init__(self, epochs: int, score: str) -> None:
        self.epochs, self.score = epochs, score
        self._stack = ExitStack()
        self._advance: Advance = unheard
        self._step = 0
        self._epoch_began = time.monotonic()

    def __call__(self, report: ProgressReport) -> None:
        """Show a report."""
        if report.kind == "begin":
            self._begin(report)
        elif report.kind == "steps":
            self._advance(report.step - self._step)
            self._step = report.step
        elif report.kind == "epoch":
            self._epoch(report)

    def close(self) -> None:
        """Take the bar away."""
        self._stack.close()

    def _begin(self, report: ProgressReport) -> None:
        self._step = report.step
        self._epoch_began = time.monotonic()
        left = self.epochs * report.steps_per_epoch - report.step
        if report.step:
            say(f"going on from step {report.step}, in epoch {report.epoch + 1}")
        if left > 0:
            self._advance = self._stack.enter_context(progress("training", left, "steps"))

    def _epoch(self, report: ProgressReport) -> None:
        now = time.monotonic()
        seconds, self._epoch_began = now - self._epoch_began, now
        values = report.values
        parts = [f"loss {values.get('train/loss', math.nan):.3f}"]
        score = values.get(f"validation/{self.score}")
        if score is not None:
            best = "the best" if report.best else f"best in epoch {report.best_epoch}"
            parts.append(f"validation {values.get('validation/loss', math.nan):.3f}")
            parts.append(f"{self.score} {score:.3f} ({best})")
        said = ", ".join([*parts, duration(seconds)])
        say(f"epoch {report.epoch} of {self.epochs}: {said}")


def listeners(*parts: Listener | None) -> Listener:
    """One listener that passes reports on to several; any of them may ask to stop."""
    given = [part for part in parts if part is not None]

    def hear(report: ProgressReport) -> Answer:
        answer = Answer.NOTHING
        for part in given:  # all hear it, also after one has asked
            answer |= Answer(int(part(report) or 0))
        return answer

    return hear


@contextmanager
def recorded(run: Run, settings: TrainingSettings) -> Iterator[Listener]:
    """A listener that writes the reports of the main rank into the run's folder."""
    with ExitStack() as stack:
        board = None
        if settings.runtime.tensorboard:
            with suppress(ImportError):
                board = stack.enter_context(closing(TensorBoard(run.tensorboard)))
        yield listeners(EventLog(run.metrics), board)
