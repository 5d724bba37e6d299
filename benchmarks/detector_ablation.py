"""What helps a detector of layers: variations of images, freezing, sizes; one budget for all.

    python benchmarks/detector_ablation.py [--only plain mosaic] [--seeds 0 1 2] [--epochs 12]
                                           [--work runs/detector_ablation] [--report]

Every cell (a case and a seed) is trained on the same simulated ionograms and scored on an archive
of another seed, and on the second ray model alone. A cell that is done is not repeated: stop and
start at will. On two CPU cores a cell of yolox_nano at the defaults takes about five minutes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

from common import report
from simulated_ionograms import scored_set, training_set

from odm.core.files import write_bytes
from odm.scoring.evaluation import EvaluationSettings, Running, evaluate_model
from odm.training.plans import plan_training, train_here
from odm.training.settings import DetectorSettings, read_settings

CONFIG = Path(__file__).parents[1] / "configs" / "yolox_nano.yaml"
CASES: dict[str, tuple[str, ...]] = {
    "plain": (),
    "flip": ("data.flip=0.5",),
    "colour": ("data.colour=0.5",),
    "zoom": ("data.zoom=0.5",),
    "mosaic": ("data.mosaic=0.5",),
    "mixup": ("data.mixup=0.5",),
    "all of them": (
        "data.flip=0.5",
        "data.colour=0.5",
        "data.zoom=0.5",
        "data.mosaic=0.5",
        "data.mixup=0.25",
    ),
    "frozen first": ("schedule.phases=[{epochs: FROZEN, freeze: [backbone]}, {}]",),
    "sgd": (
        "optimiser.name=sgd",
        "optimiser.learning_rate=1e-2",
        "optimiser.betas=[0.937, 0.999]",
    ),
    "no l1": ("loss.l1_epochs=0",),
    "yolox_tiny": ("model.architecture=yolox_tiny",),
    "yolox_s": ("model.architecture=yolox_s",),
}
SHOWN = ("ap", "ap50", "ap25", "ap50_Es", "ap50_F")


def main() -> None:
    """Run the cells that are left, then show all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--ionograms", type=int, default=600, help="for training and validation")
    parser.add_argument("--scored", type=int, default=200, help="of each test archive")
    parser.add_argument("--size", type=int, default=256, help="pixels a side")
    parser.add_argument("--work", type=Path, default=Path("runs/detector_ablation"))
    parser.add_argument("--report", action="store_true", help="only show what is there")
    options = parser.parse_args()
    for seed in () if options.report else options.seeds:
        for case in options.only:
            path = _cell(options, case, seed)
            if not path.exists():
                print(f"\n{case}, seed {seed}", flush=True)
                write_bytes(path, json.dumps(_measured(options, case, seed), indent=1).encode())
    _show(options)


def _cell(options: argparse.Namespace, case: str, seed: int) -> Path:
    budget = f"{options.epochs}-{options.ionograms}-{options.scored}-{options.size}"
    return options.work / "cells" / f"{case.replace(' ', '_')}-{budget}-seed{seed}.json"


def _measured(options: argparse.Namespace, case: str, seed: int) -> dict[str, Any]:
    frozen = max(1, options.epochs // 7)  # 50 of 350 epochs in the paper
    settings = read_settings(
        CONFIG,
        [
            f"seed={seed}",
            f"schedule.epochs={options.epochs}",
            f"schedule.validation_epochs={max(1, options.epochs // 3)}",
            f"loss.l1_epochs={options.epochs // 5}",
            f"data.plain_epochs={options.epochs // 5}",
            *(text.replace("FROZEN", str(frozen)) for text in CASES[case]),
        ],
        DetectorSettings,
    )
    data = training_set(options.work, options.ionograms, options.size)
    plan = plan_training("detector", settings, data, options.work / "runs")
    began = time.monotonic()
    train_here(plan)
    seconds = time.monotonic() - began
    cell: dict[str, Any] = {"case": case, "seed": seed, "seconds": seconds}
    settings_of_scores = EvaluationSettings(calibrate_on="none", running=Running(batch=8))
    for name, ray_model in (("another seed", None), ("second ray model", "layered")):
        scored = scored_set(options.work, options.scored, options.size, ray_model=ray_model)
        done = evaluate_model(plan.run.model, scored, settings_of_scores)
        cell[name] = _summary(done.sheet.layers)
        cell[name]["false_on_free"] = done.sheet.layer_free["share"]
    return cell


def _summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    first = [row for row in rows if row["overlap"] == 0.25]
    means = {name: statistics.fmean(row[name] for row in first) for name in ("ap", "ap50", "ap25")}
    return means | {f"ap50_{row['layer']}": row["ap50"] for row in first}


def _show(options: argparse.Namespace) -> None:
    rows = []
    for case in CASES:
        paths = sorted(_cell(options, case, 0).parent.glob(
            _cell(options, case, 0).name.replace("seed0", "seed*")))  # fmt: skip
        cells = [json.loads(path.read_text()) for path in paths]
        if not cells:
            continue
        row: dict[str, Any] = {"case": case, "seeds": len(cells)}
        for name, short in (("another seed", ""), ("second ray model", " (ray 2)")):
            for metric in SHOWN if not short else ("ap50",):
                values = [cell[name][metric] for cell in cells]
                spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
                row[f"{metric}{short}"] = f"{statistics.fmean(values):.3f}{spread}"
        row["minutes"] = f"{statistics.fmean(cell['seconds'] for cell in cells) / 60:.1f}"
        rows.append(row)
    if not rows:
        print(f"no cell of this budget in {options.work}")
        return
    report("detector_ablation", rows, epochs=options.epochs, ionograms=options.ionograms,
           size=options.size)  # fmt: skip


if __name__ == "__main__":
    main()
