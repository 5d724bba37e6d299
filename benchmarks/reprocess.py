"""Reprocessing, from an archive to outcomes: Ray, the plain runner, and what it is made of.

On one archive in one run, the cases one after another with the same threads:

    read, model, finish     each stage alone, from which the most that the cores allow is computed
    plain runner            ``odm reprocess --local``
    Ray                     ``odm reprocess``, under a small object store
    plain script            h5py, the eager model on contiguous float32, one file after another
    DataLoader              the same with torch's DataLoader reading ahead

"first" is the time from the start to the first outcome (processes start, libraries are imported,
the model is exported), "rate" is what comes after it. For Ray it is said how much was spilled.

    python benchmarks/reprocess.py [--half-orbits 200] [--model FOLDER] [--device cpu]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from common import report

from odm.archive.listing import list_orbits
from odm.images.geometry import ImageSettings
from odm.images.spectrogram import estimate_limits, to_image
from odm.models.base import to_input
from odm.models.folder import load_model, save_model
from odm.models.segmenters import create_segmenter
from odm.reprocess.drive import Order, reprocess
from odm.reprocess.local import finishing_tasks, run_local
from odm.reprocess.model import Workers, cores, load_predictor
from odm.reprocess.orbits import orbit_order
from odm.reprocess.stages import Draft
from odm.simulate.archive import simulate_orbits

STORE_MB = 500
STAGE_INPUTS = 24
"""Half-orbits on which each stage is timed alone."""


def main() -> None:
    """Simulate, run every case, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half-orbits", type=int, default=200)
    parser.add_argument("--model", default=None)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--no-ray", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "archive"
        simulate_orbits(archive, half_orbits=options.half_orbits, seed=5, every=61, workers=cores())
        paths = [entry.path for entry in list_orbits(archive).entries]
        model = options.model or _untrained(Path(folder) / "model", paths)

        def order(name: str) -> Order:
            return orbit_order(
                str(archive), str(Path(folder) / name), model=model, device=options.device
            )

        stages = _stages(order("stages"))
        rows = [_runner("plain runner", order("plain"), run_local)]
        spilled = None
        if not options.no_ray:
            ray_row, spilled = _ray(order("ray"))
            rows.append(ray_row)
        rows += [_timed("plain script", _plain_script(model, paths, options.device))]
        rows += [_timed("DataLoader", _data_loader(model, paths, options.device))]
    rate = {row["case"]: row["rate_per_s"] for row in rows}
    most = cores() / (sum(stages.values()) / 1e3)
    facts: dict[str, Any] = {
        "half_orbits": options.half_orbits,
        "model": options.model or "odm_unet_small, untrained",
        "cores": cores(),
        "stages_cpu_ms_per_half_orbit": {name: round(ms, 2) for name, ms in stages.items()},
        "most_that_the_cores_allow_per_s": round(most, 2),
    }
    if "Ray" in rate:
        facts |= {
            "ray_over_most": round(rate["Ray"] / most, 3),
            "ray_over_plain_script": round(rate["Ray"] / rate["plain script"], 3),
            "share_lost_to_ray": round(1 - rate["Ray"] / rate["plain runner"], 3),
            "spilled_under_500_mb": spilled,
        }
    report("reprocess", rows, **facts)


def _untrained(folder: Path, paths: list[str]) -> str:
    """The shipped architecture with random weights: as fast as a trained one, and finds little."""
    torch.manual_seed(0)
    limits = estimate_limits(paths, max_files=20)
    model = create_segmenter("odm_unet_small")
    save_model(
        folder,
        model,
        image=ImageSettings(*limits, "resized", 512, 512).to_dict(),
        thresholds={},
    )
    return str(folder)


def _stages(order: Order) -> dict[str, float]:
    """CPU milliseconds of each stage and half-orbit, all in this process."""
    inputs = order.listing.inputs[:STAGE_INPUTS]
    predict = load_predictor(order.model)
    drafts = [draft for one in inputs if isinstance(draft := order.stages.read(one), Draft)]
    tasks = finishing_tasks(order.stages, predict, drafts)
    order.stages.finish(tasks[0].draft or drafts[0], tasks[0].probability)
    cases: dict[str, Callable[[], object]] = {
        "read": lambda: [order.stages.read(one) for one in inputs],
        "model": lambda: finishing_tasks(order.stages, predict, drafts),
        "finish": lambda: [
            order.stages.finish(task.draft, task.probability) for task in tasks if task.draft
        ],
    }
    found = {}
    for name, run in cases.items():
        times = []
        for _ in range(3):
            began = time.process_time()
            run()
            times.append(time.process_time() - began)
        found[name] = 1e3 * min(times) / len(inputs)
    return found


def _runner(name: str, order: Order, run: Any) -> dict[str, Any]:
    summary = reprocess(order, run)
    return _row(name, summary.first_s or 0.0, summary.seconds, summary.done)


def _ray(order: Order) -> tuple[dict[str, Any], str]:
    """Its row, and what Ray says of spilling."""
    from ray._private.internal_api import memory_summary

    from ray_jobs.cluster import connect
    from ray_jobs.reprocess import run_on_ray

    said: list[str] = []

    def run(*arguments: Any) -> Iterator[Any]:
        with connect(object_store_bytes=STORE_MB * 1_000_000) as cluster:
            yield from run_on_ray(*arguments)
            text = memory_summary(address=cluster.address, stats_only=True)
            said.extend(line for line in text.splitlines() if "pill" in line)

    row = _runner("Ray", Order(**{**vars(order), "workers": Workers()}), run)
    return row, "; ".join(said) or "nothing"


def _timed(name: str, outcomes: Iterator[object]) -> dict[str, Any]:
    began = time.monotonic()
    first, number = 0.0, 0
    for _ in outcomes:
        number += 1
        first = first or time.monotonic() - began
    return _row(name, first, time.monotonic() - began, number)


def _row(name: str, first_s: float, seconds: float, number: int) -> dict[str, Any]:
    rate = (number - 1) / max(1e-9, seconds - first_s)
    return {
        "case": name,
        "first_s": round(first_s, 2),
        "rate_per_s": round(rate, 2),
        "seconds": round(seconds, 2),
    }


def _plain_script(folder: str, paths: list[str], device: str) -> Iterator[object]:
    """What a person writes in an afternoon."""
    where = _device(device)
    loaded = load_model(folder, device=where)
    settings = ImageSettings.from_dict(dict(loaded.card.image))
    for path in paths:
        with h5py.File(path) as file:
            image = to_image(file["A133_P"][:], settings)
        yield _masks(loaded.model, torch.from_numpy(image)[None, None], where)


class _Files(torch.utils.data.Dataset[torch.Tensor]):
    def __init__(self, paths: list[str], settings: ImageSettings) -> None:
        self.paths = paths
        self.settings = settings

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        with h5py.File(self.paths[index]) as file:
            return torch.from_numpy(to_image(file["A133_P"][:], self.settings))[None]


def _data_loader(folder: str, paths: list[str], device: str) -> Iterator[object]:
    where = _device(device)
    loaded = load_model(folder, device=where)
    files = _Files(paths, ImageSettings.from_dict(dict(loaded.card.image)))
    workers = max(1, cores() // 3)
    for images in torch.utils.data.DataLoader(files, batch_size=2, num_workers=workers):
        yield from _masks(loaded.model, images, where)


def _masks(model: Any, images: torch.Tensor, device: str) -> np.ndarray:
    with torch.inference_mode():
        scores = torch.softmax(model(to_input(images.to(device), model)), dim=1)
    return np.asarray((scores[:, 1] > 0.5).cpu())


def _device(device: str) -> str:
    return (
        "cuda" if device == "auto" and torch.cuda.is_available() else device.replace("auto", "cpu")
    )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", str(cores()))
    main()
