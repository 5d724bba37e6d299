"""Reprocessing on Ray: `odm reprocess` without ``--local``.

A Ray Data pipeline: inputs → tasks that read → actors with the model → tasks that finish → the
driver, which commits. The stages are those of the plain runner. What fails in an input is a row,
not an exception; so only the death of a process loses rows, and those inputs are done again, one
at a time, at the end. One that kills its process again is quarantined.
"""

from __future__ import annotations

import logging
import pickle
import queue
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from odm.catalog.outcomes import Input
from odm.core.errors import InputError, OdmError
from odm.core.progress import waiting
from odm.reprocess.model import BATCH_ON_CPU, BATCH_ON_GPU, ModelSettings, Workers, loading
from odm.reprocess.runners.readers import Death, killed_reader
from odm.reprocess.stages.orbit import Draft, Result, Stages, quarantined
from ray_jobs.cluster.connection import connect, data_settings
from ray_jobs.cluster.room import Cluster
from ray_jobs.internals import lines_hidden
from ray_jobs.reprocessing.stages import (
    Finisher,
    Modeller,
    Reader,
    finish_one,
    read_one,
    root_of,
    unpack,
)

ROUNDS = 3
"""Runs over what a dying node has lost, before it is done one at a time."""

FEW = 32
"""Inputs that are done one at a time rather than in another round."""

STALLED_S = 1800.0
"""A model that has to be compiled for a GPU can take minutes until the first answer."""

BLOCK_BYTES = 8_000_000
INPUTS_PER_TASK, MOST_PER_TASK = 8, 64
"""Every task costs the driver milliseconds, so a large campaign has larger ones: see
`benchmarks/schedule.py`."""

TASKS_PER_CPU, BESIDES = (16, 4), 64
"""Before tasks become larger: the first on a few CPUs, where results would else come late, for they
come when a task ends; the second, and some besides, on many."""

READ_MEMORY, MODEL_MEMORY = 300_000_000, 1_500_000_000
"""Bytes of heap: Ray does not see it otherwise, and places too many on one machine."""

CORES_PER_MODEL = 4
"""A small network gains little from more threads than these."""

READERS_SHARE = 0.2
"""Of a machine's memory, kept from models: where none is left for readers, nothing ever moves."""

STORAGE = "storage"
"""A resource by which machines of a cluster say that they hold the archive."""

MODEL_SHARE = 0.75
"""Of the CPUs, where the model runs on them; the rest reads and finishes."""

SHARES_OF_LITTLE = 4
"""Tasks that share less than a CPU: two cores read and finish two each, whatever takes longer."""


@dataclass(frozen=True)
class Layout:
    """How the work is spread over the cluster.

    Attributes:
        models: actors with a copy of the model each, at first and at most.
        model_cpus, model_gpus: that one of them takes.
        threads: CPU threads of each.
        task_cpus: that a reading or finishing task takes.
        readers: reading tasks at a time; None for as many as there is room for.
        finishers: finishing tasks at a time; likewise.
        near_storage: whether reading and finishing are for the machines that have said to hold
            the archive, by the resource `STORAGE`.
        cpus: of the cluster.
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


def plan_layout(cluster: Cluster, workers: Workers, device: str, *, grows: bool = False) -> Layout:
    """Sensible numbers for a cluster.

    A GPU gets an actor, and all other CPUs read for it. Without one, an actor gets four cores of
    a machine, or all of a smaller one; its threads are as many, and a quarter of them is left to
    reading and finishing, which take about as much of the time.

    Args:
        cluster: connected.
        workers: what the user has asked for.
        device: of the model: ``auto``, ``cpu`` or a GPU.
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
        largest = max((int(one.get("CPU", 0)) for one in cluster.machines), default=cpus) or 1
        most = min(CORES_PER_MODEL, largest, max(1, cpus // (workers.models or 1)))
        threads = workers.threads or most
        models = workers.models or max(1, min(cpus // threads, _fitting(cluster)))
        model_cpus = round(min(MODEL_SHARE * threads, MODEL_SHARE * cpus / models), 3)
    gpus = 1.0 if on_gpu else 0.0
    each = {"CPU": model_cpus, **({"GPU": gpus} if on_gpu else {})}
    if "memory" in cluster.resources:
        each["memory"] = MODEL_MEMORY
    cluster.check(models, each, "models")
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
    """Models that there is memory for, with some left on every machine for those that read."""
    return sum(
        int((one["memory"] * (1 - READERS_SHARE)) // MODEL_MEMORY) if "memory" in one else 1 << 30
        for one in cluster.machines
    )


def run_on_ray(
    stages: Stages,
    model: ModelSettings,
    inputs: Sequence[Input],
    stop: Callable[[], bool],
    workers: Workers,
) -> Generator[Result, None, None]:
    """Do inputs on a cluster, or on a Ray of our own on this machine.

    Model and archive lie where every machine of the cluster sees them under the same name.

    Args, Yields: as `odm.reprocess.runners.local.run_local`.
    """
    if not inputs:
        return
    from ray_jobs.internals import autoscaler_limits

    store = workers.object_store_mb * 1_000_000 if workers.object_store_mb else None
    waiting("starting Ray")
    with lines_hidden(), connect(workers.address, object_store_bytes=store) as cluster:
        model = absolute(model)
        begin(cluster, model, inputs, workers)
        grows = not cluster.started and autoscaler_limits().get("CPU", 0.0) > cluster.cpus
        layout = plan_layout(cluster, workers, model.device, grows=grows)
        on_gpu = layout.model_gpus > 0
        model = replace(
            model,
            device="cuda" if on_gpu else "cpu",  # an actor sees its own GPU only
            batch=model.batch or (BATCH_ON_GPU if on_gpu else BATCH_ON_CPU),
        )
        waiting(loading(model))
        left = {one.identity: one for one in inputs}
        for _ in range(ROUNDS):
            before = len(left)
            for result in _stream(stages, model, list(left.values()), stop, layout):
                if left.pop(result.one.identity, None) is not None:
                    yield result
            if stop() or len(left) <= FEW or len(left) == before:
                break
        if left and not stop():
            yield from _one_by_one(stages, model, list(left.values()), stop, layout)


def absolute(model: ModelSettings) -> ModelSettings:
    """A model that is found from other working directories too, as processes of a cluster have."""
    exports = None if model.exports is None else str(Path(model.exports).absolute())
    return replace(model, folder=str(Path(model.folder).absolute()), exports=exports)


def per_task(inputs: int, cpus: int) -> int:
    """Inputs of a reading task: few where there are few, many where the driver has to keep up."""
    few, many = TASKS_PER_CPU
    tasks = min(few * cpus, many * cpus + BESIDES)
    return min(MOST_PER_TASK, max(INPUTS_PER_TASK, inputs // tasks))


def begin(
    cluster: Cluster, model: ModelSettings, inputs: Sequence[Input], workers: Workers
) -> None:
    """See that a cluster can do the work: machines, their code, what they see.

    Raises:
        ClusterError: one of them cannot.
    """
    if cluster.started:
        return
    from ray_jobs.cluster.nodes import await_room, check_nodes
    from ray_jobs.internals import autoscaler_limits

    wants_gpu = model.device not in ("auto", "cpu") or autoscaler_limits().get("GPU", 0) >= 1
    if model.device != "cpu" and wants_gpu and not cluster.gpus:
        await_room(cluster, workers.models or 1, {"CPU": 1.0, "GPU": 1.0}, "models")
    elif not cluster.cpus:
        await_room(cluster, 1, {"CPU": 1.0}, "readers")
    check_nodes([root_of(inputs[0]), model.folder])


def _stream(
    stages: Stages,
    model: ModelSettings,
    inputs: Sequence[Input],
    stop: Callable[[], bool],
    layout: Layout,
) -> Iterator[Result]:
    """One run of the pipeline; inputs of a process that died are missing from what it yields."""
    with data_settings(
        enable_progress_bars=False,
        target_max_block_size=BLOCK_BYTES,
        max_errored_blocks=-1,  # a process that died; the inputs are known by their absence
    ):
        batches = _Batches(_pipeline(stages, model, inputs, layout))
        for batch in batches.until(stop):
            for data in batch["result"].to_pylist():
                yield from unpack(data)


class _Batches:
    """Blocks of a data set, taken by a thread, so that waiting for one can be ended."""

    def __init__(self, data: Any) -> None:
        self.found: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.ended = False
        threading.Thread(target=self._take, args=(data,), daemon=True, name="outcomes").start()

    def until(self, stop: Callable[[], bool]) -> Iterator[Any]:
        """Blocks until there is no more, or it is asked to stop.

        Raises:
            OdmError: Ray cannot go on, or nothing comes for `STALLED_S`.
        """
        last = time.monotonic()
        try:
            while True:
                stopped = stop()
                try:
                    # When it is to stop, what is done by now is still taken.
                    batch = self.found.get(block=not stopped, timeout=0.5)
                except queue.Empty:
                    if stopped:
                        return
                    if time.monotonic() - last > STALLED_S:
                        raise OdmError(
                            f"nothing has come from Ray for {STALLED_S / 60:.0f} minutes: look at "
                            "its logs, or at what else runs on the cluster"
                        ) from None
                    continue
                last = time.monotonic()
                if batch is None:
                    return
                if isinstance(batch, BaseException):
                    raise OdmError(f"Ray cannot go on: {_first_line(batch)}") from batch
                yield batch
        finally:
            self.ended = True

    def _take(self, data: Any) -> None:
        if self.ended:  # asked to stop before it began; Ray may be gone already
            return
        try:
            for batch in data.iter_batches(batch_size=None, batch_format="pyarrow"):
                self.found.put(batch)
                if self.ended:
                    return
            self.found.put(None)
        except BaseException as error:
            self.found.put(error)


def _pipeline(stages: Stages, model: ModelSettings, inputs: Sequence[Input], layout: Layout) -> Any:
    import pyarrow as pa
    import ray
    from ray.data import ActorPoolStrategy, TaskPoolStrategy

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)

    blocks = max(1, -(-len(inputs) // per_task(len(inputs), layout.cpus)), min(len(inputs), 8))
    table = pa.table({"input": [pickle.dumps(one) for one in inputs]})
    data = ray.data.from_arrow(table, override_num_blocks=blocks)
    task: dict[str, Any] = {
        "num_cpus": layout.task_cpus,
        "max_retries": 1,
        "batch_format": "pyarrow",
        **({"resources": {STORAGE: 0.001}} if layout.near_storage else {}),
    }
    # Ray would start a task without end again whose process dies. It deprecates the option without
    # another way to say so.
    warnings.filterwarnings("ignore", message=".*ray_remote_args", category=DeprecationWarning)
    read = data.map_batches(
        Reader(stages, root_of(inputs[0])),
        batch_size=None,
        compute=TaskPoolStrategy(layout.readers),
        memory=READ_MEMORY,
        **task,
    )
    predicted = read.map_batches(
        Modeller,
        fn_constructor_args=(stages, model, layout.threads),
        batch_size=model.batch,
        batch_format="pyarrow",
        zero_copy_batch=True,
        compute=ActorPoolStrategy(min_size=layout.models[0], max_size=layout.models[1]),
        num_cpus=layout.model_cpus,
        num_gpus=layout.model_gpus,
        memory=MODEL_MEMORY,
    )
    return predicted.map_batches(
        Finisher(stages), batch_size=None, compute=TaskPoolStrategy(layout.finishers), **task
    )


def _one_by_one(
    stages: Stages,
    model: ModelSettings,
    inputs: Sequence[Input],
    stop: Callable[[], bool],
    layout: Layout,
) -> Iterator[Result]:
    """Inputs whose process died, each alone in a process of its own."""
    import ray

    task = ray.remote(num_cpus=layout.task_cpus, max_retries=0, max_calls=1)
    actor: Any = ray.remote(num_cpus=layout.model_cpus, num_gpus=layout.model_gpus)
    modeller = actor(Modeller).remote(stages, model, layout.threads)
    try:
        for one in inputs:
            if stop():
                return
            yield _alone(stages, one, task, modeller)
    finally:
        ray.kill(modeller)


def _alone(stages: Stages, one: Input, task: Any, modeller: Any) -> Result:
    import ray

    dying = (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError)
    try:
        answer = ray.get(task(read_one).remote(stages, one), timeout=STALLED_S)
        if isinstance(answer, Draft):
            found = ray.get(modeller.one.remote(answer), timeout=STALLED_S)
            if isinstance(found, OdmError):
                raise found
            answer = ray.get(task(finish_one).remote(stages, found), timeout=STALLED_S)
        if isinstance(answer, Death):
            return quarantined(stages.kind, one, killed_reader(answer.how))
        assert isinstance(answer, Result)
        return answer
    except dying as error:
        how = "ran out of memory" if "OutOfMemory" in type(error).__name__ else "died"
        return quarantined(stages.kind, one, killed_reader(how))
    except ray.exceptions.RayError as error:  # the machine is gone: not the input's fault
        return Result(one, undone=f"Ray could not run it: {_first_line(error)}")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
