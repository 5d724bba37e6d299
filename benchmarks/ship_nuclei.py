"""The detector of nuclei that comes with odm: draw, train, calibrate, and put it in the package.

    python benchmarks/ship_nuclei.py [--work runs/nuclei]     (make model)

Goes on where it was stopped. Trains by ``configs/nuclei.yaml`` on the half-orbits of
``configs/nuclei_drawn.yaml``, which are drawn first, on two processes. Then fits the temperature
and the thresholds on half-orbits of other seeds (``configs/nuclei_calibration.yaml``): the lower
threshold with the highest recall at `RATE` false regions per 100 clear half-orbits, and the least
confidence that reaches it. At last it is scored on the frozen sets (`benchmarks/nuclei.py`), whose
scores its card holds; ``--sets`` names some of them, and none leaves them out.
"""

from __future__ import annotations

import argparse
import multiprocessing
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from common import ship
from nuclei import score_sets
from nuclei_drawn import DrawnOrbit, score_drawn
from nuclei_sets import NucleiTests, load_tests
from nuclei_tallies import (
    BATCH,
    CHUNK,
    Bench,
    HalfOrbitName,
    Running,
    TallyKeeper,
    in_parts,
)

from odm.core.progress import progress
from odm.findings.regions import TEMPERATURE, RegionSettings
from odm.models.folder import load_model, save_again
from odm.models.shipped import SHIPPED
from odm.scoring.calibration import fit_level_temperature
from odm.scoring.evaluation import CALIBRATION, SCORES
from odm.scoring.orbit.scorer import Scorer
from odm.scoring.orbit.summary import summarise
from odm.scoring.orbit.tally import Tally
from odm.scoring.sheet import plain
from odm.simulate.orbit.half_orbit import simulate_half_orbit
from odm.training.plans import plan_training
from odm.training.settings import read_settings

ROOT = Path(__file__).parent.parent
CONFIGS = ROOT / "configs"
FOLDER = ROOT / "odm" / "models" / "shipped" / SHIPPED["segmenter"]
RATE = 3.0
"""False regions per 100 clear half-orbits that the shipped thresholds allow."""
LOWS = (0.15, 0.25, 0.35, 0.5)
"""Probabilities from which regions may grow."""
OVERLAP = "0.25"
TEMPERED = 3
"""The temperature, a sum over pixels, is fitted on each half-orbit of this many."""
PROCESSES = 2
RESAMPLES = 1000


def main() -> None:
    """Make the model."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, default=Path("runs/nuclei"))
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the model")
    parser.add_argument("--sets", nargs="*", help="frozen sets to score [default: all]")
    options = parser.parse_args()
    train(options.work, options.out)
    calibrate(options.out)
    score(options.work, options.out, options.sets)


def train(work: Path, out: Path) -> None:
    """Train, and save the best weights in half precision."""
    data, config = CONFIGS / "nuclei_drawn.yaml", CONFIGS / "nuclei.yaml"
    plan = plan_training("segmenter", read_settings(config), data, work)
    if not (plan.run.model / "model.json").is_file():
        odm = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        odm += [f"--nproc-per-node={PROCESSES}", "--", str(Path(sys.executable).parent / "odm")]
        drawing = ["dataset", "draw", str(data), f"--workers={PROCESSES}"]
        subprocess.run([odm[-1], *drawing], check=True)
        training = ["train", "segmenter", f"--config={config}", f"--data={data}", f"--out={work}"]
        subprocess.run([*odm, *training, "--local"], check=True)
    ship(plan.run.model, out, {"recipe": "make model"})


def calibrate(folder: Path) -> None:
    """Fit temperature and thresholds, and save them in the model's folder."""
    tests = load_tests(CONFIGS / "nuclei_calibration.yaml")
    start = RegionSettings(averaged="log_odds")
    (tally,) = tallies(folder, tests, 1.0, [start], every=TEMPERED)
    temperature = round(fit_level_temperature(tally.levels), 4)
    candidates = [replace(start, low_threshold=low, threshold=max(low, 0.5)) for low in LOWS]
    best: tuple[float, float, RegionSettings] | None = None
    scored = tallies(folder, tests, temperature, candidates)
    for settings, tally in zip(candidates, scored, strict=True):
        sheet = summarise(tally, settings.threshold, {}, 0)
        (point,) = [p for p in sheet.at_false_rates[OVERLAP] if p["rate"] == RATE]
        print(f"low threshold {settings.low_threshold:g}: recall {point['recall']:.3f}")
        if best is None or point["recall"] > best[0]:
            best = (point["recall"], point["threshold"], settings)
    assert best is not None
    recall, confidence, settings = best
    # Rounded down, so that the last region that is allowed is still found.
    confidence = float(np.floor(confidence * 1e4) / 1e4)
    thresholds: dict[str, Any] = replace(settings, minimum_confidence=confidence).to_dict()
    thresholds[TEMPERATURE] = temperature
    facts = {
        "temperature": temperature,
        "recall": recall,
        "false_per_100_clear": RATE,
        "half_orbits": sum(one.count for one in tests.sets.values()),
        "skies": sorted({one.sky for one in tests.sets.values()}),
        "seeds": sorted(one.seed for one in tests.sets.values()),
    }
    loaded = load_model(folder)
    metrics = {**loaded.card.metrics, CALIBRATION: facts}
    save_again(folder, loaded, thresholds=thresholds, metrics=metrics)
    print(f"temperature {temperature}, thresholds {thresholds}, recall {recall:.3f}")


def score(work: Path, folder: Path, names: list[str] | None) -> None:
    """Score the model on frozen sets, and put the scores on its card."""
    tests = load_tests()
    keeper = TallyKeeper(
        Running(str(folder)), tests, work / "scored", quick=False, workers=PROCESSES
    )
    sheets = score_sets(keeper, list(tests.sets) if names is None else names, RESAMPLES)
    entries = [
        plain({"name": name, "seed": tests.sets[name].seed, **sheet.card_scores()})
        for name, sheet in sheets.items()
    ]
    loaded = load_model(folder)
    metrics = {**loaded.card.metrics, SCORES: entries}
    save_again(folder, loaded, thresholds=loaded.card.thresholds, metrics=metrics)


def tallies(
    folder: Path,
    tests: NucleiTests,
    temperature: float,
    candidates: list[RegionSettings],
    every: int = 1,
) -> list[Tally]:
    """Return what is counted of all sets together, or each ``every``-th of their half-orbits, with
    each of several settings."""
    jobs = [
        (name, chunk, temperature, candidates)
        for name in tests.sets
        for chunk in in_parts(tests.half_orbits(name)[::every], CHUNK)
    ]
    sums = [Tally() for _ in candidates]
    context = multiprocessing.get_context("spawn")
    with (
        context.Pool(PROCESSES, _start, (Running(str(folder)), tests)) as pool,
        progress("calibrating", sum(len(job[1]) for job in jobs), "half-orbits") as advance,
    ):
        for job, parts in zip(jobs, pool.imap(_tally, jobs), strict=True):
            for total, part in zip(sums, parts, strict=True):
                total.extend(part)
            advance(len(job[1]))
    return sums


_opened: dict[str, Any] = {}
"""What a process of the pool has opened."""


def _start(running: Running, tests: NucleiTests) -> None:
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _opened.update(bench=Bench.open(running), tests=tests)


def _tally(job: tuple[str, list[HalfOrbitName], float, list[RegionSettings]]) -> list[Tally]:
    """Draw half-orbits, predict them once, and score them with every settings."""
    name, half_orbits, temperature, candidates = job
    bench, recipe = _opened["bench"], _opened["tests"].sets[name].recipe()
    bench.predict.temperature = temperature
    scorers = [Scorer(settings.threshold) for settings in candidates]
    for batch in in_parts(half_orbits, BATCH):
        orbits = [DrawnOrbit.of(simulate_half_orbit(recipe, *half)) for half in batch]
        maps = bench.predict(np.stack([orbit.image(bench.images)[0] for orbit in orbits]))
        for scorer, settings in zip(scorers, candidates, strict=True):
            for scored in score_drawn(orbits, lambda _, maps=maps: maps, bench.images, settings):
                scorer.add(scored)
    return [scorer.tally for scorer in scorers]


if __name__ == "__main__":
    main()
