"""Linear algebra in one thread, for many small products in many processes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

from threadpoolctl import ThreadpoolController


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # it looks through all loaded libraries, so only once


def one_thread() -> AbstractContextManager[Any]:
    """Return a context in which numpy and scipy compute in one thread.

    By default OpenBLAS takes all cores, which wait for each other where matrices are small: that
    costs twice the CPU time, taken from other processes, and gains nothing. Enter it after numpy
    and scipy are imported.
    """
    limits: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limits
