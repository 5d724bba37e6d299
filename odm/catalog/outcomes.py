"""Outcomes: the one record of each input of a campaign, with its findings nested in it.

A row says the same whenever and wherever it was made: it holds no time of processing and no host.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from odm.catalog.fields import field

DETECTED, CLEAR, QUARANTINED = "detected", "clear", "quarantined"
STATUSES = (DETECTED, CLEAR, QUARANTINED)

UNION_COLUMNS = ("identity", "generation", "status", "digest")
"""Columns that decide between two rows of one input."""

_BEFORE = (
    field("identity", pa.string(), "what two versions of one input share"),
    field("name", pa.string(), "file name"),
    field("source", pa.string(), "file, relative to the archive"),
)
_AFTER = (
    field("size", pa.int64(), "size of the file", "bytes"),
    field("modified_ns", pa.int64(), "modification time of the file, since 1970", "ns"),
    field("generation", pa.int32(), "0, and one more whenever the input was done again", "1"),
    field("status", pa.string(), "detected, clear or quarantined"),
    field("reason", pa.string(), "why it is quarantined, else empty"),
    field("valid_share", pa.float64(), "share of valid pixels", "1"),
    field("clipped_low", pa.float64(), "share of valid pixels at the lower limit", "1"),
    field("clipped_high", pa.float64(), "share of valid pixels at the upper limit", "1"),
)
_DIGEST = field("digest", pa.string(), "of all other columns of the row")


@dataclass(frozen=True)
class OutcomeKind:
    """What the outcomes of one kind of input look like.

    Attributes:
        name: name of the kind, such as ``orbits``.
        inputs: what inputs are called.
        findings: what findings are called.
        key: columns that the key gives.
        finding: columns of a finding.
        box: columns between which a finding lies: lowest, highest, and what is added to their
            difference, so that a finding of a single value has an extent.
        same: columns in which two findings have to agree to be the same finding.
        largest: column by which findings are put in order, the largest first.
        shown: columns for a look at findings; the first holds a finding's name.
        facts: columns that only the open file gives.
        track: columns of a point of the decimated track; None where there is none.
        named_by: column of the key that is null where the identity is no more than a path, which
            means something in its own archive only.
    """

    name: str
    inputs: str
    findings: str
    key: tuple[pa.Field, ...]
    finding: pa.Schema
    box: tuple[tuple[str, str, float], ...]
    largest: str
    shown: tuple[str, ...]
    same: tuple[str, ...] = ()
    facts: tuple[pa.Field, ...] = ()
    track: pa.Schema | None = None
    named_by: str = ""

    @cached_property
    def schema(self) -> pa.Schema:
        """Columns of a table of outcomes."""
        nested = [field("findings", pa.list_(pa.struct(list(self.finding))), self.findings)]
        if self.track is not None:
            points = pa.list_(pa.struct(list(self.track)))
            nested.append(field("track", points, "where it was measured"))
        return pa.schema([*_BEFORE, *self.key, *_AFTER, *self.facts, *nested, _DIGEST])


@dataclass(frozen=True, slots=True)
class Input:
    """One input of an archive, as a listing shows it.

    Attributes:
        identity: what two versions of one input share.
        name: file name.
        path: where it is read.
        source: ``path`` relative to the archive.
        size: bytes.
        modified_ns: ns since 1970 (UTC).
        key: columns of `OutcomeKind.key`.
        generation: generation of the outcome to be made.
    """

    identity: str
    name: str
    path: str
    source: str
    size: int
    modified_ns: int
    key: Mapping[str, Any]
    generation: int = 0


def outcome_table(
    kind: OutcomeKind,
    input: Input,
    *,
    reason: str | None = None,
    findings: Sequence[Mapping[str, Any]] = (),
    track: Sequence[Mapping[str, Any]] = (),
    shares: Mapping[str, float] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> pa.Table:
    """Make the outcome of an input as a table of one row.

    Args:
        kind: kind of input.
        input: the input.
        reason: why it is quarantined; None if it is not.
        findings: rows of `OutcomeKind.finding`; none means clear.
        track: rows of `OutcomeKind.track`.
        shares: ``valid_share``, ``clipped_low`` and ``clipped_high``.
        facts: columns of `OutcomeKind.facts`.
    """
    status = QUARANTINED if reason is not None else DETECTED if findings else CLEAR
    row = {
        "identity": input.identity,
        "name": input.name,
        "source": input.source,
        **input.key,
        "size": input.size,
        "modified_ns": input.modified_ns,
        "generation": input.generation,
        "status": status,
        "reason": reason or "",
        **(shares or {}),
        **(facts or {}),
        "findings": list(findings),
        "track": list(track),
    }
    table = pa.Table.from_pylist([row], schema=kind.schema)
    # From the table, so that it covers what is kept: float32 where that is the column's type.
    digest = row_digest(table.to_pylist()[0])
    column = table.schema.get_field_index("digest")
    return table.set_column(column, _DIGEST, pa.array([digest], pa.string()))


def row_digest(row: Mapping[str, Any]) -> str:
    """Return the SHA-256 of all columns but the digest, its first 32 hexadecimal digits."""
    content = {name: value for name, value in row.items() if name != "digest"}
    text = json.dumps(content, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _plain(value: Any) -> Any:
    """Turn bytes, and times with their nanoseconds, into what JSON can hold."""
    if isinstance(value, bytes):
        return value.hex()
    nanoseconds = getattr(value, "value", None)  # of a pandas Timestamp
    return nanoseconds if isinstance(nanoseconds, int) else value.isoformat()


def union(table: pa.Table) -> pa.Table:
    """Keep a row of each identity: the highest generation, success, then the smallest digest.

    Args:
        table: has `UNION_COLUMNS`; others travel along.

    Returns:
        Sorted by identity.
    """
    import pyarrow.compute as pc

    failed = pc.equal(table["status"], QUARANTINED).cast(pa.int8())
    ordered = table.append_column("_failed", failed).sort_by(
        [
            ("identity", "ascending"),
            ("generation", "descending"),
            ("_failed", "ascending"),
            ("digest", "ascending"),
        ]
    )
    ordered = ordered.drop_columns("_failed")
    if ordered.num_rows < 2:
        return ordered
    identity = ordered["identity"].combine_chunks()
    fresh = pc.not_equal(identity.slice(1), identity.slice(0, len(identity) - 1))
    first = pa.chunked_array([pa.array([True]), fresh])
    return ordered.filter(first)
