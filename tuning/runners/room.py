"""What a sweep on Ray needs before its first trial: a cluster, and room for trials in it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ray

from odm.training.launch import Launch
from ray_jobs.cluster.connection import connect
from ray_jobs.cluster.nodes import check_nodes
from ray_jobs.cluster.room import Cluster, ClusterError, room
from ray_jobs.internals import head_resource
from ray_jobs.training.launch import WorkerPlacement, place
from ray_jobs.training.samples import READER
from tuning.placement import SweepPlacement

if TYPE_CHECKING:
    from tuning.trial import TrialContext

COORDINATOR_BYTES = 600e6
"""Memory of the process that launches the workers of a trial; it needs no CPU of its own."""


@dataclass(frozen=True)
class TrialRoom:
    """What a trial takes, and how many there can be at once.

    Attributes:
        cpus, gpus: CPUs and GPUs of a trial in one process; a GPU may be shared.
        concurrent: trials at once.
        placement, launch: workers of a trial on several; None for one process.
        wait_s: seconds without any trial at work, after which the sweep ends.
    """

    cpus: int
    gpus: float
    concurrent: int
    placement: WorkerPlacement | None = None
    launch: Launch | None = None
    wait_s: float = 600.0

    @property
    def each(self) -> dict[str, float]:
        """Resources of the process of a trial, by Ray's names; its workers have their own."""
        if self.placement is not None:
            return {"memory": COORDINATOR_BYTES}
        return {"CPU": float(self.cpus), **({"GPU": self.gpus} if self.gpus else {})}


@contextmanager
def connected(
    context: TrialContext, placement: SweepPlacement
) -> Iterator[tuple[Cluster, TrialRoom]]:
    """A cluster with room for a trial.

    Raises:
        InputError: an address that cannot be one.
        ClusterError: no cluster, no room for one trial, a machine that differs or does not share
            the folders, or, for trials of several workers, no State API to free their workers if
            they die.
    """
    device = context.base.runtime.device
    nested = placement.workers > 1
    with _cluster(placement.address, nested=nested) as cluster:
        cluster.check(1, READER, "readers")
        if not cluster.started:
            archives = sorted({dataset.archive for dataset in context.datasets.values()})
            check_nodes(archives, written=context.folder)
        yield cluster, (make_nested_room if nested else make_room)(cluster, placement, device)


@contextmanager
def _cluster(address: str | None, *, nested: bool) -> Iterator[Cluster]:
    """Connect; workers of nested trials are told where the State API is.

    Without that their cleaner looks for a Ray on its machine, and gives up where it finds two.
    """
    address = (address or os.environ.get("RAY_ADDRESS") or "local").strip()
    port: bool | int = False
    environment = None
    if nested and address == "local":
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        environment = {"RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{port}"}
    elif nested:
        if address == "auto":
            with connect(address) as cluster:
                address = cluster.address
        environment = {"RAY_ADDRESS": address}
    with connect(address, dashboard=port, environment=environment) as cluster:
        yield cluster


def make_room(
    cluster: Cluster, placement: SweepPlacement | None = None, device: str = "auto"
) -> TrialRoom:
    """Room for trials of one process.

    Args:
        cluster: connected.
        placement: CPUs and GPUs of a trial, where None stands for one GPU (with its share of the
            CPUs) where there are any, else one CPU; and how many trials there are at once.
        device: ``runtime.device`` of the settings.

    Raises:
        ClusterError: there is no room for one.
    """
    placement = placement or SweepPlacement()
    cpus, gpus = placement.cpus, placement.gpus
    if gpus is None:
        gpus = 1.0 if cluster.gpus and (device == "auto" or device.startswith("cuda")) else 0.0
    if cpus is None:
        cpus = max(1, int(cluster.cpus * gpus / max(cluster.gpus, 1))) if gpus else 1
        cpus = min(cpus, max(1, cluster.cpus))
    each = TrialRoom(cpus, gpus, 1).each
    cluster.check(1, each, "trials")
    concurrent = _at_once(placement, room(cluster.machines, each))
    return TrialRoom(cpus, gpus, concurrent, wait_s=placement.wait_s)


def make_nested_room(
    cluster: Cluster, placement: SweepPlacement, device: str = "auto"
) -> TrialRoom:
    """Room for trials of several workers; see `make_room`.

    Raises:
        ClusterError: there is none for one trial, or what frees the workers of a trial that dies
            cannot work here.
    """
    launch = placement.launch
    workers = place(cluster, launch, device)
    check_cleaner()
    concurrent = _at_once(placement, room(cluster.machines, workers.each) // workers.most)
    return TrialRoom(workers.cpus, 0.0, concurrent, workers, launch, launch.wait_s)


def _at_once(placement: SweepPlacement, fitting: int) -> int:
    """Trials at once, at least 1, of those that there is room for."""
    return max(1, min(placement.concurrent or fitting, fitting))


def check_cleaner(timeout_s: float = 60.0) -> None:
    """See that Ray Train could free the workers of a trial that dies.

    It asks the State API, which the dashboard serves, from a process on the head; so does this.

    Raises:
        ClusterError: it does not answer.
    """
    head = {head_resource(): 0.001}
    look = ray.remote(num_cpus=0, max_retries=0, resources=head)(_look)
    try:
        reason = ray.get(look.remote(), timeout=timeout_s)
    except Exception as error:
        reason = type(error).__name__
    if reason:
        raise ClusterError(
            "trials of several workers need the dashboard and the State API of the cluster, which "
            f"free the workers of a trial that dies, and they do not answer ({reason}): start Ray "
            "with its dashboard and give its --address HOST:PORT, or take --workers 1"
        )


def _look() -> str:
    """Ask for an actor that there is not; why that cannot be asked."""
    from ray.util.state import get_actor

    try:
        get_actor("f" * 32, timeout=10)
    except BaseException as error:
        text = (str(error).strip().splitlines() or [""])[0]
        return f"{type(error).__name__}: {text[:120]}"
    return ""
