"""`ScoreSheet`: all scores of one method on one data set, as a table, as JSON and as pictures."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from odm.catalog.bootstrap import LEAST_BLOCKS
from odm.core.files import write_bytes
from odm.core.statement import SIMULATED_DATA
from odm.scoring.pixels import PIXEL_METRICS

if TYPE_CHECKING:
    from rich.table import Table

MPA_NOTE = (
    "The paper's mPA: its formula is macro recall, its prose precision, but the 0.9989 of its "
    "Table 4 only fits pixel accuracy. Compare pixel accuracy with it."
)
_FEW_BLOCKS = 10
OPEN_END = 1e6
"""Upper edge of a bin that has none, in JSON, which knows no infinity."""
WIDTH = 112


@dataclass(frozen=True, slots=True)
class ScoreSheet:
    """Scores as `Scorer.sheet` computes them. Plain values throughout; NaN is "undefined".

    Attributes:
        about: what was scored, on which data, with which seed and settings.
        counts: half-orbits, clear ones, nuclei, regions found, 5-day blocks.
        threshold: of the result that is scored.
        regions: per truth shape and overlap (IoU): true, false, missed, precision, recall, f1,
            average_precision, best_threshold, best_f1, intervals (95 %).
        pixels: per source (probability map, found regions) and truth shape: `PIXEL_METRICS`.
        blocks: per overlap, contours: true, false and missed regions of every 5-day block (of the
            ``cycle``), for paired comparisons of methods.
        curves: per overlap, contours: threshold, recall, precision, false_per_half_orbit.
        froc: per overlap: rates of false regions per half-orbit, and recall at each.
        campaign: false regions per 100 clear half-orbits, and the precision to expect where the
            share `prevalence` of half-orbits has a nucleus.
        contrast: per overlap: dB at which half are found, slope, interval; recall in bins.
        area: recall in bins of pixels.
        alarms: per kind of confuser: present, false regions taken for it.
        errors: of matched regions: count, mean (bias), median and 90th percentile of the absolute.
        boundary: distance of outlines of matched regions, pixels.
        calibration: of pixels: temperature, the data that it was fitted on, whether it was applied
            to the maps, ECE and reliability at temperature 1 and (``scaled``) at that one; of
            regions: reliability. `score_rows`, which has no maps, gives that of regions only, and
            no ``pixels``.
    """

    about: dict[str, Any]
    counts: dict[str, int]
    threshold: float
    regions: list[dict[str, Any]]
    pixels: list[dict[str, Any]]
    curves: dict[str, dict[str, list[float]]]
    froc: dict[str, dict[str, list[float]]]
    campaign: dict[str, Any]
    contrast: dict[str, dict[str, Any]]
    area: list[dict[str, float]]
    alarms: list[dict[str, Any]]
    errors: list[dict[str, Any]]
    boundary: dict[str, float]
    calibration: dict[str, Any]
    caveat: str = SIMULATED_DATA
    blocks: dict[str, dict[str, list[int]]] = field(default_factory=dict)

    def score(self, truth: str = "contour", overlap: float = 0.5) -> dict[str, Any]:
        """The entry of `regions` for one truth shape and overlap."""
        for entry in self.regions:
            if entry["truth"] == truth and math.isclose(entry["overlap"], overlap):
                return entry
        raise KeyError(f"no scores against {truth} at IoU {overlap}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is undefined is None."""
        return plain(asdict(self))

    def to_json(self) -> str:
        """The sheet as JSON text."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"

    def write_json(self, path: object) -> None:
        """Write the sheet as one whole JSON file."""
        write_bytes(path, self.to_json().encode())

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ScoreSheet:
        """Inverse of `to_dict`, except that what is undefined stays None."""
        return cls(**values)

    def tables(self) -> list[Table]:
        """The sheet as rich tables, for a terminal."""
        return [
            self._region_table(),
            self._campaign_table(),
            *([self._pixel_table()] if self.pixels else []),
            self._recall_table(),
            self._alarm_table(),
            self._error_table(),
            self._calibration_table(),
        ]

    def to_text(self, *, brief: bool = False) -> str:
        """The sheet as plain text, `WIDTH` columns wide; ``brief``: only regions and a campaign."""
        from rich.console import Console

        console = Console(file=io.StringIO(), width=WIDTH, force_terminal=False, color_system=None)
        counts = self.counts
        for key, value in self.about.items():
            console.print(f"{key}: {in_words(value)}", highlight=False)
        console.print(
            f"{counts['half_orbits']} half-orbits in {counts['blocks']} "
            f"block{'s' * (counts['blocks'] != 1)} of 5 days, "
            f"{counts['clear']} of them clear; {counts['nuclei']} nuclei, "
            f"{counts['found']} regions found at threshold {self.threshold:.2f}.",
            highlight=False,
        )
        if counts["blocks"] < LEAST_BLOCKS:
            console.print("There are no intervals: all half-orbits are of one block.")
        elif counts["blocks"] < _FEW_BLOCKS:
            console.print(f"Intervals of {counts['blocks']} blocks are too narrow.")
        for table in self.tables()[: 2 if brief else None]:
            console.print()
            console.print(table)
        console.print()
        if not brief:
            console.print(MPA_NOTE)
        console.print(self.caveat)
        assert isinstance(console.file, io.StringIO)
        return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines()) + "\n"

    def _region_table(self) -> Table:
        table = _table(
            "Regions, matched one to one (95 % intervals from 5-day blocks)",
            "truth", "IoU", "true", "false", "missed", "precision", "recall", "F1", "AP",
        )  # fmt: skip
        for row in self.regions:
            shown = [_with_interval(row, name) for name in ("precision", "recall", "f1")]
            table.add_row(
                row["truth"], f"{row['overlap']:g}", *(str(row[n]) for n in _OUTCOMES), *shown,
                _with_interval(row, "average_precision"),
            )  # fmt: skip
        return table

    def _campaign_table(self) -> Table:
        campaign = self.campaign
        table = _table("What a campaign would see", "", "value", "95 %")
        table.add_row(
            "false regions per 100 clear half-orbits",
            rounded(campaign["false_per_100_clear"]),
            _interval(campaign["interval"]),
        )
        for overlap, precision in campaign["precision_at_prevalence"].items():
            table.add_row(
                f"precision (IoU {overlap}) where {campaign['prevalence']:.1%} have a nucleus",
                rounded(precision),
                "",
            )
        for overlap, froc in self.froc.items():
            for rate, recall in zip(froc["rate"], froc["recall"], strict=True):
                table.add_row(
                    f"recall (IoU {overlap}) at {rate:g} false regions per half-orbit",
                    rounded(recall),
                    "",
                )
        for row in self.regions:
            if row["truth"] == "contour":
                table.add_row(
                    f"best F1 (IoU {row['overlap']:g}), at confidence "
                    f"{rounded(row['best_threshold'], 2)}",
                    rounded(row["best_f1"]),
                    "",
                )
        return table

    def _pixel_table(self) -> Table:
        names = [name.replace("_", " ").replace("iou", "IoU") for name in PIXEL_METRICS]
        table = _table("Pixels, from one confusion matrix", "predicted", "truth", *names)
        for row in self.pixels:
            values = [rounded(row["metrics"][name], 4) for name in PIXEL_METRICS]
            table.add_row(row["source"], row["truth"], *values)
        return table

    def _recall_table(self) -> Table:
        table = _table("Recall", "of nuclei with", "nuclei", *(f"IoU {at}" for at in self.contrast))
        bins = [entry["bins"] for entry in self.contrast.values()]
        for rows in zip(*bins, strict=True):
            label = f"{_bin(rows[0])} dB contrast"
            shown = [rounded(row["recall"], 2) for row in rows]
            table.add_row(label, str(rows[0]["nuclei"]), *shown)
        for row in self.area:
            label = f"{_bin(row)} pixels (IoU {next(iter(self.contrast))})"
            table.add_row(label, str(row["nuclei"]), rounded(row["recall"], 2))
        half = [
            entry["note"] or f"{rounded(entry['half'], 2)} dB {_interval(entry['interval'])}"
            for entry in self.contrast.values()
        ]
        table.add_row("contrast at which half are found", "", *half)
        return table

    def _alarm_table(self) -> Table:
        table = _table("False regions by what they are", "kind", "drawn", "false regions", "share")
        for row in self.alarms:
            drawn = "" if row["present"] is None else str(row["present"])
            share = "" if row["present"] is None else rounded(row["share"])
            table.add_row(row["kind"], drawn, str(row["alarms"]), share)
        return table

    def _error_table(self) -> Table:
        table = _table(
            f"Errors of {self.boundary['count']} matched regions (found - true)",
            "of", "unit", "bias", "median absolute", "90 % within",
        )  # fmt: skip
        for row in self.errors:
            values = [rounded(row[name]) for name in ("mean", "median", "p90")]
            table.add_row(row["of"], row["unit"], *values)
        table.add_row("outline", "pixels", "", rounded(self.boundary["mean"]) + " (mean)",
                      rounded(self.boundary["p95"]) + " (95 %)")  # fmt: skip
        return table

    def _calibration_table(self) -> Table:
        calibration = self.calibration
        table = _table("Calibration", "", "as the model says", "at a temperature")
        if "temperature" in calibration:
            used = " (applied)" if calibration["applied"] else ""
            table.add_row("temperature", "1", rounded(calibration["temperature"]) + used)
            table.add_row("fitted on", "", calibration["fitted_on"])
            for name, label in (
                ("ece", "ECE, all pixels"),
                ("ece_above", f"ECE, pixels above {calibration['above']:g}"),
            ):
                table.add_row(
                    label, rounded(calibration[name], 4), rounded(calibration["scaled"][name], 4)
                )
        table.add_row("ECE, regions (confidence against precision)",
                      rounded(calibration["regions"]["ece"]), "")  # fmt: skip
        return table


_OUTCOMES = ("true", "false", "missed")


def _table(title: str, *columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, title_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    return table


def rounded(value: float | None, digits: int = 3) -> str:
    """A figure for people; a dash where it is undefined."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:.{digits}f}"


def in_words(value: Any) -> str:
    """A setting for people: ``threshold 0.6, flip no`` rather than Python's own notation."""
    if isinstance(value, Mapping):
        return ", ".join(
            f"{name}: ({in_words(one)})" if isinstance(one, Mapping) else f"{name} {in_words(one)}"
            for name, one in value.items()
        )
    if isinstance(value, list | tuple):
        return " ".join(map(in_words, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _bin(row: Mapping[str, float]) -> str:
    lower, upper = row["lower"], row["upper"]
    return f"{lower:g} and more" if upper >= OPEN_END else f"{lower:g} to {upper:g}"


def _interval(pair: Any) -> str:
    return "" if pair is None else f"[{rounded(pair[0], 2)}, {rounded(pair[1], 2)}]"


def _with_interval(row: Mapping[str, Any], name: str) -> str:
    """The interval on a line of its own, and only of contours: JSON has the others."""
    pair = row["intervals"].get(name) if row["truth"] == "contour" else None
    return f"{rounded(row[name])}\n{_interval(pair)}".rstrip()


def plain(value: Any) -> Any:
    """A value as JSON can hold it: text for keys, lists, None for what is not finite."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
