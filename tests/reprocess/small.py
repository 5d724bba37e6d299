"""A small archive with something to find in it, a model that finds it, and readers that die."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from odm.archive.orbit.key import OrbitKey
from odm.catalog.campaign import load_campaign
from odm.catalog.outcomes import Input
from odm.findings.regions import RegionSettings
from odm.images.geometry import OrbitImageSettings
from odm.images.relative import compress
from odm.reprocess.driver import Summary, reprocess
from odm.reprocess.orbit import OrbitStages
from odm.reprocess.order import Order, open_order
from odm.reprocess.request import ModelOptions, ReprocessRequest
from odm.reprocess.runners.local import run_local
from odm.reprocess.stages import Draft, InputResult, guarded
from tests.lookalike import contents, renamed, stamp, write

FIRST = 17538
ROWS = 96
BAD = {
    "truncated": "truncated",
    "empty": "empty",
    "random": "not an HDF5 file: it begins with bytes ff e4",
    "nan": "no valid value",
    "shape": "wrong shape",
    "text": "it is text, and begins with 'orbit,latitude'",
}


def half_orbit(seed: int, blob: bool) -> dict[str, np.ndarray]:
    """Datasets of a half-orbit, with or without a bright spot, at its own time."""
    data = contents(rows=ROWS, seed=seed)
    if blob:
        row, column = np.ogrid[:ROWS, :1024]
        bright = np.exp(-(((row - 50) / 10) ** 2) - (((column - 250) / 25) ** 2))
        for axis in (1, 2, 3):
            data[f"A13{axis}_P"] = data[f"A13{axis}_P"] * (1 + 12 * bright)
    return data


def write_archive(folder: Path, number: int = 8, bad: bool = False) -> Path:
    """Half-orbits, every other one with a bright spot; with ``bad``, one of each bad kind too."""
    folder.mkdir(parents=True)
    for index in range(number):
        name = renamed(FIRST + index)
        data = half_orbit(index, blob=index % 2 == 0)
        start = OrbitKey.parse(name).start
        moments = [start + np.timedelta64(2048 * row, "ms").item() for row in range(ROWS)]
        data["UTC_TIME"] = np.array([[stamp(moment)] for moment in moments])
        del data["VERSE_TIME"]
        write(folder, data, name)
    if bad:
        for index, kind in enumerate(BAD):
            write_bad(folder / renamed(FIRST + 100 + index), kind)
    return folder


def write_bad(path: Path, kind: str) -> None:
    """A file that is none."""
    data = half_orbit(0, blob=False)
    if kind == "nan":
        data["A133_P"][:] = np.nan
    if kind == "shape":
        data["A133_P"] = data["A133_P"][0]
    write(path.parent, data, path.name)
    whole = path.read_bytes()
    if kind == "truncated":
        path.write_bytes(whole[: len(whole) // 3])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "random":
        path.write_bytes(np.random.default_rng(1).bytes(100_000))
    elif kind == "text":
        path.write_text("orbit,latitude\n1,2\n")


def write_model(folder: Path, **thresholds: Any) -> str:
    """A model folder without weights, for images of this archive."""
    # Not above: reading processes import this module, and torch would come along.
    from odm.models.folder import save_model
    from odm.models.networks.segmenters import create_segmenter

    regions = RegionSettings(minimum_area=100, **thresholds)
    save_model(
        folder,
        create_segmenter("log"),
        image=OrbitImageSettings(-9.0, -5.0, width=128).to_dict(),
        thresholds=regions.to_dict(),
    )
    return str(folder)


def write_relative_model(folder: Path) -> str:
    """A folder of `unet_dense` for relative images whose weights are set by hand: it marks what is
    some 12 dB and more above the background."""
    import torch

    from odm.models.folder import save_model
    from odm.models.networks.base import GREY_MEAN, GREY_STD
    from odm.models.networks.segmenters import create_model

    bright = float((compress(np.float32([[12.0]]))[0, 0] / 255 - GREY_MEAN) / GREY_STD)
    model = create_model("unet_dense", widths=(1, 1))
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.ndim == 4:
                weights.zero_()
                if "head" not in name:
                    # Of two maps the last: at the joint that is the one that was not halved again.
                    weights[:, -1, weights.shape[2] // 2, weights.shape[3] // 2] = 1
        stem = model.get_parameter("stem.0.weight")
        stem.zero_()
        stem[0, 0, 2:4, 2:4] = 0.25  # the mean of the first channel over a pixel's quarters
        head = model.head
        head.weight[4:] = 8
        head.bias.zero_()
        head.bias[4:] = -8 * bright
    regions = RegionSettings(minimum_area=100)
    image = OrbitImageSettings.relative().to_dict()
    save_model(folder, model, image=image, thresholds=regions.to_dict())
    return str(folder)


def order(
    tmp: Path,
    campaign: str = "campaign",
    kind: str = "orbits",
    findings: Any = None,
    model: dict[str, Any] | None = None,
    **request: Any,
) -> Order:
    """An order for the archive and the model in ``tmp``."""
    options = {"folder": str(tmp / "model"), "engine": "eager", "device": "cpu", **(model or {})}
    return open_order(
        ReprocessRequest(
            kind=kind,
            archive=str(tmp / "archive"),
            campaign=str(tmp / campaign),
            findings=findings,
            model=ModelOptions(**options),
            **request,
        )
    )


def run(tmp: Path, campaign: str = "campaign", **request: Any) -> Summary:
    """A run of the plain runner, with one reading process."""
    return reprocess(order(tmp, campaign, **request), run_local)


@dataclass(frozen=True)
class Deadly(OrbitStages):
    """Half-orbits of which some kill the process that reads or finishes them.

    ``once`` makes a file the first time, and only dies then. With ``death`` of ``memory`` there is
    no room for what they do instead; with ``hang`` it never ends.
    """

    read_kills: str = "none"
    finish_kills: str = "none"
    once: str = ""
    death: str = "signal"

    def read(self, input: Input) -> Draft | InputResult:
        """Dies, as in a damaged library."""
        return self._deadly(self.read_kills, input) or super().read(input)

    def finish(self, draft: Draft, seen: Any) -> InputResult:
        """Dies, as in a damaged library."""
        return self._deadly(self.finish_kills, draft.input) or super().finish(draft, seen)

    def _deadly(self, kills: str, input: Input) -> InputResult | None:
        return guarded(self.kind, input, self._die) if kills in input.name else None

    def _die(self) -> None:
        if self.once:
            if Path(self.once).exists():
                return
            Path(self.once).touch()
        if self.death == "hang":
            time.sleep(600)
        if self.death == "memory":
            raise MemoryError
        os.kill(os.getpid(), signal.SIGSEGV)


def deadly(order: Order, **kills: Any) -> Order:
    """The same order with stages that die."""
    stages = order.stages
    assert isinstance(stages, OrbitStages)
    return replace(order, stages=Deadly(stages.image, stages.regions, stages.model, **kills))


def reasons(folder: Path) -> dict[str, str]:
    """Why each quarantined file is, by name."""
    rows = load_campaign(folder).outcomes(["name", "reason"]).to_pylist()
    return {row["name"]: row["reason"] for row in rows if row["status"] == "quarantined"}
