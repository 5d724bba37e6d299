"""ODM_Unet, the same without its parts, and its rivals: one data set, one budget, one loss.

Every cell (a model and a seed) trains on the data of `simulated`, has its temperature and its
thresholds fitted on the validation part, and is scored on an archive of another seed; methods
without learning stand beside. A cell that is done is not repeated: stop and start at will.

    python benchmarks/rivals.py [--models NAME ...] [--seeds 0 1 2] [--epochs 6] [--crop 256]
                                [--work runs/rivals] [--half-orbits 120] [--report]

Differences are paired: both models saw the same half-orbits, and whole 5-day cycles are resampled.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import report
from models import counts
from numpy.typing import NDArray
from simulated import SCORED_SEED, TRAINING_SEED, scored_set, training_set

from odm.archive.files import write_bytes
from odm.catalog.bootstrap import block_weights, interval
from odm.findings.evaluate import Evaluation, evaluate_model
from odm.models.segmenters import create_model
from odm.progress import progress
from odm.training.segmenter import plan_segmenter, train_here
from odm.training.settings import read_settings

CONFIG = Path(__file__).parent.parent / "configs" / "odm_unet_shipped.yaml"
SAME = {"encoder": "tu-mobilenetv3_small_100", "in_channels": 1}
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
REFERENCE = "odm_unet_small"
OVERLAP = 0.25
RESAMPLES = 10_000


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
    names = () if options.report else (*options.models, *WITHOUT_LEARNING)
    for seed in options.seeds:
        for name in names:
            path = _cell(options.work, name, seed if name in MODELS else 0, budget)
            if not path.exists():
                cell = _scored(name, seed, options) | {"budget": budget}
                write_bytes(path, json.dumps(cell, indent=1).encode())
    cells = [json.loads(path.read_text()) for path in (options.work / "cells").glob("*.json")]
    compare([cell for cell in cells if cell["budget"] == budget], budget)


def _cell(work: Path, name: str, seed: int, budget: dict[str, int]) -> Path:
    words = [name.replace(",", "").replace(" ", "_"), *map(str, budget.values()), f"seed{seed}"]
    return work / "cells" / ("-".join(words) + ".json")


def _scored(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train, if there is something to train, and score."""
    training = training_set(options.work)
    test = scored_set(options.work, "test", options.half_orbits)
    print(f"\n{name}, seed {seed}", flush=True)
    facts: dict[str, Any] = {"model": name, "seed": seed, "learned": name in MODELS}
    method: str | Path = name
    if name in MODELS:
        method, trained = _train(name, seed, training, options)
        architecture, extra = MODELS[name]
        facts |= {**counts(name, architecture, extra), **trained, "model": name}
        facts["images_per_s"] = _speed(architecture, extra)
    found = evaluate_model(method, test, validation=training, fit=True, meter=progress)
    return facts | _scores(found)


def _train(
    name: str, seed: int, training: Path, options: argparse.Namespace
) -> tuple[Path, dict[str, Any]]:
    architecture, extra = MODELS[name]
    epochs = options.epochs
    changes = {
        "seed": seed,
        "model.architecture": architecture,
        **{f"model.options.{key}": value for key, value in extra.items()},
        "data.crop": [options.crop, options.crop],
        "schedule.epochs": epochs,
        "schedule.validation_epochs": epochs,
        "schedule.temperature_epochs": max(1, epochs // 4),
    }
    settings = read_settings(CONFIG, [f"{key}={json.dumps(at)}" for key, at in changes.items()])
    plan = plan_segmenter(settings, training, options.work / "runs")
    began = time.monotonic()
    result, card = train_here(plan)
    assert card is not None
    return plan.run.model, {"steps": result.step, "train_seconds": time.monotonic() - began}


@torch.no_grad()
def _speed(architecture: str, extra: dict[str, Any], rounds: int = 5) -> float:
    """Images of 512 x 512 a second, one at a time: the best of some rounds."""
    model = create_model(architecture, **extra).eval().to(memory_format=torch.channels_last)
    image = torch.zeros(1, model.in_channels, 512, 512).to(memory_format=torch.channels_last)
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        model(image)
        seconds.append(time.perf_counter() - began)
    return 1 / min(seconds)


def _scores(found: Evaluation) -> dict[str, Any]:
    sheet = found.sheet
    pixels = next(
        entry["metrics"]
        for entry in sheet.pixels
        if (entry["source"], entry["truth"]) == ("probability", "contour")
    )
    region = sheet.score(overlap=OVERLAP)
    return {
        "mean_iou": pixels["mean_iou"],
        "foreground_iou": pixels["foreground_iou"],
        **{name: region[name] for name in ("f1", "precision", "recall", "average_precision")},
        "f1_interval": region["intervals"]["f1"],
        "temperature": found.calibration.temperature,
        "outcomes": sheet.blocks[f"{OVERLAP:g}"],
    }


def compare(cells: list[dict[str, Any]], budget: dict[str, int]) -> None:
    """One table: the mean over the seeds of every model, against `REFERENCE`."""
    by_model = {
        name: sorted((c for c in cells if c["model"] == name), key=lambda cell: cell["seed"])
        for name in (*MODELS, *WITHOUT_LEARNING)
    }
    reference = by_model[REFERENCE]
    rows = []
    for name, mine in by_model.items():
        if mine:
            first = mine[0]
            low, high = first["f1_interval"] or (float("nan"),) * 2
            f1 = [cell["f1"] for cell in mine]
            rows.append(
                {
                    "model": name,
                    "M parameters": _rounded(first.get("parameters", np.nan) / 1e6, 2),
                    "GMACs at 256²": _rounded(first.get("gmacs_256"), 2),
                    "512² images/s": _rounded(first.get("images_per_s"), 1),
                    "training min": _rounded(first.get("train_seconds", np.nan) / 60, 1),
                    "mIoU": round(float(np.mean([cell["mean_iou"] for cell in mine])), 3),
                    "foreground IoU": round(
                        float(np.mean([cell["foreground_iou"] for cell in mine])), 3
                    ),
                    "region F1": round(float(np.mean(f1)), 3),
                    "95 % of the first seed": f"{low:.2f}-{high:.2f}",
                    "seeds": len(mine),
                    f"F1 less {REFERENCE}": _difference(mine, reference) if reference else "",
                }
            )
    report(
        "rivals",
        rows,
        budget=budget,
        data=f"simulated: trained on seed {TRAINING_SEED}, scored on seed {SCORED_SEED} at the "
        f"simulator's defaults, IoU {OVERLAP:g}; thresholds fitted on validation",
    )


def _rounded(value: float | None, digits: int) -> float | str:
    return "" if value is None or np.isnan(value) else round(value, digits)


def _difference(mine: list[dict[str, Any]], reference: list[dict[str, Any]]) -> str:
    """Of F1, with its 95 % interval; the seeds of each are pooled.

    The interval says how much the half-orbits matter, not how much the seed of a training does: of
    one seed each, a difference is of two trainings, not of two models.
    """
    if mine is reference:
        return ""
    ours, theirs = _pooled(mine), _pooled(reference)
    weights = block_weights(ours.shape[1], RESAMPLES)
    between = interval(_f1(ours @ weights.T) - _f1(theirs @ weights.T))
    middle = float(_f1(ours.sum(axis=1)) - _f1(theirs.sum(axis=1)))
    return f"{middle:+.3f} [{between[0]:+.3f}, {between[1]:+.3f}]" if between else f"{middle:+.3f}"


def _pooled(cells: list[dict[str, Any]]) -> NDArray[np.float64]:
    """(3, blocks): true, false and missed regions, a mean over the cells."""
    counted = [[cell["outcomes"][name] for name in ("true", "false", "missed")] for cell in cells]
    return np.mean(np.array(counted, dtype=np.float64), axis=0)


def _f1(outcomes: NDArray[np.float64]) -> NDArray[np.float64]:
    true, false, missed = outcomes
    return 2 * true / np.maximum(2 * true + false + missed, 1e-9)


if __name__ == "__main__":
    main()
