"""Fingerprints, CSV and JSON as every report writes them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from odm.core.statement import SIMULATED_DATA

STATEMENT = f"Models of this package are {SIMULATED_DATA}."
FINGERPRINT_COLUMNS = ("identity", "name", "size", "modified_ns", "status", "generation", "digest")


def to_csv(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return lines of CSV; an unknown value is empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return buffer.getvalue()


def interval_ends(row: Mapping[str, Any], name: str = "interval") -> tuple[Any, Any]:
    """Return the ends of an interval in a row of statistics, None and None where it has none."""
    low, high = row.get(name) or (None, None)
    return low, high


def to_json(value: Any) -> str:
    """Return JSON that every reader takes: unknown numbers are null."""
    return json.dumps(_plain(value), indent=1, allow_nan=False) + "\n"


def fingerprint(outcomes: pa.Table) -> str:
    """Return SHA-256 over the digests of all outcomes, which changes with any of them."""
    digests = sorted(outcomes["digest"].to_pylist()) if outcomes.num_rows else []
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def inputs_csv(outcomes: pa.Table) -> str:
    """Return a line per input: its file, and the digest of its outcome."""
    names = FINGERPRINT_COLUMNS if outcomes.num_rows else ()
    columns = [outcomes[name].to_pylist() for name in names]
    return to_csv(FINGERPRINT_COLUMNS, list(zip(*columns, strict=True)))


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if value != value else f"{value:.6g}"
    return "" if value is None else value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
