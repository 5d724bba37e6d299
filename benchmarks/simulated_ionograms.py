"""The simulated ionograms that the committed detector and its ablation are trained and scored on.

The test archives have another seed, and one of them the second ray model alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from odm.core.progress import progress
from odm.datasets.ionogram import (
    IonogramDataset,
    IonogramDatasetConfig,
    IonogramSplit,
)
from odm.images.ionogram import IonogramImageSettings
from odm.simulate.ionogram.archive import simulate_ionograms
from odm.simulate.ionogram.recipe import IonogramSimulation

TRAINING_SEED, SCORED_SEED = 301, 302
SIZE = 256
SPLIT = IonogramSplit(train=0.8, validation=0.2, test=0, group_hours=0)
"""Each ionogram is drawn anew: none has neighbours."""


def training_set(folder: Path, ionograms: int, size: int = SIZE, workers: int = 2) -> Path:
    """``dataset.yaml`` for training and validation, made once."""
    archive = folder / f"train{ionograms}"
    _simulate(archive, ionograms, TRAINING_SEED, workers)
    return _dataset(folder / f"train{ionograms}-{size}.yaml", archive, SPLIT, size)


def scored_set(
    folder: Path,
    ionograms: int,
    size: int = SIZE,
    *,
    ray_model: str | None = None,
    seed: int = SCORED_SEED,
    workers: int = 2,
) -> Path:
    """``dataset.yaml`` of an archive that nothing was trained on, all of it test, made once."""
    name = f"{ray_model or 'any'}{ionograms}-seed{seed}"
    _simulate(folder / name, ionograms, seed, workers, ray_model=ray_model)
    split = IonogramSplit(by="whole", part="test")
    return _dataset(folder / f"{name}-{size}.yaml", folder / name, split, size)


def _simulate(archive: Path, count: int, seed: int, workers: int, **more: Any) -> None:
    if (archive / "simulation.json").exists():
        return
    with progress("simulating", count, "ionograms") as advance:
        simulate_ionograms(
            archive,
            IonogramSimulation(count=count, seed=seed, **more),
            workers=workers,
            advance=advance,
        )


def _dataset(path: Path, archive: Path, split: IonogramSplit, size: int) -> Path:
    if not path.exists():
        image = IonogramImageSettings(height=size, width=size)
        config = IonogramDatasetConfig(
            archive=str(archive), annotations=str(archive), image=image, split=split
        )
        IonogramDataset.create(path, config)
    return path
