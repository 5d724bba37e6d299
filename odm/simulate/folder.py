"""What every simulated archive shares: a folder claimed once, its workers, its manifest."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from odm.core.errors import InputError
from odm.core.files import make_folder, write_bytes

MANIFEST = "simulation.json"
_UNFINISHED = ".simulation.json"

Progress = Callable[[int, int], None]
Task = TypeVar("Task")


def claim(folder: Path, content: Mapping[str, Any]) -> bytes:
    """Make the folder ours, or refuse one that holds something else; the manifest's bytes.

    Raises:
        InputError: it holds another simulation, or anything else.
    """
    data = (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()
    make_folder(folder)
    for manifest in (folder / MANIFEST, folder / _UNFINISHED):
        if manifest.is_file() and manifest.read_bytes() == data:
            return data
        if manifest.is_file():
            raise InputError(f"{folder} holds a simulation with other settings: use another folder")
    if any(folder.iterdir()):
        raise InputError(f"{folder} is not empty and holds no simulation: use another folder")
    # The manifest says that everything is there, so its place is taken only at the end.
    write_bytes(folder / _UNFINISHED, data)
    return data


def finish(folder: Path, manifest: bytes) -> None:
    """Write the manifest: everything is there now."""
    write_bytes(folder / MANIFEST, manifest)
    (folder / _UNFINISHED).unlink(missing_ok=True)


def run_all(
    work: Callable[[Task], dict[str, Any]], tasks: Sequence[Task], workers: int
) -> Iterator[dict[str, Any]]:
    """Results of ``work``, in the order of ``tasks``, from as many processes as ``workers``."""
    workers = min(workers, len(tasks))
    if workers <= 1:
        yield from map(work, tasks)
        return
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    with ProcessPoolExecutor(workers, context, _start_worker) as pool:
        try:
            yield from pool.map(work, tasks)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start_worker() -> None:
    """One thread a worker: the pool is what uses the cores."""
    import cv2

    cv2.setNumThreads(1)


def whole(name: str, value: int, least: int) -> int:
    """``value``, a whole number of at least ``least``; else an `InputError`."""
    if isinstance(value, bool) or int(value) != value or value < least:
        raise InputError(f"{name} {value!r}: give a whole number of at least {least}")
    return int(value)


def share(name: str, value: float) -> float:
    """``value``, a number from 0 to 1; else an `InputError`."""
    if not 0.0 <= value <= 1.0:
        raise InputError(f"{name} {value!r}: give a number from 0 to 1")
    return float(value)
