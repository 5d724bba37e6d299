"""What a trial costs beyond the training in it: the bare loop, a trial here, on Tune, and nested.

    python benchmarks/tune_overhead.py [--rounds 3] [--nested] [--work runs/tune]

All train the same small model for the same epochs from the same samples, one thread. A trial adds
the region F1 after each epoch, the study, and on Ray a process. A sweep's start (Ray, samples) is
paid once and is a row of its own; what a trial of a sweep takes is measured between trials.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from common import report
from simulated import training_set

from odm.datasets.orbit import OrbitDataset
from odm.training import plans
from odm.training.ranks import Ranks
from odm.training.settings import read_settings
from tuning.folder import SweepFolder
from tuning.placement import SweepPlacement
from tuning.runners.local import local_sources
from tuning.spaces import make_space
from tuning.stopping import Rule
from tuning.study import TrialRequest
from tuning.sweep import SearchOptions, make_context, plan_sweep, run_sweep
from tuning.trial import run_trial

SETTINGS = [
    "model.architecture=odm_unet_small",
    "data.batch_size=8",
    "data.crop=[128, 128]",
    "schedule.epochs=3",
    "runtime.device=cpu",
    "runtime.loader_threads=0",
    "runtime.tensorboard=false",
]
SPACE = {"learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}


def main() -> None:
    """Measure, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--half-orbits", type=int, default=60)
    parser.add_argument("--nested", action="store_true", help="trials of two workers as well")
    parser.add_argument("--work", type=Path, default=Path("runs/tune"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = training_set(options.work / f"data{options.half_orbits}", options.half_orbits, size=256)
    place = options.work / f"overhead-{time.strftime('%Y%m%d-%H%M%S')}"
    rows = []
    bare = [_bare(data, place / f"bare{i}") for i in range(options.rounds + 1)][1:]
    rows.append(_row("the bare loop", bare, bare))
    here = _here(data, place / "here", options.rounds + 1)[1:]
    rows.append(_row("a trial in this process", here, bare))
    one = SweepPlacement(concurrent=1, cpus=1, address="local")
    times, start = _swept(data, place / "ray", options.rounds + 1, one)
    rows.append(_row("a trial on Tune, the first (its process starts)", times[:1], bare))
    rows.append(_row("a trial on Tune, in a process that is there", times[1:], bare))
    starts = {"start of a sweep on Ray, s": round(start, 1)}
    if options.nested:
        times, start = _swept(data, place / "nested", 2, replace(one, workers=2))
        rows.append(_row("a trial of two workers (Ray Train in it)", times, bare))
        starts["start of a sweep of nested trials, s"] = round(start, 1)
    report("tune_overhead", rows, settings=SETTINGS, half_orbits=options.half_orbits, **starts)


def _row(name: str, seconds: list[float], bare: list[float]) -> dict[str, Any]:
    middle = statistics.median(seconds)
    return {
        "what": name,
        "seconds": round(middle, 2),
        "range": f"{min(seconds):.2f}-{max(seconds):.2f}",
        "beyond the bare loop, s": round(middle - statistics.median(bare), 2),
        "runs": len(seconds),
    }


def _bare(data: Path, out: Path) -> float:
    plan = plans.plan_training("segmenter", read_settings(None, SETTINGS), data, out)
    sources = _sources(data, out)
    began = time.perf_counter()
    with plan.run.locked():
        plans.train_planned(plan, Ranks(), None, **sources)
    return time.perf_counter() - began


def _job(data: Path, out: Path) -> tuple[Any, Any, Any, Any]:
    sweep, dataset = plan_sweep(
        read_settings(None, SETTINGS),
        make_space("segmenter", SPACE),
        data,
        SearchOptions(rule=Rule("none")),
    )
    folder = SweepFolder.of(sweep, out, "sweep")
    return folder, sweep, dataset, make_context(folder, sweep, dataset)


_KEPT: dict[str, Any] = {}


def _sources(data: Path, out: Path) -> Any:
    """In memory for all that run here, and warm."""
    if "sources" not in _KEPT:
        *_, job = _job(data, out)
        (_KEPT["sources"],) = local_sources(job).values()
        for source in _KEPT["sources"].values():
            for index in range(len(source.keys)):
                source.load(index)
    return _KEPT["sources"]


def _here(data: Path, out: Path, rounds: int) -> list[float]:
    *_, job = _job(data, out)
    sources = {None: _sources(data, out)}
    seconds = []
    for number in range(rounds):
        began = time.perf_counter()
        rate = {"learning_rate": 1e-3}
        run_trial(job, TrialRequest(number, rate, number), sources, lambda epoch, value: False)
        seconds.append(time.perf_counter() - began)
    return seconds


def _swept(data: Path, out: Path, trials: int, where: SweepPlacement) -> tuple[list[float], float]:
    """Seconds from the end of one trial to that of the next, and from the begin to the first's."""
    folder, sweep, _, _ = _job(data, out)
    began = time.time()
    ledger = run_sweep(folder, sweep, OrbitDataset.load(data), trials, where, say=lambda text: None)
    ended = [one.datetime_complete.timestamp() for one in ledger.trials if one.datetime_complete]
    first = ledger.trials[0].datetime_start
    assert first is not None
    marks = [first.timestamp(), *ended]
    seconds = [later - earlier for earlier, later in itertools.pairwise(marks)]
    return seconds, marks[0] - began


if __name__ == "__main__":
    main()
