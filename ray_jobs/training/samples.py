"""Samples of a data set, read once by CPU workers and held in Ray's object store.

Ray Data reads them into blocks of a few MB; a rank fetches a sample by its number, without a copy
where the block lies on its machine. What the object store has no room for, Ray keeps on disk, and a
block that is lost with its machine is read again. Nothing here imports torch, so that a reading
worker starts in a second.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import ray
from ray.exceptions import GetTimeoutError, ObjectLostError, RayError, RayTaskError

from odm.core.errors import AnnotationError, ArchiveError, InputError, OdmError, TransientError
from odm.core.progress import Advance, unheard
from odm.training.samples import Arrays, Load
from ray_jobs.cluster.connection import data_settings
from ray_jobs.cluster.room import ClusterError
from ray_jobs.internals import iterate_blocks, map_with_retries

BLOCK_BYTES = 4_000_000
_ERRORS: dict[str, type[OdmError]] = {
    kind.__name__: kind for kind in (AnnotationError, ArchiveError, InputError, TransientError)
}
READER = {"CPU": 1.0, "memory": 600e6}
"""Resources of a reading worker, by Ray's names; Ray itself counts no bytes of it."""
FETCH_S, AGAIN_S = 30.0, 2.0
"""Seconds to wait for a block, also from another machine or from disk; then it is taken for lost.

A machine that is gone has held several: the others are then given less, for nothing but time is
lost by reading one from its file.
"""
READ_RETRIES = 3
"""Times that a block is read again when its worker has died.

By default Ray Data reads for ever what kills its readers.
"""


@dataclass(frozen=True)
class HeldSource:
    """A source (see `odm.training.samples.Source`) of samples in the object store.

    Attributes:
        keys, positive: names, and whether anything is to be found, as in any source.
        blocks: references to tables of samples.
        places: block and row of every sample.
        items, read: what the samples were made of, and what reads one.
        lost: blocks that could not be had in time.
    """

    keys: list[str]
    positive: list[bool]
    blocks: list[Any]
    places: list[tuple[int, int]]
    items: Sequence[Any]
    read: Load
    lost: set[int] = field(default_factory=set)

    def load(self, index: int) -> Arrays:
        """The arrays of one sample, read-only views of the object store.

        Where a block is lost with its machine, they are read from the file here: Ray would read
        the block again in a task, which never gets a CPU while the workers hold them all.
        """
        block, row = self.places[index]
        if block not in self.lost:
            try:
                # Not kept: an object in use can neither be moved to disk nor make room for another.
                patience = AGAIN_S if self.lost else FETCH_S
                return _unpacked(ray.get(self.blocks[block], timeout=patience), row)
            except (GetTimeoutError, ObjectLostError):
                self.lost.add(block)
        return self.read(self.items[index])


def hold(
    items: Sequence[Any],
    load: Load,
    keys: Sequence[str],
    positive: Sequence[bool],
    *,
    sample_bytes: int,
    cpus: int,
    wait_s: float = 600.0,
    advance: Advance = unheard,
) -> HeldSource:
    """Read samples into the object store.

    Args:
        items: what ``load`` takes, one per sample.
        load: reads one.
        keys, positive: names of the samples, and whether each has something to find.
        sample_bytes: size of one, about.
        cpus: CPUs of the cluster.
        wait_s: seconds to wait for the next block, before a cluster is taken for too busy.
        advance: called with the number of samples that have come.

    Raises:
        OdmError: what ``load`` has raised: a bad file or a bad annotation.
        ClusterError: Ray itself failed, such as where a file kills every worker that reads it; or
            the cluster is busy with other work.
    """
    number = len(items)
    # Some blocks for every CPU, none larger than a few MB.
    count = max(number * sample_bytes // BLOCK_BYTES + 1, min(number, 2 * cpus))
    read = partial(_read, load, ray.put(list(items)))
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    quiet = {"print_on_execution_start": False, "enable_progress_bars": False}
    blocks: list[Any] = []
    places: dict[int, tuple[int, int]] = {}
    with told("reading the samples"), data_settings(max_errored_blocks=0, **quiet):
        numbers = ray.data.range(number, override_num_blocks=min(count, number))
        reader = {"num_cpus": READER["CPU"], "memory": READER["memory"]}
        table = map_with_retries(numbers, read, READ_RETRIES, reader)
        for ref in _patiently(partial(iterate_blocks, table), wait_s):
            block = ray.get(ref)
            _raise_error(block)
            indices = block["index"].to_pylist()
            places.update({index: (len(blocks), row) for row, index in enumerate(indices)})
            blocks.append(ref)
            advance(len(indices))
    ordered = [places[index] for index in range(number)]
    return HeldSource(list(keys), list(positive), blocks, ordered, list(items), load)


def _patiently(take: Callable[[], Iterator[Any]], wait_s: float) -> Iterator[Any]:
    """What an iterator of Ray's gives; taken in a thread, so that waiting for it can end.

    Raises:
        ClusterError: nothing has come for ``wait_s``.
    """
    taken: queue.SimpleQueue[Any] = queue.SimpleQueue()
    end = object()

    def run() -> None:
        try:
            for item in take():
                taken.put(item)
            taken.put(end)
        except BaseException as error:
            taken.put(error)

    threading.Thread(target=run, daemon=True, name="samples").start()
    while True:
        try:
            item = taken.get(timeout=wait_s)
        except queue.Empty:
            raise ClusterError(
                f"no sample could be read in {wait_s:.0f} s: the cluster is busy"
            ) from None
        if item is end:
            return
        if isinstance(item, BaseException):
            raise item
        yield item


@contextmanager
def told(doing: str) -> Iterator[None]:
    """Ray's own failures as one sentence."""
    try:
        yield
    except RayError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        # An error in a worker says last what it was, a lost worker first.
        at = -1 if isinstance(error, RayTaskError) else 0
        reason = lines[at] if lines else "it does not say why"
        raise ClusterError(f"{doing} on Ray failed: {type(error).__name__}: {reason}") from error


def _read(load: Load, items: Any, batch: dict[str, Any]) -> pa.Table:
    """A block of samples: their arrays as bytes, one after the other; or an error of ours.

    An error is a row, since Ray would wrap it into its own and lose it on the way.
    """
    data, specs, error = [], [], None
    every = ray.get(items)
    try:
        for index in batch["id"]:
            arrays = [np.ascontiguousarray(array) for array in load(every[index])]
            data.append(b"".join(array.tobytes() for array in arrays))
            specs.append(json.dumps([(array.dtype.str, array.shape) for array in arrays]))
    except OdmError as raised:
        error = json.dumps([type(raised).__name__, *map(str, raised.args)])
        data, specs = [b""], [""]
    columns = {
        "index": pa.array(batch["id"][: len(data)], pa.int64()),
        "data": pa.array(data, pa.large_binary()),
        "spec": pa.array(specs, pa.string()),
        "error": pa.array([error] * len(data), pa.string()),
    }
    return pa.table(columns)


def _raise_error(table: pa.Table) -> None:
    for text in table["error"].drop_null().to_pylist():
        name, *arguments = json.loads(text)
        raise _ERRORS.get(name, OdmError)(*arguments)


def _unpacked(table: pa.Table, row: int) -> Arrays:
    # By the column's own buffer: a single value of Arrow is a copy.
    data = table["data"]
    column = data.chunk(0) if data.num_chunks == 1 else pa.concat_arrays(data.chunks)
    _, offsets, buffer = column.buffers()
    at = int(np.frombuffer(offsets, np.int64)[column.offset + row])
    arrays = []
    for dtype, shape in json.loads(table["spec"][row].as_py()):
        size = int(np.prod(shape))
        array = np.frombuffer(buffer, dtype, size, at).reshape(shape)
        array.setflags(write=False)
        arrays.append(array)
        at += array.nbytes
    return tuple(arrays)
