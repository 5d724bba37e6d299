"""Small ionogram-like images with boxes, and loops over them.

Run as a program it trains a detector into a folder, and kills itself where it is told to.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from odm.archive.ionogram.matrix import write_matrix
from odm.models.networks.detector import create_detector
from odm.training.boxes import BoxTask
from odm.training.checkpoints import Checkpoints
from odm.training.events import EventLog
from odm.training.feed import ThreadFeed, WholeFeed
from odm.training.loop import Listener, Loop, ProgressReport
from odm.training.ranks import Ranks
from odm.training.settings import DetectorSettings, read_settings

SIZE = 96


class Layers:
    """A source of noisy images with a low, flat band (0) or a high, steep one (1), or nothing."""

    def __init__(self, number: int = 8, size: int = SIZE, seed: int = 0, empty: int = 4) -> None:
        self.keys = [f"sounding{index:03d}" for index in range(number)]
        self.positive = [index % empty != empty - 1 for index in range(number)]
        self.size, self.seed = size, seed

    def load(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        rng = np.random.default_rng([self.seed, index])
        size = self.size
        image = rng.normal(80, 10, (size, size))
        boxes = []
        for kind in (0, 1) if self.positive[index] else ():
            if rng.random() < 0.3 and boxes:
                continue
            width, height = (0.5, 0.2) if kind == 0 else (0.3, 0.45)
            width, height = (round(size * s * rng.uniform(0.8, 1.2)) for s in (width, height))
            left = int(rng.integers(2, size - width - 2))
            top = int(rng.integers(size // 2, size - height - 1)) if kind == 0 else 3
            rows, columns = np.mgrid[0:height, 0:width]
            shape = rows / height > (1 - columns / width if kind else 0.2)
            image[top : top + height, left : left + width] += 90 * shape
            boxes.append([kind, left, top, left + width, top + height])
        image = np.clip(image, 1, 255).astype(np.uint8)
        image[:, :2] = 0
        return image, np.array(boxes, np.float32).reshape(-1, 5)


TINY = (
    "data.batch_size=4",
    "schedule.epochs=4",
    "schedule.warmup_epochs=0",
    "runtime.loader_threads=0",
    "runtime.checkpoint_steps=1",
    "runtime.log_steps=1",
    "compute.ema=0.9",
    "compute.channels_last=false",  # DDP warns of strides of depthwise gradients
    "data.plain_epochs=1",
    "loss.l1_epochs=1",
    "data.mosaic=0.5",
    "data.mixup=0.5",
    "data.flip=0.5",
    "data.colour=0.5",
    "data.zoom=0.5",
)


def box_settings(*overrides: str) -> DetectorSettings:
    return read_settings(None, [*TINY, *overrides], DetectorSettings)


def box_loop(
    folder: Path,
    settings: DetectorSettings,
    *,
    ranks: Ranks | None = None,
    listener: Listener | None = None,
    source: Any = None,
    validation: Any = None,
) -> Loop:
    """A loop over drawn layers."""
    torch.manual_seed(settings.seed)
    model = create_detector(settings.model.architecture, **settings.model.options)
    source = source or Layers()
    task = BoxTask(model, settings, source)
    feed = ThreadFeed(
        source,
        task.prepare,
        task.collate,
        settings.data.batch_size,
        seed=settings.seed,
        threads=settings.runtime.loader_threads,
    )
    whole = WholeFeed(validation or Layers(3, seed=9), task.prepare, task.collate, 2)
    checkpoints = Checkpoints(folder, {"run": settings.digest})
    return Loop(task, feed, whole, settings, checkpoints, ranks=ranks, listener=listener)


def write_archive(folder: Path, number: int = 8) -> Path:
    """Ionograms of `Layers` as SNR matrices, 15 minutes apart; ``labels.json`` (COCO)."""
    layers = Layers(number)
    images, annotations = [], []
    for index in range(number):
        image, boxes = layers.load(index)
        name = f"TEST_20220815_{index // 4:02d}{index % 4 * 15:02d}00"
        snr = image[::-1].T.astype(np.float32) / 255 * 40 - 5
        write_matrix(
            folder / f"{name}.npz",
            snr,
            np.linspace(6e6, 30e6, SIZE),
            np.linspace(10, 4990, SIZE),
            time=f"2022-08-15T{index // 4:02d}:{index % 4 * 15:02d}:00",
            link="TEST",
            range_convention="backscatter",
        )
        images.append({"id": index, "file_name": f"{name}.png", "width": SIZE, "height": SIZE})
        for kind, left, top, right, bottom in boxes.tolist():
            bbox = [left, top, right - left, bottom - top]
            annotations.append({"image_id": index, "category_id": int(kind), "bbox": bbox})
    categories = [{"id": 0, "name": "Es"}, {"id": 1, "name": "F"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "labels.json").write_text(json.dumps(content))
    return folder


def train_here(folder: Path, last: int = -1) -> None:
    """Train to the end, or to death by SIGKILL when step ``last`` is done but not kept."""

    def listener(report: ProgressReport) -> None:
        log(report)
        if report.kind == "steps" and report.step == last:
            os.kill(os.getpid(), signal.SIGKILL)

    log = EventLog(folder / "metrics.jsonl")
    settings = box_settings("runtime.checkpoint_steps=2")
    box_loop(folder, settings, listener=listener).run()


if __name__ == "__main__":
    torch.set_num_threads(1)
    train_here(Path(sys.argv[1]), int(sys.argv[2]))
