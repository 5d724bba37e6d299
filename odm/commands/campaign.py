"""`odm status`, `odm compact` and `odm diff`: what campaigns hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from odm.commands.findings import Picture, draw
from odm.commands.options import AsJson, print_json
from odm.core.text import table

if TYPE_CHECKING:
    from odm.catalog.campaign import Campaign
    from odm.catalog.compare import Comparison

REASONS_SHOWN = 12


def status(
    campaign: Annotated[str, typer.Argument(help="Folder of a campaign.")],
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


def compact(campaign: Annotated[str, typer.Argument(help="Folder of a campaign.")]) -> None:
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
    a: Annotated[str, typer.Argument(help="Folder of a campaign.")],
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
        drawn = _draw({"a": first, "b": second}, comparison, pictures, number)
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


def _draw(
    campaigns: dict[str, Campaign], comparison: Comparison, folder: str, number: int
) -> list[str]:
    """Draw the largest findings that only one campaign has."""
    largest = comparison.largest_first([*comparison.only_a, *comparison.only_b])
    pictures = [
        Picture(
            campaign=campaigns[unmatched.side],
            source=unmatched.source,
            findings=[unmatched.finding],
            label=f"only in {unmatched.side}: {campaigns[unmatched.side].folder.name}",
            name=f"only_in_{unmatched.side}_{unmatched.finding[comparison.kind.shown[0]]}",
        )
        for unmatched in largest[:number]
    ]
    return draw(pictures, folder)
