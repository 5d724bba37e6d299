"""Reading processes that may die: a file that kills its reader costs one process, not the run.

Each process is started fresh (no fork), imports no torch, and does one task at a time; a thread
here hands it tasks and takes its answers. So when a process is gone it is known which input it had.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
import signal
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from odm.catalog.outcomes import Input
from odm.core.errors import OdmError
from odm.reprocess.stages.orbit import Draft, Result, Stages

START_LIMIT_S, ANSWER_LIMIT_S = 120.0, 1800.0
"""Seconds for a process to start, and for one input: what takes longer has no end."""


@dataclass(frozen=True, slots=True)
class Task:
    """Work for a reading process: an input to read, or a draft to finish with what was seen."""

    one: Input
    draft: Draft | None = None
    seen: Any = None


@dataclass(frozen=True, slots=True)
class Death:
    """A process that died over an input, or ran out of memory. ``how``: in words."""

    one: Input
    how: str


Answer = Draft | Result | Death


class Readers:
    """A few reading processes with one queue of tasks and one of answers.

    Args:
        stages: what they do.
        processes: how many.
    """

    def __init__(self, stages: Stages, processes: int) -> None:
        self.stages = stages
        self.processes = processes
        self.answers: queue.SimpleQueue[Answer | BaseException] = queue.SimpleQueue()
        self._tasks: queue.PriorityQueue[tuple[int, int, Task | None]] = queue.PriorityQueue()
        self._number = 0
        self._threads = [
            threading.Thread(target=self._serve, daemon=True, name=f"reader-{number}")
            for number in range(processes)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Readers:
        return self

    def __exit__(self, *_: object) -> None:
        """Let the processes finish what they have at hand, and end them."""
        for _thread in self._threads:
            self._put(0, None)
        for thread in self._threads:
            thread.join()

    def submit(self, task: Task) -> None:
        """Queue a task; finishing goes before reading, so that little waits in memory."""
        self._put(2 if task.draft is None else 1, task)

    def answer(self, timeout_s: float | None = None) -> Answer | None:
        """The next answer; None when there is none in time.

        Raises:
            OdmError: a reading process cannot start.
        """
        try:
            found = self.answers.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(found, BaseException):
            raise found
        return found

    def _put(self, priority: int, task: Task | None) -> None:
        self._number += 1
        self._tasks.put((priority, self._number, task))

    def _serve(self) -> None:
        process: _Process | None = None
        try:
            while True:
                process = process or _Process(self.stages)
                task = self._tasks.get()[2]
                if task is None:
                    return
                try:
                    self.answers.put(process.do(task))
                except (EOFError, OSError):
                    self.answers.put(Death(task.one, process.end()))
                    process = None
        except BaseException as error:
            self.answers.put(error)
        finally:
            if process is not None:
                process.end()


def alone(stages: Stages, task: Task) -> Answer:
    """Do one task in a process of its own."""
    process = _Process(stages)
    try:
        return process.do(task)
    except (EOFError, OSError):
        return Death(task.one, process.end())
    finally:
        process.end()


class _Process:
    """One reading process and our end of its pipe."""

    def __init__(self, stages: Stages) -> None:
        context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, stages), daemon=True)
        self.process.start()
        theirs.close()  # so that a death is the end of the file
        self.late = False
        started = False
        with contextlib.suppress(EOFError, OSError):
            started = self.pipe.poll(START_LIMIT_S) and self.pipe.recv() == "ready"
        if not started:
            raise OdmError(f"a reading process cannot start: it {self.end()}")

    def do(self, task: Task) -> Answer:
        self.pipe.send(task)
        if not self.pipe.poll(ANSWER_LIMIT_S):  # damage can make HDF5 loop without end
            self.late = True
            self.process.kill()
            raise EOFError
        answer: Answer = self.pipe.recv()
        return answer

    def end(self) -> str:
        """Let it go, and say how it ended."""
        self.pipe.close()
        self.process.join(10)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        if self.late:
            return f"gave no answer in {ANSWER_LIMIT_S:g} s"
        return how_it_ended(self.process.exitcode)


def how_it_ended(exitcode: int | None) -> str:
    """Words for an exit code; negative for a signal."""
    if exitcode is not None and exitcode < 0:
        try:
            name = signal.Signals(-exitcode).name
        except ValueError:
            name = f"signal {-exitcode}"
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        return f"was ended by {name}{hint}"
    return f"exited with {exitcode}"


def killed_reader(how: str) -> str:
    """The reason of an input that killed its reader twice."""
    return f"kills its reader: the process {how}, and again when tried alone"


def _work(pipe: Connection, stages: Stages) -> None:
    """The reading process: a task, an answer, until the other end is gone."""
    # Ctrl-C reaches every process of a terminal; the driver decides what is still done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    import cv2

    cv2.setNumThreads(1)
    with contextlib.suppress(EOFError, OSError):
        pipe.send("ready")
        while True:
            pipe.send(perform(stages, pipe.recv()))


def perform(stages: Stages, task: Task) -> Answer:
    """Do a task in this process."""
    try:
        if task.draft is None:
            return stages.read(task.one)
        return stages.finish(task.draft, task.seen)
    except MemoryError:
        return Death(task.one, "ran out of memory")
