"""Settings of the model tests."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True, scope="package")
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    # Small tensors: a second thread gains nothing, and waits for the first on a busy machine.
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
