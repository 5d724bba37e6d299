"""SIGTERM and Ctrl-C as a request to stop, so that the work at hand is still done and kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from odm.core.progress import say


@contextmanager
def stop_signals(
    sentence: str = "stopping: what is at hand is still done",
) -> Iterator[Callable[[], bool]]:
    """Take these signals for a request while the body runs; a second one ends it at once.

    Args:
        sentence: what to say on standard error at the first signal; nothing if empty.

    Yields:
        A function that returns whether there was a signal. Outside the main thread, which alone
        hears of signals, it returns False.
    """
    received: list[int] = []

    def on_signal(number: int, _: Any) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)
        if sentence:
            say(sentence)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
