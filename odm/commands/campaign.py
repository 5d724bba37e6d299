"""`odm status`, `odm catalog`, `odm diff` and `odm compact`: what campaigns hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odm.commands.options import AsJson, CampaignFolder, print_json
from odm.core.text import table

if TYPE_CHECKING:
    import pyarrow as pa

    from odm.catalog.campaign import Campaign
    from odm.catalog.compare import Comparison
    from odm.catalog.outcomes import OutcomeKind

REASONS_SHOWN = 12


@dataclass(frozen=True)
class Picture:
    """A picture to be drawn.

    Attributes:
        campaign: campaign of the findings.
        source: file of the input, relative to the campaign's archive.
        findings: rows of findings of this input.
        label: what the findings are.
        name: file name of the picture, without an extension.
    """

    campaign: Campaign
    source: str
    findings: list[Mapping[str, Any]]
    label: str
    name: str


def status(
    campaign: CampaignFolder,
    json_: AsJson = False,
) -> None:
    """Print how far a campaign is, and why inputs are quarantined.

    Pending are the inputs that its archive holds now and that have no outcome.

    Example: odm status campaign --json
    """
    import pyarrow.compute as pc

    from odm.catalog.campaign import load_campaign
    from odm.catalog.kinds import kind_of, list_inputs
    from odm.catalog.outcomes import QUARANTINED
    from odm.catalog.selection import status_counts
    from odm.core.errors import OdmError

    opened = load_campaign(campaign)
    card, kind = opened.card, kind_of(opened.card.kind)
    outcomes = opened.outcomes(["source", "reason"])
    note = ""
    try:
        listed = [input.identity for input in list_inputs(kind.name, card.archive).inputs]
    except OdmError as error:
        listed, note = None, f"the archive cannot be listed: {error}"
    counts = status_counts(outcomes, listed)
    reasons: dict[str, str] = {}
    if outcomes.num_rows:
        quarantined = outcomes.filter(pc.equal(outcomes["status"], QUARANTINED))
        reasons = {row["source"]: row["reason"] for row in quarantined.to_pylist()}
    if json_:
        facts = {
            **counts,
            "archive": card.archive,
            "model": dict(card.model),
            "settings": dict(card.settings),
            "reasons": reasons,
        }
        print_json(facts | ({"note": note} if note else {}))
        return
    pending = "unknown" if counts["pending"] is None else counts["pending"]
    print(
        f"{campaign}: {kind.inputs} of {card.archive} by {card.model['architecture']} "
        f"{card.model['digest'][:12]}"
    )
    print(
        f"{counts['detected']} detected, {counts['clear']} clear, {counts['quarantined']} "
        f"quarantined, {pending} pending"
    )
    for source, reason in list(reasons.items())[:REASONS_SHOWN]:
        print(f"  quarantined: {source}: {reason}")
    if len(reasons) > REASONS_SHOWN:
        print(f"  and {len(reasons) - REASONS_SHOWN} more: odm status {campaign} --json")
    if note:
        typer.echo(f"note: {note}", err=True)


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
    from odm.catalog.campaign import load_campaign
    from odm.catalog.catalog import build_catalog, check_format, write_catalog
    from odm.catalog.kinds import kind_of

    check_format(out)
    opened = [load_campaign(folder) for folder in campaigns]
    kind = kind_of(opened[0].card.kind)
    findings = build_catalog(opened, kind)
    write_catalog(out, findings)
    drawn = [] if pictures is None else _draw(_surest(kind, opened, number), pictures)
    inputs = int((findings.schema.metadata or {}).get(b"inputs", b"0"))
    if json_:
        facts = {"out": out, kind.findings: findings.num_rows, "inputs": inputs, "pictures": drawn}
        print_json(facts)
        return
    print(f"{out}: {findings.num_rows} {kind.findings} from {inputs} {kind.inputs}")
    if show:
        _show(kind, findings, show)
    for path in drawn:
        print(f"picture: {path}")


def compact(campaign: CampaignFolder) -> None:
    """Put the outcomes of a campaign into few files; what they say stays the same.

    Example: odm compact campaign
    """
    from odm.catalog.campaign import load_campaign
    from odm.catalog.parts import compact as compact_parts

    opened = load_campaign(campaign)
    with opened.lock():
        before, after = compact_parts(opened.parts)
        opened.log("compact", before=before, after=after)
    print(f"{campaign}: {before} part files became {after}")


def diff(
    a: CampaignFolder,
    b: Annotated[str, typer.Argument(help="Folder of another.")],
    pictures: Annotated[
        str | None, typer.Option(help="Folder for pictures of the largest disagreements.")
    ] = None,
    number: Annotated[int, typer.Option(help="Pictures, and rows shown.", min=0)] = 6,
    json_: AsJson = False,
) -> None:
    """Compare two campaigns: what one found and the other did not.

    Two regions are one where their boxes in time and frequency overlap by a quarter; two layers of
    one class, where their boxes in frequency and range do.

    Example: odm diff campaign-old campaign-new --pictures disagreements
    """
    from odm.catalog.campaign import load_campaign
    from odm.catalog.compare import compare
    from odm.core.errors import InputError

    first, second = load_campaign(a), load_campaign(b)
    if first.card.kind != second.card.kind:
        raise InputError(f"{a} is of {first.card.kind} and {b} of {second.card.kind}")
    comparison = compare(first, second)
    drawn: list[str] = []
    if pictures is not None:
        drawn = _draw(_largest({"a": first, "b": second}, comparison, number), pictures)
    differences = first.card.differences(second.card)
    if json_:
        facts = {"a": a, "b": b, "settings": differences}
        print_json({**facts, **comparison.to_dict(), "pictures": drawn})
        return
    _print(differences, comparison, number)
    for path in drawn:
        print(f"picture: {path}")


def _print(differences: list[str], comparison: Comparison, number: int) -> None:
    from odm.core.kinds import KINDS

    for difference in differences:
        print(f"{difference.replace(' there and ', ' in a and ').replace(' here', ' in b')}")
    if comparison.equal:
        print(f"no difference ({sum(comparison.statuses.values())} inputs)")
        return
    statuses = sorted(comparison.statuses.items())
    print(table(["in a", "in b", "inputs"], [(a, b, count) for (a, b), count in statuses]))
    print(
        f"{comparison.kind.findings}: {comparison.matched} in both, {len(comparison.only_a)} only "
        f"in a, {len(comparison.only_b)} only in b; agreement {comparison.agreement:.3f}"
    )
    shown = comparison.differing[:number]
    print(f"{len(comparison.differing)} inputs differ, such as {', '.join(shown)}")
    describe = KINDS.find(comparison.kind.name).load("describe")
    for unmatched in (*comparison.only_a[:number], *comparison.only_b[:number]):
        print(f"  only in {unmatched.side}: {describe(unmatched.finding)}")


def _largest(campaigns: dict[str, Campaign], comparison: Comparison, number: int) -> list[Picture]:
    """Return pictures of the largest findings that only one campaign has."""
    largest = comparison.largest_first([*comparison.only_a, *comparison.only_b])
    return [
        Picture(
            campaign=campaigns[unmatched.side],
            source=unmatched.source,
            findings=[unmatched.finding],
            label=f"only in {unmatched.side}: {campaigns[unmatched.side].folder.name}",
            name=f"only_in_{unmatched.side}_{unmatched.finding[comparison.kind.shown[0]]}",
        )
        for unmatched in largest[:number]
    ]


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


def _surest(kind: OutcomeKind, campaigns: list[Campaign], number: int) -> list[Picture]:
    """Return pictures of the findings of the highest confidence, the largest first among equals."""
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
    return list(pictures.values())


def _draw(pictures: Sequence[Picture], folder: str) -> list[str]:
    """Draw pictures, and note inputs that cannot be read any more.

    Returns:
        Paths of the pictures.
    """
    from odm.core.errors import OdmError
    from odm.core.files import join
    from odm.core.kinds import KINDS

    drawn: list[str] = []
    for picture in pictures:
        name = picture.name.replace("/", "_")  # an ionogram may be called by its path
        paths = (join(folder, f"{name}{end}.png") for end in ("", *(f"_{n}" for n in range(2, 99))))
        path = next(path for path in paths if path not in drawn)
        card = picture.campaign.card
        draw_findings = KINDS.find(card.kind).load("picture")
        try:
            draw_findings(path, card.archive, picture.source, picture.findings, picture.label)
        except OdmError as error:
            typer.echo(f"note: no picture: {error}", err=True)
        else:
            drawn.append(path)
    return drawn
