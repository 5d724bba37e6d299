"""The catalog: the findings of one or several campaigns of one model, a row each."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from odm.catalog.campaign import Campaign, check_one_model
from odm.catalog.orbit.regions import catalog_metadata
from odm.catalog.outcomes import DETECTED, OutcomeKind, union
from odm.core.errors import InputError
from odm.core.files import local_path, make_folder, without_options, write_bytes, write_table
from odm.core.statement import SIMULATED_DATA

FORMATS = (".parquet", ".csv")


def build_catalog(campaigns: Sequence[Campaign], kind: OutcomeKind) -> pa.Table:
    """Collect the findings of campaigns in order of time, with units in the field metadata.

    An input that several campaigns hold counts once; see `united`.

    Raises:
        InputError: the campaigns are not of one model and one set of settings.
    """
    check_one_model(campaigns)
    outcomes = united(campaigns, kind, ["findings"])
    about = _about(campaigns, outcomes.num_rows)
    has_places = "geometry" in kind.finding.names
    schema = kind.finding.with_metadata(catalog_metadata(about) if has_places else about)
    if not outcomes.num_rows:
        return schema.empty_table()
    outcomes = outcomes.filter(pc.equal(outcomes["status"], DETECTED))
    flat = pc.list_flatten(outcomes["findings"].combine_chunks())
    if not len(flat):
        return schema.empty_table()
    arrays = [flat.field(number) for number in range(flat.type.num_fields)]
    table = pa.Table.from_arrays(arrays, schema=schema)
    first = schema.names[0]
    times = [column.name for column in schema if pa.types.is_timestamp(column.type)]
    order = [(name, "ascending") for name in (*times[:1], first)]
    return table.take(pc.sort_indices(table, sort_keys=order))


def united(campaigns: Sequence[Campaign], kind: OutcomeKind, columns: Sequence[str]) -> pa.Table:
    """Unite the outcomes of campaigns, one of each input by the rule of `union`.

    Where an identity is no more than a path, it is one input in one archive only.

    Args:
        campaigns: campaigns of one kind.
        kind: kind of their inputs.
        columns: columns to read.

    Returns:
        ``columns``, those of the union, and ``campaign``: the number of the one that a row is from.
        Without any column where there is no outcome.
    """
    read = [*columns, kind.named_by] if kind.named_by else list(columns)
    tables = []
    for number, campaign in enumerate(campaigns):
        table = campaign.outcomes(read)
        if not table.num_rows:
            continue
        if kind.named_by:
            inside = pc.binary_join_element_wise(campaign.card.archive, table["identity"], "\n")
            own = pc.if_else(pc.is_null(table[kind.named_by]), inside, table["identity"])
            table = table.set_column(table.column_names.index("identity"), "identity", own)
        numbers = pa.array([number] * table.num_rows, pa.int32())
        tables.append(table.append_column("campaign", numbers))
    return union(pa.concat_tables(tables)) if tables else pa.table({})


def _about(campaigns: Sequence[Campaign], total: int) -> dict[str, str]:
    card = campaigns[0].card
    return {
        "statement": f"models of this package are {SIMULATED_DATA}",
        "model": json.dumps(dict(card.model)),
        "settings": json.dumps(dict(card.settings)),
        "result_version": str(card.result_version),
        "inputs": str(total),
    }


def write_catalog(path: object, table: pa.Table) -> None:
    """Write a catalog as Parquet (GeoParquet where it has places) or CSV, by the extension.

    In CSV, lists are joined by ``;``, the geometry is WKT, an outline is WKT of seconds since 1970
    and Hz, and what the columns mean stands in the lines above the header, each behind a ``#``.

    Raises:
        InputError: another extension, or the place cannot be written.
    """
    check_format(path)
    local = local_path(path)
    if local is not None:
        make_folder(local.parent)
    if str(without_options(path)).endswith(".csv"):
        write_bytes(path, to_csv(table).encode())
    else:
        write_table(path, table)


def check_format(path: object) -> None:
    """Check that a catalog can be written under this name.

    Raises:
        InputError: it has another extension.
    """
    suffix = PurePosixPath(without_options(path)).suffix
    if suffix not in FORMATS:
        raise InputError(f"{path}: a catalog ends in {' or '.join(FORMATS)}")


def to_csv(table: pa.Table) -> str:
    """Return a catalog as text; see `write_catalog`."""
    import csv

    buffer = io.StringIO()
    metadata = table.schema.metadata or {}
    if b"statement" in metadata:
        buffer.write(f"# {metadata[b'statement'].decode()}\n")
    for column in table.schema:
        facts = column.metadata or {}
        units = facts.get(b"units", b"none").decode()
        buffer.write(f"# {column.name} [{units}]: {facts.get(b'description', b'').decode()}\n")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(table.column_names)
    columns = [[_cell(value) for value in table[name].to_pylist()] for name in table.column_names]
    writer.writerows(zip(*columns, strict=True))
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bytes):
        import shapely

        return shapely.to_wkt(shapely.from_wkb(value), rounding_precision=-1)
    if isinstance(value, list):
        if value and isinstance(value[0], dict):
            return _ring(value)
        return ";".join(str(item) for item in value)
    return value.isoformat() if hasattr(value, "isoformat") else value


def _ring(points: Iterable[dict[str, Any]]) -> str:
    pairs = [f"{point['time'].value / 1e9:.3f} {point['frequency']:g}" for point in points]
    return f"POLYGON (({', '.join([*pairs, pairs[0]])}))"
