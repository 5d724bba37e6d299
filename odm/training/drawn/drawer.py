"""Draws half-orbits ahead of who needs them into the user's cache, by what other processes do."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as NotDoneError
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Protocol

from odm.training.drawn.drawing import Drawing, Drawn, draw_into_cache, is_claimed, make_room
from odm.training.drawn.workers import DrawingProcesses
from odm.training.errors import TrainingError

POLL_S = 0.02
"""Seconds between two looks for what another process draws."""
PATIENCE_S = 60.0
"""Seconds to wait for a half-orbit before it is drawn by who needs it."""
TRIES = 3
"""Times that a half-orbit is put into the cache before it is drawn for its reader alone."""
ROOM_EVERY = 200
"""Half-orbits drawn from one look at the size of the cache to the next."""


class DrawingPool(Protocol):
    """What draws in other processes."""

    def submit(self, drawing: Drawing) -> Future[bool]:
        """Have a half-orbit drawn into this machine's cache; false if another process draws it."""
        ...

    def close(self) -> None:
        """Draw no more."""
        ...


class Drawer:
    """Draws half-orbits, those first that are waited for.

    Nobody waits for a lock: who needs a half-orbit that another process draws looks for its file,
    and draws it where that process does not come to an end. It can be sent to another process,
    and begins there anew.

    Args:
        workers: processes that draw; 0 draws in the thread that needs a half-orbit.
        limit_bytes: size of the cache, above which what was used last the longest ago is removed.
        start: starts so many processes.
    """

    def __init__(
        self,
        workers: int,
        limit_bytes: float,
        start: Callable[[int], DrawingPool] = DrawingProcesses,
    ) -> None:
        self.workers, self.limit_bytes, self.start = workers, limit_bytes, start
        self._lock = threading.RLock()
        self._queues: tuple[deque[Drawing], deque[Drawing]] = (deque(), deque())
        self._flying: dict[Path, Future[bool]] = {}
        self._pool: DrawingPool | None = None
        self._closed = False
        self._drawn = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.workers, self.limit_bytes, self.start)

    def expect(self, needed: Iterable[Drawing], later: Iterable[Drawing] | None = None) -> None:
        """Begin to draw what will be needed, in this order, in place of what was told before.

        Args:
            needed: soon.
            later: drawn where nothing else is to be; None for what was told before.
        """
        if not self.workers:
            return
        with self._lock:
            self._queues = (
                deque(needed),
                self._queues[1] if later is None else deque(later),
            )
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
            for queue in self._queues:
                queue.clear()
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def _draw(self, drawing: Drawing) -> bool:
        """Have a half-orbit drawn; False if another process draws it."""
        if not self.workers:
            return self._draw_here(drawing)
        try:
            with self._lock:
                future = self._flying.get(drawing.path) or self._submit(drawing)
            return future.result(PATIENCE_S)
        except NotDoneError:
            return self._draw_here(drawing)
        except BrokenProcessPool:
            raise TrainingError(
                "a process that draws half-orbits has died, killed or without memory; the same "
                "command goes on from the last checkpoint, with fewer of them if you set a smaller "
                "runtime.draw_workers"
            ) from None
        except CancelledError:
            raise TrainingError("the training has ended while a half-orbit was drawn") from None

    def _draw_here(self, drawing: Drawing) -> bool:
        done = draw_into_cache(drawing)
        self._count()
        return done

    def _submit(self, drawing: Drawing) -> Future[bool]:
        """Give a half-orbit to the processes; the lock is held."""
        if self._closed:
            raise TrainingError("the training has ended while a half-orbit was needed")
        if self._pool is None:
            self._pool = self.start(self.workers)
        path = drawing.path
        future = self._flying[path] = self._pool.submit(drawing)
        future.add_done_callback(lambda done: self._landed(drawing, path, done))
        return future

    def _landed(self, drawing: Drawing, path: Path, future: Future[bool]) -> None:
        # Without the lock: where a process has died, the thread that tells so holds one of its own.
        self._flying.pop(path, None)
        if future.cancelled() or future.exception() is not None:
            return  # who needs it meets the same error; nobody else has to
        if not future.result():
            with self._lock:
                self._queues[1].append(drawing)  # another process may die before it is done
        self._count()
        self._fill()

    def _fill(self) -> None:
        """Give the processes what is next: one each, and one that waits."""
        with self._lock:
            for queue in self._queues:
                elsewhere = 0
                while elsewhere < len(queue) and len(self._flying) <= self.workers:
                    drawing = queue.popleft()
                    path = drawing.path
                    if path in self._flying or path.exists():
                        continue
                    if is_claimed(drawing):
                        queue.append(drawing)
                        elsewhere += 1
                        continue
                    try:
                        self._submit(drawing)
                    except (TrainingError, RuntimeError):
                        return  # who needs a half-orbit says so

    def _count(self) -> None:
        """Look at the size of the cache from time to time."""
        with self._lock:
            self._drawn += 1
            due = self._drawn % ROOM_EVERY == 1
        if due:
            make_room(self.limit_bytes)
