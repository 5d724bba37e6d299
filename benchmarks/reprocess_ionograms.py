"""Reprocessing ionograms, from an archive to outcomes: Ray, the plain runner, a plain script.

As `reprocess.py`, on one archive in one run with the same threads, and the model alone on images in
memory with each engine that is installed:

    plain runner            ``odm reprocess ionograms --local``
    Ray                     ``odm reprocess ionograms``, under a small object store
    plain script            numpy and OpenCV, the eager model, one file after another
    model alone (ENGINE)    images in memory → boxes

    python benchmarks/reprocess_ionograms.py [--ionograms 400] [--model FOLDER] [--device cpu]

A few dozen different ionograms are simulated; the others are copies of them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from pipelines import device_of, drafts_of, report_pipeline, runners, stage_times, timed
from simulated_ionograms import SIZE

from odm.core.progress import progress
from odm.findings.layers import LayerFinder
from odm.images.ionogram import IonogramImageSettings
from odm.models.boxes import BoxSettings, pick_boxes
from odm.models.engines import ENGINES, choose_engine, missing_packages
from odm.models.folder import load_model, save_model
from odm.models.networks.base import to_input
from odm.models.networks.detector import create_detector
from odm.models.shipped import SHIPPED, shipped_model
from odm.reprocess.inference import BATCH_ON_CPU, BATCH_ON_GPU, cores
from odm.reprocess.order import Order, open_order
from odm.reprocess.request import ModelOptions, ReprocessRequest
from odm.simulate.ionogram.archive import simulate_ionograms
from odm.simulate.ionogram.recipe import IonogramSimulation

DIFFERENT = 40
SEED = 9
ALONE = 8
"""Times that the model alone looks at the images."""


def main() -> None:
    """Simulate, run every case, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ionograms", type=int, default=400)
    parser.add_argument("--different", type=int, default=DIFFERENT)
    parser.add_argument("--model", default=None, help="default: the package's, else untrained")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--no-ray", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = _archive(folder / "archive", options.ionograms, options.different)
        model, called = _model(options.model, folder / "model")

        def order(name: str) -> Order:
            request = ReprocessRequest(
                kind="ionograms",
                archive=str(folder / "archive"),
                campaign=str(folder / name),
                model=ModelOptions(folder=model, device=options.device),
            )
            return open_order(request)

        stages = stage_times(order("stages"))
        rows, spilled = runners(order, not options.no_ray)
        rows += [timed("plain script", _plain_script(model, paths, options.device))]
        rows += _model_alone(order("alone"), model, options.device)
        report_pipeline(
            "reprocess_ionograms",
            "ionogram",
            rows,
            stages,
            spilled,
            ionograms=options.ionograms,
            different=min(options.different, options.ionograms),
            model=called,
        )


def _archive(folder: Path, number: int, different: int) -> list[Path]:
    with progress("simulating", min(different, number), "ionograms") as advance:
        simulate_ionograms(
            folder,
            IonogramSimulation(count=min(different, number), seed=SEED),
            workers=cores(),
            advance=advance,
        )
    shutil.rmtree(folder / "masks", ignore_errors=True)
    paths = sorted(folder.glob("*.npz"))
    for copy in range(number - len(paths)):
        time = datetime(2023, 1, 1) + timedelta(minutes=15 * copy)
        target = folder / f"COPY_{time:%Y%m%d_%H%M%S}.npz"
        shutil.copyfile(paths[copy % different], target)
    return sorted(folder.glob("*.npz"))


def _model(given: str | None, folder: Path) -> tuple[str, str]:
    """A model folder, and what it is called in the table."""
    if given is not None:
        return given, given
    name = SHIPPED["detector"]
    if (shipped_model("segmenter").parent / name / "model.json").is_file():
        return str(shipped_model("detector")), f"{name}, shipped"
    torch.manual_seed(0)
    save_model(
        folder,
        create_detector(name),
        image=IonogramImageSettings(height=SIZE, width=SIZE).to_dict(),
        thresholds=BoxSettings().to_dict(),
    )
    return str(folder), f"{name}, untrained"


def _plain_script(folder: str, paths: list[Path], device: str) -> Iterator[object]:
    """What a person writes in an afternoon: the matrix resized, not measured cell by cell."""
    where = device_of(device)
    loaded = load_model(folder, device=where)
    image = IonogramImageSettings.from_dict(dict(loaded.card.image))
    boxes = BoxSettings.from_dict(loaded.card.thresholds)
    scale = 254 / (image.maximum - image.minimum)
    for path in paths:
        snr = np.load(path)["snr"].astype(np.float32)
        small = cv2.resize(snr.T[::-1], (image.width, image.height), interpolation=cv2.INTER_AREA)
        grey = np.clip((np.nan_to_num(small) - image.minimum) * scale + 1, 1, 255).astype(np.uint8)
        with torch.inference_mode():
            x = to_input(torch.from_numpy(grey)[None, None].to(where), loaded.model)
            yield pick_boxes(loaded.model(x), grey.shape, boxes)


def _model_alone(order: Order, folder: str, device: str) -> list[dict[str, Any]]:
    where = torch.device(device_of(device))
    images = np.stack([draft.image for draft in drafts_of(order) if draft.image is not None])
    engines = [
        engine
        for engine in ENGINES
        if engine not in ("auto", "compile" if where.type == "cpu" else "")
        and not missing_packages(engine)
        and (where.type == "cpu" or engine in ("eager", "compile"))
    ]
    automatic = choose_engine("auto", where)
    rows = []
    for engine in engines:
        batch = BATCH_ON_CPU if where.type == "cpu" else BATCH_ON_GPU
        finder = LayerFinder.open(folder, engine=engine, device=str(where), batch=batch)
        name = f"model alone ({engine}{', auto' if engine == automatic else ''})"
        rows.append(timed(name, _looks(finder, images)))
    return rows


def _looks(finder: LayerFinder, images: np.ndarray) -> Iterator[object]:
    for _ in range(ALONE):
        for first in range(0, len(images), finder.predictor.batch):
            yield from finder(images[first : first + finder.predictor.batch])


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", str(cores()))
    main()
