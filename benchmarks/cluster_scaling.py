"""The same campaign and the same training on one node and on two: same result, and what a node more
costs.

Both clusters have two CPUs, one as one raylet, one as two raylets beside a head that runs no work,
all on this machine: with two cores nothing can become faster, so what is seen is the overhead of a
node. The two take turns.

    python benchmarks/cluster_scaling.py [--half-orbits 48] [--rounds 2] [--no-training]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common import report

SETTINGS = [
    "model.architecture=odm_unet_small",
    "data.batch_size=4",
    "data.validation_batch_size=1",
    "data.augmentation=none",
    "optimiser.name=sgd",
    "schedule.epochs=10",
    "schedule.validation_epochs=5",
    "runtime.device=cpu",
    "runtime.loader_threads=0",
    "runtime.log_steps=1",
    "runtime.tensorboard=false",
]


def main() -> None:
    """Simulate, run, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half-orbits", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--no-training", action="store_true")
    options = parser.parse_args()
    from odm.simulate.orbit.archive import simulate_orbits
    from odm.simulate.orbit.recipe import OrbitSimulation

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate_orbits(
            folder / "archive",
            OrbitSimulation(half_orbits=options.half_orbits, seed=5, every=61, components="z"),
            workers=2,
        )
        found: dict[int, list[dict[str, Any]]] = {1: [], 2: []}
        for turn in range(options.rounds):
            for nodes in found:
                with cluster(nodes) as address:
                    row = campaign(folder, f"campaign-{nodes}-{turn}", address)
                    if not options.no_training:
                        row |= training(folder, f"runs-{nodes}-{turn}", address)
                found[nodes].append(row)
        same = _same_rows(folder, options.rounds)
    rows = [
        {"nodes": nodes, **{key: round(statistics.median(r[key] for r in took), 2)
                            for key in took[0] if key != "losses"}}
        for nodes, took in found.items()
    ]  # fmt: skip
    facts: dict[str, Any] = {"half_orbits": options.half_orbits, "same_outcomes": same}
    if not options.no_training:
        losses = [row["losses"] for took in found.values() for row in took]
        apart = max(abs(a - b) for one in losses for a, b in zip(one, losses[0], strict=True))
        facts["losses_differ_by_at_most"] = apart
    report("cluster_scaling", rows, rounds=options.rounds, **facts)


@contextmanager
def cluster(nodes: int) -> Iterator[str]:
    """Two CPUs on so many nodes, beside a head without any."""
    os.environ["RAY_AUTH_MODE"] = "token"
    from ray.cluster_utils import Cluster

    memory = {"object_store_memory": 150_000_000}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **memory})
    try:
        for _ in range(nodes):
            made.add_node(num_cpus=2 // nodes, **memory)
        made.wait_for_nodes(timeout=120)
        yield made.address
    finally:
        made.shutdown()


def campaign(folder: Path, name: str, address: str) -> dict[str, Any]:
    """Seconds of a campaign, and its rate once it runs."""
    from odm.reprocess.driver import reprocess
    from odm.reprocess.order import open_order
    from odm.reprocess.request import ModelOptions, ReprocessRequest, Workers
    from ray_jobs.reprocessing.runner import run_on_ray

    request = ReprocessRequest(
        kind="orbits",
        archive=str(folder / "archive"),
        campaign=str(folder / name),
        model=ModelOptions(engine="eager", device="cpu"),
        workers=Workers(models=1, threads=1, address=address),
    )
    summary = reprocess(open_order(request), run_on_ray)
    assert summary.pending == 0, summary.to_dict()
    return {
        "campaign_s": summary.seconds,
        "campaign_first_s": summary.first_s or 0.0,
        "half_orbits_per_s": summary.rate or 0.0,
    }


def training(folder: Path, out: str, address: str) -> dict[str, Any]:
    """Seconds of a training on two workers, and of one of its steps; the losses."""
    from odm.datasets.orbit import OrbitDataset, OrbitDatasetConfig
    from odm.datasets.splits import OrbitSplit
    from odm.images.geometry import OrbitImageSettings
    from odm.training.events import read_events
    from odm.training.launch import Launch
    from odm.training.plans import plan_training
    from odm.training.settings import read_settings
    from ray_jobs.training.train import train_on_ray

    dataset = folder / "dataset.yaml"
    if not dataset.exists():
        archive = str(folder / "archive")
        image = OrbitImageSettings(-8, -2, "resized", 128, 128)
        split = OrbitSplit(train=2, validation=1, test=0)
        OrbitDataset.create(
            dataset,
            OrbitDatasetConfig(archive=archive, annotations=archive, image=image, split=split),
        )
    plan = plan_training("segmenter", read_settings(None, SETTINGS), dataset, folder / out)
    began = time.monotonic()
    train_on_ray(plan, Launch(workers=2, cpus=1, address=address))
    seconds = time.monotonic() - began
    steps = [event for event in read_events(plan.run.metrics) if event["kind"] == "steps"]
    rates = [event["samples_per_s"] for event in steps[1:]]
    return {
        "training_s": seconds,
        "step_s": 4 / statistics.median(rates),
        "losses": [event["loss"] for event in steps],
    }


def _same_rows(folder: Path, rounds: int) -> bool:
    from odm.catalog.campaign import load_campaign
    from odm.catalog.compare import compare

    first = load_campaign(folder / "campaign-1-0")
    others = [f"campaign-{nodes}-{turn}" for nodes in (1, 2) for turn in range(rounds)]
    return all(compare(first, load_campaign(folder / name)).equal for name in others)


if __name__ == "__main__":
    main()
