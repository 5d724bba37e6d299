"""Methods without learning, scored in full on simulated half-orbits: the row to beat.

Simulates an archive of its own seed and scores the Laplacian of Gaussian and the paper's Canny
edges on it, at their default settings and their own thresholds: tables, JSON and pictures under
``results/baseline/``.

    python benchmarks/baseline.py [--half-orbits 60] [--seed 101]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
from common import RESULTS, report

from odm.archive.orbit.listing import list_orbits
from odm.findings.regions import RegionSettings
from odm.images.geometry import OrbitImageSettings
from odm.images.spectrogram import estimate_limits
from odm.models.networks.classical import create_classical
from odm.models.predictor import Predictor
from odm.scoring.orbit.archive import Example, score_archive
from odm.scoring.orbit.pictures import write_pictures
from odm.simulate.orbit.archive import simulate_orbits
from odm.simulate.orbit.recipe import OrbitSimulation

EVERY = 61
"""Half-orbits apart: a few dozen then span many 5-day cycles and both directions."""


def main() -> None:
    """Simulate, score both methods, write and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half-orbits", type=int, default=60)
    parser.add_argument("--seed", type=int, default=101)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "archive"
        simulate_orbits(
            archive,
            OrbitSimulation(
                half_orbits=options.half_orbits, seed=options.seed, every=EVERY, components="z"
            ),
        )
        limits = estimate_limits([entry.path for entry in list_orbits(archive).entries])
        for name in ("log", "canny"):
            examples: list[Example] = []
            method = create_classical(name)
            sheet = score_archive(
                Predictor(method),
                archive,
                OrbitImageSettings(*limits),
                regions=RegionSettings(**method.thresholds),
                about={
                    "method": name,
                    "data": f"simulated, {options.half_orbits} half-orbits, seed {options.seed}",
                },
                examples=examples,
            )
            sheet.about["archive"] = "simulated for this benchmark"  # its folder is gone
            sheet.write_json(RESULTS / "baseline" / f"{name}.json")
            write_pictures(RESULTS / "baseline" / name, sheet, examples)
            print(sheet.to_text())
            scores = sheet.score(overlap=0.25)
            rows.append(
                {
                    "method": name,
                    **{key: round(scores[key], 3) for key in ("precision", "recall", "f1")},
                    "best_f1": round(sheet.score(overlap=0.25)["best_f1"], 3),
                }
            )
    report("baseline", rows, data=f"simulated, seed {options.seed}, IoU 0.25")


if __name__ == "__main__":
    main()
