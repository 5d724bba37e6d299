"""Small things to train: a network, images, and ranks in processes of their own.

Run as a program it trains the network into a folder, and kills itself where it is told to.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn

from odm.models.networks.base import SegmentationModel
from odm.training.checkpoints import Checkpoints
from odm.training.events import EventLog
from odm.training.feed import ThreadFeed, WholeFeed
from odm.training.loop import Listener, Loop, ProgressReport, TrainingResult
from odm.training.masks import MaskTask
from odm.training.ranks import Ranks
from odm.training.settings import SegmenterSettings, read_settings

SIZE = 32


class TinyNet(SegmentationModel):
    """Two convolutions with everything that has a state: batch norm, dropout."""

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__("tiny", {}, in_channels=1, classes=2)
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2, bias=False), nn.BatchNorm2d(6), nn.ReLU()
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Conv2d(6, 2, 3, padding=1)

    def logits(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(self.encoder(x)))


class Blobs:
    """A source of noisy images with a bright disc in every other one, and an invalid margin."""

    def __init__(
        self, number: int = 12, size: int = SIZE, seed: int = 0, every: int = 2, top: str = "orbit"
    ) -> None:
        self.keys = [f"{top}{index:03d}" for index in range(number)]
        self.positive = [index % every == 0 for index in range(number)]
        self.size, self.seed = size, seed

    def load(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        rng = np.random.default_rng([self.seed, index])
        size = self.size
        image = rng.normal(100, 12, (size, size))
        mask = np.zeros((size, size), np.uint8)
        if self.positive[index]:
            radius = rng.uniform(size / 8, size / 5)
            y, x = rng.uniform(radius, size - radius, 2)
            rows, columns = np.ogrid[:size, :size]
            mask[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = 1
            image += 70 * mask
        image = np.clip(image, 1, 255).astype(np.uint8)
        image[:, -2:] = 0
        return image, mask


TINY = (
    "data.batch_size=4",
    "data.augmentation=physical",
    "schedule.epochs=3",
    "runtime.loader_threads=0",
    "runtime.checkpoint_steps=1",
    "runtime.log_steps=1",
    "compute.ema=0.9",
    "compute.channels_last=false",
)


def tiny_settings(*overrides: str) -> SegmenterSettings:
    return read_settings(None, [*TINY, *overrides])


def make_loop(
    folder: Path,
    settings: SegmenterSettings,
    *,
    model: SegmentationModel | None = None,
    ranks: Ranks | None = None,
    listener: Listener | None = None,
    source: Any = None,
    validation: Any = None,
) -> Loop:
    """A loop over blobs."""
    if model is None:
        torch.manual_seed(settings.seed)
        model = TinyNet()
    task = MaskTask(model, settings)
    feed = ThreadFeed(
        source or Blobs(),
        task.prepare,
        task.collate,
        settings.data.batch_size,
        parts=settings.optimiser.accumulate,
        seed=settings.seed,
        positive_share=settings.data.positive_share,
        threads=settings.runtime.loader_threads,
    )
    whole = WholeFeed(validation or Blobs(5, seed=9), task.prepare, task.collate, 2)
    checkpoints = Checkpoints(folder, {"run": settings.digest})
    return Loop(task, feed, whole, settings, checkpoints, ranks=ranks, listener=listener)


def train(folder: Path, settings: SegmenterSettings, **options: Any) -> TrainingResult:
    return make_loop(folder, settings, **options).run()


# -- ranks ---------------------------------------------------------------------------------------


def on_ranks(number: int, work: Callable[..., Any], folder: Path, *arguments: Any) -> list[Any]:
    """Results of ``work(ranks, *arguments)`` on gloo ranks in processes of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.multiprocessing.spawn(_rank, (number, work, folder, arguments), nprocs=number)
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(number)]


def _rank(
    rank: int, number: int, work: Callable[..., Any], folder: Path, arguments: Sequence[Any]
) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("error")  # as in the tests of this process
    dist.init_process_group(
        "gloo", init_method=f"file://{folder / 'meet'}", rank=rank, world_size=number
    )
    try:
        torch.save(work(Ranks.of_group(), *arguments), folder / f"{rank}.pt")
    finally:
        dist.destroy_process_group()


# -- as a program --------------------------------------------------------------------------------


def train_here(folder: Path, last: int = -1) -> None:
    """Train to the end, or to death by SIGKILL when step ``last`` is done but not kept."""

    def listener(report: ProgressReport) -> None:
        log(report)
        if report.kind == "steps" and report.step == last:
            os.kill(os.getpid(), signal.SIGKILL)

    log = EventLog(folder / "metrics.jsonl")
    train(folder, tiny_settings("runtime.checkpoint_steps=2"), listener=listener)


if __name__ == "__main__":
    torch.set_num_threads(1)
    train_here(Path(sys.argv[1]), int(sys.argv[2]))
