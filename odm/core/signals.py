"""SIGTERM and Ctrl-C as a wish to stop: what is at hand is still done and kept."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def stop_signals(
    said: str = "stopping: what is at hand is still done",
) -> Iterator[Callable[[], bool]]:
    """Take these signals for a wish while the body runs; a second one ends at once.

    Args:
        said: on standard error, at the first signal, if anything.

    Yields:
        Whether there was one. In another thread than the main one, always no.
    """
    asked: list[int] = []

    def on_signal(number: int, _: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        if said:
            print(said, file=sys.stderr, flush=True)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {one: signal.signal(one, on_signal) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield lambda: bool(asked)
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
