"""A folder of simulated files with their truth: claimed once, filled by workers, sealed last.

OUT/<files>              written one by one, in any order
OUT/truth.parquet        what a model should find
OUT/confusers.parquet    what it should not
OUT/ignored.parquet      where nobody can say; only where there is such a place
OUT/simulation.json      settings, and the names of all files; written last
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from odm.core.checks import check_whole
from odm.core.errors import InputError
from odm.core.files import make_folder, write_bytes, write_table
from odm.core.progress import Advance

if TYPE_CHECKING:
    import pyarrow as pa

MANIFEST = "simulation.json"
TRUTH = "truth.parquet"
CONFUSERS = "confusers.parquet"
IGNORED = "ignored.parquet"
ABOUT = {"about": "truth of a simulation: what the simulator drew, never a finding"}
"""Metadata of the tables."""
_UNFINISHED = ".simulation.json"

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class SimulatedFile:
    """Rows of ``truth.parquet``, ``confusers.parquet`` and ``ignored.parquet`` of one file, and its
    size in bytes."""

    truth: Rows
    confusers: Rows
    bytes: int
    ignored: Rows = field(default_factory=list)


@dataclass(frozen=True)
class ArchiveRecipe:
    """An archive to simulate.

    Attributes:
        manifest: what ``simulation.json`` says beside the names of the files.
        settings: handed to ``write_file``.
        files: what identifies each file to ``write_file``, by its name.
        write_file: writes one file into a folder: arguments are the folder, the settings and the
            identification. It runs in worker processes, so it is a function of a module.
        truth, confusers: schemas of ``truth.parquet`` and ``confusers.parquet``.
        ignored: schema of ``ignored.parquet``; None where nothing is ever ignored.
    """

    manifest: Mapping[str, Any]
    settings: Any
    files: Mapping[str, Any]
    write_file: Callable[[Path, Any, Any], SimulatedFile]
    truth: pa.Schema
    confusers: pa.Schema
    ignored: pa.Schema | None = None


def simulate_archive(
    out: str | Path, recipe: ArchiveRecipe, workers: int, advance: Advance
) -> list[SimulatedFile]:
    """Write an archive; what each of its files holds, in their order.

    Args:
        out: a folder that is new, empty, or of a simulation with the same settings.
        recipe: the archive.
        workers: number of processes.
        advance: called after every file.

    Raises:
        InputError: ``out`` holds another simulation, or anything else.
    """
    import pyarrow as pa

    check_whole("workers", workers, 1)
    folder = Path(out).expanduser()
    manifest = _claim(folder, {**recipe.manifest, "keys": list(recipe.files)})
    write_file = partial(recipe.write_file, folder, recipe.settings)
    files = []
    for file in _run_all(write_file, list(recipe.files.values()), workers):
        files.append(file)
        advance()
    truth = [row for file in files for row in file.truth]
    write_table(folder / TRUTH, pa.Table.from_pylist(truth, schema=recipe.truth))
    confusers = [row for file in files for row in file.confusers]
    write_table(folder / CONFUSERS, pa.Table.from_pylist(confusers, schema=recipe.confusers))
    ignored = [row for file in files for row in file.ignored]
    if ignored:
        write_table(folder / IGNORED, pa.Table.from_pylist(ignored, schema=recipe.ignored))
    write_bytes(folder / MANIFEST, manifest)
    (folder / _UNFINISHED).unlink(missing_ok=True)
    return files


def _claim(folder: Path, manifest: Mapping[str, Any]) -> bytes:
    """Mark the folder as one of this simulation; the manifest's bytes.

    Raises:
        InputError: it holds another simulation, or anything else.
    """
    data = (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()
    make_folder(folder)
    for path in (folder / MANIFEST, folder / _UNFINISHED):
        if path.is_file() and path.read_bytes() == data:
            return data
        if path.is_file():
            raise InputError(f"{folder} holds a simulation with other settings: use another folder")
    if any(folder.iterdir()):
        raise InputError(f"{folder} is not empty and holds no simulation: use another folder")
    # The manifest says that everything is there, so its place is taken only at the end.
    write_bytes(folder / _UNFINISHED, data)
    return data


def _run_all(
    write_file: Callable[[Any], SimulatedFile], identities: Sequence[Any], workers: int
) -> Iterator[SimulatedFile]:
    """Write files in as many processes as ``workers``; results in the order of ``identities``."""
    workers = min(workers, len(identities))
    if workers <= 1:
        yield from map(write_file, identities)
        return
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    with ProcessPoolExecutor(workers, context, _start_worker) as pool:
        try:
            yield from pool.map(write_file, identities)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start_worker() -> None:
    """Give a worker one thread: the pool is what uses the cores."""
    import cv2

    cv2.setNumThreads(1)
