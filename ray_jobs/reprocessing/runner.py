"""Reprocessing on Ray: `odm reprocess` without ``--local``.

A Ray Data pipeline: inputs → tasks that read → actors with the model → tasks that finish → the
driver, which commits. The stages are those of the plain runner. What fails in an input is a row,
not an exception; so only the death of a process loses rows, and those inputs are done again, one
at a time, at the end. One that kills its process again is quarantined.
"""

from __future__ import annotations

import logging
import math
import pickle
import queue
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

from odm.catalog.outcomes import Input
from odm.core.errors import OdmError
from odm.core.progress import waiting
from odm.reprocess.inference import Inference, loading
from odm.reprocess.request import Workers
from odm.reprocess.runners.readers import WorkItem, killed_reader, perform
from odm.reprocess.stages import Draft, InputResult, Stages, quarantined
from ray_jobs.cluster.connection import connect, data_settings
from ray_jobs.cluster.nodes import await_room, check_nodes
from ray_jobs.cluster.room import Cluster
from ray_jobs.internals import autoscaler_limits, lines_hidden
from ray_jobs.reprocessing.layout import BLOCK_BYTES, MODEL_MEMORY, STORAGE, Layout, plan_layout
from ray_jobs.reprocessing.stages import Finisher, Modeller, Reader, root_of, unpack

READ_MEMORY = 300_000_000
"""Bytes of heap of a reader: Ray does not see it otherwise."""

ROUNDS = 3
"""Runs over what a dying node has lost, before its inputs are done one at a time."""

FEW = 32
"""Inputs that are done one at a time rather than in another round."""

STALLED_S = 1800.0
"""Seconds without an answer after which Ray is given up: compiling a model takes minutes."""


def run_on_ray(
    stages: Stages,
    inference: Inference,
    inputs: Sequence[Input],
    stop: Callable[[], bool],
    workers: Workers,
) -> Generator[InputResult, None, None]:
    """Do inputs on a cluster, or on a Ray of our own on this machine.

    Model and archive lie where every machine of the cluster sees them under the same name.

    Args, Yields: as `odm.reprocess.runners.local.run_local`.
    """
    if not inputs:
        return
    store = workers.object_store_mb * 1_000_000 if workers.object_store_mb else None
    waiting("starting Ray")
    with lines_hidden(), connect(workers.address, object_store_bytes=store) as cluster:
        inference = inference.absolute()
        check_cluster(cluster, inference, inputs, workers)
        grows = not cluster.started and autoscaler_limits().get("CPU", 0.0) > cluster.cpus
        layout = plan_layout(cluster, workers, inference.options.device, grows=grows)
        inference = inference.placed(on_gpu=layout.model_gpus > 0)
        waiting(loading(inference))
        left = {input.identity: input for input in inputs}
        for _ in range(ROUNDS):
            before = len(left)
            # Inputs of a process that died are missing from what a run yields.
            with data_settings(
                enable_progress_bars=False, target_max_block_size=BLOCK_BYTES, max_errored_blocks=-1
            ):
                data = _pipeline(stages, inference, list(left.values()), layout)
                for result in _results(data, stop):
                    if left.pop(result.input.identity, None) is not None:
                        yield result
            if stop() or len(left) <= FEW or len(left) == before:
                break
        if left and not stop():
            yield from _one_by_one(stages, inference, list(left.values()), stop, layout)


def check_cluster(
    cluster: Cluster, inference: Inference, inputs: Sequence[Input], workers: Workers
) -> None:
    """Wait for the machines that are needed, and check their code and what they see.

    Raises:
        ClusterError: one of them cannot.
    """
    if cluster.started:
        return
    device = inference.options.device
    wants_gpu = device not in ("auto", "cpu") or autoscaler_limits().get("GPU", 0) >= 1
    if device != "cpu" and wants_gpu and not cluster.gpus:
        await_room(cluster, workers.models or 1, {"CPU": 1.0, "GPU": 1.0}, "models")
    elif not cluster.cpus:
        await_room(cluster, 1, {"CPU": 1.0}, "readers")
    check_nodes([root_of(inputs[0]), inference.folder])


def _results(data: Any, stop: Callable[[], bool]) -> Iterator[InputResult]:
    """Yield results of a data set until there are no more, or until it is asked to stop.

    A thread takes its blocks, so that waiting for one can be ended.

    Raises:
        OdmError: Ray cannot go on, or nothing comes for `STALLED_S`.
    """
    blocks: queue.SimpleQueue[Any] = queue.SimpleQueue()
    ended = threading.Event()
    thread = threading.Thread(target=_take, args=(data, blocks, ended), daemon=True)
    thread.start()
    last = time.monotonic()
    try:
        while True:
            stopped = stop()
            try:
                # When it is to stop, what is done by now is still taken.
                block = blocks.get(block=not stopped, timeout=0.5)
            except queue.Empty:
                if stopped:
                    return
                if time.monotonic() - last > STALLED_S:
                    raise OdmError(
                        f"nothing has come from Ray for {STALLED_S / 60:.0f} minutes: look at its "
                        "logs, or at what else runs on the cluster"
                    ) from None
                continue
            last = time.monotonic()
            if block is None:
                return
            if isinstance(block, BaseException):
                raise OdmError(f"Ray cannot go on: {_first_line(block)}") from block
            for packed in block["result"].to_pylist():
                yield from unpack(packed)
    finally:
        ended.set()


def _take(data: Any, blocks: queue.SimpleQueue[Any], ended: threading.Event) -> None:
    if ended.is_set():  # asked to stop before it began; Ray may be gone already
        return
    try:
        for block in data.iter_batches(batch_size=None, batch_format="pyarrow"):
            blocks.put(block)
            if ended.is_set():
                return
        blocks.put(None)
    except BaseException as error:
        blocks.put(error)


def _pipeline(stages: Stages, inference: Inference, inputs: Sequence[Input], layout: Layout) -> Any:
    import pyarrow as pa
    import ray
    from ray.data import ActorPoolStrategy, TaskPoolStrategy

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)

    tasks = math.ceil(len(inputs) / layout.inputs_per_task(len(inputs)))
    blocks = max(tasks, min(len(inputs), 8))
    table = pa.table({"input": [pickle.dumps(input) for input in inputs]})
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
        fn_constructor_args=(stages, inference, layout.threads),
        batch_size=inference.options.batch,
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
    inference: Inference,
    inputs: Sequence[Input],
    stop: Callable[[], bool],
    layout: Layout,
) -> Iterator[InputResult]:
    """Do inputs whose process died, each alone in a process of its own."""
    import ray

    task = ray.remote(num_cpus=layout.task_cpus, max_retries=0, max_calls=1)
    actor: Any = ray.remote(num_cpus=layout.model_cpus, num_gpus=layout.model_gpus)
    modeller = actor(Modeller).remote(stages, inference, layout.threads)
    try:
        for input in inputs:
            if stop():
                return
            yield _alone(stages, input, task, modeller)
    finally:
        ray.kill(modeller)


def _alone(stages: Stages, input: Input, task: Any, modeller: Any) -> InputResult:
    import ray

    dying = (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError)
    try:
        answer = ray.get(task(perform).remote(stages, WorkItem(input)), timeout=STALLED_S)
        if isinstance(answer, Draft):
            work = ray.get(modeller.look.remote([answer]), timeout=STALLED_S)
            if isinstance(work, OdmError):
                raise work
            answer = ray.get(task(perform).remote(stages, work[0]), timeout=STALLED_S)
        if isinstance(answer, InputResult):
            return answer
        cause = answer.cause
    except dying as error:
        cause = "ran out of memory" if "OutOfMemory" in type(error).__name__ else "died"
    except ray.exceptions.RayError as error:  # the machine is gone: not the input's fault
        return InputResult(input, undone=f"Ray could not run it: {_first_line(error)}")
    return quarantined(stages.kind, input, killed_reader(cause))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
