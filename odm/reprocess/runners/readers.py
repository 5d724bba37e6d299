"""Reading processes that may die: a file that kills its reader costs one process, not the run.

Each process is started fresh (no fork), imports no torch, and does one piece of work at a time; a
thread here hands it work and takes its answers. So it is known which input a lost process had.
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
from odm.reprocess.stages import Draft, InputResult, Stages

START_LIMIT_S, ANSWER_LIMIT_S = 120.0, 1800.0
"""Seconds for a process to start, and for one input: what takes longer has no end."""


@dataclass(frozen=True, slots=True)
class WorkItem:
    """Work for a reading process: an input to read, or a draft to finish with what was seen."""

    input: Input
    draft: Draft | None = None
    seen: Any = None


@dataclass(frozen=True, slots=True)
class Death:
    """A process that died over an input, or ran out of memory; ``cause`` says it in words."""

    input: Input
    cause: str


Answer = Draft | InputResult | Death


class Readers:
    """A few reading processes with one queue of work and one of answers.

    Args:
        stages: what they do.
        processes: how many there are.
    """

    def __init__(self, stages: Stages, processes: int) -> None:
        self.stages = stages
        self.processes = processes
        self.answers: queue.SimpleQueue[Answer | BaseException] = queue.SimpleQueue()
        self._items: queue.PriorityQueue[tuple[int, int, WorkItem | None]] = queue.PriorityQueue()
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

    def submit(self, item: WorkItem) -> None:
        """Queue work; finishing goes before reading, so that little waits in memory."""
        self._put(2 if item.draft is None else 1, item)

    def answer(self, timeout_s: float | None = None) -> Answer | None:
        """Return the next answer, or None when there is none in time.

        Raises:
            OdmError: a reading process cannot start.
        """
        try:
            answer = self.answers.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _put(self, priority: int, item: WorkItem | None) -> None:
        self._number += 1
        self._items.put((priority, self._number, item))

    def _serve(self) -> None:
        process: _Process | None = None
        try:
            while True:
                process = process or _Process(self.stages)
                item = self._items.get()[2]
                if item is None:
                    return
                try:
                    self.answers.put(process.do(item))
                except (EOFError, OSError):
                    self.answers.put(Death(item.input, process.end()))
                    process = None
        except BaseException as error:
            self.answers.put(error)
        finally:
            if process is not None:
                process.end()


def alone(stages: Stages, item: WorkItem) -> Answer:
    """Do one piece of work in a process of its own."""
    process = _Process(stages)
    try:
        return process.do(item)
    except (EOFError, OSError):
        return Death(item.input, process.end())
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

    def do(self, item: WorkItem) -> Answer:
        self.pipe.send(item)
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
        return exit_in_words(self.process.exitcode)


def exit_in_words(exitcode: int | None) -> str:
    """Put an exit code into words; a negative one is a signal."""
    if exitcode is not None and exitcode < 0:
        try:
            name = signal.Signals(-exitcode).name
        except ValueError:
            name = f"signal {-exitcode}"
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        return f"was ended by {name}{hint}"
    return f"exited with {exitcode}"


def killed_reader(cause: str) -> str:
    """Say why an input is quarantined that killed its reader twice."""
    return f"kills its reader: the process {cause}, and again when tried alone"


def _work(pipe: Connection, stages: Stages) -> None:
    """Run a reading process: take work, send an answer, until the other end is gone."""
    # Ctrl-C reaches every process of a terminal; the driver decides what is still done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    import cv2

    cv2.setNumThreads(1)
    with contextlib.suppress(EOFError, OSError):
        pipe.send("ready")
        while True:
            pipe.send(perform(stages, pipe.recv()))


def perform(stages: Stages, item: WorkItem) -> Answer:
    """Do work in this process."""
    try:
        if item.draft is None:
            return stages.read(item.input)
        return stages.finish(item.draft, item.seen)
    except MemoryError:
        return Death(item.input, "ran out of memory")
