"""What a sweep on Ray needs before its first trial: a cluster, room, and the samples in it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from odm.training.plans import TrainingPlan
from ray_jobs.cluster.connection import connect
from ray_jobs.cluster.nodes import check_nodes
from ray_jobs.cluster.room import Cluster
from ray_jobs.training.samples import READER
from ray_jobs.training.train import read_samples
from tuning.runners.ray import Room, make_nested_room, make_room
from tuning.trial import Job

if TYPE_CHECKING:
    from tuning.sweep import Where


@contextmanager
def connected(where: Where, job: Job) -> Iterator[tuple[Cluster, Room]]:
    """A cluster with room for a trial.

    Raises:
        InputError: an address that cannot be one.
        ClusterError: no cluster, no room for one trial, a machine that differs or does not share
            the folders, or, for trials of several workers, no State API to free their workers if
            they die.
    """
    device = job.base.runtime.device
    nested = where.workers > 1
    with _cluster(where.address, nested=nested) as cluster:
        cluster.check(1, READER, "readers")
        if not cluster.started:
            archives = sorted({one.archive for one in job.datasets.values()})
            check_nodes(archives, written=job.folder)
        if nested:
            room = make_nested_room(cluster, where.launch, device, where.concurrent)
        else:
            room = make_room(
                cluster,
                cpus=where.cpus,
                gpus=where.gpus,
                concurrent=where.concurrent,
                wait_s=where.wait_s,
                device=device,
            )
        yield cluster, room


@contextmanager
def _cluster(address: str | None, *, nested: bool) -> Iterator[Cluster]:
    """Connect; workers of nested trials are told where the State API is.

    Without that their cleaner looks for a Ray on its machine, and gives up where it finds two.
    """
    address = (address or os.environ.get("RAY_ADDRESS") or "local").strip()
    if not nested:
        with connect(address) as cluster:
            yield cluster
        return
    if address == "local":
        port = _free_port()
        environment = {"RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{port}"}
        with connect("local", dashboard=port, environment=environment) as cluster:
            yield cluster
        return
    if address == "auto":
        with connect(address) as cluster:
            address = cluster.address
    with connect(address, environment={"RAY_ADDRESS": address}) as cluster:
        yield cluster


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def held_samples(
    cluster: Cluster, plans: Mapping[int | None, TrainingPlan], wait_s: float = 600.0
) -> dict[int | None, Any]:
    """The samples of each size of image, read once into the object store for all trials.

    Raises:
        ClusterError: none could be read for ``wait_s``.
        ArchiveError, AnnotationError: the first bad file.
    """
    return {size: read_samples(plan, cluster, wait_s) for size, plan in plans.items()}
