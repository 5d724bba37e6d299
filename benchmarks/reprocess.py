"""Reprocessing, from an archive to outcomes: Ray, the plain runner, and what it is made of.

On one archive in one run, the cases one after another with the same threads:

    read, model, finish     each stage alone, from which the most that the cores allow is computed
    plain runner            ``odm reprocess --local``
    Ray                     ``odm reprocess``, under a small object store
    plain script            h5py, the eager model on contiguous float32, one file after another
    DataLoader              the same with torch's DataLoader reading ahead

"first" is the time from the start to the first outcome (processes start, libraries are imported,
the model is exported). "rate" is of the inputs beyond a third of them, run alone before, so that
neither start nor end is in it. For Ray it is said how much was spilled.

    python benchmarks/reprocess.py [--half-orbits 200] [--model FOLDER] [--device cpu]
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from pipelines import device_of, report_pipeline, runners, stage_times, timed

from odm.archive.orbit.listing import list_orbits
from odm.images.geometry import OrbitImageSettings
from odm.images.spectrogram import estimate_limits, spectrogram_image
from odm.models.folder import load_model, save_model
from odm.models.networks.base import to_input
from odm.models.networks.segmenters import create_segmenter
from odm.models.shipped import model_folder, shipped_model
from odm.reprocess.inference import cores
from odm.reprocess.order import Order, open_order
from odm.reprocess.request import ModelOptions, ReprocessRequest
from odm.simulate.orbit.archive import simulate_orbits
from odm.simulate.orbit.recipe import OrbitSimulation


def main() -> None:
    """Simulate, run every case, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half-orbits", type=int, default=200)
    parser.add_argument(
        "--model", help="none: random weights", default=str(shipped_model("segmenter"))
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--no-ray", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "archive"
        simulate_orbits(
            archive,
            OrbitSimulation(half_orbits=options.half_orbits, seed=5, every=61),
            workers=cores(),
        )
        paths = [entry.path for entry in list_orbits(archive).entries]
        model = (
            model_folder(options.model)
            if options.model
            else _untrained(Path(folder) / "model", paths)
        )

        def order(name: str) -> Order:
            request = ReprocessRequest(
                kind="orbits",
                archive=str(archive),
                campaign=str(Path(folder) / name),
                model=ModelOptions(folder=model, device=options.device),
            )
            return open_order(request)

        stages = stage_times(order("stages"))
        rows, spilled = runners(order, not options.no_ray)
        rows += [timed("plain script", _plain_script(model, paths, options.device))]
        rows += [timed("DataLoader", _data_loader(model, paths, options.device))]
    report_pipeline(
        "reprocess",
        "half_orbit",
        rows,
        stages,
        spilled,
        half_orbits=options.half_orbits,
        model=Path(options.model).name if options.model else "odm_unet_small, untrained",
    )


def _untrained(folder: Path, paths: list[str]) -> str:
    """The shipped architecture with random weights: as fast as a trained one, and finds little."""
    torch.manual_seed(0)
    limits = estimate_limits(paths, max_files=20)
    model = create_segmenter("odm_unet_small")
    save_model(
        folder,
        model,
        image=OrbitImageSettings(*limits, "resized", 512, 512).to_dict(),
        thresholds={},
    )
    return str(folder)


def _plain_script(folder: str, paths: list[str], device: str) -> Iterator[object]:
    """What a person writes in an afternoon."""
    where = device_of(device)
    loaded = load_model(folder, device=where)
    settings = OrbitImageSettings.from_dict(dict(loaded.card.image))
    for path in paths:
        with h5py.File(path) as file:
            image = spectrogram_image(file["A133_P"][:], settings)
        yield _masks(loaded.model, torch.from_numpy(image)[None, None], where)


class _Files(torch.utils.data.Dataset[torch.Tensor]):
    def __init__(self, paths: list[str], settings: OrbitImageSettings) -> None:
        self.paths = paths
        self.settings = settings

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        with h5py.File(self.paths[index]) as file:
            return torch.from_numpy(spectrogram_image(file["A133_P"][:], self.settings))[None]


def _data_loader(folder: str, paths: list[str], device: str) -> Iterator[object]:
    where = device_of(device)
    loaded = load_model(folder, device=where)
    files = _Files(paths, OrbitImageSettings.from_dict(dict(loaded.card.image)))
    workers = max(1, cores() // 3)
    for images in torch.utils.data.DataLoader(files, batch_size=2, num_workers=workers):
        yield from _masks(loaded.model, images, where)


def _masks(model: Any, images: torch.Tensor, device: str) -> np.ndarray:
    with torch.inference_mode():
        scores = torch.softmax(model(to_input(images.to(device), model)), dim=1)
    return np.asarray((scores[:, 1] > 0.5).cpu())


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", str(cores()))
    main()
