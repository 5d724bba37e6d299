"""Measure, on a cluster itself, what an input costs: `odm estimate --calibrate`."""

from __future__ import annotations

import io
import logging
import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from odm.catalog.outcomes import Input
from odm.core.errors import OdmError
from odm.reprocess.model import BATCH_ON_CPU, BATCH_ON_GPU, ModelSettings, Workers
from odm.reprocess.runners.readers import Task
from odm.reprocess.stages.orbit import Draft, Result, Stages
from ray_jobs.cluster.connection import connect, data_settings
from ray_jobs.internals import lines_hidden
from ray_jobs.reprocessing.estimate import Rates
from ray_jobs.reprocessing.runner import BLOCK_BYTES, absolute, begin, per_task, plan_layout
from ray_jobs.training.samples import told

TASKS = 3
"""Of Ray Data that an input goes through: read, model, finish."""
WAITING = 1.5
"""Readers whose seconds are so many times their CPU seconds wait for the storage."""


@dataclass(frozen=True)
class Read:
    """What reading some inputs took. ``size``: bytes."""

    answers: list[Draft | Result]
    cpu_s: float
    wall_s: float
    size: int


def calibrate(
    stages: Stages,
    model: ModelSettings,
    inputs: Sequence[Input],
    workers: Workers,
    number: int,
) -> tuple[Rates, dict[str, int]]:
    """Run some inputs through the stages, each measured alone.

    Reading is measured with all CPUs at it together: that is how the storage is asked in earnest.

    Args:
        stages, model, workers: as of a campaign.
        inputs: of the archive.
        number: of inputs, spread over it; more where every CPU would have none but its first, which
            is not counted.

    Returns:
        The rates, and ``cpus``, ``gpus`` and ``nodes`` of the cluster.

    Raises:
        OdmError: nothing could be read, or the model cannot run.
    """
    began = time.monotonic()
    with connect(workers.address) as cluster:
        import ray

        model = absolute(model)
        begin(cluster, model, inputs, workers)
        layout = plan_layout(cluster, workers, model.device)
        on_gpu = layout.model_gpus > 0
        batch = model.batch or (BATCH_ON_GPU if on_gpu else BATCH_ON_CPU)
        model = replace(model, device="cuda" if on_gpu else "cpu", batch=batch)
        parts = shared_out(inputs, number, max(1, cluster.cpus))
        read: Any = ray.remote(read_some)
        with told("calibrating"):
            found: list[Read] = ray.get([read.remote(stages, part) for part in parts])
        answers = [one for part in found for one in part.answers]
        drafts = [one for one in answers if isinstance(one, Draft)]
        if not drafts:
            raise OdmError(f"none of {len(answers)} inputs can be read: nothing to calibrate with")
        cpus = 1.0 if on_gpu else float(min(layout.threads, cluster.cpus))
        once: Any = ray.remote(model_some).options(num_cpus=cpus, num_gpus=layout.model_gpus)
        finish: Any = ray.remote(finish_some)
        with told("calibrating"):
            tasks, model_s, first_s, name = ray.get(
                once.remote(stages, model, drafts, layout.threads)
            )
            results, finish_s, again = ray.get(finish.remote(stages, tasks))
        together = min(
            per_task(len(inputs), layout.cpus),
            max(1, BLOCK_BYTES // len(pickle.dumps(drafts[0]))),
        )
        driver_s = TASKS * task_seconds(together) / together + driver_seconds(results)
        facts = {"cpus": cluster.cpus, "gpus": cluster.gpus, "nodes": len(cluster.machines)}
    wall, cpu = (sum(getattr(part, name) for part in found) for name in ("wall_s", "cpu_s"))
    size = sum(part.size for part in found)
    rates = Rates(
        read_s=cpu / len(answers),
        finish_s=finish_s / len(drafts),
        model_s=model_s / len(drafts),
        gpu=name,
        input_bytes=size / len(answers) + again / len(drafts),
        storage_bytes_per_s=size / max(p.wall_s for p in found) if wall > WAITING * cpu else None,
        driver_s=driver_s,
        start_s=first_s + 10.0,
        measured=f"{len(answers)} inputs, {len(parts)} readers, in "
        f"{time.monotonic() - began:.0f} s",
    )
    return rates, facts


def shared_out(inputs: Sequence[Input], number: int, readers: int) -> list[list[Input]]:
    """Inputs of an archive, spread over it, for readers of which each is timed on all but its
    first."""
    wanted = max(number, 2 * readers)
    chosen = list(inputs[:: max(1, len(inputs) // wanted)])[:wanted]
    readers = max(1, min(readers, len(chosen) // 2))
    return [chosen[at::readers] for at in range(readers)]


def read_some(stages: Stages, inputs: Sequence[Input]) -> Read:
    """Read inputs, after one that warms the process up: it comes from memory when read again."""
    stages.read(inputs[0])
    timed = inputs[1:] or inputs
    before = _bytes_read()
    answers, cpu, wall = _timed(lambda: [stages.read(one) for one in timed])
    counted = _bytes_read() - before
    return Read(answers, cpu, wall, counted or sum(one.size for one in timed))


def model_some(
    stages: Stages, model: ModelSettings, drafts: Sequence[Draft], threads: int
) -> tuple[list[Task], float, float, str]:
    """Show drafts to the model.

    Returns:
        What is left to do; seconds of a GPU or a core; seconds until it was ready; the GPU's name.
    """
    import torch

    from odm.reprocess.model import load_predictor
    from odm.reprocess.runners.local import finishing_tasks

    began = time.monotonic()
    predict = load_predictor(model, threads)
    batches = [drafts[at : at + model.batch] for at in range(0, len(drafts), model.batch)]
    finishing_tasks(stages, predict, batches[0])  # compiles, exports, fills caches
    first_s = time.monotonic() - began
    tasks, cpu, wall = _timed(
        lambda: [task for batch in batches for task in finishing_tasks(stages, predict, batch)]
    )
    on_gpu = model.device == "cuda"
    name = torch.cuda.get_device_name() if on_gpu else ""
    return tasks, wall if on_gpu else cpu, first_s, name


def finish_some(stages: Stages, tasks: Sequence[Task]) -> tuple[list[Result], float, int]:
    """Finish; the CPU seconds of it, and the bytes that were read again."""
    first = tasks[0]
    stages.finish(first.draft, first.seen)  # type: ignore[arg-type]
    before = _bytes_read()
    results, cpu, _ = _timed(
        lambda: [stages.finish(task.draft, task.seen) for task in tasks]  # type: ignore[arg-type]
    )
    return results, cpu, _bytes_read() - before


def task_seconds(size: int, tasks: int = 100) -> float:
    """CPU seconds of the driver for a task of Ray Data, in a pipeline of `TASKS` empty stages.

    Args:
        size: inputs of a task.
        tasks: of each stage, to measure with.
    """
    import pyarrow as pa
    import ray
    from ray.data import ActorPoolStrategy

    def run(number: int) -> float:
        table = pa.table({"input": [bytes(300)] * (size * number)})
        data: Any = ray.data.from_arrow(table, override_num_blocks=number)
        data = data.map_batches(_pass_on, batch_size=None, batch_format="pyarrow", num_cpus=0.25)
        data = data.map_batches(
            _PassOn, batch_size=size, batch_format="pyarrow", compute=ActorPoolStrategy(size=1),
            num_cpus=0.5,  # stages of equal resources become one
        )  # fmt: skip
        data = data.map_batches(_pass_on, batch_size=None, batch_format="pyarrow", num_cpus=0.25)
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


def _pass_on(batch: Any) -> Any:
    yield batch


def driver_seconds(results: Sequence[Result], block: int = BATCH_ON_GPU) -> float:
    """What the driver does with an outcome: unpack it, and write it into a part; CPU seconds."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from ray_jobs.reprocessing.stages import pack, unpack

    packed = [pack(results[at : at + block]) for at in range(0, len(results), block)]

    def take() -> None:
        tables = [one.outcome for data in packed for one in unpack(data)]
        table = pa.concat_tables([one for one in tables if one is not None])
        pq.write_table(table.combine_chunks(), io.BytesIO(), compression="zstd")

    take()
    _, cpu, _ = _timed(take)
    return max(cpu / len(results), 1e-6)


def _timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """A result, and its CPU and wall seconds."""
    wall, cpu = time.monotonic(), time.process_time()
    result = work()
    return result, time.process_time() - cpu, max(time.monotonic() - wall, 1e-9)


def _bytes_read() -> int:
    """By this process so far, from files and caches alike; 0 where the system does not say."""
    try:
        lines = Path("/proc/self/io").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("rchar")), 0)
