"""The model `odm_unet_small`: simulate, train, calibrate, score, and put it in the package.

    python benchmarks/ship_segmenter.py [--work runs/shipped]     (make model-small)

Goes on where it was stopped. Trains by ``configs/odm_unet_shipped.yaml`` on half-orbits of one
seed, fits temperature and thresholds on the validation part, and scores the model on half-orbits of
another seed: at the simulator's defaults, which is what the card promises; with each kind of family
replaced by the variant that was never trained on; and with the gain half a decade off. The
Laplacian of Gaussian stands beside, its thresholds fitted on the same validation part.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import RESULTS, report, ship
from simulated import HELD_OUT, SCORED_SEED, TRAINING_SEED, scored_set, shifted_sets, training_set

from odm.core.progress import progress
from odm.scoring.evaluation import (
    Evaluation,
    EvaluationSettings,
    evaluate_model,
    save_evaluations,
)
from odm.scoring.orbit.methods import SegmentationMethod, open_method
from odm.training.plans import plan_training, train_here
from odm.training.settings import read_settings

ROOT = Path(__file__).parent.parent
CONFIG = ROOT / "configs" / "odm_unet_shipped.yaml"
FOLDER = ROOT / "odm" / "models" / "shipped" / "odm_unet_small"
DEFAULT = "simulator's defaults"
DECADE = 0.5
OVERLAP = 0.25


def main() -> None:
    """Make the model and its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("runs/shipped"))
    parser.add_argument("--half-orbits", type=int, default=120, help="of every set to score")
    options = parser.parse_args()
    train(options.work)
    training = training_set(options.work)
    test = scored_set(options.work, "test", options.half_orbits)
    fitting = EvaluationSettings(validation=training, fit_thresholds=True)
    found = evaluate(open_method(FOLDER), test, fitting)
    found.save(DEFAULT)
    found.sheet.about.update(folder="odm/models/shipped", archive="simulated, see make model")
    found.write(RESULTS / "shipped_segmenter")
    (RESULTS / "shipped_segmenter" / "sheet.txt").unlink()
    print(found.sheet.to_text())
    rows = [row("odm_unet_small", DEFAULT, found)]
    shifted = {
        name: evaluate(open_method(FOLDER), data)
        for name, data in shifted_sets(options.work, options.half_orbits).items()
    }
    save_evaluations(list(shifted.values()), list(shifted))
    rows += [row("odm_unet_small", name, found) for name, found in shifted.items()]
    for sign in (1, -1):
        found = evaluate(amplified(open_method(FOLDER), sign * DECADE), test)
        rows.append(row("odm_unet_small", f"{DEFAULT}, PSD {sign * DECADE:+g} decades", found))
    found = evaluate("log", test, fitting)
    rows.append(row("Laplacian of Gaussian", DEFAULT, found))
    report(
        "shipped_segmenter",
        rows,
        data=f"simulated: trained on seed {TRAINING_SEED}, scored on seed {SCORED_SEED}, "
        f"{options.half_orbits} half-orbits a row, IoU {OVERLAP:g}",
        never_trained_on=HELD_OUT,
    )


def train(work: Path) -> None:
    """Train, and put the best weights into the package in half precision."""
    plan = plan_training("segmenter", read_settings(CONFIG), training_set(work), work / "runs")
    if not (plan.run.model / "model.json").is_file():
        train_here(plan)
    notes = {"recipe": "make model-small", "seed": TRAINING_SEED, "never_trained_on": HELD_OUT}
    ship(plan.run.model, FOLDER, notes)


def evaluate(
    model: SegmentationMethod | str, data: Path, settings: EvaluationSettings | None = None
) -> Evaluation:
    """Score it, with a line of progress."""
    return evaluate_model(model, data, settings, progress)


def amplified(method: SegmentationMethod, decades: float) -> SegmentationMethod:
    """Return the method as it would see spectra of a higher power."""
    image = method.image
    assert image is not None
    shifted = replace(image, minimum=image.minimum - decades, maximum=image.maximum - decades)
    return replace(method, image=shifted, folder=None, card=None)


def row(model: str, data: str, found: Evaluation) -> dict[str, Any]:
    """A line of the table."""
    scores = found.sheet.score(overlap=OVERLAP)
    pixels = next(
        entry["metrics"]
        for entry in found.sheet.pixels
        if (entry["source"], entry["truth"]) == ("probability", "contour")
    )
    low, high = scores["intervals"]["f1"] or (float("nan"),) * 2
    return {
        "model": model,
        "data": data,
        "F1": round(scores["f1"], 3),
        "95 %": f"{low:.2f}-{high:.2f}",
        "precision": round(scores["precision"], 3),
        "recall": round(scores["recall"], 3),
        "false per 100 clear": round(found.sheet.campaign["false_per_100_clear"], 1),
        "foreground IoU": round(pixels["foreground_iou"], 3),
    }


if __name__ == "__main__":
    main()
