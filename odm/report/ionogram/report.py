"""Write a report on a campaign of ionograms: occurrence of layers, edges over time, a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from odm.catalog.campaign import Campaign
from odm.catalog.findings import CampaignTables, flattened, frame
from odm.catalog.ionogram.inputs import IONOGRAMS
from odm.catalog.ionogram.statistics import (
    EDGE_VALUES,
    edges_or_boxes,
    layer_names,
    layer_statistics,
)
from odm.catalog.outcomes import QUARANTINED
from odm.core.files import as_local, join, make_folder, write_bytes
from odm.report.ionogram.figures import comparison, edges, occurrence
from odm.report.ionogram.page import ionogram_page
from odm.report.orbit.figures import write_captioned
from odm.report.orbit.report import SHEET, check_kind, to_json
from odm.report.shared.captions import STATEMENT, caption
from odm.report.shared.earlier import PAGE, PROVENANCE, earlier_report, pictures_in
from odm.report.shared.html import build_page
from odm.report.shared.options import ReportOptions, Written
from odm.report.shared.pages import Against
from odm.report.shared.provenance import FINGERPRINT_COLUMNS, fingerprint, inputs_csv, provenance
from odm.report.shared.sides import Sides, Where, by_side, comparison_sheet, sides_of
from odm.report.shared.tables import to_csv

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("identity", "source", "status", "reason", "time", "findings")
_WHERE = (
    Where("hour", "hour", edges=np.arange(0, 25, 3.0), unit="h UTC"),
    Where("highest_frequency", "frequency_max", edges=np.arange(0, 34e6, 3e6), unit="MHz",
          scale=1e-6),
    Where("nearest_range", "range_min", edges=np.arange(0, 5001, 500.0), unit="km"),
)  # fmt: skip


def write_ionogram_report(
    campaign: Campaign, out: str, against: Campaign | None, options: ReportOptions
) -> Written:
    """Write a report into a folder; see `odm.report.orbit.report.write_report`.

    Raises:
        InputError: not ionograms, or no place to write.
    """
    check_kind(IONOGRAMS, campaign, against)
    names = layer_names(campaign, against)
    folder = str(as_local(out))
    make_folder(folder)
    earlier = earlier_report(folder)
    outcomes = campaign.outcomes([*_COLUMNS, *FINGERPRINT_COLUMNS])
    found = found_layers(outcomes)
    layers, ionograms = found.findings, found.inputs
    searched = ionograms[ionograms["status"] != QUARANTINED]
    sheet = layer_statistics(
        layers.assign(ionogram_id=found.identities, **_edge_only(layers)),
        searched.rename(columns={"identity": "ionogram_id"}),
        options.indices,
        names,
    )
    line = caption(campaign, f"{len(searched)} ionograms", against, options.remark)
    figures = {}
    if options.figures:
        figures = {"occurrence": occurrence(sheet), "edges": edges(layers, names)}
    compared = None
    if against is not None:
        compared, sheet["comparison"] = _beside(campaign, against, found, names)
        if options.figures:
            tables = by_side((found, compared.found), compared.sides)
            figures["comparison"] = comparison(tables)
    page = ionogram_page(
        folder, campaign, found, fingerprint(outcomes), options=options, line=line, names=names,
        against=compared, undated=sheet["without_time"],
    )  # fmt: skip
    texts = {
        PAGE: build_page(page.title, page.data, page.pictures),
        "occurrence.csv": _occurrence_csv(sheet, [one.name for one in options.indices]),
        "edges.csv": _edges_csv(layers.assign(ionogram_id=found.identities)),
        "inputs.csv": inputs_csv(outcomes),
    }
    files = list(texts)
    for name, figure in figures.items():
        write_captioned(folder, name, figure, line)
        files += [f"{name}.png", f"{name}.pdf"]
    about = {"campaign": campaign.card.to_dict(), "statement": STATEMENT, "notes": page.notes}
    texts[SHEET] = to_json({**about, **sheet})
    files += [SHEET, PROVENANCE]
    days = {"inputs": {end: sheet[end] for end in ("first", "last")}}
    joined = options.context | ({"against": compared.fingerprint} if compared else {})
    texts[PROVENANCE] = to_json(provenance(campaign, outcomes, days, files, joined))
    for name, text in texts.items():
        write_bytes(join(folder, name), text.encode())
    removed = earlier.remove_all_but([*files, *pictures_in(texts[PAGE])])
    summary = f"{len(layers)} layers in {len(searched)} ionograms"
    return Written(files, [*page.notes, *removed], sheet, summary)


def found_layers(outcomes: pa.Table) -> CampaignTables:
    """Layers, with edges or what stands in, ``has_edge`` and ``hour`` (UTC); and ionograms."""
    if not outcomes.num_rows:
        outcomes = IONOGRAMS.schema.empty_table()
    ionograms = outcomes.select(_COLUMNS[:-1]).to_pandas()
    found, owner = flattened(outcomes["findings"])
    layers = edges_or_boxes(frame(found, [field.name for field in IONOGRAMS.finding]))
    layers["hour"] = layers["time"].dt.hour + layers["time"].dt.minute / 60
    return CampaignTables(IONOGRAMS, layers, ionograms, owner)


def _beside(
    campaign: Campaign, against: Campaign, found: CampaignTables, names: Sequence[str]
) -> tuple[Against, dict[str, Any]]:
    """The campaign that this one is compared with, and what changed."""
    outcomes = against.outcomes([*_COLUMNS, *FINGERPRINT_COLUMNS])
    other = found_layers(outcomes)
    pair, sides = (found, other), sides_of(found, other)
    where = (Where("layer", "layer", names), *_WHERE)
    sheet = comparison_sheet((campaign, against), pair, sides, where, _shifts(pair, sides))
    return Against(other, sides, fingerprint(outcomes)), sheet


def _edge_only(layers: pd.DataFrame) -> dict[str, Any]:
    """Values of edges, unknown where a box stands in."""
    return {name: layers[name].where(layers["has_edge"]) for name in EDGE_VALUES}


def _shifts(found: tuple[CampaignTables, CampaignTables], sides: Sides) -> dict[str, Any]:
    """How much the edges of layers that both have differ: quartiles of b less a."""
    facts: dict[str, Any] = {}
    a = found[0].findings.iloc[sides.pairs[:, 0]].reset_index(drop=True)
    b = found[1].findings.iloc[sides.pairs[:, 1]].reset_index(drop=True)
    both = (a["has_edge"].astype(bool) & b["has_edge"].astype(bool)).to_numpy(dtype=bool)
    facts["with_edges_in_both"] = int(both.sum())
    for name in EDGE_VALUES:
        apart = (b[name].to_numpy(dtype=float) - a[name].to_numpy(dtype=float))[both]
        facts[f"{name}_b_less_a"] = (
            np.percentile(apart, (25, 50, 75)).tolist() if apart.size else None
        )
    return facts


def _occurrence_csv(sheet: Mapping[str, Any], indices: Sequence[str]) -> str:
    tables = ("by_hour", "by_day", *(f"by_{name}" for name in indices))
    rows = [
        [layer, table, row["value"], row["ionograms"], row["of"], row["share"],
         *(row["interval"] or (None, None))]
        for layer, facts in sheet["layers"].items()
        for table in tables for row in facts[table]
    ]  # fmt: skip
    return to_csv(["layer", "table", "value", "ionograms", "of", "share", "low", "high"], rows)


def _edges_csv(layers: pd.DataFrame) -> str:
    names = ["time", "link", "layer", *EDGE_VALUES, "has_edge", "confidence", "ionogram_id"]
    chosen = layers.sort_values("time", kind="stable")[names]
    return to_csv(names, list(chosen.itertuples(index=False, name=None)))
