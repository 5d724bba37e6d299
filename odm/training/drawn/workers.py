"""Processes that draw half-orbits for one training on this machine, and end with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.connection import wait
from typing import Any

from odm.training.drawn.drawing import Drawing, draw_into_cache

_kept: list[Any] = []
"""What has to live as long as a worker."""


class DrawingProcesses:
    """Processes that draw; see `odm.training.drawn.drawer.DrawingPool`.

    Args:
        workers: how many; they are started when there is something to draw.
    """

    def __init__(self, workers: int) -> None:
        context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
        self._pool = ProcessPoolExecutor(workers, context, _start)

    def submit(self, drawing: Drawing) -> Future[bool]:
        """See `DrawingPool`.

        Raises:
            BrokenProcessPool: one has died.
        """
        return self._pool.submit(draw_into_cache, drawing)

    def close(self) -> None:
        """End them, after what each of them is drawing."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    @property
    def identities(self) -> list[int]:
        """Their process numbers."""
        return list(self._pool._processes)


def _start() -> None:
    """Prepare a process: one thread, deaf to Ctrl-C, gone with its parent."""
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
