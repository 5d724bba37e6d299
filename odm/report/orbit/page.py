"""The page of a campaign of half-orbits: its rows, pictures and queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from odm.catalog.campaign import Campaign
from odm.catalog.orbit.flown import Flown
from odm.core.progress import progress
from odm.report.orbit.gather import INSIDE, Pictures, Wanted, gather
from odm.report.orbit.page_data import region_columns
from odm.report.shared.options import ReportOptions
from odm.report.shared.pages import (
    Against,
    Page,
    Rows,
    disagreeing,
    page_of,
    rows_of,
    why_no_picture,
)
from odm.report.shared.queue import Queue, review_queue


def orbit_page(
    out: str,
    campaign: Campaign,
    flown: Flown,
    digest: str,
    *,
    options: ReportOptions,
    line: str,
    other: Flown | None = None,
    against: Against | None = None,
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
        against: what the two share.
    """
    found = flown.tables
    rows = rows_of(found, against)
    outlines: Any = flown.outlines
    if other is not None and against is not None:
        outlines = _Chained(outlines, other.outlines.take(against.sides.only_b))
    queue = review_queue(found, disagreeing(found, against), options.each, options.seed)
    archive = options.archive or campaign.card.archive
    why = why_no_picture(options, archive)
    drawn = Pictures() if why else _pictures(out, archive, rows, outlines, queue, options)
    return page_of(
        campaign, found, digest, rows, queue,
        against=against,
        columns=region_columns(rows.findings, rows.sides),
        line=line,
        why=why,
        drawn=drawn,
        others=_magnetic(flown),
    )  # fmt: skip


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
    out: str, archive: str, rows: Rows, outlines: Any, queue: Queue, options: ReportOptions
) -> Pictures:
    """The pictures; the queue's and the surest ones first."""
    queued = set(queue.inputs)
    confidence = rows.findings["confidence"].to_numpy(float)
    order = sorted(
        range(len(rows.ids)), key=lambda row: (rows.owner[row] not in queued, -confidence[row])
    )[: options.pictures]
    facts = rows.findings[["time_start", "time_end", "frequency_min", "frequency_max"]]
    records: list[Mapping[Any, Any]] = list(facts.to_dict("records"))
    wanted = [
        Wanted(row, int(rows.owner[row]), records[row], outlines[row].as_py() or ())
        for row in order
    ]
    whole: dict[int, dict[int, Any]] = {number: {} for number in queue.inputs}
    for row in np.flatnonzero(np.isin(rows.owner, queue.inputs)):
        whole[int(rows.owner[row])][int(row)] = outlines[int(row)].as_py() or ()
    total = len({one.orbit for one in wanted} | set(whole))
    sources = dict(enumerate(rows.sources))
    with progress("drawing", total) as advance:
        return gather(out, archive, sources, wanted, whole, inside=INSIDE, advance=advance)


def _magnetic(flown: Flown) -> list[str]:
    if np.isfinite(flown.regions["dip_angle"].to_numpy(float)).any():
        return []
    return ["The catalog has no magnetic coordinates: what rests on them is empty."]
