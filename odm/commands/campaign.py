"""`odm status`, `odm compact` and `odm diff`: what campaigns hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from odm.commands.findings import Wanted, describe, draw
from odm.commands.options import AsJson
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
    import json

    import pyarrow.compute as pc

    from odm.catalog.campaign import load_campaign
    from odm.catalog.kinds import kind_of, list_inputs
    from odm.catalog.outcomes import QUARANTINED
    from odm.catalog.selection import status_counts
    from odm.core.errors import OdmError

    one = load_campaign(campaign)
    kind = kind_of(one.card.kind)
    outcomes = one.outcomes(["source", "reason"])
    note = ""
    try:
        listed = [found.identity for found in list_inputs(kind.name, one.card.archive).inputs]
    except OdmError as error:
        listed, note = None, f"the archive cannot be listed: {error}"
    counts = status_counts(outcomes, listed)
    bad: dict[str, str] = {}
    if outcomes.num_rows:
        quarantined = outcomes.filter(pc.equal(outcomes["status"], QUARANTINED))
        bad = {row["source"]: row["reason"] for row in quarantined.to_pylist()}
    if json_:
        facts = {
            **counts,
            "archive": one.card.archive,
            "model": dict(one.card.model),
            "settings": dict(one.card.settings),
            "reasons": bad,
            **({"note": note} if note else {}),
        }
        print(json.dumps(facts, indent=2))
        return
    pending = "unknown" if counts["pending"] is None else counts["pending"]
    print(
        f"{campaign}: {kind.inputs} of {one.card.archive} by {one.card.model['architecture']} "
        f"{one.card.model['digest'][:12]}"
    )
    print(
        f"{counts['detected']} detected, {counts['clear']} clear, {counts['quarantined']} "
        f"quarantined, {pending} pending"
    )
    for source, reason in list(bad.items())[:REASONS_SHOWN]:
        print(f"  quarantined: {source}: {reason}")
    if len(bad) > REASONS_SHOWN:
        print(f"  and {len(bad) - REASONS_SHOWN} more: odm status {campaign} --json")
    if note:
        typer.echo(f"note: {note}", err=True)


def compact(campaign: Annotated[str, typer.Argument(help="Folder of a campaign.")]) -> None:
    """Put the outcomes of a campaign into few files; what they say stays the same.

    Example: odm compact campaign
    """
    from odm.catalog.campaign import load_campaign
    from odm.catalog.parts import compact as compact_parts

    one = load_campaign(campaign)
    with one.lock():
        before, after = compact_parts(one.parts)
        one.log("compact", before=before, after=after)
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
    import json

    from odm.catalog.campaign import load_campaign
    from odm.catalog.compare import compare
    from odm.core.errors import InputError

    one, other = load_campaign(a), load_campaign(b)
    if one.card.kind != other.card.kind:
        raise InputError(f"{a} is of {one.card.kind} and {b} of {other.card.kind}")
    comparison = compare(one, other)
    drawn: list[str] = []
    if pictures is not None:
        drawn = _draw({"a": one, "b": other}, comparison, pictures, number)
    if json_:
        facts = {"a": a, "b": b, "settings": one.card.differences(other.card)}
        print(json.dumps({**facts, **comparison.to_dict(), "pictures": drawn}, indent=2))
        return
    _print(one, other, comparison, number)
    for path in drawn:
        print(f"picture: {path}")


def _print(one: Campaign, other: Campaign, comparison: Comparison, number: int) -> None:
    for difference in one.card.differences(other.card):
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
    for name, found in (("a", comparison.only_a), ("b", comparison.only_b)):
        for unmatched in found[:number]:
            print(f"  only in {name}: {describe(comparison.kind, unmatched.finding)}")


def _draw(
    campaigns: dict[str, Campaign], comparison: Comparison, folder: str, number: int
) -> list[str]:
    """Pictures of the largest findings that only one campaign has."""
    kind = comparison.kind
    largest = sorted(
        [*comparison.only_a, *comparison.only_b],
        key=lambda one: (-one.finding[kind.largest], one.finding[kind.shown[0]]),
    )
    wanted = [
        Wanted(
            campaign=campaigns[one.side],
            source=one.source,
            findings=[one.finding],
            label=f"only in {one.side}: {campaigns[one.side].folder.name}",
            name=f"only_in_{one.side}_{one.finding[kind.shown[0]]}",
        )
        for one in largest[:number]
    ]
    return draw(kind, wanted, folder)
