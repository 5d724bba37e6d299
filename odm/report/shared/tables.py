"""The numbers of a report as CSV, one line per number."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any


def counts_csv(sheet: Mapping[str, Any]) -> str:
    """Counts by season, hemisphere and so on: a line per value."""
    rows = [
        [name, row["value"], row["regions"], *_ends(row, "regions_interval"), row["share"],
         *_ends(row, "share_interval")]
        for name, found in sheet["counts"].items() for row in found
    ]  # fmt: skip
    header = ["table", "value", "regions", "regions_low", "regions_high", "share", "share_low",
              "share_high"]  # fmt: skip
    return to_csv(header, rows)


def rates_csv(sheet: Mapping[str, Any]) -> str:
    """Regions, valid hours and rate by latitude, MLT, month and activity: a line per bin."""
    tables = {**sheet["rates"], **{name: one["bins"] for name, one in sheet["activity"].items()}}
    rows = [
        [name, row["value"], row["regions"], row["valid_hours"], row["rate"],
         *_ends(row, "rate_interval")]
        for name, found in tables.items() if isinstance(found, list) for row in found
    ]  # fmt: skip
    header = ["table", "value", "regions", "valid_hours", "regions_in_100_h", "low", "high"]
    return to_csv(header, rows)


def to_csv(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Lines of CSV; an unknown value is empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return buffer.getvalue()


def _ends(row: Mapping[str, Any], name: str) -> tuple[Any, Any]:
    low_high = row.get(name)
    return (None, None) if low_high is None else (low_high[0], low_high[1])


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if value != value else f"{value:.6g}"
    return "" if value is None else value
