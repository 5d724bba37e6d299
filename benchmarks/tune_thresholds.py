"""Thresholds of the shipped segmenter, searched: what they gain in region F1 on another seed.

    python benchmarks/tune_thresholds.py [--trials 150] [--work runs/tune]

Searched on the validation part of the training archive (or on ``--search-seed``, an archive of its
own), scored on an archive of another seed at native size; the differences are paired, and whole
5-day cycles are resampled.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from common import report
from numpy.typing import NDArray
from simulated import HELD_OUT, SCORED_SEED, scored_set, training_set

from odm.catalog.bootstrap import block_weights, interval
from odm.core.progress import progress
from odm.datasets.orbit import OrbitDataset
from odm.datasets.splits import OrbitSplit
from odm.findings.regions import RegionSettings
from odm.models import shipped
from odm.models.predictor import Predictor
from odm.scoring.orbit.maps import LabelledOrbits, MapSource, score_archive
from odm.scoring.orbit.methods import open_method
from odm.scoring.orbit.truth import Truth
from tuning.folder import SweepFolder
from tuning.spaces import read_space
from tuning.thresholds import ThresholdSearch, search_thresholds

MODEL = Path(shipped.__file__).parent / "odm_unet_small"
SPACE = Path(__file__).parent.parent / "configs" / "space_thresholds.yaml"
OVERLAP = "0.25"
RESAMPLES = 10_000


def main() -> None:
    """Search, score both, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=150)
    parser.add_argument("--search-seed", type=int, default=303, help="0: the training archive")
    parser.add_argument("--half-orbits", type=int, default=120, help="of each archive")
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--work", type=Path, default=Path("runs/tune"))
    options = parser.parse_args()
    data = _search_set(options)
    _, found = search_thresholds(
        ThresholdSearch(str(options.model), data, read_space(SPACE, "thresholds"), options.trials),
        lambda sweep: SweepFolder.of(sweep, options.work, None),
        meter=progress,
        say=lambda text: print(text, file=sys.stderr),
    )
    method = open_method(str(options.model))
    test = OrbitDataset.load(scored_set(options.work, "test", options.half_orbits))
    rows, blocks = [], []
    for name, thresholds, own in (
        ("of the model folder", method.regions.to_dict(), found.own),
        ("searched", found.thresholds, found.best),
    ):
        sheet = _scored(method, test, RegionSettings(**thresholds))
        score = sheet.score(overlap=float(OVERLAP))
        blocks.append(sheet.blocks[OVERLAP])
        rows.append(
            {
                "thresholds": name,
                "threshold": round(thresholds["threshold"], 3),
                "low": round(thresholds["low_threshold"], 3),
                "minimum area": thresholds["minimum_area"],
                "seed pixels": thresholds["seed_pixels"],
                "F1 where searched": round(own["f1"], 3),
                "F1 on another seed": round(score["f1"], 3),
                "precision": round(score["precision"], 3),
                "recall": round(score["recall"], 3),
            }
        )
    gain, low, high = _gain(*blocks)
    report(
        "tune_thresholds",
        rows,
        gain=f"{gain:+.3f} [{low:+.3f}, {high:+.3f}] in F1 at IoU {OVERLAP} on another seed",
        seconds_a_trial=round(found.seconds, 2),
        trials=options.trials,
        searched_on=f"seed {options.search_seed or 'of training, validation part'}",
        scored_on=f"simulated, seed {SCORED_SEED}, {options.half_orbits} half-orbits",
    )


def _search_set(options: argparse.Namespace) -> Path:
    if not options.search_seed:
        return training_set(options.work)
    name = f"search{options.search_seed}"
    whole = scored_set(
        options.work, name, options.half_orbits, seed=options.search_seed, held_out=HELD_OUT
    )
    path = options.work / f"{name}-validation.yaml"
    if not path.exists():
        config = OrbitDataset.load(whole)
        split = OrbitSplit(by="whole", part="validation")
        places = {"archive": config.archive, "annotations": str(config.annotations.folder)}
        OrbitDataset.create(path, config.config.model_copy(update={**places, "split": split}))
    return path


def _scored(method: Any, test: OrbitDataset, regions: RegionSettings) -> Any:
    predict = Predictor(method.segmenter, batch=2, temperature=method.temperature or 1.0)
    truth = Truth.load(str(test.annotations.folder))
    orbits = LabelledOrbits(test.samples("test"), truth)
    with progress("scoring", len(orbits.entries)) as advance:
        source = MapSource(predict, method.image)
        return score_archive(source, orbits, regions, advance=advance).sheet(resamples=0)


def _gain(own: dict[str, Any], searched: dict[str, Any]) -> tuple[float, float, float]:
    ours, theirs = (
        np.array([one[name] for name in ("true", "false", "missed")], np.float64)
        for one in (searched, own)
    )
    weights = block_weights(ours.shape[1], RESAMPLES)
    between = interval(_f1(ours @ weights.T) - _f1(theirs @ weights.T)) or (np.nan, np.nan)
    return float(_f1(ours.sum(axis=1)) - _f1(theirs.sum(axis=1))), *between


def _f1(outcomes: NDArray[np.float64]) -> Any:
    true, false, missed = outcomes
    return 2 * true / np.maximum(2 * true + false + missed, 1e-9)


if __name__ == "__main__":
    main()
