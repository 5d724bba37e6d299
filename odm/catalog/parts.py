"""The part files of a campaign: result and ledger in one, each committed by one rename.

A part is named by the digest of its bytes, so writing one twice is writing it once, and reading
all parts is a union in which their order means nothing.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from odm.catalog.outcomes import UNION_COLUMNS, union
from odm.core.errors import OdmError
from odm.core.faults import first_line, translated
from odm.core.files import (
    join,
    list_files,
    local_path,
    resolve,
    without_options,
    write_bytes,
)

PREFIX, SUFFIX = "part-", ".parquet"
ROWS_PER_COMPACT_PART = 10_000


def write_part(folder: object, outcomes: Sequence[pa.Table]) -> str:
    """Commit outcomes as one part file.

    Args:
        folder: folder of the parts.
        outcomes: tables of one kind; at least one row.

    Returns:
        The part's name.
    """
    table = pa.concat_tables(outcomes).sort_by("identity").combine_chunks()
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    data = buffer.getvalue()
    name = f"{PREFIX}{hashlib.sha256(data).hexdigest()[:32]}{SUFFIX}"
    write_bytes(join(folder, name), data)
    return name


def list_parts(folder: object) -> list[str]:
    """Return the paths of all parts, by name."""
    files, unreadable = list_files(folder)
    if unreadable:
        raise OdmError(unreadable[0])
    names = [(PurePosixPath(without_options(file.path)).name, file.path) for file in files]
    return [
        path for name, path in sorted(names) if name.startswith(PREFIX) and name.endswith(SUFFIX)
    ]


def read_outcomes(folder: object, columns: Sequence[str] | None = None) -> pa.Table:
    """Read the valid row of each input.

    Args:
        folder: folder of the parts.
        columns: columns to read and return, besides `UNION_COLUMNS`; None for all.

    Returns:
        Sorted by identity; without any column where there is no part.

    Raises:
        OdmError: a part is damaged.
    """
    if columns is not None:
        columns = list(dict.fromkeys([*UNION_COLUMNS, *columns]))
    tables = [_read(path, columns) for path in list_parts(folder)]
    return union(pa.concat_tables(tables)) if tables else pa.table({})


def compact(folder: object) -> tuple[int, int]:
    """Put the valid rows of all parts into few parts; what they say stays the same.

    Killed at any moment it leaves more parts than needed and the same outcomes, since the old ones
    are removed last. Only the holder of the campaign's lock may do this.

    Returns:
        Number of parts before and after.
    """
    before = list_parts(folder)
    index = [
        _read(path, UNION_COLUMNS)
        .append_column("part", pa.array([part] * rows, pa.int32()))
        .append_column("row", pa.array(range(rows), pa.int64()))
        for part, path in enumerate(before)
        for rows in [_rows(path)]
    ]
    if not index:
        return 0, 0
    winners = union(pa.concat_tables(index))
    after = []
    for first in range(0, winners.num_rows, ROWS_PER_COMPACT_PART):
        chosen = winners.slice(first, ROWS_PER_COMPACT_PART)
        after.append(write_part(folder, _take(before, chosen)))
    for path in before:
        if PurePosixPath(without_options(path)).name not in after:
            _remove(path)
    return len(before), len(after)


def _take(paths: Sequence[str], chosen: pa.Table) -> list[pa.Table]:
    """Read the chosen rows, one part in memory at a time."""
    rows: dict[int, list[int]] = {}
    for part, row in zip(chosen["part"].to_pylist(), chosen["row"].to_pylist(), strict=True):
        rows.setdefault(part, []).append(row)
    return [_read(paths[part]).take(pa.array(taken)) for part, taken in rows.items()]


def _read(path: str, columns: Sequence[str] | None = None) -> pa.Table:
    with _opened(path) as file:
        return file.read(columns=None if columns is None else list(columns))


def _rows(path: str) -> int:
    with _opened(path) as file:
        return int(file.metadata.num_rows)


@contextmanager
def _opened(path: str) -> Iterator[pq.ParquetFile]:
    filesystem, inside = resolve(path)
    try:
        with translated(path), filesystem.open_input_file(inside) as file:
            yield pq.ParquetFile(file)
    except (pa.ArrowInvalid, KeyError) as error:
        raise OdmError(
            f"{path}: a damaged part ({first_line(error)}); without this file its inputs are done "
            "again"
        ) from None


def _remove(path: str) -> None:
    local = local_path(path)
    if local is not None:
        local.unlink(missing_ok=True)
        return
    filesystem, inside = resolve(path)
    with translated(path):
        filesystem.delete_file(inside)
