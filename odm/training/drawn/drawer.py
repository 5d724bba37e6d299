"""Draws half-orbits ahead of who needs them, in processes of their own, into the user's cache."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from odm.training.drawn.drawing import Drawing, Drawn, draw_into_cache, is_claimed, make_room
from odm.training.errors import TrainingError

POLL_S = 0.02
"""Seconds between two looks for what another process draws."""
TRIES = 3
"""Times that a half-orbit is put into the cache before it is drawn for its reader alone."""
ROOM_EVERY = 200
"""Half-orbits drawn from one look at the size of the cache to the next."""


class Drawer:
    """Draws half-orbits, those first that are waited for.

    Nobody waits for a lock: who needs a half-orbit that another process draws looks for its file,
    and draws it where that process does not come to an end.

    Args:
        workers: processes that draw; 0 draws in the thread that needs a half-orbit.
        limit_bytes: size of the cache, above which what was used last the longest ago is removed.
    """

    def __init__(self, workers: int, limit_bytes: float) -> None:
        self.workers, self.limit_bytes = workers, limit_bytes
        self._lock = threading.RLock()
        self._queue: deque[Drawing] = deque()
        self._flying: dict[Path, Future[bool]] = {}
        self._pool: ProcessPoolExecutor | None = None
        self._closed = False
        self._drawn = 0

    def expect(self, drawings: Iterable[Drawing]) -> None:
        """Begin to draw what will be needed, in this order, in place of what was told before."""
        if not self.workers:
            return
        with self._lock:
            self._queue = deque(drawings)
        self._fill()

    def load(self, drawing: Drawing) -> Drawn:
        """Return a half-orbit, from the cache or newly drawn; several threads may call it.

        Raises:
            InputError: the cache cannot be written.
            TrainingError: a process that draws has died.
        """
        tries = 0
        while (drawn := drawing.read()) is None:
            if tries == TRIES:
                return drawing.draw()
            if self._draw(drawing):
                tries += 1
            while is_claimed(drawing) and not drawing.path.exists():
                time.sleep(POLL_S)
        return drawn

    def close(self) -> None:
        """End the processes, after what each of them is drawing."""
        with self._lock:
            self._closed = True
            self._queue.clear()
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def _draw(self, drawing: Drawing) -> bool:
        """Have a half-orbit drawn; False if another process draws it."""
        if not self.workers:
            done = draw_into_cache(drawing)
            self._count()
            return done
        with self._lock:
            future = self._flying.get(drawing.path) or self._submit(drawing)
        try:
            return future.result()
        except BrokenProcessPool:
            raise TrainingError(
                "a process that draws half-orbits has died, killed or without memory; the same "
                "command goes on from the last checkpoint, with fewer of them if you set a smaller "
                "runtime.draw_workers"
            ) from None
        except CancelledError:
            raise TrainingError("the training has ended while a half-orbit was drawn") from None

    def _submit(self, drawing: Drawing) -> Future[bool]:
        """Give a half-orbit to the processes; the lock is held."""
        if self._closed:
            raise TrainingError("the training has ended while a half-orbit was needed")
        if self._pool is None:
            context = multiprocessing.get_context("spawn")  # a fork of threads may hang
            self._pool = ProcessPoolExecutor(self.workers, context, _start_worker)
        path = drawing.path
        future = self._flying[path] = self._pool.submit(draw_into_cache, drawing)
        future.add_done_callback(lambda done: self._landed(drawing, path, done))
        return future

    def _landed(self, drawing: Drawing, path: Path, future: Future[bool]) -> None:
        with self._lock:
            self._flying.pop(path, None)
            if future.cancelled() or future.exception() is not None:
                return  # who needs it meets the same error; nobody else has to
            if not future.result():
                self._queue.append(drawing)  # another process may die before it is done
        self._count()
        self._fill()

    def _fill(self) -> None:
        """Give the processes what is next: one each, and one that waits."""
        with self._lock:
            others = 0
            while self._queue and len(self._flying) <= self.workers and others < len(self._queue):
                drawing = self._queue.popleft()
                path = drawing.path
                if path in self._flying or path.exists():
                    continue
                if is_claimed(drawing):
                    self._queue.append(drawing)
                    others += 1
                    continue
                try:
                    self._submit(drawing)
                except (TrainingError, BrokenProcessPool, RuntimeError):
                    return  # who needs a half-orbit says so

    def _count(self) -> None:
        """Look at the size of the cache from time to time."""
        with self._lock:
            self._drawn += 1
            due = self._drawn % ROOM_EVERY == 1
        if due:
            make_room(self.limit_bytes)


_kept: list[Any] = []
"""What has to live as long as a worker."""


def _start_worker() -> None:
    """Prepare a process that draws: one thread, deaf to Ctrl-C, gone with its parent."""
    import cv2

    from odm.core.threads import one_thread

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and ends its workers
    cv2.setNumThreads(1)
    _kept.append(one_thread())
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    # A killed parent cannot end its workers, and they would wait for work for ever.
    wait([sentinel])
    os._exit(1)
