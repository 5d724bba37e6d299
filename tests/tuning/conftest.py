"""The one local Ray of all tests, and a small data set to train on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ray_jobs.conftest import archive, cluster, dataset

__all__ = ["archive", "cluster", "dataset"]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tests with Ray run in the process that has it."""
    with_ray = "cluster" in getattr(item, "fixturenames", ())
    if with_ray and Path(__file__).parent in item.path.parents:
        item.add_marker(pytest.mark.xdist_group("ray"))
