"""What a report says of a campaign of half-orbits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from odm.catalog.activity import utc
from odm.catalog.findings import CampaignTables
from odm.catalog.orbit.counting import RegionCounter
from odm.catalog.orbit.flown import COLUMNS, Flown, flown_of
from odm.catalog.orbit.statistics import (
    DIRECTIONS,
    HEMISPHERES,
    LATITUDE_EDGES,
    SEASONS,
    exposure,
    orbit_statistics,
)
from odm.report.orbit import figures
from odm.report.orbit.pictures import draw_orbits
from odm.report.shared.comparison import BOTH, UNSEARCHED, CountedColumn
from odm.report.shared.kind import CampaignReport, ComparedCampaign, Files
from odm.report.shared.pictures import Pictures
from odm.report.shared.rows import category, rounded, unix_seconds
from odm.report.shared.texts import inputs_csv, interval_ends, to_csv

if TYPE_CHECKING:
    import pandas as pd

_COUNTED = (
    CountedColumn("month_season", "month_season", SEASONS),
    CountedColumn("hemisphere", "hemisphere", HEMISPHERES),
    CountedColumn("frequency", "frequency_peak", edges=np.arange(0, 25_001, 2500.0), unit="kHz",
                  scale=1e-3),
    CountedColumn("latitude", "latitude", edges=LATITUDE_EDGES, unit="degrees"),
)  # fmt: skip


@dataclass(frozen=True)
class OrbitTables(CampaignTables):
    """Regions and half-orbits, and the tracks flown.

    Attributes:
        flown: regions, half-orbits, tracks and outlines.
    """

    flown: Flown


class OrbitReport(CampaignReport[OrbitTables]):
    """A campaign of half-orbits, and what a report says of it."""

    columns = COLUMNS
    paper = "10.3389/fspas.2024.1431273"
    comparison_figure = staticmethod(figures.sides_map)

    def read_tables(self, outcomes: pa.Table) -> OrbitTables:
        """Return regions, half-orbits and tracks."""
        flown = flown_of(outcomes)
        tables = flown.tables
        return OrbitTables(tables.kind, tables.findings, tables.inputs, tables.owner, flown)

    def statistics(self) -> dict[str, Any]:
        """Return counts, distributions and rates of regions."""
        return orbit_statistics(self.tables.flown, self.options.indices, self.options.resamples)

    def summary(self) -> str:
        """Return the number of regions and of half-orbits that bear one."""
        regions = self.sheet["regions"]
        return f"{regions['total']} regions on {regions['half_orbits_with_a_region']} half-orbits"

    def days(self) -> tuple[str | None, str | None]:
        """Return the start of the first and of the last half-orbit that was searched."""
        return self.sheet["inputs"]["first"], self.sheet["inputs"]["last"]

    def figures(self) -> Files:
        """Return the figures of the nucleus paper, a map of rates and a timeline."""
        flown, sheet = self.tables.flown, self.sheet
        return {
            "frequency": figures.frequency_curve(sheet),
            "map": figures.season_map(flown),
            "seasons": figures.season_lines(sheet),
            "dip_histogram": figures.dip_histogram(sheet),
            "dip_map": figures.dip_map(flown),
            "rate_map": figures.rate_map(flown),
            "timeline": figures.timeline(flown),
        }

    def files(self) -> Files:
        """Return figures, counts, rates, exposure and inputs."""
        return {
            **self.all_figures(),
            "counts.csv": _counts_csv(self.sheet),
            "rates.csv": _rates_csv(self.sheet),
            "exposure.csv": _exposure_csv(self.tables.flown),
            "inputs.csv": inputs_csv(self.outcomes),
        }

    def counted_columns(self) -> Sequence[CountedColumn]:
        """Return season, hemisphere, frequency and latitude."""
        return _COUNTED

    def comparison_facts(self, compared: ComparedCampaign[OrbitTables]) -> dict[str, Any]:
        """Return the share of a's regions that b has, with its interval."""
        of_a = compared.sides.of_a
        counter = RegionCounter(self.tables.flown, self.options.resamples)
        return {"share_of_a_in_b": counter.share(of_a == BOTH, of_a != UNSEARCHED)}

    def page_numbers(self, findings: pd.DataFrame) -> Mapping[str, list[Any]]:
        """Return the time of the peak in seconds and the decadic logarithm of its PSD."""
        with np.errstate(divide="ignore", invalid="ignore"):
            psd = np.log10(findings["psd_peak"].to_numpy(float))
        seconds = unix_seconds(utc(findings["time_peak"]))
        return {"time": rounded(seconds, 3), "psd": rounded(psd, 2)}

    def page_categories(self, findings: pd.DataFrame) -> dict[str, dict[str, Any]]:
        """Return seasons, hemisphere and direction."""
        return {
            name: category(label, findings[name], values)
            for name, label, values in (
                ("month_season", "season by month", SEASONS),
                ("local_season", "season at the place", SEASONS),
                ("hemisphere", "hemisphere", HEMISPHERES),
                ("direction", "direction", DIRECTIONS),
            )
        }

    def notes(self) -> list[str]:
        """Say where no region has a place in the Earth's field."""
        if np.isfinite(self.tables.findings["dip_angle"].to_numpy(float)).any():
            return []
        return ["The catalog has no magnetic coordinates: what rests on them is empty."]

    def draw_pictures(self, pictures: Pictures) -> None:
        """Draw regions, those of the queue and the surest first, and the half-orbits in it."""
        outlines = self.tables.flown.outlines
        if self.compared is not None:
            only_b = self.compared.tables.flown.outlines.take(self.compared.sides.only_b)
            outlines = pa.concat_arrays([outlines, only_b])
        draw_orbits(pictures, outlines)


def _counts_csv(sheet: Mapping[str, Any]) -> str:
    """Return a line per value of season, hemisphere and so on."""
    rows = [
        [name, row["value"], row["regions"], *interval_ends(row, "regions_interval"), row["share"],
         *interval_ends(row, "share_interval")]
        for name, counts in sheet["counts"].items() for row in counts
    ]  # fmt: skip
    header = ["table", "value", "regions", "regions_low", "regions_high", "share", "share_low",
              "share_high"]  # fmt: skip
    return to_csv(header, rows)


def _rates_csv(sheet: Mapping[str, Any]) -> str:
    """Return a line per bin of latitude, MLT, month and activity."""
    activity = {name: index["bins"] for name, index in sheet["activity"].items()}
    rows = [
        [name, row["value"], row["regions"], row["valid_hours"], row["rate"],
         *interval_ends(row, "rate_interval")]
        for name, rates in {**sheet["rates"], **activity}.items() if isinstance(rates, list)
        for row in rates
    ]  # fmt: skip
    header = ["table", "value", "regions", "valid_hours", "regions_in_100_h", "low", "high"]
    return to_csv(header, rows)


def _exposure_csv(flown: Flown) -> str:
    """Return a line per cell of latitude, MLT and month."""
    header = ["latitude_from", "mlt_from", "month", "valid_seconds", "regions", "regions_in_100_h"]
    return to_csv(header, list(exposure(flown).itertuples(index=False, name=None)))
