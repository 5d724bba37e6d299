"""What the pages of all kinds of campaigns share: their rows, their queue and what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from odm.catalog.campaign import Campaign
from odm.catalog.findings import CampaignTables
from odm.catalog.outcomes import QUARANTINED
from odm.core.files import exists
from odm.report.orbit.gather import Pictures
from odm.report.shared.captions import STATEMENT
from odm.report.shared.options import ReportOptions
from odm.report.shared.queue import Queue
from odm.report.shared.sides import ONLY_B, Sides

if TYPE_CHECKING:
    import pandas as pd

_PROBLEMS_SHOWN = 3
SINGULAR = {"half-orbits": "half-orbit", "ionograms": "ionogram"}


@dataclass(frozen=True)
class Page:
    """What `odm.report.shared.html.build_page` takes, and what was noted."""

    title: str
    data: dict[str, Any]
    pictures: dict[str, Any]
    notes: list[str]


@dataclass(frozen=True)
class Against:
    """The campaign that a page compares with: what it found, what is shared, its outcomes."""

    found: CampaignTables
    sides: Sides
    fingerprint: str


@dataclass(frozen=True)
class Rows:
    """Findings of the page: those of the campaign, then those that only the other has.

    Attributes:
        findings: a row each.
        owner: (findings,) the row in ``identities`` and ``sources`` that each is from.
        ids: what each is called in its campaign.
        identities, sources: of the inputs.
        sides: an index into `odm.report.shared.sides.SIDES` for each finding; None where nothing is
            compared.
    """

    findings: pd.DataFrame
    owner: NDArray[np.intp]
    ids: list[str]
    identities: list[str]
    sources: list[str]
    sides: list[int] | None = None


def rows_of(found: CampaignTables, against: Against | None) -> Rows:
    """The rows of a page."""
    identities, sources = (found.inputs[name].tolist() for name in ("identity", "source"))
    if against is None:
        return Rows(found.findings, found.owner, found.ids, identities, sources)
    import pandas as pd

    other, only_b = against.found, against.sides.only_b
    place = {one: number for number, one in enumerate(identities)}
    more = [place[one] for one in other.identities[only_b]]
    ids = other.ids
    return Rows(
        findings=pd.concat([found.findings, other.findings.iloc[only_b]], ignore_index=True),
        owner=np.concatenate([found.owner, np.array(more, dtype=np.intp)]),
        ids=[*found.ids, *(ids[row] for row in only_b)],
        identities=identities,
        sources=sources,
        sides=[*against.sides.of_a.tolist(), *[ONLY_B] * len(only_b)],
    )


def page_of(
    campaign: Campaign,
    found: CampaignTables,
    digest: str,
    rows: Rows,
    queue: Queue,
    *,
    against: Against | None,
    columns: Mapping[str, Any],
    line: str,
    why: str,
    drawn: Pictures,
    others: Sequence[str],
    layers: Sequence[str] = (),
) -> Page:
    """The page as the program in it reads it.

    Args:
        campaign: shown.
        found: what it found.
        digest: of its outcomes: marks belong to these.
        rows: of the page.
        queue: of inputs to review.
        against: what it is compared with.
        columns: how findings are shown; see `odm.report.orbit.page_data.region_columns`.
        line: the caption.
        why: there is no picture at all; see `why_no_picture`.
        drawn: the pictures.
        others: notes of this kind of campaign, for where something was found.
        layers: what a person may draw; of half-orbits there is only one thing.
    """
    name = campaign.folder.resolve().name
    inputs = found.kind.inputs
    notes = _notes(found, why, drawn.problems, others)
    see = "There is no picture of this one" + (": see the notes above." if drawn.problems else ".")
    data = {
        "id": digest,
        "kind": found.kind.name,
        "title": f"What the campaign {name} found",
        "caption": line,
        "statement": STATEMENT,
        "notes": notes,
        "findings": found.kind.findings,
        "inputs": inputs,
        "input": SINGULAR.get(inputs, inputs),
        "layers": list(layers),
        "no_picture": why or see,
        "model": campaign.card.model.get("digest", ""),
        "against": "" if against is None else against.fingerprint,
        "columns": {
            **columns,
            "n": len(rows.ids),
            "ids": rows.ids,
            "orbit": rows.owner.tolist(),
            "other": None if rows.sides is None else [side == ONLY_B for side in rows.sides],
        },
        "sources": rows.sources,
        "queue": [
            {"orbit": place, "identity": rows.identities[place], "stratum": stratum}
            for place, stratum in zip(queue.inputs, queue.strata, strict=True)
        ],
        "strata": dict(queue.population),
    }
    pictures = {"regions": drawn.regions, "orbits": drawn.orbits}
    return Page(f"{name}: report", data, pictures, notes)


def disagreeing(found: CampaignTables, against: Against | None) -> list[int]:
    """Rows of inputs in which the two campaigns found different things."""
    names = against.sides.disagreeing if against else frozenset[str]()
    return np.flatnonzero(found.inputs["identity"].isin(names)).tolist()


def why_no_picture(options: ReportOptions, archive: str) -> str:
    """Why no picture can be drawn at all; empty where it can be tried."""
    if options.pictures == 0:
        return "Pictures were not asked for when this report was made."
    if not exists(archive):
        return f"There are no pictures: the archive {archive} was not there when this was made."
    return ""


def _notes(
    found: CampaignTables, why: str, problems: Sequence[str], others: Sequence[str]
) -> list[str]:
    """What a reader should know: what is missing, and why."""
    inputs = found.kind.inputs
    total = len(found.inputs)
    bad = int((found.inputs["status"] == QUARANTINED).sum())
    notes = []
    if not total:
        notes.append("This campaign holds no outcome yet: there is nothing to show.")
    elif bad == total:
        notes.append(f"All {bad} {inputs} of this campaign are quarantined: none was searched.")
    elif not len(found.findings):
        notes.append(f"Nothing was found in the {inputs} that were searched.")
    else:
        notes += others
    if bad and bad < total:
        notes.append(f"{bad} of {total} {inputs} are quarantined; see inputs.csv.")
    if why and bad < total:
        notes.append(why)
    if problems:
        shown = "; ".join(problems[:_PROBLEMS_SHOWN])
        more = len(problems) - _PROBLEMS_SHOWN
        rest = f"; and {more} more" if more > 0 else ""
        notes.append(f"{len(problems)} {inputs} could not be drawn: {shown}{rest}.")
    return notes
