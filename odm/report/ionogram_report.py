"""Write a report on a campaign of ionograms: occurrence of layers, edges over time, a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from odm.archive.errors import InputError
from odm.archive.files import as_local, join, make_folder, write_bytes
from odm.catalog.campaign import Campaign
from odm.catalog.flown import flattened, frame
from odm.catalog.ionogram_kind import IONOGRAMS
from odm.catalog.ionogram_statistics import LAYERS, edge_series, layer_statistics
from odm.catalog.outcomes import QUARANTINED
from odm.images.figure import new_figure
from odm.report.captions import STATEMENT, caption
from odm.report.figures import write_captioned
from odm.report.html import build_page
from odm.report.ionogram_page import ionogram_page
from odm.report.provenance import FINGERPRINT_COLUMNS, fingerprint, inputs_csv, provenance
from odm.report.report import PAGE, PROVENANCE, SHEET, ReportOptions, Written, to_json
from odm.report.tables import to_csv

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_STYLE = {"Es": ("#E69F00", "^", "--"), "F": ("#0072B2", "o", "-")}
_COLUMNS = ("identity", "source", "status", "reason", "time", "findings")


def write_ionogram_report(
    campaign: Campaign, out: str, against: Campaign | None, options: ReportOptions
) -> Written:
    """Write a report into a folder; see `odm.report.report.write_report`.

    Raises:
        InputError: not ionograms, something to compare with or to join, or no place to write.
    """
    if against is not None or options.indices:
        raise InputError("--against, --kp and --dst are for half-orbits; see odm diff for layers")
    folder = str(as_local(out))
    make_folder(folder)
    outcomes = campaign.outcomes([*_COLUMNS, *FINGERPRINT_COLUMNS])
    layers, ionograms = layer_tables(outcomes)
    searched = ionograms[ionograms["status"] != QUARANTINED]
    sheet = layer_statistics(
        layers.assign(ionogram_id=ionograms["identity"].to_numpy()[layers["ionogram"]]),
        searched.rename(columns={"identity": "ionogram_id"}),
    )
    line = caption(campaign, f"{len(searched)} ionograms")
    page = ionogram_page(
        folder, campaign, layers, ionograms, fingerprint(outcomes), options=options, line=line
    )
    texts = {
        PAGE: build_page(page.title, page.data, page.pictures),
        "occurrence.csv": _occurrence_csv(sheet),
        "edges.csv": _edges_csv(layers),
        "inputs.csv": inputs_csv(outcomes),
    }
    files = list(texts)
    if options.figures:
        for name, figure in (("occurrence", occurrence(sheet)), ("edges", edges(layers))):
            write_captioned(folder, name, figure, line)
            files += [f"{name}.png", f"{name}.pdf"]
    about = {"campaign": campaign.card.to_dict(), "statement": STATEMENT, "notes": page.notes}
    texts[SHEET] = to_json({**about, **sheet})
    files += [SHEET, PROVENANCE]
    texts[PROVENANCE] = to_json(provenance(campaign, outcomes, sheet, files, options.context))
    for name, text in texts.items():
        write_bytes(join(folder, name), text.encode())
    summary = f"{len(layers)} layers in {len(searched)} ionograms"
    return Written(files, page.notes, sheet, summary)


def layer_tables(outcomes: pa.Table) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Layers with ``ionogram``, the row of theirs, and edges or what stands in; and ionograms."""
    if not outcomes.num_rows:
        outcomes = IONOGRAMS.schema.empty_table()
    ionograms = outcomes.select(_COLUMNS[:-1]).to_pandas()
    found, owner = flattened(outcomes["findings"])
    layers = frame(found, [field.name for field in IONOGRAMS.finding])
    series = edge_series(layers.assign(ionogram_id=np.arange(len(layers))))
    by_row = series.set_index("ionogram_id").reindex(np.arange(len(layers)))
    for name in ("minimum_group_range", "edge_frequency_max", "has_edge"):
        layers[name] = by_row[name].to_numpy()
    layers["ionogram"] = owner
    return layers, ionograms


def occurrence(sheet: Mapping[str, Any]) -> Figure:
    """Share of ionograms with each layer, by hour."""
    figure = new_figure(6.5, 3.6)
    axes = figure.add_subplot()
    for layer in LAYERS:
        rows = [row for row in sheet["layers"][layer]["by_hour"] if row["of"]]
        share = np.array([row["share"] for row in rows], dtype=float)
        ends = np.array([row["interval"] for row in rows], dtype=float).reshape(-1, 2).T
        colour, marker, dash = _STYLE[layer]
        axes.errorbar(
            [row["value"] for row in rows], share, np.abs(ends - share), color=colour,
            marker=marker, ls=dash, ms=4, lw=1.2, capsize=2, elinewidth=0.7, label=layer,
        )  # fmt: skip
    axes.set_xlim(-0.5, 23.5)
    axes.set_ylim(0, 1)
    axes.set_xlabel("hour, UTC")
    axes.set_ylabel("share of ionograms")
    axes.legend(frameon=False)
    axes.set_title(f"Layers in {sheet['ionograms']} ionograms by hour", fontsize=9, loc="left")
    return figure


def edges(layers: pd.DataFrame) -> Figure:
    """Minimum group range over time."""
    figure = new_figure(7.5, 3.6)
    axes = figure.add_subplot()
    times = layers["time"].dt.tz_localize(None)
    for layer in LAYERS:
        chosen = (layers["layer"] == layer).to_numpy()
        colour, marker, _ = _STYLE[layer]
        axes.scatter(
            times[chosen], layers["minimum_group_range"][chosen], s=8, c=colour, marker=marker,
            label=f"{layer} ({int(chosen.sum())})",
        )  # fmt: skip
    axes.set_ylabel("minimum group range, km")
    axes.set_xlabel("UTC")
    axes.legend(frameon=False)
    boxes = int((~layers["has_edge"].astype(bool)).sum())
    axes.set_title(
        f"Minimum group range; of {boxes} layers, that of the box", fontsize=9, loc="left"
    )
    figure.autofmt_xdate()
    return figure


def _occurrence_csv(sheet: Mapping[str, Any]) -> str:
    rows = [
        [layer, table, row["value"], row["ionograms"], row["of"], row["share"],
         *(row["interval"] or (None, None))]
        for layer, facts in sheet["layers"].items()
        for table in ("by_hour", "by_day") for row in facts[table]
    ]  # fmt: skip
    return to_csv(["layer", "table", "value", "ionograms", "of", "share", "low", "high"], rows)


def _edges_csv(layers: pd.DataFrame) -> str:
    names = ["time", "link", "layer", "minimum_group_range", "edge_frequency_max", "has_edge",
             "confidence", "ionogram_id"]  # fmt: skip
    chosen = layers.sort_values("time")[names]
    return to_csv(names, list(chosen.itertuples(index=False, name=None)))
