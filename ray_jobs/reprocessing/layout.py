"""How the work of a campaign is spread over a Ray cluster."""

from __future__ import annotations

from dataclasses import dataclass, field

from odm.core.errors import InputError
from odm.reprocess.request import Workers
from ray_jobs.cluster.room import Cluster

BLOCK_BYTES = 8_000_000
INPUTS_PER_TASK, MOST_PER_TASK = 8, 64
"""Smallest and largest number of inputs in a reading task: each task costs the driver milliseconds,
so a large campaign has larger ones; see `benchmarks/schedule.py`."""

TASKS_PER_CPU, BESIDES = (16, 4), 64
"""Tasks before these become larger: the first number for each of a few CPUs, where results would
else come late, for they come when a task ends; the second, and some besides, on many CPUs."""

MODEL_MEMORY = 1_500_000_000
"""Bytes of heap of a model: Ray does not see it otherwise, and places too many on one machine."""

CORES_PER_MODEL = 4
"""Threads of a model on CPUs: a small network gains little from more."""

READERS_SHARE = 0.2
"""Share of a machine's memory kept from models: without any left for readers nothing ever moves."""

STORAGE = "storage"
"""Name of the resource by which machines of a cluster say that they hold the archive."""

MODEL_SHARE = 0.75
"""Share of the CPUs that models take where they run on them; the rest reads and finishes."""

SHARES_OF_LITTLE = 4
"""Number of tasks that share less than a CPU: two cores read and finish two inputs each."""


@dataclass(frozen=True)
class Layout:
    """How the work is spread over the cluster.

    Attributes:
        models: number of actors with a copy of the model each, at first and at most.
        model_cpus, model_gpus: CPUs and GPUs of an actor.
        threads: CPU threads of an actor.
        task_cpus: CPUs of a reading or finishing task.
        readers, finishers: reading and finishing tasks at a time; None for as many as there is
            room for.
        near_storage: whether reading and finishing are for the machines that have said to hold
            the archive, by the resource `STORAGE`.
        cpus: CPUs of the cluster.
    """

    models: tuple[int, int]
    model_cpus: float
    model_gpus: float
    threads: int
    task_cpus: float
    readers: int | None
    finishers: int | None = None
    near_storage: bool = False
    cpus: int = field(default=1, compare=False)

    def inputs_per_task(self, inputs: int) -> int:
        """Return how many inputs a reading task has: many where the driver has to keep up."""
        few, many = TASKS_PER_CPU
        tasks = min(few * self.cpus, many * self.cpus + BESIDES)
        return min(MOST_PER_TASK, max(INPUTS_PER_TASK, inputs // tasks))


def plan_layout(cluster: Cluster, workers: Workers, device: str, *, grows: bool = False) -> Layout:
    """Choose sensible numbers for a cluster.

    A GPU gets an actor, and all other CPUs read for it. Without one, an actor gets four cores of
    a machine, or all of a smaller one; its threads are as many, and a quarter of them is left to
    reading and finishing, which take about as much of the time.

    Args:
        cluster: the connected cluster.
        workers: what the user has asked for.
        device: device of the model: ``auto``, ``cpu`` or a GPU.
        grows: whether an autoscaler can bring more CPUs than the cluster has.

    Raises:
        OdmError: the cluster has too little, or a GPU is asked for and there is none.
    """
    if device not in ("auto", "cpu") and not cluster.gpus:
        raise InputError(f"device {device!r}: there is no GPU in this Ray cluster")
    on_gpu = cluster.gpus > 0 and device != "cpu"
    cpus = max(1, cluster.cpus)
    if on_gpu:
        models = workers.models or cluster.gpus
        threads, model_cpus = workers.threads or 1, 1.0
        if cpus < 2 * models:
            model_cpus = 0.5 * cpus / models
    else:
        # An actor is on one machine, whatever they have together.
        largest = max((int(machine.get("CPU", 0)) for machine in cluster.machines), default=cpus)
        cores = min(CORES_PER_MODEL, largest or 1, max(1, cpus // (workers.models or 1)))
        threads = workers.threads or cores
        models = workers.models or max(1, min(cpus // threads, _fitting(cluster)))
        model_cpus = round(min(MODEL_SHARE * threads, MODEL_SHARE * cpus / models), 3)
    gpus = 1.0 if on_gpu else 0.0
    actor = {"CPU": model_cpus, **({"GPU": gpus} if on_gpu else {})}
    if "memory" in cluster.resources:
        actor["memory"] = MODEL_MEMORY
    cluster.check(models, actor, "models")
    # Machines that join later can take more copies than there is room for now.
    most = models if cluster.started or workers.models else 8 * models
    left = cpus - models * model_cpus
    # A process of its own starts for each task, which on a few cores costs more than it brings; of
    # a larger cluster that others may join it is not known how many fit.
    fixed = cluster.started or (left < 1 and not grows)
    return Layout(
        models=(models, most),
        model_cpus=model_cpus,
        model_gpus=gpus,
        threads=threads,
        task_cpus=1.0 if left >= 4 else 0.5 if left >= 1 else round(left / SHARES_OF_LITTLE, 3),
        readers=workers.readers or (cpus if fixed else None),
        finishers=cpus if fixed else None,
        near_storage=STORAGE in cluster.resources,
        cpus=cpus,
    )


def _fitting(cluster: Cluster) -> int:
    """Count the models that there is memory for, with some left on every machine for readers."""
    memories = (machine.get("memory", 1e18) for machine in cluster.machines)  # if unknown: enough
    return sum(int(memory * (1 - READERS_SHARE) // MODEL_MEMORY) for memory in memories)
