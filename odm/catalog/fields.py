"""Columns of tables that say what they hold, and in which units."""

from __future__ import annotations

import pyarrow as pa


def field(name: str, kind: pa.DataType, description: str, units: str = "") -> pa.Field:
    """Return a column with its description and units: ``UTC`` for times, ``none`` without units."""
    unit = units or ("UTC" if pa.types.is_timestamp(kind) else "none")
    return pa.field(name, kind, metadata={"description": description, "units": unit})
