"""Recall and false regions of detectors of nuclei on the frozen sets.

    python benchmarks/nuclei.py MODEL [MODEL ...] --work /tmp/nuclei
    python benchmarks/nuclei.py MODEL --quick --sets home rays

A model is a model folder, the name of a shipped one (``odm_unet_small``), or ``log``. The sets are
those of `configs/nuclei_tests.yaml`. Half-orbits are drawn in memory and scored as `odm evaluate`
scores files. What was counted of a set is kept under ``--work``: a stopped run goes on with
the next set, and sums of other sets cost nothing. ``--quick`` takes each tenth half-orbit:
enough to see where a training goes, too few for goals.

In the table recall is at an IoU of 0.25, at 1, 3 and 10 false regions per 100 clear half-orbits,
with its 95 % interval from 5-day cycles; a dash is a rate that too few clear half-orbits can tell.
F1, precision and false regions are those at the thresholds of the model's card. ``fall`` is what a
disturbance costs: recall at 3 per 100 on the same half-orbits without it, less that with it, and
the same at the card's thresholds.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common import report
from nuclei_sets import TestSet, load_tests
from nuclei_tallies import Running, TallyKeeper, code_digest

from odm.core.errors import OdmError
from odm.core.progress import progress
from odm.scoring.orbit.sheet import RegionSheet
from odm.scoring.orbit.summary import summarise
from odm.scoring.orbit.tally import Tally
from odm.scoring.sheet import interval_text, plain, rounded

OVERLAP = "0.25"
FALL_RATE = 3.0
"""False regions per 100 clear half-orbits at which the fall of recall is told."""


def main() -> None:
    """Score models and write ``results/nuclei.json``."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="+", help="model folders, shipped names, or log")
    parser.add_argument("--sets", nargs="*", help="only these sets")
    parser.add_argument(
        "--work", type=Path, default=Path("/tmp/nuclei"), help="keeps what is scored"
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of every set")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--name", default="nuclei", help="of the file of results")
    options = parser.parse_args()
    try:
        score_models(options)
    except OdmError as error:
        sys.exit(str(error))


def score_models(options: argparse.Namespace) -> None:
    """Score every model on every set, and report."""
    tests, began = load_tests(), time.monotonic()
    names = options.sets or list(tests.sets)
    rows: list[dict[str, Any]] = []
    sheets: dict[str, dict[str, Any]] = {}
    for model in options.models:
        running = Running(model, options.engine, options.device, options.precision)
        keeper = TallyKeeper(
            running, tests, options.work, quick=options.quick, workers=options.workers
        )
        scored = score_sets(keeper, names, options.resamples)
        rows += [row_of(model, name, scored, tests.sets[name]) for name in names]
        sheets[model] = {name: details(sheet) for name, sheet in scored.items()}
        if len(options.models) > 1 and model != options.models[-1]:
            print(f"{model}: done after {time.monotonic() - began:.0f} s", file=sys.stderr)
    report(
        options.name,
        rows,
        kept={"sheets": sheets},
        quick=options.quick,
        sky=code_digest()[:16],
        resamples=options.resamples,
        seconds=round(time.monotonic() - began),
    )


def score_sets(keeper: TallyKeeper, names: Sequence[str], resamples: int) -> dict[str, RegionSheet]:
    """Return the sheets of sets, their bases included; every set of a sky is scored once."""
    tests = keeper.tests
    wanted = dict.fromkeys([*names, *(base for name in names if (base := tests.sets[name].base))])
    parts = {drawn: keeper.kept(drawn) for name in wanted for drawn in tests.drawn(name)}
    missing = [drawn for drawn, tally in parts.items() if tally is None]
    total = sum(len(keeper.half_orbits(drawn)) for drawn in missing)
    with progress("scoring", total, "half-orbits") as advance:
        for drawn in missing:
            parts[drawn] = keeper.score(
                drawn, lambda number, note=drawn.stem: advance(number, note)
            )
    sheets = {}
    for name in wanted:
        tally = Tally()
        for drawn in tests.drawn(name):
            part = parts[drawn]
            assert part is not None
            tally.extend(part)
        settings = keeper.bench.method.regions
        about = {"model": keeper.running.model, "set": name}
        sheets[name] = summarise(tally, settings.threshold, about, resamples)
    return sheets


def row_of(
    model: str, name: str, sheets: Mapping[str, RegionSheet], one: TestSet
) -> dict[str, Any]:
    """Return the line of a set in the table."""
    sheet = sheets[name]
    score = sheet.score(overlap=float(OVERLAP))
    recall = {
        f"recall at {point['rate']:g}": (
            f"{rounded(point['recall'])} {interval_text(point['interval'])}".rstrip()
        )
        for point in sheet.at_false_rates[OVERLAP]
    }
    return {
        "model": Path(model).name,
        "set": name,
        "half-orbits": sheet.counts["half_orbits"],
        "clear": sheet.counts["clear"],
        "nuclei": sheet.counts["nuclei"],
        **recall,
        "F1": rounded(score["f1"]),
        "best F1": rounded(score["best_f1"]),
        "precision": rounded(score["precision"]),
        "false per 100": rounded(sheet.campaign["false_per_100_clear"], 1),
        "fall": fall_of(sheets[one.base], sheet) if one.base else "",
    }


def fall_of(base: RegionSheet, sheet: RegionSheet) -> str:
    """Return how much recall falls from a base, at `FALL_RATE` and at the card's thresholds."""
    falls = [before - after for before, after in zip(_recalls(base), _recalls(sheet), strict=True)]
    return " ".join("-" if math.isnan(fall) else f"{fall:+.3f}" for fall in falls)


def _recalls(sheet: RegionSheet) -> tuple[float, float]:
    (at_rate,) = [
        point["recall"] for point in sheet.at_false_rates[OVERLAP] if point["rate"] == FALL_RATE
    ]
    return at_rate, sheet.score(overlap=float(OVERLAP))["recall"]


def details(sheet: RegionSheet) -> Any:
    """Return what the file of results keeps of a sheet beyond the table; undefined is null."""
    contours = [row for row in sheet.regions if row["truth"] == "contour"]
    return plain(
        {
            "counts": sheet.counts,
            "threshold": sheet.threshold,
            "regions": contours,
            "at_false_rates": sheet.at_false_rates,
            "campaign": sheet.campaign,
            "contrast": sheet.contrast,
            "alarms": sheet.alarms,
        }
    )


if __name__ == "__main__":
    main()
