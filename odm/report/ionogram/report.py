"""What a report says of a campaign of ionograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from odm.catalog.activity import utc
from odm.catalog.findings import CampaignTables, flattened, frame
from odm.catalog.ionogram.inputs import IONOGRAMS
from odm.catalog.ionogram.statistics import (
    EDGE_VALUES,
    edges_or_boxes,
    layer_names,
    layer_statistics,
)
from odm.catalog.outcomes import QUARANTINED
from odm.report.ionogram.figures import draw_edges, draw_occurrence, draw_sides
from odm.report.ionogram.pictures import draw_ionograms
from odm.report.shared.comparison import CountedColumn
from odm.report.shared.kind import CampaignReport, ComparedCampaign, Files
from odm.report.shared.rows import category, rounded, unix_seconds
from odm.report.shared.texts import inputs_csv, interval_ends, to_csv

if TYPE_CHECKING:
    import pandas as pd

_MAX_LINKS = 12
_COUNTED = (
    CountedColumn("hour", "hour", edges=np.arange(0, 25, 3.0), unit="h UTC"),
    CountedColumn("highest_frequency", "frequency_max", edges=np.arange(0, 34e6, 3e6), unit="MHz",
                  scale=1e-6),
    CountedColumn("nearest_range", "range_min", edges=np.arange(0, 5001, 500.0), unit="km"),
)  # fmt: skip


class IonogramReport(CampaignReport[CampaignTables]):
    """A campaign of ionograms, and what a report says of it."""

    columns = ("identity", "source", "status", "reason", "time", "findings")
    paper = "10.1051/wujns/2025301069"
    comparison_figure = staticmethod(draw_sides)
    draw_pictures = staticmethod(draw_ionograms)

    def read_tables(self, outcomes: pa.Table) -> CampaignTables:
        """Return ionograms, and layers with ``has_edge`` and ``hour`` (UTC).

        Where a layer has no edge, its box stands in.
        """
        if not outcomes.num_rows:
            outcomes = IONOGRAMS.schema.empty_table()
        ionograms = outcomes.select(self.columns[:-1]).to_pandas()
        findings, owner = flattened(outcomes["findings"])
        layers = edges_or_boxes(frame(findings, [field.name for field in IONOGRAMS.finding]))
        layers["hour"] = layers["time"].dt.hour + layers["time"].dt.minute / 60
        return CampaignTables(IONOGRAMS, layers, ionograms, owner)

    def drawable(self) -> Sequence[str]:
        """Return the names of the layers that the campaigns look for."""
        against = None if self.compared is None else self.compared.campaign
        return layer_names(self.campaign, against)

    def statistics(self) -> dict[str, Any]:
        """Return the occurrence of each layer, and how its edge moves."""
        layers, ionograms = self.tables.findings, self.tables.inputs
        edges = {name: layers[name].where(layers["has_edge"]) for name in EDGE_VALUES}
        searched = ionograms[ionograms["status"] != QUARANTINED]
        return layer_statistics(
            layers.assign(ionogram_id=self.tables.identities, **edges),
            searched.rename(columns={"identity": "ionogram_id"}),
            self.options.indices,
            self.drawable(),
        )

    def summary(self) -> str:
        """Return the number of layers and of ionograms that were searched."""
        return f"{len(self.tables.findings)} layers in {self.searched} ionograms"

    def days(self) -> tuple[str | None, str | None]:
        """Return the time of the first and of the last ionogram that was searched."""
        return self.sheet["first"], self.sheet["last"]

    def figures(self) -> Files:
        """Return the occurrence of layers, and their edges over time."""
        return {
            "occurrence": draw_occurrence(self.sheet),
            "edges": draw_edges(self.tables.findings, self.drawable()),
        }

    def files(self) -> Files:
        """Return occurrence, edges, inputs and figures."""
        layers = self.tables.findings.assign(ionogram_id=self.tables.identities)
        return {
            "occurrence.csv": _occurrence_csv(self.sheet, [i.name for i in self.options.indices]),
            "edges.csv": _edges_csv(layers),
            "inputs.csv": inputs_csv(self.outcomes),
            **self.all_figures(),
        }

    def counted_columns(self) -> Sequence[CountedColumn]:
        """Return layer, hour, highest frequency and nearest range."""
        return (CountedColumn("layer", "layer", self.drawable()), *_COUNTED)

    def comparison_facts(self, compared: ComparedCampaign[CampaignTables]) -> dict[str, Any]:
        """Return how much edges that both have differ: quartiles of b less a."""
        pairs = compared.sides.pairs
        a = self.tables.findings.iloc[pairs[:, 0]]
        b = compared.tables.findings.iloc[pairs[:, 1]]
        both = a["has_edge"].to_numpy(dtype=bool) & b["has_edge"].to_numpy(dtype=bool)
        facts: dict[str, Any] = {"with_edges_in_both": int(both.sum())}
        for name in EDGE_VALUES:
            shifts = (b[name].to_numpy(dtype=float) - a[name].to_numpy(dtype=float))[both]
            quartiles = np.percentile(shifts, (25, 50, 75)).tolist() if shifts.size else None
            facts[f"{name}_b_less_a"] = quartiles
        return facts

    def page_numbers(self, findings: pd.DataFrame) -> Mapping[str, list[Any]]:
        """Return the time in seconds and the hour of the day."""
        seconds = unix_seconds(utc(findings["time"]))
        return {"time": rounded(seconds, 3), "hour": rounded(seconds % 86400 / 3600, 3)}

    def page_categories(self, findings: pd.DataFrame) -> dict[str, dict[str, Any]]:
        """Return layer, leading edge, link and convention of ranges."""
        edges = findings["has_edge"].map({True: "found", False: "none"})
        conventions = findings["range_convention"]
        return {
            "layer": category("layer", findings["layer"], self.drawable()),
            "edge": category("leading edge", edges, ("found", "none")),
            "link": link_category(findings["link"]),
            "range_convention": category("ranges", conventions, sorted(set(conventions.dropna()))),
        }

    def notes(self) -> list[str]:
        """Say how many layers have no edge, and how many ionograms no time."""
        layers = self.tables.findings
        boxes, undated = int((~layers["has_edge"]).sum()), self.sheet["without_time"]
        facts = (
            (boxes, f"of {len(layers)} layers have no leading edge: their box stands in."),
            (undated, "ionograms have no time: they count in no hour and no day."),
        )
        return [f"{number} {text}" for number, text in facts if number]


def link_category(column: pd.Series) -> dict[str, Any]:
    """Return the links with the most layers by name, the others together.

    A link without a name is "unknown".
    """
    links = column.fillna("").replace("", "unknown")
    counts = links.value_counts()
    names = sorted(counts.index[:_MAX_LINKS])
    if len(counts) <= _MAX_LINKS:
        return category("link", links, names)
    others = "other links"
    return category("link", links.where(links.isin(names), others), [*names, others])


def _occurrence_csv(sheet: Mapping[str, Any], indices: Sequence[str]) -> str:
    """Return a line per layer and hour, day or bin of an index."""
    tables = ("by_hour", "by_day", *(f"by_{name}" for name in indices))
    rows = [
        [layer, table, row["value"], row["ionograms"], row["of"], row["share"],
         *interval_ends(row)]
        for layer, facts in sheet["layers"].items()
        for table in tables for row in facts[table]
    ]  # fmt: skip
    return to_csv(["layer", "table", "value", "ionograms", "of", "share", "low", "high"], rows)


def _edges_csv(layers: pd.DataFrame) -> str:
    """Return a line per layer, in order of time."""
    names = ["time", "link", "layer", *EDGE_VALUES, "has_edge", "confidence", "ionogram_id"]
    rows = layers.sort_values("time", kind="stable")[names]
    return to_csv(names, list(rows.itertuples(index=False, name=None)))
