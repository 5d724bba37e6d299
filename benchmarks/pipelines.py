"""What the benchmarks of reprocessing share: the runners, each stage alone, and the table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from common import report

from odm.catalog.selection import Selection
from odm.reprocess.driver import reprocess
from odm.reprocess.inference import cores
from odm.reprocess.order import Order
from odm.reprocess.request import Workers
from odm.reprocess.runners.local import finishing_work, run_local
from odm.reprocess.stages import Draft

STORE_MB = 500
STAGE_INPUTS = 24
"""Inputs on which each stage is timed alone."""

Row = dict[str, Any]


def runners(order: Callable[[str], Order], with_ray: bool) -> tuple[list[Row], str | None]:
    """The plain runner, and Ray; what Ray says of spilling.

    Each is run on a third of the inputs as well: the difference has no start and no end in it,
    whereas after the first outcome there is much that was begun before it.
    """
    rows = [_steady("plain runner", order, "plain", lambda one: (_runner(one, run_local), ""))]
    if not with_ray:
        return rows, None
    said: list[str] = []

    def on_ray(one: Order) -> tuple[Row, str]:
        row, spilled = _ray(one)
        said.append(spilled)
        return row, spilled

    return [*rows, _steady("Ray", order, "ray", on_ray)], said[-1]


def stage_times(order: Order) -> dict[str, float]:
    """CPU milliseconds of each stage and input, all in this process."""
    inputs = order.listing.inputs[:STAGE_INPUTS]
    model = order.inference.load()
    drafts = drafts_of(order)
    tasks = finishing_work(order.stages, model, drafts)
    order.stages.finish(tasks[0].draft or drafts[0], tasks[0].seen)
    cases: dict[str, Callable[[], object]] = {
        "read": lambda: [order.stages.read(one) for one in inputs],
        "model": lambda: finishing_work(order.stages, model, drafts),
        "finish": lambda: [
            order.stages.finish(task.draft, task.seen) for task in tasks if task.draft
        ],
    }
    found = {}
    for name, run in cases.items():
        times = []
        for _ in range(3):
            began = time.process_time()
            run()
            times.append(time.process_time() - began)
        found[name] = 1e3 * min(times) / len(inputs)
    return found


def drafts_of(order: Order) -> list[Draft]:
    """The first inputs, read."""
    inputs = order.listing.inputs[:STAGE_INPUTS]
    return [draft for one in inputs if isinstance(draft := order.stages.read(one), Draft)]


def report_pipeline(
    name: str,
    unit: str,
    rows: Sequence[Row],
    stages: Mapping[str, float],
    spilled: str | None,
    **facts: Any,
) -> None:
    """Print and write the table, with what the cores would allow at most.

    Args:
        name: of the benchmark.
        unit: what an input is called, as in a name: ``half_orbit``.
        rows: of the cases.
        stages: see `stage_times`.
        spilled: see `runners`.
        facts: more to say.
    """
    rate = {row["case"]: row["rate_per_s"] for row in rows}
    most = cores() / (sum(stages.values()) / 1e3)
    facts |= {
        "cores": cores(),
        f"stages_cpu_ms_per_{unit}": {name: round(ms, 2) for name, ms in stages.items()},
        "most_that_the_cores_allow_per_s": round(most, 2),
    }
    if "Ray" in rate:
        facts |= {
            "ray_over_most": round(rate["Ray"] / most, 3),
            "ray_over_plain_script": round(rate["Ray"] / rate["plain script"], 3),
            "share_lost_to_ray": round(1 - rate["Ray"] / rate["plain runner"], 3),
            "spilled_under_500_mb": spilled,
        }
    report(name, rows, **facts)


def timed(name: str, outcomes: Iterator[object]) -> Row:
    """The row of a case that yields something for each input."""
    began = time.monotonic()
    first, number = 0.0, 0
    for _ in outcomes:
        number += 1
        first = first or time.monotonic() - began
    return _row(name, first, time.monotonic() - began, number)


def device_of(device: str) -> str:
    """The device that is meant by ``auto``."""
    return (
        "cuda" if device == "auto" and torch.cuda.is_available() else device.replace("auto", "cpu")
    )


def _steady(
    name: str, order: Callable[[str], Order], folder: str, run: Callable[[Order], tuple[Row, str]]
) -> Row:
    few = order(f"{folder}-few")
    third = len(few.listing.inputs) // 3
    short, _ = run(_changed(few, selection=Selection(limit=third)))
    whole, _ = run(order(folder))
    more = whole["seconds"] - short["seconds"]
    return {**whole, "case": name, "rate_per_s": round((whole["done"] - third) / more, 2)}


def _changed(order: Order, **changes: Any) -> Order:
    return replace(order, request=order.request.model_copy(update=changes))


def _runner(order: Order, run: Any) -> Row:
    summary = reprocess(order, run)
    return _row("", summary.first_s or 0.0, summary.seconds, summary.done)


def _ray(order: Order) -> tuple[Row, str]:
    """Its row, and what Ray says of spilling."""
    import ray
    from ray._private.internal_api import memory_summary

    from ray_jobs.reprocessing.runner import run_on_ray

    said: list[str] = []
    asked = False
    inputs = len(order.listing.inputs)

    def run(*arguments: Any) -> Iterator[Any]:
        nonlocal asked
        for number, result in enumerate(run_on_ray(*arguments), 1):
            if number == min(
                inputs, order.request.selection.limit or inputs
            ):  # while Ray is still there
                address = ray.get_runtime_context().gcs_address
                text = memory_summary(address=address, stats_only=True)
                asked = True
                said.extend(line for line in text.splitlines() if "pill" in line)
            yield result

    row = _runner(_changed(order, workers=Workers(object_store_mb=STORE_MB)), run)
    return row, "; ".join(said) or ("nothing" if asked else "not asked")


def _row(name: str, first_s: float, seconds: float, number: int) -> Row:
    rate = (number - 1) / max(1e-9, seconds - first_s)
    return {
        "case": name,
        "first_s": round(first_s, 2),
        "rate_per_s": round(rate, 2),
        "seconds": round(seconds, 2),
        "done": number,
    }
