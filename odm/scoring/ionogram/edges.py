"""Scores of leading edges against the truth: errors in km, coverage, what an error bar is worth.

Only where the true edge can be seen (6 dB) is anything compared. A true layer that was not found,
or whose edge was not, counts with all its frequencies as not covered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.findings.edges import LayerEdge
from odm.findings.layer_rows import edge_of_row
from odm.images.layer_truth import KnownLayer
from odm.scoring.matching import OVERLAPS, box_overlaps, match_findings

Floats = NDArray[np.float64]
Row = Mapping[str, Any]

SEEN_DB = 6.0
"""SNR from which an edge can be seen."""


@dataclass(frozen=True, slots=True)
class EdgeErrors:
    """An edge at the frequencies where the true one can be seen.

    Attributes:
        error: (N,) km, found less true; NaN where nothing was found.
        sigma: (N,) km.
        snr: (N,) dB, of the true edge.
        share: (N,) frequency against the highest at which the edge can be seen.
        gate_km: range step.
        about: such as layer, kind, ray model.
    """

    error: Floats
    sigma: Floats
    snr: Floats
    share: Floats
    gate_km: float
    about: dict[str, Any]


def edge_errors(
    found: LayerEdge | None,
    frequency: NDArray[Any],
    truth: NDArray[Any],
    snr: NDArray[Any],
    gate_km: float,
    **about: Any,
) -> EdgeErrors:
    """Compare an edge with the true one.

    Args:
        found: the edge; None where there is none.
        frequency: (F,) Hz, of the truth; the edge's are among them or between them.
        truth: (F,) km, NaN where there is none.
        snr: (F,) dB there.
        gate_km: range step.
        about: kept with the errors.
    """
    seen = np.isfinite(truth) & (snr >= SEEN_DB)
    given = np.full(frequency.size, np.nan)
    sigma = given.copy()
    if found:
        distance = np.abs(frequency[:, None] - found.frequency[None])
        nearest = distance.argmin(axis=1)
        step = np.median(np.diff(frequency))
        close = distance[np.arange(frequency.size), nearest] < 0.5 * step
        given[close] = found.group_range[nearest[close]]
        sigma[close] = found.sigma[nearest[close]]
    highest = float(frequency[seen].max()) if seen.any() else np.nan
    return EdgeErrors(
        (given - truth)[seen],
        sigma[seen],
        np.asarray(snr, np.float64)[seen],
        frequency[seen] / highest,
        gate_km,
        about,
    )


def summary(edges: Sequence[EdgeErrors]) -> dict[str, float]:
    """Return a row of a table: points of all edges together; errors in km of those found."""
    error = np.concatenate([edge.error for edge in edges] or [np.empty(0)])
    if not error.size:
        return {"edges": len(edges), "points": 0}
    sigma = np.concatenate([edge.sigma for edge in edges])
    gate = np.concatenate([np.full(edge.error.size, edge.gate_km) for edge in edges])
    known = np.isfinite(error)
    row: dict[str, float] = {
        "edges": len(edges),
        "points": int(error.size),
        "coverage": round(float(known.mean()), 3),
    }
    if not known.any():
        return row
    distance = np.abs(error[known])
    gates = distance / gate[known]
    return row | {
        "signed_median_km": round(float(np.median(error[known])), 2),
        "signed_mean_km": round(float(error[known].mean()), 2),
        "median_km": round(float(np.median(distance)), 2),
        "mean_km": round(float(distance.mean()), 2),
        "p95_km": round(float(np.percentile(distance, 95)), 1),
        "median_gates": round(float(np.median(gates)), 2),
        "p95_gates": round(float(np.percentile(gates, 95)), 2),
        "within_gate": round(float((gates <= 1).mean()), 3),
        "within_sigma": round(float((distance <= sigma[known]).mean()), 3),
    }


@dataclass
class EdgeScores:
    """Edges of ionograms, one after the other.

    Attributes:
        errors: of each true layer that can be seen.
        false: by layer: found edges that belong to no true layer.
    """

    errors: list[EdgeErrors] = field(default_factory=list)
    false: dict[str, int] = field(default_factory=dict)

    def add(self, rows: Sequence[Row], truth: Sequence[KnownLayer], gate_km: float) -> None:
        """Add another ionogram.

        Args:
            rows: of the catalog.
            truth: its layers.
            gate_km: its range step.
        """
        pairs = pair_layers(rows, truth)
        for number, known in enumerate(truth):
            if known.edge_frequency.size < 2:
                continue
            found = edge_of_row(rows[pairs[number]]) if number in pairs else None
            frequency, edge = known.edge_frequency, known.edge_group_range
            errors = edge_errors(found, frequency, edge, known.edge_snr, gate_km, layer=known.layer)
            if errors.error.size:
                self.errors.append(errors)
        for number, row in enumerate(rows):
            if number not in pairs.values() and row.get("edge_frequency"):
                self.false[row["layer"]] = self.false.get(row["layer"], 0) + 1

    def rows(self, classes: Sequence[str]) -> list[dict[str, Any]]:
        """Return a row for each layer; see `summary`."""
        return [
            {"layer": name}
            | summary([errors for errors in self.errors if errors.about["layer"] == name])
            | {"false_edges": self.false.get(name, 0)}
            for name in classes
        ]


def pair_layers(rows: Sequence[Row], truth: Sequence[KnownLayer]) -> dict[int, int]:
    """Return the place of the found layer that each true one is: of its class, by their boxes.

    Each is paired at most once, those of the largest overlap first.
    """
    if not rows or not truth:
        return {}
    columns = ("frequency_min", "range_min", "frequency_max", "range_max")
    places = [
        (low, near, high, far)
        for known in truth
        for (low, high), (near, far) in [(known.frequency, known.group_range)]
    ]
    found = np.array([[row[name] for name in columns] for row in rows])
    overlaps = box_overlaps(np.array(places), found)
    same = [[row["layer"] == known.layer for row in rows] for known in truth]
    overlaps = np.where(same, overlaps, 0.0)
    return dict(match_findings(overlaps, overlaps.max(axis=0).tolist(), OVERLAPS[0]).pairs)
