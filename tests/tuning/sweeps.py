"""Small sweeps, some of whose trials end badly where they are told to; run as a program, one that
is a driver of its own."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from odm.training.settings import SegmenterSettings, read_settings
from tuning.folder import SweepFolder
from tuning.placement import SweepPlacement
from tuning.spaces import Space, make_space
from tuning.stopping import Rule
from tuning.study import Ledger
from tuning.sweep import SearchOptions, plan_sweep, run_sweep

SETTINGS = [
    "model.architecture=odm_unet_small",
    "model.options={encoder: tu-mobilenetv3_small_050, sdi_strides: []}",
    "data.batch_size=4",
    "data.validation_batch_size=1",
    "data.augmentation=none",
    "schedule.epochs=3",
    "runtime.device=cpu",
    "runtime.loader_threads=0",
    "runtime.tensorboard=false",
    "runtime.log_steps=1",
]
PARAMETERS = {
    "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    "dice": {"low": 0.5, "high": 2.0},
}
LOCAL = SweepPlacement(local=True)
ONE = SweepPlacement(concurrent=1, cpus=1, address="local")
NONE = Rule("none")


def settings(*overrides: str) -> SegmenterSettings:
    return read_settings(None, [*SETTINGS, *overrides])


def space(**parameters: Any) -> Space:
    return make_space("segmenter", parameters or PARAMETERS)


def sweep(
    dataset: Path,
    out: Path,
    trials: int,
    where: SweepPlacement = LOCAL,
    *overrides: str,
    name: str | None = None,
    repeats: int = 0,
    searched: Space | None = None,
    **options: Any,
) -> tuple[SweepFolder, Ledger]:
    """Plan and run one."""
    how_searched = SearchOptions(**{"rule": NONE, "seed": 1, **options})
    planned, opened = plan_sweep(settings(*overrides), searched or space(), dataset, how_searched)
    folder = SweepFolder.of(planned, out, name)
    said: list[str] = []
    ledger = run_sweep(folder, planned, opened, trials, where, repeats=repeats, say=said.append)
    return folder, ledger


def tried(ledger: Ledger) -> list[dict[str, Any]]:
    """Values of all trials, in their order, each place once."""
    return [one.params for one in ledger.trials]


def kill_when(folder: Path, pattern: str, driver: Any, patience_s: float = 300) -> None:
    """SIGKILL a driver as soon as a file is there."""
    deadline = time.monotonic() + patience_s
    try:
        while not list(folder.glob(pattern)):
            assert driver.poll() is None, "the sweep ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        driver.kill()
        driver.wait()


if __name__ == "__main__":
    _, where, data, out, trials = sys.argv
    place = {"local": LOCAL, "ray": ONE, "two": replace(ONE, workers=2)}[where]
    # Only what is about the best so far goes on: the third of these trials is not.
    options = {"rule": Rule("asha", reduction=1000), "objectives": ("mean_iou",)}
    nested = options if where == "two" else {}
    sweep(Path(data), Path(out), int(trials), place, name="killed", **nested)
