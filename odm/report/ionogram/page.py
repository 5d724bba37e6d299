"""The page of a campaign of ionograms: timelines of its layers, and each in its ionogram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from odm.catalog.activity import utc
from odm.catalog.campaign import Campaign
from odm.catalog.findings import CampaignTables
from odm.report.ionogram.pictures import gather_ionograms
from odm.report.orbit.gather import Pictures
from odm.report.orbit.page_data import category, flag_bits, rounded, side_category
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

if TYPE_CHECKING:
    import pandas as pd

FLAGS = ("band_edge", "range_edge", "gap", "other_convention")
_LINKS = 12
_DIGITS = {
    "frequency_min": 0, "frequency_max": 0, "range_min": 1, "range_max": 1,
    "minimum_group_range": 1, "edge_frequency_max": 0, "confidence": 4,
}  # fmt: skip
_SHOWN = {
    "colour": "layer",
    "map": False,
    "timeline": [
        {"y": "minimum_group_range", "label": "minimum group range, km"},
        {"y": "edge_frequency_max", "label": "highest frequency, MHz", "scale": 1e-6},
    ],
    "hollow": {"category": "edge", "value": "none",
               "label": "no leading edge, its box stands in"},
    "histograms": [
        {"column": "time", "label": "time (UTC)", "bins": 48, "time": True},
        {"column": "hour", "label": "hour (UTC)", "edges": [0, 24, 1]},
        {"column": "minimum_group_range", "label": "minimum group range, km", "bins": 40},
        {"column": "edge_frequency_max", "label": "highest frequency, MHz", "scale": 1e-6,
         "bins": 40},
        {"column": "confidence", "label": "confidence", "edges": [0, 1, 0.025]},
    ],
    "table": [
        {"column": "time", "label": "time", "kind": "time"},
        {"column": "layer", "label": "layer", "kind": "category"},
        {"column": "minimum_group_range", "label": "least km", "digits": 0},
        {"column": "edge_frequency_max", "label": "to MHz", "scale": 1e-6, "digits": 2},
        {"column": "frequency_min", "label": "from MHz", "scale": 1e-6, "digits": 2},
        {"column": "range_max", "label": "to km", "digits": 0},
        {"column": "confidence", "label": "conf.", "digits": 3},
    ],
    "details": [
        {"column": "minimum_group_range", "label": "minimum group range", "digits": 0,
         "unit": "km"},
        {"column": "edge_frequency_max", "label": "highest frequency", "scale": 1e-6, "digits": 2,
         "unit": "MHz"},
        {"column": "frequency_min", "label": "box, lowest", "scale": 1e-6, "digits": 2,
         "unit": "MHz"},
        {"column": "frequency_max", "label": "box, highest", "scale": 1e-6, "digits": 2,
         "unit": "MHz"},
        {"column": "range_min", "label": "box, nearest", "digits": 0, "unit": "km"},
        {"column": "range_max", "label": "box, furthest", "digits": 0, "unit": "km"},
        {"column": "confidence", "label": "confidence", "digits": 3, "unit": ""},
    ],
}  # fmt: skip


def ionogram_page(
    out: str,
    campaign: Campaign,
    found: CampaignTables,
    digest: str,
    *,
    options: ReportOptions,
    line: str,
    names: Sequence[str],
    against: Against | None = None,
    undated: int = 0,
) -> Page:
    """Collect what the page shows, and draw its pictures.

    Args:
        out: folder of the page, for pictures beside it.
        campaign: shown.
        found: its layers, as `odm.report.ionogram.report.found_layers` gives them.
        digest: of its outcomes: marks belong to these.
        options: of the report.
        line: the caption.
        names: of the layers.
        against: the campaign that it is compared with.
        undated: how many of the ionograms that were searched have no time.
    """
    rows = rows_of(found, against)
    queue = review_queue(found, disagreeing(found, against), options.each, options.seed)
    archive = options.archive or campaign.card.archive
    why = why_no_picture(options, archive)
    drawn = Pictures() if why else _pictures(out, archive, rows, queue, options)
    return page_of(
        campaign, found, digest, rows, queue,
        against=against,
        columns=_columns(rows.findings, rows.sides, names),
        line=line,
        why=why,
        drawn=drawn,
        others=_notes(found, undated),
        layers=names,
    )  # fmt: skip


def _notes(found: CampaignTables, undated: int) -> list[str]:
    boxes = int((~found.findings["has_edge"]).sum())
    facts = (
        (boxes, f"of {len(found.findings)} layers have no leading edge: their box stands in."),
        (undated, "ionograms have no time: they count in no hour and no day."),
    )
    return [f"{number} {text}" for number, text in facts if number]


def _columns(
    layers: pd.DataFrame, sides: Sequence[int] | None, names: Sequence[str]
) -> dict[str, Any]:
    times = utc(layers["time"])
    seconds = times.astype("datetime64[ms]").astype(np.int64) / 1000
    seconds[np.isnat(times)] = np.nan
    numbers = {name: rounded(layers[name].to_numpy(float), digits)
               for name, digits in _DIGITS.items()}  # fmt: skip
    edge = layers["has_edge"].map({True: "found", False: "none"})
    conventions = sorted(set(layers["range_convention"].dropna()))
    categories = {
        "layer": category("layer", layers["layer"], names),
        "edge": category("leading edge", edge, ("found", "none")),
        "link": _links(layers["link"]),
        "range_convention": category("ranges", layers["range_convention"], conventions),
    }
    if sides is not None:
        categories["side"] = side_category(sides)
    return {
        "numbers": {
            **numbers,
            "time": rounded(seconds, 3),
            "hour": rounded(seconds % 86400 / 3600, 3),
        },
        "categories": categories,
        "flags": flag_bits(layers["flags"], FLAGS),
        "shown": _SHOWN,
    }


def _links(column: pd.Series) -> dict[str, Any]:
    """The links with the most layers by name, the others together; "unknown" has no name."""
    links = column.fillna("").replace("", "unknown")
    counts = links.value_counts()
    names = sorted(counts.index[:_LINKS])
    if len(counts) <= _LINKS:
        return category("link", links, names)
    others = "other links"
    return category("link", links.where(links.isin(names), others), [*names, others])


def _pictures(out: str, archive: str, rows: Rows, queue: Queue, options: ReportOptions) -> Pictures:
    """Ionograms: those of the queue first, then those of the surest layers."""
    confidence = rows.findings["confidence"].to_numpy(float)
    order = np.argsort(-confidence, kind="stable")[: options.pictures]
    wanted: dict[int, dict[int, Any]] = {number: {} for number in queue.inputs}
    wanted |= {int(rows.owner[row]): {} for row in order if int(rows.owner[row]) not in wanted}
    for row, layer in enumerate(rows.findings.to_dict("records")):
        number = int(rows.owner[row])
        if number in wanted:
            wanted[number][row] = layer
    return gather_ionograms(out, archive, rows.sources, wanted)
