"""ODM_Unet, the same without its parts, and its rivals: one data set, one budget, one loss.

Every cell (a model and a seed) trains on the data of `simulated`, has its temperature and its
thresholds fitted on the validation part, and is scored on an archive of another seed; methods
without learning stand beside. A cell that is done is not repeated: stop and start at will.

    python benchmarks/rivals.py [--models NAME ...] [--seeds 0 1 2] [--epochs 6] [--crop 256]
                                [--work runs/rivals] [--half-orbits 120] [--report]

Differences are paired: both models see the same half-orbits, and whole 5-day blocks are resampled.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import RESULTS, machine, report
from models import counts
from simulated import scored_archive, training_set

from odm.archive.files import write_bytes
from odm.findings.bootstrap import block_weights, interval
from odm.findings.evaluate import evaluate_model
from odm.findings.score_sheet import ScoreSheet
from odm.training.segmenter import plan_segmenter, train_here
from odm.training.settings import read_settings

CONFIG = Path(__file__).parent.parent / "configs" / "odm_unet_shipped.yaml"
ENCODER = "tu-mobilenetv3_small_100"
SAME = {"encoder": ENCODER, "in_channels": 1}
DECODER = [96, 64, 32, 24, 16]
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "odm_unet_small": ("odm_unet_small", {}),
    "without ODConv": ("odm_unet_small", {"odconv": "none"}),
    "without SDI": ("odm_unet_small", {"sdi_strides": "off"}),
    "unet, same encoder": ("unet_same_encoder", {**SAME, "decoder_channels": DECODER}),
    "deeplabv3plus, same encoder": ("deeplabv3plus", SAME),
    "without SCSE": ("odm_unet_small", {"scse": False}),
    "unetplusplus, same encoder": ("unetplusplus", {**SAME, "decoder_channels": DECODER}),
    "linknet, same encoder": ("linknet", SAME),
    "fpn, same encoder": ("fpn", SAME),
    "manet, same encoder": ("manet", SAME),
    "pspnet, same encoder": ("pspnet", SAME),
    "segformer mit_b0": ("segformer", {"in_channels": 1}),
    "odm_unet": ("odm_unet", {}),
}
FIRST = 5
"""So many of them are the default: what two CPU cores do in three quarters of an hour."""
WITHOUT_LEARNING = ("log", "canny")
OVERLAP = 0.25


def main() -> None:
    """Run the cells that are left, then compare them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS)[:FIRST])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--half-orbits", type=int, default=120, help="of the test")
    parser.add_argument("--work", type=Path, default=Path("runs/rivals"))
    parser.add_argument("--report", action="store_true", help="only compare what is there")
    options = parser.parse_args()
    budget = {"epochs": options.epochs, "crop": options.crop, "test": options.half_orbits}
    cells = [(name, seed) for seed in options.seeds for name in options.models]
    for name, seed in () if options.report else cells:
        path = _cell(options.work, name, seed, budget)
        if not path.exists():
            write_bytes(path, json.dumps(_train_and_score(name, seed, options), indent=1).encode())
    for name in () if options.report else WITHOUT_LEARNING:
        path = _cell(options.work, name, 0, budget)
        if not path.exists():
            write_bytes(path, json.dumps(_score_classical(name, options), indent=1).encode())
    done = [
        json.loads(path.read_text())
        for path in sorted((options.work / "cells").glob("*.json"))
        if json.loads(path.read_text())["budget"] == budget
    ]
    compare(done, budget)


def _cell(work: Path, name: str, seed: int, budget: dict[str, int]) -> Path:
    words = "-".join([name.replace(",", "").replace(" ", "_"), *map(str, budget.values())])
    return work / "cells" / f"{words}-seed{seed}.json"


def _train_and_score(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    architecture, extra = MODELS[name]
    settings = read_settings(
        CONFIG,
        [
            f"seed={seed}",
            f"model.architecture={architecture}",
            *(f"model.options.{key}={json.dumps(value)}" for key, value in extra.items()),
            f"data.crop=[{options.crop}, {options.crop}]",
            f"schedule.epochs={options.epochs}",
            f"schedule.validation_epochs={options.epochs}",
            f"schedule.temperature_epochs={max(1, options.epochs // 4)}",
        ],
    )
    print(f"\n{name}, seed {seed}", flush=True)
    plan = plan_segmenter(settings, training_set(options.work), options.work / "runs")
    began = time.monotonic()
    _, card = train_here(plan)
    trained = time.monotonic() - began
    assert card is not None
    found = evaluate_model(
        plan.run.model,
        scored_archive(options.work, "test", options.half_orbits),
        validation=plan.dataset,
        fit_thresholds=True,
    )
    facts = {**counts(name, architecture, extra), "train_seconds": trained, "learned": True}
    return _record(name, seed, options, found, facts)


def _score_classical(name: str, options: argparse.Namespace) -> dict[str, Any]:
    found = evaluate_model(
        name,
        scored_archive(options.work, "test", options.half_orbits),
        validation=training_set(options.work),
        fit_thresholds=True,
    )
    return _record(name, 0, options, found, {"learned": False})
