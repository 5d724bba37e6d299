"""Train the segmenter of layers that comes with odm; it can be killed and started again.

    python benchmarks/shipped_layers.py [--work runs/shipped_detector] [--ionograms 2000]

Trains `configs/layers_small.yaml` on the ionograms of the shipped detector and saves the model in
float16 to `odm/models/shipped/layers_unet`. What its edges are worth, `edges.py` measures.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from common import ship
from simulated_ionograms import TRAINING_SEED, training_set

from odm.models.shipped import SHIPPED
from odm.training.plans import plan_training, train_here
from odm.training.settings import read_settings

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "odm" / "models" / "shipped" / SHIPPED["layers"]


def main() -> None:
    """Data, training, model folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("runs/shipped_detector"))
    parser.add_argument("--ionograms", type=int, default=2000, help="for training and validation")
    parser.add_argument("--target", type=Path, default=TARGET)
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE")
    options = parser.parse_args()
    settings = read_settings(ROOT / "configs" / "layers_small.yaml", options.settings)
    data = training_set(options.work, options.ionograms)
    plan = plan_training("segmenter", settings, data, options.work / "runs")
    train_here(plan)
    ship(plan.run.model, options.target, {"recipe": "make detector", "seed": TRAINING_SEED})


if __name__ == "__main__":
    main()
