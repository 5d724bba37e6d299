"""Ray Train with 2 workers against `torchrun` with 2 processes: the same loop, in turns.

    python benchmarks/ray_train.py
    python benchmarks/ray_train.py --rounds 8 --steps 60 --size 64 --dataset dataset.yaml

A round trains the same steps once by each, and times every step in the main rank, which writes
each one down. The ratio is that of the median step times; its interval resamples rounds. Seconds of
an epoch hold the feeding: from the files in the first epoch of `torchrun`, from the object store in
Ray's. Where samples are best varied, in threads of the rank or in processes of Ray, is measured
beside it. Goal: a ratio of 1.05 or less.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from common import report, spread

from odm.catalog.bootstrap import block_weights, interval
from odm.datasets.orbit import OrbitDataset, OrbitDatasetConfig
from odm.datasets.splits import OrbitSplit
from odm.images.augmentation import make_policy
from odm.images.geometry import OrbitImageSettings
from odm.simulate.orbit.archive import simulate_orbits
from odm.simulate.orbit.recipe import OrbitSimulation
from odm.training import plans
from odm.training.events import listeners, recorded
from odm.training.feed import ThreadFeed
from odm.training.launch import Launch
from odm.training.ranks import Ranks, launched_ranks
from odm.training.settings import read_settings

WORKERS = 2
WARM_UP = 3
SETTINGS = [
    "model.architecture=odm_unet_small",
    "model.options={encoder: tu-mobilenetv3_small_050}",
    "data.batch_size=4",
    "runtime.device=cpu",
    "runtime.log_steps=1",
    "runtime.loader_threads=1",
    "runtime.tensorboard=false",
]


def plan_of(dataset: Path, out: Path, steps: int) -> plans.TrainingPlan:
    """At least so many steps, and two epochs; one validation, at the end."""
    settings = read_settings(None, SETTINGS)
    plan = plans.plan_training("segmenter", settings, dataset, out)
    per_epoch = max(1, len(plan.training) // settings.data.batch_size)
    epochs = max(2, -(-(steps + WARM_UP) // per_epoch))
    more = [f"schedule.epochs={epochs}", f"schedule.validation_epochs={epochs}"]
    return plans.plan_training("segmenter", read_settings(None, [*SETTINGS, *more]), dataset, out)


def timed(plan: Any, ranks: Ranks, listener: Any, **sources: Any) -> Any:
    """`train_planned`, with the time of every report of the main rank in ``times.json``."""
    times: list[tuple[str, float]] = []
    result = plans.train_planned(
        plan,
        ranks,
        listeners(listener, lambda told: times.append((told.kind, time.perf_counter()))),
        **sources,
    )
    if ranks.is_main:
        (plan.run.folder / "times.json").write_text(json.dumps(times))
    return result


def by_torchrun(dataset: Path, out: Path, steps: int) -> dict[str, Any]:
    """One round in processes that `torchrun` starts."""
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={WORKERS}"]
    command += ["--standalone", __file__, "--rank", str(dataset), str(out), str(steps)]
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return {"whole_s": time.perf_counter() - begun, "read_s": 0.0, **times_of(dataset, out, steps)}


def as_rank(dataset: Path, out: Path, steps: int) -> None:
    """What each process of `torchrun` does."""
    import torch

    torch.set_num_threads(1)
    plan = plan_of(dataset, out, steps)
    plan.run.folder.mkdir(parents=True, exist_ok=True)
    with launched_ranks(torch.device("cpu")) as ranks:
        if not ranks.is_main:
            timed(plan, ranks, None)
            return
        with recorded(plan.run, plan.settings) as record:  # as Ray's main rank does
            timed(plan, ranks, record)


def by_ray(dataset: Path, out: Path, steps: int) -> dict[str, Any]:
    """One round on workers of Ray Train."""
    from ray_jobs.training.train import read_samples, train_on_ray

    read_s = 0.0

    def read(plan: Any, cluster: Any, wait_s: float) -> Any:
        nonlocal read_s
        begun = time.perf_counter()
        sources = read_samples(plan, cluster, wait_s)
        read_s = time.perf_counter() - begun
        return sources

    begun = time.perf_counter()
    launch = Launch(workers=WORKERS, cpus=1)
    train_on_ray(plan_of(dataset, out, steps), launch, work=timed, read=read)
    whole = time.perf_counter() - begun
    return {"whole_s": whole, "read_s": read_s, **times_of(dataset, out, steps)}


def times_of(dataset: Path, out: Path, steps: int) -> dict[str, Any]:
    """Seconds of steps, without the first ones and those that follow a checkpoint; of epochs."""
    told = json.loads((plan_of(dataset, out, steps).run.folder / "times.json").read_text())
    gaps = [
        later[1] - earlier[1]
        for earlier, later in itertools.pairwise(told)
        if earlier[0] == later[0] == "steps"
    ]
    ends = [told[0][1]] + [at for kind, at in told if kind == "epoch"]
    epochs = np.diff(ends)[:-1]  # the last one validates
    shutil.rmtree(out)
    return {
        "steps_s": gaps[WARM_UP:],
        "first_epoch_s": float(epochs[0]),
        "next_epoch_s": float(np.median(epochs[1:])) if len(epochs) > 1 else float(epochs[0]),
    }


def ratio_of(rounds: dict[str, list[dict[str, Any]]]) -> tuple[float, tuple[float, float] | None]:
    """Ratio of the median step times, and its 95 % interval over rounds."""

    def ratio(weights: Any) -> float:
        medians = []
        for name in ("ray", "torchrun"):
            chosen = [
                t for w, r in zip(weights, rounds[name], strict=True) for t in w * r["steps_s"]
            ]
            medians.append(statistics.median(chosen))
        return medians[0] / medians[1]

    number = len(rounds["ray"])
    drawn = [ratio([int(w) for w in weights]) for weights in block_weights(number, 2000)]
    return ratio([1] * number), interval(drawn)


# -- where samples are varied --------------------------------------------------------------------


def feeding(dataset: Path, seconds: float) -> list[dict[str, Any]]:
    """Prepared samples a second, with nothing else at work."""
    import ray

    plan = plan_of(dataset, Path("unused"), 1)
    source = plan.source("training", 1e9)
    samples = [source.load(index) for index in range(len(plan.training))]
    data = plan.settings.data
    policy = make_policy(data.augmentation, data.strength)

    def prepare(sample: Any, seed: int | None) -> Any:
        return policy(*sample, seed or 0)[:2]

    def by_threads(threads: int) -> float:
        feed = ThreadFeed(source, prepare, list, data.batch_size, threads=threads, prefetch=2)
        return rate(lambda epoch: sum(len(s[0]) for s in feed.steps(epoch, 0, Ranks())), seconds)

    @ray.remote(num_cpus=1)
    def in_worker(held: list[Any], first: int) -> Any:
        images = [prepare(ray.get(ref), first + i) for i, ref in enumerate(held)]
        return np.stack([i for i, _ in images]), np.stack([m for _, m in images])

    def by_tasks(_: int) -> int:
        size = data.batch_size
        tasks = [in_worker.remote(refs[at : at + size], at) for at in range(0, len(refs), size)]
        return sum(len(ray.get(task)[0]) for task in tasks)

    rows = [
        {
            "varied in": f"{n} loader threads" if n else "the rank itself",
            "samples_per_s": by_threads(n),
        }
        for n in (0, 1, 2)
    ]
    refs = [ray.put(sample) for sample in samples]
    by_tasks(0)  # starts the processes
    rows.append({"varied in": f"{WORKERS} Ray workers", "samples_per_s": rate(by_tasks, seconds)})
    return [{**row, "samples_per_s": round(row["samples_per_s"], 1)} for row in rows]


def rate(run: Callable[[int], int], seconds: float) -> float:
    """Units a second of repeated runs."""
    done, begun, turn = 0, time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        done += run(turn)
        turn += 1
    return done / (time.perf_counter() - begun)


# -- the program ---------------------------------------------------------------------------------


def simulated(folder: Path, number: int, size: int) -> Path:
    """A data set of about so many half-orbits, two thirds of them for training."""
    archive = folder / "archive"
    simulate_orbits(
        archive,
        OrbitSimulation(half_orbits=number, prevalence=1.0, seed=3, components="z", every=76),
    )
    image = OrbitImageSettings(-8, -2, "resized", size, size)
    split = OrbitSplit(train=2, validation=1, test=0)
    path = folder / "dataset.yaml"
    OrbitDataset.create(
        path,
        OrbitDatasetConfig(
            archive=str(archive), annotations=str(archive), image=image, split=split
        ),
    )
    return path


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--steps", type=int, default=40, help="a round")
    parser.add_argument("--size", type=int, default=192, help="of simulated images")
    parser.add_argument("--half-orbits", type=int, default=60, help="simulated ones")
    parser.add_argument("--dataset", type=Path, help="instead of simulating one")
    parser.add_argument("--rank", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.rank:
        as_rank(Path(args.rank[0]), Path(args.rank[1]), int(args.rank[2]))
        return
    from ray_jobs.cluster.connection import connect

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        dataset = args.dataset or simulated(folder, args.half_orbits, args.size)
        plan = plan_of(dataset, folder, args.steps)
        rounds: dict[str, list[dict[str, Any]]] = {"torchrun": [], "ray": []}
        for turn in range(args.rounds):
            for name in sorted(rounds, reverse=bool(turn % 2)):
                run = {"torchrun": by_torchrun, "ray": by_ray}[name]
                rounds[name].append(run(dataset, folder / f"{name}-{turn}", args.steps))
        with connect("local", num_cpus=WORKERS):
            varied = feeding(dataset, 5.0)
    rows = []
    for name, done in rounds.items():
        median, low, high = spread([t for r in done for t in r["steps_s"]])
        seconds = partial(_median, done)
        rows.append(
            {
                "launched by": name,
                "steps": sum(len(r["steps_s"]) for r in done),
                "step_ms": round(1e3 * median, 2),
                "quartiles_ms": [round(1e3 * low, 2), round(1e3 * high, 2)],
                "read_before_s": seconds("read_s"),
                "first_epoch_s": seconds("first_epoch_s"),
                "next_epoch_s": seconds("next_epoch_s"),
                "whole_s": seconds("whole_s"),
            }
        )
    ratio, between = ratio_of(rounds)
    report(
        "ray_train",
        rows,
        ratio=round(ratio, 4),
        interval=None if between is None else [round(value, 4) for value in between],
        rounds=args.rounds,
        images=f"{plan.dataset.settings.height} x {plan.dataset.settings.width}",
        half_orbits=len(plan.training),
        feeding=varied,
    )


def _median(done: list[dict[str, Any]], name: str) -> float:
    return round(statistics.median(r[name] for r in done), 2)


if __name__ == "__main__":
    main()
