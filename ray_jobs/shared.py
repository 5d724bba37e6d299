"""Whether all machines of a cluster see a folder, found out before anything is read for them."""

from __future__ import annotations

import uuid
from pathlib import Path

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from odm.archive.files import write_bytes
from ray_jobs.cluster import ClusterError

ANSWER_S = 120.0
"""For a worker process to start on every machine; it takes no CPU from others."""


def check_shared(folder: Path) -> None:
    """See that every machine of the cluster sees a folder; one that is alone does.

    Raises:
        ClusterError: one does not, or does not answer.
    """
    if sum(bool(node["Alive"]) for node in ray.nodes()) < 2:
        return
    probe = folder.resolve() / f".seen-{uuid.uuid4().hex}"
    write_bytes(probe, b"")
    try:
        check_seen(probe)
    finally:
        probe.unlink(missing_ok=True)


def check_seen(file: Path) -> None:
    """See that every machine sees a file.

    Raises:
        ClusterError: one does not, or does not answer.
    """
    asked = {}
    for node in ray.nodes():
        if node["Alive"]:
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            task = ray.remote(_sees).options(num_cpus=0, max_retries=0, scheduling_strategy=there)
            asked[task.remote(str(file))] = node["NodeManagerAddress"]
    answered, silent = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_S)
    if silent:
        raise ClusterError(f"{asked[silent[0]]}: this machine has not answered in {ANSWER_S:.0f} s")
    blind = [asked[ref] for ref in answered if not ray.get(ref)]
    if blind:
        raise ClusterError(
            f"{file.parent}: {', '.join(blind)} {'does' if len(blind) == 1 else 'do'} not see this "
            "folder: put the runs (--out) where all machines of the cluster share it"
        )


def _sees(file: str) -> bool:
    return Path(file).is_file()
