"""A small simulated archive, and data sets on it to train on."""

from __future__ import annotations

from pathlib import Path

from odm.datasets.orbit import OrbitDataset, OrbitDatasetConfig
from odm.datasets.splits import OrbitSplit
from odm.images.geometry import OrbitImageSettings
from odm.simulate.orbit.archive import simulate_orbits
from odm.simulate.orbit.recipe import OrbitSimulation


def make_archive(folder: Path) -> Path:
    """Ten half-orbits, two in each cycle of 5 days, all with a nucleus."""
    simulate_orbits(
        folder,
        OrbitSimulation(half_orbits=10, prevalence=1.0, seed=3, components="z", every=76),
        workers=1,
    )
    return folder


def make_dataset(
    archive: Path,
    name: str = "dataset",
    split: OrbitSplit = OrbitSplit(train=2, validation=1, test=0),  # noqa: B008
) -> Path:
    """A data set on it, of small images, beside it."""
    path = archive.parent / f"{name}.yaml"
    config = OrbitDatasetConfig(
        archive=str(archive),
        annotations=str(archive),
        image=OrbitImageSettings(-8, -2, "resized", 64, 96),
        split=split,
    )
    OrbitDataset.create(path, config)
    return path
