"""The simulated data that the committed models and comparisons are trained and scored on.

One variant of each kind of family is never trained on (`HELD_OUT`), so that a score on it says what
happens where the sky is not like the training data.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from odm.core.progress import progress
from odm.datasets.orbit import OrbitDataset, OrbitDatasetConfig
from odm.datasets.splits import OrbitSplit
from odm.images.geometry import OrbitImageSettings
from odm.images.masks import MaskKind
from odm.images.spectrogram import estimate_limits
from odm.simulate.folder import MANIFEST
from odm.simulate.orbit.archive import simulate_orbits
from odm.simulate.orbit.recipe import OrbitSimulation, choose_families

HELD_OUT = {"background": ["disturbed"], "shape": ["ring"], "confuser": ["band_stack"]}
TRAINING_SEED, SCORED_SEED = 101, 202
START = "2020-01-01"
EVERY = 23
"""Half-orbits apart: 480 of them span a year."""
SIZE = 512
Families = dict[str, list[str]]
SPLIT = OrbitSplit(train=8, validation=1, test=0)


def training_set(
    folder: Path, half_orbits: int = 480, *, size: int = SIZE, mask: MaskKind = "contour"
) -> Path:
    """``dataset.yaml`` of half-orbits for training and validation, made once.

    Args:
        folder: where the archive goes.
        half_orbits: how many.
        size: height and width of the images; half the native one shows a crop of 256 pixels twice
            as much of the sky, and learns in a quarter of the time.
        mask: what the labels are, ``contour`` or ``box``.
    """
    path = folder / f"{_name('dataset', size)}{'' if mask == 'contour' else '-' + mask}.yaml"
    archive = folder / "train"
    _simulate(
        archive,
        half_orbits,
        TRAINING_SEED,
        prevalence=0.6,
        every=EVERY,
        families=choose_families({}, HELD_OUT),
    )
    if not path.exists():
        base: dict[str, Any] = {
            "archive": str(archive),
            "annotations": str(archive),
            "split": SPLIT,
            "mask": mask,
        }
        for_any_limits = OrbitDatasetConfig(**base, image=OrbitImageSettings(-8.0, -2.0))
        training = [one for one in OrbitDataset(for_any_limits).all_samples if one.part == "train"]
        limits = estimate_limits([sample.path for sample in training])
        image = OrbitImageSettings(*limits, mode="resized", height=size, width=size)
        OrbitDataset.create(path, OrbitDatasetConfig(**base, image=image))
    return path


def scored_set(
    folder: Path,
    name: str,
    half_orbits: int = 120,
    *,
    seed: int = SCORED_SEED,
    size: int = SIZE,
    families: Families | None = None,
    held_out: Families | None = None,
) -> Path:
    """``dataset.yaml`` of an archive that nothing was trained on, all of it for test, made once.

    Args:
        folder: where the archives are, that of training among them.
        name: of this one.
        half_orbits: how many, over a year, at the simulator's default settings.
        seed: another than that of training.
        size: of the images, as in training.
        families, held_out: see `odm.simulate.choose_families`.
    """
    path, archive = folder / f"{_name(name, size)}.yaml", folder / name
    every = max(1, EVERY * 480 // half_orbits)
    _simulate(
        archive, half_orbits, seed, every=every, families=choose_families(families or {}, held_out)
    )
    if not path.exists():
        images = OrbitDataset.load(training_set(folder, size=size)).settings
        base: dict[str, Any] = {
            "archive": str(archive),
            "annotations": str(archive),
            "image": images,
        }
        OrbitDataset.create(
            path, OrbitDatasetConfig(**base, split=OrbitSplit(by="whole", part="test"))
        )
    return path


def shifted_sets(folder: Path, half_orbits: int = 120) -> dict[str, Path]:
    """Data sets to score: families as in training, and with those of one kind all unseen ones."""
    sets = {"families as in training": scored_set(folder, "seen", half_orbits, held_out=HELD_OUT)}
    for kind, variants in HELD_OUT.items():
        others = {other: names for other, names in HELD_OUT.items() if other != kind}
        sets[f"{kind}: {', '.join(variants)}"] = scored_set(
            folder, f"unseen-{kind}", half_orbits, families={kind: variants}, held_out=others
        )
    return sets


def _name(name: str, size: int) -> str:
    return name if size == SIZE else f"{name}-{size}"


def _simulate(archive: Path, half_orbits: int, seed: int, **settings: Any) -> None:
    if (archive / MANIFEST).is_file():
        return
    print(f"simulating {half_orbits} half-orbits of seed {seed}: {archive.name}", file=sys.stderr)
    with progress("simulating", half_orbits, "half-orbits") as advance:
        simulate_orbits(
            archive,
            OrbitSimulation(
                half_orbits=half_orbits, seed=seed, start=START, components="z", **settings
            ),
            workers=2,
            advance=advance,
        )
