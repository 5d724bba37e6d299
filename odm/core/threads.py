"""Linear algebra in one thread, where there are many small products and processes beside."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

from threadpoolctl import ThreadpoolController


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # looks through the loaded libraries: once


def one_thread() -> AbstractContextManager[Any]:
    """Within it numpy and scipy multiply in one thread.

    By default OpenBLAS takes all cores, which wait for each other with small matrices: twice the
    CPU for the same time, taken from the other processes. Call it after numpy and scipy are loaded.
    """
    limits: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limits
