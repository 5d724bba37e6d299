"""One local Ray for all tests, and a small data set to train on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ray_jobs.cluster.connection import connect
from ray_jobs.cluster.room import Cluster
from tests.small_dataset import make_archive, make_dataset


def pytest_itemcollected(item: pytest.Item) -> None:
    """All tests with Ray in one process: two of Ray's instances would fight for the cores."""
    if Path(__file__).parent in item.path.parents:
        item.add_marker(pytest.mark.xdist_group("ray"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Ray with two CPUs, whatever this machine has."""
    with connect("local", num_cpus=2, object_store_bytes=200_000_000) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_archive(tmp_path_factory.mktemp("simulated") / "archive")


@pytest.fixture(scope="session")
def dataset(archive: Path) -> Path:
    return make_dataset(archive)
