"""The page of a campaign of half-orbits: its rows, pictures and queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from odm.archive.files import exists
from odm.catalog.campaign import Campaign
from odm.catalog.flown import Flown
from odm.catalog.outcomes import QUARANTINED
from odm.progress import progress
from odm.report.captions import STATEMENT
from odm.report.comparison import ONLY_B, Sides
from odm.report.gather import INSIDE, Pictures, Wanted, gather
from odm.report.page_data import region_columns
from odm.report.queue import Queue, review_queue

if TYPE_CHECKING:
    import pandas as pd

    from odm.report.report import ReportOptions

_PROBLEMS_SHOWN = 3


@dataclass(frozen=True)
class Page:
    """What `odm.report.html.build_page` takes, and what was noted."""

    title: str
    data: dict[str, Any]
    pictures: dict[str, Any]
    notes: list[str]


@dataclass(frozen=True)
class _Rows:
    """Regions of the page: those of the campaign, then those that only the other has."""

    regions: pd.DataFrame
    outlines: Sequence[Any]
    sources: list[str]
    sides: list[int] | None


def orbit_page(
    out: str,
    campaign: Campaign,
    flown: Flown,
    digest: str,
    *,
    options: ReportOptions,
    line: str,
    other: Flown | None = None,
    sides: Sides | None = None,
) -> Page:
    """Collect what the page shows, and draw its pictures.

    Args:
        out: folder of the page, for pictures beside it.
        campaign: shown.
        flown: its tables.
        digest: of its outcomes: marks belong to these.
        options: of the report.
        line: the caption.
        other: the campaign that it is compared with.
        sides: what the two share.
    """
    rows = _rows(flown, other, sides)
    disagreeing = np.flatnonzero(flown.orbits["identity"].isin(sides.disagreeing if sides else ()))
    queue = review_queue(flown, disagreeing.tolist(), options.each, options.seed)
    archive = options.archive or campaign.card.archive
    drawn, why = _pictures(out, archive, rows, queue, options)
    notes = _notes(flown, drawn, why)
    identities = flown.orbits["identity"].tolist()
    name = campaign.folder.resolve().name
    columns = region_columns(rows.regions, rows.sides)
    data = {
        "id": digest,
        "title": f"What the campaign {name} found",
        "caption": line,
        "statement": STATEMENT,
        "notes": notes,
        "findings": "regions",
        "reviewable": True,
        "no_picture": why or "There is no picture of this one.",
        "model": campaign.card.model.get("digest", ""),
        "against": sides is not None,
        "columns": {
            **columns,
            "orbit": rows.regions["orbit"].tolist(),
            "other": None if rows.sides is None else [side == ONLY_B for side in rows.sides],
        },
        "sources": rows.sources,
        "queue": [
            {"orbit": orbit, "identity": identities[orbit], "stratum": stratum}
            for orbit, stratum in zip(queue.orbits, queue.strata, strict=True)
        ],
        "strata": dict(queue.population),
    }
    return Page(f"{name}: report", data, {"regions": drawn.regions, "orbits": drawn.orbits}, notes)


def _rows(flown: Flown, other: Flown | None, sides: Sides | None) -> _Rows:
    sources = flown.orbits["source"].tolist()
    outlines: Any = flown.outlines
    if other is None or sides is None:
        return _Rows(flown.regions, outlines, sources, None)
    import pandas as pd

    more = other.regions.iloc[sides.only_b]
    place = {one: number for number, one in enumerate(flown.orbits["identity"])}
    orbits = []
    for row in more["orbit"]:
        identity = other.orbits["identity"].iloc[row]
        if identity not in place:  # the campaign has no outcome of it
            place[identity] = len(sources)
            sources.append(other.orbits["source"].iloc[row])
        orbits.append(place[identity])
    regions = pd.concat([flown.regions, more.assign(orbit=orbits)], ignore_index=True)
    both = _Chained(outlines, other.outlines.take(sides.only_b))
    return _Rows(regions, both, sources, [*sides.of_a.tolist(), *[ONLY_B] * len(more)])


class _Chained(Sequence[Any]):
    """Two sequences as one, without making their items."""

    def __init__(self, first: Any, second: Any) -> None:
        self.first, self.second = first, second

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def __getitem__(self, place: Any) -> Any:
        ahead = len(self.first)
        return self.first[place] if place < ahead else self.second[place - ahead]


def _pictures(
    out: str,
    archive: str,
    rows: _Rows,
    queue: Queue,
    options: ReportOptions,
) -> tuple[Pictures, str]:
    """The pictures, and why there is none of some; the queue's and the surest ones first."""
    if options.pictures == 0:
        return Pictures(), "Pictures were not asked for when this report was made."
    if not len(rows.sources):
        return Pictures(), ""
    if not exists(archive):
        return Pictures(), (
            f"There are no pictures: the archive {archive} was not there when this report was made."
        )
    queued = set(queue.orbits)
    confidence = rows.regions["confidence"].to_numpy(float)
    orbit = rows.regions["orbit"].to_numpy()
    order = sorted(
        range(len(rows.regions)), key=lambda row: (orbit[row] not in queued, -confidence[row])
    )[: options.pictures]
    facts = rows.regions[["time_start", "time_end", "frequency_min", "frequency_max"]]
    records: list[Mapping[Any, Any]] = list(facts.to_dict("records"))
    wanted = [
        Wanted(row, int(orbit[row]), records[row], rows.outlines[row].as_py() or ())
        for row in order
    ]
    whole: dict[int, list[Any]] = {number: [] for number in queue.orbits}
    for row in np.flatnonzero(np.isin(orbit, queue.orbits)):
        whole[int(orbit[row])].append(rows.outlines[int(row)].as_py() or ())
    total = len({one.orbit for one in wanted} | set(whole))
    sources = dict(enumerate(rows.sources))
    with progress("drawing", total) as advance:
        drawn = gather(out, archive, sources, wanted, whole, inside=INSIDE, advance=advance)
    return drawn, "There is no picture of this one: see the notes above." if drawn.problems else ""


def _notes(flown: Flown, drawn: Pictures, why: str) -> list[str]:
    notes = []
    bad = int((flown.orbits["status"] == QUARANTINED).sum())
    if not len(flown.orbits):
        notes.append("This campaign holds no outcome yet: there is nothing to show.")
    elif bad == len(flown.orbits):
        notes.append(f"All {bad} half-orbits of this campaign are quarantined: none was searched.")
    elif not len(flown.regions):
        notes.append("Nothing was found in the half-orbits that were searched.")
    elif not np.isfinite(flown.regions["dip_angle"].to_numpy(float)).any():
        notes.append("The catalog has no magnetic coordinates: what rests on them is empty.")
    if bad and bad < len(flown.orbits):
        notes.append(f"{bad} of {len(flown.orbits)} half-orbits are quarantined; see inputs.csv.")
    if why and not drawn.regions and len(flown.regions):
        notes.append(why)
    if drawn.problems:
        shown = "; ".join(drawn.problems[:_PROBLEMS_SHOWN])
        more = len(drawn.problems) - _PROBLEMS_SHOWN
        rest = f"; and {more} more" if more > 0 else ""
        notes.append(f"{len(drawn.problems)} half-orbits could not be drawn: {shown}{rest}.")
    return notes
