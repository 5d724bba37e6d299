import numpy as np
import scipy.linalg  # noqa: F401  (brings an OpenBLAS of its own)
from threadpoolctl import threadpool_info

from odm.core.threads import one_thread


def threads() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_one_thread_within_and_as_before_after() -> None:
    before = threads()
    assert before, "numpy has no BLAS that can be asked"
    with one_thread():
        assert set(threads()) == {1}
        assert np.allclose(np.eye(3) @ np.eye(3), np.eye(3))
    assert threads() == before
