"""A small archive of ionograms, bad files for it, and a detector that sees something in some.

Run as a program it reprocesses the archive into a campaign, a part for each outcome.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from odm.archive.ionogram.matrix import write_matrix
from odm.images.ionogram import IonogramImageSettings
from odm.reprocess.driver import Summary, reprocess
from odm.reprocess.order import Order
from odm.reprocess.runners.local import run_local
from tests.reprocess import small

WINDOW = IonogramImageSettings(height=64, width=64)
BAD = {
    "TEST_20220816_000000.npz": "damaged",
    "TEST_20220816_001500.npz": "unknown format",
    "TEST_20220816_003000.npz": "NaN throughout",
}
"""Bad files, and a part of their reasons."""


def write_archive(folder: Path, number: int = 9, bad: bool = True) -> Path:
    """Ionograms with drawn layers, every fourth without, and three bad files; ``labels.json``."""
    from tests.training import tiny_boxes  # torch comes along

    folder.mkdir(parents=True)
    tiny_boxes.write_archive(folder, number)
    if bad:
        cut, text, empty = (folder / name for name in BAD)
        whole = (folder / "TEST_20220815_000000.npz").read_bytes()
        cut.write_bytes(whole[: len(whole) // 2])
        text.write_text("frequency,range\n1,2\n")
        nothing = np.full((40, 60), np.nan, np.float32)
        write_matrix(
            empty,
            nothing,
            np.linspace(6e6, 30e6, 40),
            np.linspace(10, 4990, 60),
            time="",
            link="TEST",
            range_convention="backscatter",
        )
    return folder


def write_model(folder: Path, archive: Path, threshold: float = 0.6, seed: int = 0) -> str:
    """A detector with random weights whose scores depend on what it is shown.

    Its statistics of normalisation are those of the archive's first ionograms: without them every
    signal would have died out before the head.
    """
    import torch

    from odm.archive.ionogram.reader import open_ionogram
    from odm.images.ionogram import ionogram_image
    from odm.models.boxes import BoxSettings
    from odm.models.folder import save_model
    from odm.models.networks.base import to_input
    from odm.models.networks.detector import create_detector

    files = sorted(archive.glob("TEST_20220815*.npz"))[:8]
    images = np.stack([ionogram_image(open_ionogram(file), WINDOW) for file in files])
    torch.manual_seed(seed)
    model = create_detector("yolox_nano").eval()
    for layer in (*model.head.cls_preds, *model.head.obj_preds):
        layer.bias.data.fill_(2.0 if layer.out_channels == 2 else 0.0)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
            module.train()
    with torch.no_grad():
        model(to_input(torch.from_numpy(images)[:, None], model))
    thresholds = BoxSettings(threshold=threshold, most=4)
    save_model(
        folder,
        model.eval(),
        image=WINDOW.to_dict(),
        thresholds=thresholds.to_dict(),
    )
    return str(folder)


def order(tmp: Path, campaign: str = "campaign", **request: Any) -> Order:
    """An order for the archive and the model in ``tmp``."""
    return small.order(tmp, campaign, "ionograms", **request)


def run(tmp: Path, campaign: str = "campaign", **request: Any) -> Summary:
    """A run of the plain runner."""
    return reprocess(order(tmp, campaign, **request), run_local)


if __name__ == "__main__":
    from odm.reprocess import driver as drive

    drive.COMMIT_EVERY = 1
    run(Path(sys.argv[1]), sys.argv[2])
