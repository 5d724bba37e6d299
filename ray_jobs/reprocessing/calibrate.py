"""Measure, on a cluster itself, what an input costs: `odm estimate --calibrate`."""

from __future__ import annotations

import io
import logging
import pickle
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from odm.catalog.outcomes import Input
from odm.core.errors import OdmError
from odm.reprocess.inference import BATCH_ON_GPU, Inference
from odm.reprocess.request import Workers
from odm.reprocess.runners.readers import WorkItem
from odm.reprocess.stages import Draft, InputResult, Stages
from ray_jobs.cluster.connection import connect, data_settings
from ray_jobs.internals import lines_hidden
from ray_jobs.reprocessing.estimate import Rates
from ray_jobs.reprocessing.layout import BLOCK_BYTES, plan_layout
from ray_jobs.reprocessing.runner import check_cluster
from ray_jobs.training.samples import told

TASKS = 3
"""Number of Ray Data tasks that an input goes through: read, model, finish."""
WAITING_RATIO = 1.5
"""Ratio of seconds to CPU seconds from which on readers are taken to wait for the storage."""


class Timed(NamedTuple):
    """What work gave, the seconds that it took, and the bytes that it read."""

    result: Any
    cpu_s: float
    wall_s: float
    size: int


def calibrate(
    stages: Stages,
    inference: Inference,
    inputs: Sequence[Input],
    workers: Workers,
    number: int,
) -> tuple[Rates, dict[str, int]]:
    """Run some inputs through the stages, each measured alone.

    Reading is measured with all CPUs at it together: that is how the storage is asked in earnest.

    Args:
        stages, inference, workers: what a campaign would run with.
        inputs: inputs of the archive.
        number: number of inputs to measure with, spread over the archive; more are taken where a
            CPU would have none but its first, which is not counted.

    Returns:
        The rates, and ``cpus``, ``gpus`` and ``nodes`` of the cluster.

    Raises:
        OdmError: nothing could be read, or the model cannot run.
    """
    began = time.monotonic()
    with connect(workers.address) as cluster:
        import ray

        inference = inference.absolute()
        check_cluster(cluster, inference, inputs, workers)
        layout = plan_layout(cluster, workers, inference.options.device)
        on_gpu = layout.model_gpus > 0
        inference = inference.placed(on_gpu=on_gpu)
        parts = shared_out(inputs, number, max(1, cluster.cpus))
        read: Any = ray.remote(read_some)
        with told("calibrating"):
            reads: list[Timed] = ray.get([read.remote(stages, part) for part in parts])
        answers = [answer for part in reads for answer in part.result]
        drafts = [answer for answer in answers if isinstance(answer, Draft)]
        if not drafts:
            raise OdmError(f"none of {len(answers)} inputs can be read: nothing to calibrate with")
        cpus = 1.0 if on_gpu else float(min(layout.threads, cluster.cpus))
        look: Any = ray.remote(model_some).options(num_cpus=cpus, num_gpus=layout.model_gpus)
        finish: Any = ray.remote(finish_some)
        with told("calibrating"):
            seen = look.remote(stages, inference, drafts, layout.threads)
            work, model_s, first_s, gpu = ray.get(seen)
            results, finish_s, _, read_again = ray.get(finish.remote(stages, work))
        fitting = max(1, BLOCK_BYTES // len(pickle.dumps(drafts[0])))
        together = min(layout.inputs_per_task(len(inputs)), fitting)
        driver_s = TASKS * task_seconds(together) / together + driver_seconds(results)
        facts = {"cpus": cluster.cpus, "gpus": cluster.gpus, "nodes": len(cluster.machines)}
    wall, cpu = sum(part.wall_s for part in reads), sum(part.cpu_s for part in reads)
    size = sum(part.size for part in reads)
    waits = wall > WAITING_RATIO * cpu
    rates = Rates(
        read_s=cpu / len(answers),
        finish_s=finish_s / len(drafts),
        model_s=model_s / len(drafts),
        gpu=gpu,
        input_bytes=size / len(answers) + read_again / len(drafts),
        storage_bytes_per_s=size / max(part.wall_s for part in reads) if waits else None,
        driver_s=driver_s,
        start_s=first_s + 10.0,
        measured=f"{len(answers)} inputs, {len(parts)} readers, in "
        f"{time.monotonic() - began:.0f} s",
    )
    return rates, facts


def shared_out(inputs: Sequence[Input], number: int, readers: int) -> list[list[Input]]:
    """Spread inputs of an archive over readers, of which each is timed on all but its first."""
    number = max(number, 2 * readers)
    chosen = list(inputs[:: max(1, len(inputs) // number)])[:number]
    readers = max(1, min(readers, len(chosen) // 2))
    return [chosen[first::readers] for first in range(readers)]


def read_some(stages: Stages, inputs: Sequence[Input]) -> Timed:
    """Read inputs, after one that warms the process up: it comes from memory when read again."""
    stages.read(inputs[0])
    others = inputs[1:] or inputs
    timed = _timed(lambda: [stages.read(input) for input in others])
    return timed._replace(size=timed.size or sum(input.size for input in others))


def model_some(
    stages: Stages, inference: Inference, drafts: Sequence[Draft], threads: int
) -> tuple[list[WorkItem], float, float, str]:
    """Show drafts to the model.

    Returns:
        What is left to do; seconds of a GPU or a core; seconds until it was ready; the GPU's name.
    """
    import torch

    from odm.reprocess.runners.local import finishing_work

    began = time.monotonic()
    model, size = inference.load(threads), inference.options.batch
    batches = [drafts[first : first + size] for first in range(0, len(drafts), size)]
    finishing_work(stages, model, batches[0])  # compiles, exports, fills caches
    first_s = time.monotonic() - began
    work, cpu, wall, _ = _timed(
        lambda: [item for batch in batches for item in finishing_work(stages, model, batch)]
    )
    on_gpu = inference.options.device == "cuda"
    name = torch.cuda.get_device_name() if on_gpu else ""
    return work, wall if on_gpu else cpu, first_s, name


def finish_some(stages: Stages, work: Sequence[WorkItem]) -> Timed:
    """Finish inputs, of which some is read again, after one that warms the process up."""

    def finish(item: WorkItem) -> InputResult:
        return stages.finish(item.draft, item.seen)  # type: ignore[arg-type]

    finish(work[0])
    return _timed(lambda: [finish(item) for item in work])


def task_seconds(size: int, tasks: int = 100) -> float:
    """Measure the CPU seconds of the driver for a task of Ray Data, in `TASKS` empty stages.

    Args:
        size: number of inputs in a task.
        tasks: number of tasks of each stage to measure with.
    """
    import pyarrow as pa
    import ray
    from ray.data import ActorPoolStrategy

    def run(number: int) -> float:
        table = pa.table({"input": [bytes(300)] * (size * number)})
        data: Any = ray.data.from_arrow(table, override_num_blocks=number)
        data = data.map_batches(_PassOn(), batch_size=None, batch_format="pyarrow", num_cpus=0.25)
        data = data.map_batches(
            _PassOn, batch_size=size, batch_format="pyarrow", compute=ActorPoolStrategy(size=1),
            num_cpus=0.5,  # stages of equal resources become one
        )  # fmt: skip
        data = data.map_batches(_PassOn(), batch_size=None, batch_format="pyarrow", num_cpus=0.25)
        began = time.process_time()
        for _ in data.iter_batches(batch_size=None, batch_format="pyarrow"):
            pass
        return time.process_time() - began

    quiet = {"enable_progress_bars": False, "print_on_execution_start": False}
    logger = logging.getLogger("ray.data")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with lines_hidden(), data_settings(**quiet):
            run(10)
            few, many = run(20), run(20 + tasks)
    finally:
        logger.setLevel(before)
    return max(1e-6, (many - few) / (TASKS * tasks))


class _PassOn:
    def __call__(self, batch: Any) -> Any:
        return batch


def driver_seconds(results: Sequence[InputResult], block: int = BATCH_ON_GPU) -> float:
    """Measure the CPU seconds in which the driver unpacks an outcome and writes it into a part."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from ray_jobs.reprocessing.stages import pack, unpack

    packed = [pack(results[row : row + block]) for row in range(0, len(results), block)]

    def take() -> None:
        tables = [result.outcome for data in packed for result in unpack(data)]
        table = pa.concat_tables([outcome for outcome in tables if outcome is not None])
        pq.write_table(table.combine_chunks(), io.BytesIO(), compression="zstd")

    take()
    return max(_timed(take).cpu_s / len(results), 1e-6)


def _timed(work: Callable[[], Any]) -> Timed:
    size, wall, cpu = _bytes_read(), time.monotonic(), time.process_time()
    result = work()
    cpu, wall = time.process_time() - cpu, max(time.monotonic() - wall, 1e-9)
    return Timed(result, cpu, wall, _bytes_read() - size)


def _bytes_read() -> int:
    """Bytes that this process has read, from files and caches; 0 where the system does not say."""
    try:
        lines = Path("/proc/self/io").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("rchar")), 0)
