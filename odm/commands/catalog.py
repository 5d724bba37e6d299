"""`odm catalog`: the findings of campaigns as one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from odm.commands.findings import Picture, draw
from odm.commands.options import AsJson
from odm.core.text import table

if TYPE_CHECKING:
    import pyarrow as pa

    from odm.catalog.campaign import Campaign
    from odm.catalog.outcomes import OutcomeKind


def catalog(
    campaigns: Annotated[list[str], typer.Argument(help="Folders of campaigns of one model.")],
    out: Annotated[str, typer.Option(help="A .parquet (of regions: GeoParquet) or .csv file.")],
    show: Annotated[int, typer.Option(help="Rows to print.", min=0)] = 0,
    pictures: Annotated[
        str | None, typer.Option(help="Folder for pictures of the surest findings.")
    ] = None,
    number: Annotated[int, typer.Option(help="How many pictures.", min=1)] = 3,
    json_: AsJson = False,
) -> None:
    """Write all findings as one table; units and meanings of the columns stand in its metadata.

    Example: odm catalog campaign-2021 campaign-2022 --out catalog.parquet --show 5
    """
    import json

    from odm.catalog.campaign import load_campaign
    from odm.catalog.catalog import build_catalog, check_format, write_catalog
    from odm.catalog.kinds import kind_of

    check_format(out)
    opened = [load_campaign(folder) for folder in campaigns]
    kind = kind_of(opened[0].card.kind)
    table = build_catalog(opened, kind)
    write_catalog(out, table)
    drawn = [] if pictures is None else _draw(kind, opened, pictures, number)
    inputs = int((table.schema.metadata or {}).get(b"inputs", b"0"))
    if json_:
        facts = {"out": out, kind.findings: table.num_rows, "inputs": inputs, "pictures": drawn}
        print(json.dumps(facts, indent=2))
        return
    print(f"{out}: {table.num_rows} {kind.findings} from {inputs} {kind.inputs}")
    if show:
        _show(kind, table, show)
    for path in drawn:
        print(f"picture: {path}")


def _show(kind: OutcomeKind, findings: pa.Table, rows: int) -> None:
    """Print the first rows, with the units of their columns."""
    names = list(kind.shown)
    units = [
        (findings.schema.field(name).metadata or {}).get(b"units", b"").decode() for name in names
    ]
    head = [f"{name}\n({unit})" if unit else name for name, unit in zip(names, units, strict=True)]
    cells = [
        [_text(row[name]) for name in names]
        for row in findings.select(names).slice(0, rows).to_pylist()
    ]
    print(table(head, cells))


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:%Y-%m-%d %H:%M:%S}" if hasattr(value, "hour") else str(value)


def _draw(kind: OutcomeKind, campaigns: list[Campaign], folder: str, number: int) -> list[str]:
    """Draw the findings of the highest confidence, the largest first among equals."""
    from odm.catalog.catalog import united

    findings = [
        (row["campaign"], row["source"], finding)
        for row in united(campaigns, kind, ["source", "findings"]).to_pylist()
        for finding in row["findings"]
    ]
    findings.sort(key=lambda found: (-found[2]["confidence"], -found[2][kind.largest], found[1]))
    pictures: dict[tuple[int, str], Picture] = {}
    for campaign, source, finding in findings:
        name = str(finding[kind.shown[0]])
        if (campaign, name) in pictures:  # another layer of the same ionogram
            pictures[campaign, name].findings.append(finding)
        elif len(pictures) < number:
            picture = Picture(campaigns[campaign], source, [finding], "found", name)
            pictures[campaign, name] = picture
    return draw(list(pictures.values()), folder)
