"""What is written down of a run while it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from odm.training.events import EventLog, TensorBoard, listeners
from odm.training.loop import Listener
from odm.training.run import Run
from odm.training.settings import TaskSettings


@contextmanager
def recorded(run: Run, settings: TaskSettings) -> Iterator[Listener]:
    """Somebody who hears the reports of the main rank and writes them into the run's folder."""
    board = None
    if settings.runtime.tensorboard:
        try:
            board = TensorBoard(run.tensorboard)
        except ImportError:
            board = None
    try:
        yield listeners(EventLog(run.metrics), board)
    finally:
        if board is not None:
            board.close()
