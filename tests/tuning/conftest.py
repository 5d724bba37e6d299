"""The one local Ray of all tests, and a small data set to train on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ray_jobs.conftest import archive, cluster, dataset

__all__ = ["archive", "cluster", "dataset"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with Ray run in the process that has it."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "cluster" in getattr(
            item, "fixturenames", ()
        ):
            item.add_marker(pytest.mark.xdist_group("ray"))
