"""Where the pipeline saturates: its schedule, simulated to 8 GPUs and 256 CPUs.

Stage times are those that `benchmarks/reprocess.py` has measured here; the driver's are measured
now, as its CPU seconds in a Ray Data pipeline of the same shape whose stages do nothing, and on
outcomes of real half-orbits. The time of a GPU is assumed (``--gpu-ms``): no GPU was at hand.

In the simulation a CPU reads or finishes a task's inputs, finishing first; a GPU takes a batch, and
the CPU of its own process is not counted; one driver hands out every task, takes every block and
every outcome, one after the other. Reading is held back while images wait, as Ray Data does.

    python benchmarks/schedule.py [--gpu-ms 5] [--task-ms 11.25]
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from common import RESULTS, report

TASK, FORMER = 32, 16
"""Inputs that go through the stages together: as many as a block of 8 MB holds, and what it was."""
INPUTS = 20_000
AHEAD = 4
"""Batches for each GPU that may wait before reading is held back."""
SPREAD = 0.3
"""Deviation of the time of a task, as a share of its mean."""


@dataclass(frozen=True)
class Times:
    """Seconds of an input, but ``task``: of the driver for a task or a block."""

    read: float
    model: float
    finish: float
    task: float
    outcome: float

    def driver(self, size: int) -> float:
        """Of the driver for an input: its part of three tasks, and its outcome."""
        return 3 * self.task / size + self.outcome


def main() -> None:
    """Measure, simulate, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gpu-ms", type=float, default=5.0)
    parser.add_argument("--task-ms", type=float, help="measured before, on a busy machine, say")
    options = parser.parse_args()
    stages = json.loads((RESULTS / "reprocess.json").read_text())["stages_cpu_ms_per_half_orbit"]
    alone, in_blocks = measure_outcomes()
    times = Times(
        read=stages["read"] / 1e3,
        model=options.gpu_ms / 1e3,
        finish=stages["finish"] / 1e3,
        task=measure_tasks() if options.task_ms is None else options.task_ms / 1e3,
        outcome=in_blocks,
    )
    rows = [
        simulate(times, cpus, gpus) for gpus in (1, 2, 4, 8) for cpus in (8, 16, 32, 64, 128, 256)
    ]
    former = simulate(times, 256, 8, FORMER)
    once = simulate(replace(times, outcome=alone), 256, 8, FORMER)
    full = simulate(replace(times, task=0.0, outcome=0.0), 256, 8)
    report(
        "schedule",
        rows,
        stage_ms={name: round(1e3 * value, 4) for name, value in vars(times).items()},
        gpu_ms_is="assumed",
        task_ms_is="measured" if options.task_ms is None else "given",
        cpus_per_gpu=round((times.read + times.finish) / times.model, 1),
        outcome_ms_sent_one_by_one=round(1e3 * alone, 4),
        per_s_at_8_gpus_256_cpus={
            "outcomes one by one, 16 inputs a task": once["per_s"],
            "outcomes in blocks, 16 inputs a task": former["per_s"],
            "outcomes in blocks, 32 inputs a task": rows[-1]["per_s"],
            "a driver that costs nothing": full["per_s"],
        },
        driver_allows_per_s=round(1 / times.driver(TASK)),
        share_lost_to_the_driver_at_8_gpus_256_cpus=round(1 - rows[-1]["per_s"] / full["per_s"], 3),
    )


def simulate(times: Times, cpus: int, gpus: int, size: int = TASK) -> dict[str, Any]:
    """A campaign of `INPUTS` on so many of each.

    Returns:
        A row: inputs a second after the first tenth, and the share of the time that each part
        was busy.
    """
    run = _Run(times, cpus, gpus, size, random.Random(0))
    while run.events:
        run.step()
    tenth = run.ends[len(run.ends) // 10]
    rate = size * 0.9 * len(run.ends) / (run.ends[-1] - tenth)
    busy = {name: seconds / run.now for name, seconds in run.busy.items()}
    busy["CPUs"], busy["GPUs"] = busy["CPUs"] / cpus, busy["GPUs"] / gpus
    most = min(gpus / times.model, cpus / (times.read + times.finish))
    return {
        "gpus": gpus,
        "cpus": cpus,
        "per_s": round(rate, 1),
        "share_of_parts": round(rate / most, 3),
        **{f"{name}_busy": round(share, 2) for name, share in busy.items()},
        "held_up_by": max(busy, key=lambda name: busy[name]),
    }


class _Run:
    """Who is doing what, and what happens next."""

    def __init__(self, times: Times, cpus: int, gpus: int, size: int, dice: random.Random) -> None:
        self.times, self.dice, self.gpus, self.size = times, dice, gpus, size
        self.free = {"CPUs": cpus, "GPUs": gpus}
        self.to_read = INPUTS // size
        self.reading = self.images = self.drafts = 0
        self.now = self.driver_until = 0.0
        self.events: list[tuple[float, int, str]] = []
        self.ends: list[float] = []
        self.busy = {"CPUs": 0.0, "GPUs": 0.0, "driver": 0.0}
        self._number = 0
        self._dispatch()

    def step(self) -> None:
        self.now, _, what = heapq.heappop(self.events)
        if what == "read":
            self.free["CPUs"] += 1
            self.reading -= 1
            self.images += 1
        elif what == "model":
            self.free["GPUs"] += 1
            self.drafts += 1
        else:
            self.free["CPUs"] += 1
            self.ends.append(self._driver(self.size * self.times.outcome))
        self._dispatch()

    def _dispatch(self) -> None:
        while self.images and self.free["GPUs"]:
            self.images -= 1
            self._start("model", "GPUs", self.times.model)
        while self.drafts and self.free["CPUs"]:
            self.drafts -= 1
            self._start("finish", "CPUs", self.times.finish)
        room = AHEAD * self.gpus
        while (
            self.to_read
            and self.free["CPUs"]
            and self.images + self.reading < max(room, self.free["CPUs"] + self.reading)
            and self.images < room
        ):
            self.to_read -= 1
            self.reading += 1
            self._start("read", "CPUs", self.times.read)

    def _start(self, what: str, where: str, each: float) -> None:
        """A task: the driver hands it out, then it runs."""
        self.free[where] -= 1
        begun = self._driver(self.times.task)
        seconds = self.size * each * max(0.2, self.dice.gauss(1.0, SPREAD))
        self.busy[where] += seconds
        self._number += 1
        heapq.heappush(self.events, (begun + seconds, self._number, what))

    def _driver(self, seconds: float) -> float:
        """When the driver, which does one thing at a time, has done this too."""
        self.driver_until = max(self.driver_until, self.now) + seconds
        self.busy["driver"] += seconds
        return self.driver_until


# -- the driver's own seconds ----------------------------------------------------------------------


def measure_tasks() -> float:
    """CPU seconds of the driver for a task of Ray Data, in a pipeline of three empty stages."""
    from ray_jobs.cluster.connection import connect
    from ray_jobs.reprocessing.calibrate import task_seconds

    with connect("local", num_cpus=2, object_store_bytes=300_000_000):
        return task_seconds(TASK, 400)


def measure_outcomes() -> tuple[float, float]:
    """CPU seconds of the driver for an outcome, of half-orbits with regions and without: each sent
    alone, as it once was, and in blocks of a batch."""
    from odm.catalog.orbit.inputs import list_orbit_inputs
    from odm.findings.regions import RegionSettings
    from odm.images.geometry import OrbitImageSettings
    from odm.reprocess.orbit import OrbitStages
    from odm.reprocess.stages import Draft
    from odm.simulate.orbit.archive import simulate_orbits
    from odm.simulate.orbit.recipe import OrbitSimulation
    from ray_jobs.reprocessing.calibrate import driver_seconds

    stages = OrbitStages(
        OrbitImageSettings(-8, -2, "resized", 256, 256), RegionSettings(), "0" * 64
    )
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "archive"
        simulate_orbits(
            archive, OrbitSimulation(half_orbits=8, seed=5, every=61, components="z"), workers=1
        )
        drafts = [stages.read(one) for one in list_orbit_inputs(str(archive)).inputs]
        probability = np.zeros((256, 256), np.uint8)
        probability[60:120, 80:200] = 240
        results = [
            stages.finish(replace(draft, image=None), probability if number % 2 else None)
            for number, draft in enumerate(drafts)
            if isinstance(draft, Draft)
        ]
    return driver_seconds(results * 32, 1), driver_seconds(results * 32)


if __name__ == "__main__":
    main()
