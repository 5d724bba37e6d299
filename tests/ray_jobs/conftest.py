"""One local Ray for all tests, and a small data set to train on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from odm.archive.samples import DatasetConfig, create_dataset
from odm.archive.splits import SplitRule
from odm.images.geometry import ImageSettings
from odm.simulate.archive import simulate_orbits
from ray_jobs.cluster import Cluster, connect


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests with Ray in one process: two of Ray's instances would fight for the cores."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("ray"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Ray with two CPUs, whatever this machine has."""
    with connect("local", num_cpus=2, object_store_bytes=200_000_000) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "archive"
    simulate_orbits(
        folder, half_orbits=10, prevalence=1.0, seed=3, components="z", every=76, workers=1
    )
    return folder


@pytest.fixture(scope="session")
def dataset(archive: Path) -> Path:
    path = archive.parent / "dataset.yaml"
    config = DatasetConfig(
        archive=str(archive),
        annotations=str(archive),
        image=ImageSettings(-8, -2, "resized", 64, 96),
        split=SplitRule(train=2, validation=1, test=0),
    )
    create_dataset(path, config)
    return path
