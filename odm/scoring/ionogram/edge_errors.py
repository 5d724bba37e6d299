"""Scores of leading edges against the truth: errors in km, coverage, what an error bar is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.findings.edges import LayerEdge

Floats = NDArray[np.float64]

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
    found: LayerEdge,
    frequency: NDArray[Any],
    truth: NDArray[Any],
    snr: NDArray[Any],
    gate_km: float,
    **about: Any,
) -> EdgeErrors:
    """Compare an edge with the true one.

    Args:
        found: the edge.
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
        nearest = np.abs(frequency[:, None] - found.frequency[None])
        at = nearest.argmin(axis=1)
        close = nearest[np.arange(frequency.size), at] < 0.5 * np.median(np.diff(frequency))
        given[close], sigma[close] = found.group_range[at[close]], found.sigma[at[close]]
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
    """One row of a table: points of all edges together; errors in km of those that were found."""
    error = np.concatenate([one.error for one in edges] or [np.empty(0)])
    if not error.size:
        return {"edges": len(edges), "points": 0}
    sigma = np.concatenate([one.sigma for one in edges])
    gate = np.concatenate([np.full(one.error.size, one.gate_km) for one in edges])
    there = np.isfinite(error)
    row: dict[str, float] = {
        "edges": len(edges),
        "points": int(error.size),
        "coverage": round(float(there.mean()), 3),
    }
    if not there.any():
        return row
    off = np.abs(error[there])
    gates = off / gate[there]
    return row | {
        "signed_median_km": round(float(np.median(error[there])), 2),
        "signed_mean_km": round(float(error[there].mean()), 2),
        "median_km": round(float(np.median(off)), 2),
        "mean_km": round(float(off.mean()), 2),
        "p95_km": round(float(np.percentile(off, 95)), 1),
        "median_gates": round(float(np.median(gates)), 2),
        "p95_gates": round(float(np.percentile(gates, 95)), 2),
        "within_gate": round(float((gates <= 1).mean()), 3),
        "within_sigma": round(float((off <= sigma[there]).mean()), 3),
    }


def where(edges: Sequence[EdgeErrors], name: str, low: float, high: float) -> list[EdgeErrors]:
    """The parts of edges whose ``snr`` or ``share`` is from low to below high."""
    parts = []
    for one in edges:
        values = getattr(one, name)
        kept = (values >= low) & (values < high)
        parts.append(
            EdgeErrors(
                one.error[kept], one.sigma[kept], one.snr[kept], one.share[kept], one.gate_km,
                one.about,
            )
        )  # fmt: skip
    return parts
