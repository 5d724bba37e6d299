"""Train, calibrate and score the detector that comes with odm; it can be killed and started again.

    python benchmarks/shipped_detector.py [--work runs/shipped_detector] [--ionograms 2000]

Simulates its data, trains `configs/yolox_shipped.yaml`, saves the model in float16 to
`odm/models/shipped/yolox_nano`, calibrated on validation, and scores it on archives of another
seed: of both ray models, and of the second one alone. The pictures stay in the work folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from common import ship
from simulated_ionograms import TRAINING_SEED, scored_set, training_set

from odm.models.shipped import SHIPPED
from odm.scoring.evaluation import EvaluationSettings, Running, evaluate_model
from odm.training.plans import plan_training, train_here
from odm.training.settings import DetectorSettings, read_settings

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "odm" / "models" / "shipped" / SHIPPED["detector"]
VALIDATION = "validation, as in training"
SCORED = {
    "both": (None, "both ray models"),
    "layered": ("layered", "the second ray model alone"),
}
"""Ray model of each test archive, and its name on the card."""
RESULTS = ROOT / "benchmarks" / "results" / "shipped_detector"


def main() -> None:
    """Data, training, model folder, scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("runs/shipped_detector"))
    parser.add_argument("--ionograms", type=int, default=2000, help="for training and validation")
    parser.add_argument("--scored", type=int, default=400, help="of each test archive")
    parser.add_argument("--target", type=Path, default=TARGET)
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE")
    options = parser.parse_args()
    config = ROOT / "configs" / "yolox_shipped.yaml"
    settings = read_settings(config, options.settings, DetectorSettings)
    data = training_set(options.work, options.ionograms)
    plan = plan_training("detector", settings, data, options.work / "runs")
    train_here(plan)
    ship(plan.run.model, options.target, {"recipe": "make detector", "seed": TRAINING_SEED})
    running = Running(batch=8)
    calibrating = EvaluationSettings(part="validation", calibrate_on="validation", running=running)
    evaluate_model(options.target, data, calibrating).save(VALIDATION)
    for name, (ray_model, words) in SCORED.items():
        scored = scored_set(options.work, options.scored, ray_model=ray_model)
        done = evaluate_model(options.target, scored, EvaluationSettings(running=running))
        done.save(words)
        done.sheet.about["folder"] = f"odm/models/shipped/{TARGET.name}"
        for path in done.write(RESULTS / name):
            print("written:", path)
        (RESULTS / name / "examples.png").replace(options.work / f"examples-{name}.png")
        print(done.sheet.to_text())


if __name__ == "__main__":
    main()
