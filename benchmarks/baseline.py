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
from odm.core.files import write_bytes
from odm.findings.regions import RegionSettings
from odm.images.geometry import OrbitImageSettings
from odm.images.pictures.figure import write_figure
from odm.images.spectrogram import estimate_limits
from odm.models.networks.classical import create_classical
from odm.models.predictor import Predictor
from odm.scoring.orbit.maps import LabelledOrbits, MapSource, score_archive
from odm.scoring.orbit.pictures import region_figures
from odm.scoring.orbit.truth import Truth
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
            method = create_classical(name)
            regions = RegionSettings(**method.thresholds)
            scorer = score_archive(
                MapSource(Predictor(method), OrbitImageSettings(*limits)),
                LabelledOrbits(list_orbits(archive).entries, Truth.load(str(archive))),
                regions,
                examples=True,
            )
            about = {
                "method": name,
                "data": f"simulated, {options.half_orbits} half-orbits, seed {options.seed}",
                "archive": "simulated for this benchmark",  # its folder is gone
                "regions": regions.to_dict(),
            }
            sheet = scorer.sheet(about)
            results = RESULTS / "baseline"
            write_bytes(results / f"{name}.json", sheet.to_json().encode())
            for file, figure in region_figures(sheet, scorer.examples).items():
                write_figure(results / name / file, figure, tight=True)
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
