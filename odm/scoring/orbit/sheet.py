"""`RegionSheet`: all scores of one segmentation method, or of a campaign, on half-orbits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from odm.catalog.bootstrap import LEAST_BLOCKS
from odm.core.text import table
from odm.scoring.pixels import PIXEL_METRICS
from odm.scoring.sheet import ScoreSheet, interval_text, rounded, wrapped

MPA_NOTE = (
    "The paper's mPA: its formula is macro recall, its prose precision, but the 0.9989 of its "
    "Table 4 only fits pixel accuracy. Compare pixel accuracy with it."
)
OPEN_END = 1e6
"""Upper edge of a bin that has none, in JSON, which knows no infinity."""
_FEW_BLOCKS = 10
_CARD = ("precision", "recall", "f1", "average_precision")


@dataclass(frozen=True, kw_only=True)
class RegionSheet(ScoreSheet):
    """Scores as `odm.scoring.orbit.scorer.Scorer.sheet` computes them.

    Attributes:
        counts: half-orbits, clear ones, nuclei, regions found, of these the ignored ones, 5-day
            blocks.
        regions: per truth shape and overlap (IoU): true, false, missed, precision, recall, f1,
            average_precision, best_threshold, best_f1, intervals (95 %), intervals_90.
        pixels: per source (probability map, found regions) and truth shape: `PIXEL_METRICS`.
        curves: per overlap, contours: threshold, recall, precision, false_per_half_orbit.
        froc: per overlap: rates of false regions per half-orbit, and recall at each.
        at_false_rates: per overlap: what is found at rates of false regions per 100 clear
            half-orbits, as `odm.scoring.orbit.false_rates.recall_at_false_rates` gives it.
        campaign: false regions per 100 clear half-orbits, and the precision to expect where the
            share `prevalence` of half-orbits has a nucleus.
        contrast: per overlap: dB at which half are found, slope, interval; recall in bins.
        area: recall in bins of pixels.
        alarms: per kind of confuser: present, false regions taken for it.
        errors: of matched regions: count, mean (bias), median and 90th percentile of the absolute.
        boundary: distance of outlines of matched regions, pixels.
        calibration: of pixels: temperature, the data that it was fitted on, whether it was applied
            to the maps, ECE and reliability at temperature 1 and (``scaled``) at that one; of
            regions: reliability. A campaign, which has no maps, gives that of regions only, and no
            ``pixels``.
        blocks: per overlap, contours: true, false and missed regions of every 5-day block (of the
            ``cycle``), for paired comparisons of methods.
    """

    SEED: ClassVar[str] = "seed"

    regions: list[dict[str, Any]]
    pixels: list[dict[str, Any]]
    curves: dict[str, dict[str, list[float]]]
    froc: dict[str, dict[str, list[float]]]
    at_false_rates: dict[str, list[dict[str, Any]]]
    campaign: dict[str, Any]
    contrast: dict[str, dict[str, Any]]
    area: list[dict[str, float]]
    alarms: list[dict[str, Any]]
    errors: list[dict[str, Any]]
    boundary: dict[str, float]
    calibration: dict[str, Any]
    blocks: dict[str, dict[str, list[int]]]

    def score(self, truth: str = "contour", overlap: float = 0.5) -> dict[str, Any]:
        """Return the entry of `regions` for one truth shape and overlap."""
        for entry in self.regions:
            if entry["truth"] == truth and math.isclose(entry["overlap"], overlap):
                return entry
        raise KeyError(f"no scores against {truth} at IoU {overlap}")

    def card_scores(self) -> dict[str, Any]:
        """Return the scores that a model's card shows."""
        contours = [row for row in self.regions if row["truth"] == "contour"]
        pixels = [row["metrics"] for row in self.pixels if row["truth"] == "contour"]
        return {
            **{name: self.counts[name] for name in ("half_orbits", "nuclei")},
            "regions": {
                f"{row['overlap']:g}": {
                    **{name: row[name] for name in _CARD},
                    **{f"{name}_interval": row["intervals"][name] for name in _CARD},
                }
                for row in contours
            },
            "pixels": pixels[0] if pixels else {},
            "false_per_100_clear": self.campaign["false_per_100_clear"],
            "at_false_rates": self.at_false_rates,
            "ece": self.calibration["scaled"]["ece"],
            "statement": self.caveat,
        }

    def heading(self) -> list[str]:
        """Return the lines that say how much was scored."""
        counts = self.counts
        blocks = counts["blocks"]
        lines = [
            f"{counts['half_orbits']} half-orbits in {blocks} block{'s' * (blocks != 1)} of 5 "
            f"days, {counts['clear']} of them clear; {counts['nuclei']} nuclei, "
            f"{counts['found']} regions found at threshold {self.threshold:.2f}."
        ]
        if counts["ignored"]:
            lines.append(
                f"{counts['ignored']} of the regions found lie where nobody can say whether there "
                "is a nucleus: they are neither true nor false."
            )
        if blocks < LEAST_BLOCKS:
            lines.append("There are no intervals: all half-orbits are of one block.")
        elif blocks < _FEW_BLOCKS:
            lines.append(f"Intervals of {blocks} blocks are too narrow.")
        return lines

    def parts(self, *, brief: bool) -> list[str]:
        """Return the tables; ``brief``: those of regions and of what a campaign would see."""
        first = [self._region_table(), self._campaign_table()]
        if brief:
            return first
        pixels = [self._pixel_table()] if self.pixels else []
        rest = [self._recall_table(), self._alarm_table(), self._error_table()]
        return [*first, *pixels, *rest, self._calibration_table(), wrapped(MPA_NOTE)]

    def _region_table(self) -> str:
        rows = [
            [
                row["truth"],
                f"{row['overlap']:g}",
                *(row[name] for name in ("true", "false", "missed")),
                *(_with_interval(row, name) for name in _CARD),
            ]
            for row in self.regions
        ]
        columns = ("truth", "IoU", "true", "false", "missed", "precision", "recall", "F1", "AP")
        title = "Regions, matched one to one (95 % intervals from 5-day blocks)"
        return table(columns, rows, title)

    def _campaign_table(self) -> str:
        campaign = self.campaign
        false, interval = rounded(campaign["false_per_100_clear"]), campaign["interval"]
        rows = [["false regions per 100 clear half-orbits", false, interval_text(interval)]]
        for overlap, precision in campaign["precision_at_prevalence"].items():
            words = f"precision (IoU {overlap}) where {campaign['prevalence']:.1%} have a nucleus"
            rows.append([words, rounded(precision), ""])
        for overlap, points in self.at_false_rates.items():
            for point in points:
                words = (
                    f"recall (IoU {overlap}) at {point['rate']:g} false per 100 clear half-orbits, "
                    f"from confidence {rounded(point['threshold'], 4)}"
                )
                rows.append([words, rounded(point["recall"]), interval_text(point["interval"])])
        for overlap, froc in self.froc.items():
            for rate, recall in zip(froc["rate"], froc["recall"], strict=True):
                words = f"recall (IoU {overlap}) at {rate:g} false regions per half-orbit"
                rows.append([words, rounded(recall), ""])
        for row in self.regions:
            if row["truth"] == "contour":
                threshold = rounded(row["best_threshold"], 2)
                words = f"best F1 (IoU {row['overlap']:g}), at confidence {threshold}"
                best = interval_text(row["intervals"].get("best_f1"))
                rows.append([words, rounded(row["best_f1"]), best])
        return table(("", "value", "95 %"), rows, "What a campaign would see")

    def _pixel_table(self) -> str:
        names = [name.replace("_", " ").replace("iou", "IoU") for name in PIXEL_METRICS]
        rows = [
            [row["source"], row["truth"], *(rounded(row["metrics"][n], 4) for n in PIXEL_METRICS)]
            for row in self.pixels
        ]
        return table(("predicted", "truth", *names), rows, "Pixels, from one confusion matrix")

    def _recall_table(self) -> str:
        overlaps = list(self.contrast)
        rows: list[list[Any]] = []
        for same in zip(*(entry["bins"] for entry in self.contrast.values()), strict=True):
            shown = [rounded(row["recall"], 2) for row in same]
            rows.append([f"{_bin(same[0])} dB contrast", same[0]["nuclei"], *shown])
        for row in self.area:
            words = f"{_bin(row)} pixels (IoU {overlaps[0]})"
            empty = [""] * (len(overlaps) - 1)
            rows.append([words, row["nuclei"], rounded(row["recall"], 2), *empty])
        half = [
            entry["note"] or f"{rounded(entry['half'], 2)} dB {interval_text(entry['interval'])}"
            for entry in self.contrast.values()
        ]
        rows.append(["contrast at which half are found", "", *half])
        return table(
            ("of nuclei with", "nuclei", *(f"IoU {at}" for at in overlaps)), rows, "Recall"
        )

    def _alarm_table(self) -> str:
        rows = [
            [row["kind"], "", row["alarms"], ""]
            if row["present"] is None
            else [row["kind"], row["present"], row["alarms"], rounded(row["share"])]
            for row in self.alarms
        ]
        columns = ("kind", "drawn", "false regions", "share")
        return table(columns, rows, "False regions by what they are")

    def _error_table(self) -> str:
        rows = [
            [row["of"], row["unit"], *(rounded(row[name]) for name in ("mean", "median", "p90"))]
            for row in self.errors
        ]
        mean, p95 = rounded(self.boundary["mean"]), rounded(self.boundary["p95"])
        rows.append(["outline", "pixels", "", f"{mean} (mean)", f"{p95} (95 %)"])
        title = f"Errors of {self.boundary['count']} matched regions (found - true)"
        return table(("of", "unit", "bias", "median absolute", "90 % within"), rows, title)

    def _calibration_table(self) -> str:
        calibration = self.calibration
        rows = []
        if "temperature" in calibration:
            used = " (applied)" if calibration["applied"] else ""
            rows.append(["temperature", "1", rounded(calibration["temperature"]) + used])
            rows.append(["fitted on", "", calibration["fitted_on"]])
            above = f"ECE, pixels above {calibration['above']:g}"
            for name, label in (("ece", "ECE, all pixels"), ("ece_above", above)):
                before, after = calibration[name], calibration["scaled"][name]
                rows.append([label, rounded(before, 4), rounded(after, 4)])
        words = "ECE, regions (confidence against precision)"
        rows.append([words, rounded(calibration["regions"]["ece"]), ""])
        return table(("", "as the model says", "at a temperature"), rows, "Calibration")


def _bin(row: Mapping[str, float]) -> str:
    lower, upper = row["lower"], row["upper"]
    return f"{lower:g} and more" if upper >= OPEN_END else f"{lower:g} to {upper:g}"


def _with_interval(row: Mapping[str, Any], name: str) -> str:
    """Return a figure with its interval below it, which JSON alone has for other shapes."""
    pair = row["intervals"].get(name) if row["truth"] == "contour" else None
    return f"{rounded(row[name])}\n{interval_text(pair)}".rstrip()
