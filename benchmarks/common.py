"""What the benchmarks share: the machine, interleaved timing, one table and one JSON file."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from odm.core.files import write_bytes
from odm.core.text import table

if TYPE_CHECKING:
    from odm.models.card import ModelCard

RESULTS = Path(__file__).parent / "results"
UNSTEADY = 0.25
"""Rounds whose median is slower than the best by more than this share are repeated, or marked."""


def machine() -> str:
    """Processor, cores and Python, to stand beside every number."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {cores} cores, Python {platform.python_version()}"


def interleaved(
    cases: Mapping[str, Callable[[], object]], repeats: int, warm_up: int = 2
) -> dict[str, list[float]]:
    """Seconds of every run of every case, the cases taking turns so that drift hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(repeats + warm_up):
        for name, run in cases.items():
            started = time.perf_counter()
            run()
            if turn >= warm_up:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def slack(seconds: Sequence[float]) -> float:
    """How much slower the middle round is than the best, as a share: what disturbs adds time."""
    return statistics.median(seconds) / min(seconds) - 1


def steadied(
    cases: Mapping[str, Callable[[], object]], rounds: int, most: int, warm_up: int = 1
) -> dict[str, list[float]]:
    """As `interleaved`, with more rounds, up to ``most``, while a case is not steady yet."""
    seconds = interleaved(cases, rounds, warm_up)
    while len(next(iter(seconds.values()))) < most and any(
        slack(times) > UNSTEADY for times in seconds.values()
    ):
        for name, (one,) in interleaved(cases, 1, 0).items():
            seconds[name].append(one)
    return seconds


def mark(seconds: Sequence[float]) -> str:
    """``~`` beside a number that is not to be relied on."""
    return "~" if slack(seconds) > UNSTEADY else ""


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, and the quartiles around it."""
    low, median, high = statistics.quantiles(values, n=4)
    return median, low, high


def report(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    kept: Mapping[str, Any] | None = None,
    **facts: Any,
) -> None:
    """Print one table and write ``results/<name>.json``, with ``kept`` that is not printed."""
    columns = list(rows[0])
    cells = [[row[column] for column in columns] for row in rows]
    print("\n" + table(columns, cells, f"{name}: {machine()}"))
    for fact, value in facts.items():
        print(f"{fact}: {value}")
    content = {"machine": machine(), "rows": list(rows), **facts, **(kept or {})}
    write_bytes(RESULTS / f"{name}.json", (json.dumps(content, indent=1) + "\n").encode())


def ship(trained: Path, target: Path, notes: Mapping[str, Any]) -> ModelCard:
    """Copy a trained model into another folder in half precision, with notes beside its own."""
    from odm.models.folder import load_model, save_model

    loaded = load_model(trained)
    card = loaded.card
    saved = save_model(
        target,
        loaded.model,
        image=card.image,
        thresholds=card.thresholds,
        training_data=card.training_data,
        metrics=card.metrics,
        notes={**card.notes, **notes},
        half=True,
    )
    assert saved.weights is not None
    print(f"{target}: {saved.weights['bytes'] / 1e6:.2f} MB, digest {saved.digest}")
    return saved
