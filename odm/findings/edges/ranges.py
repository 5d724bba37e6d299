"""Ranges that edges can be found on: even, and with steps neither too fine nor too coarse."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FINEST_KM = 5.0
"""Finer gates are averaged, as many as fit into this."""
COARSEST_KM = 25.0
"""In coarser ones a rise is not seen."""


def even_ranges(group_range: NDArray[Any]) -> bool:
    """Whether ranges (R,) have even steps, as edges need them."""
    steps = np.diff(group_range)
    return bool(steps.size and np.ptp(steps) <= 0.01 * abs(float(steps.mean())))


def range_step(group_range: NDArray[Any]) -> float:
    """The usual step of ranges (R,), km; positive."""
    return abs(float(group_range[-1] - group_range[0])) / max(group_range.size - 1, 1)


def not_too_fine(
    group_range: NDArray[Any], snr: NDArray[Any], segments: NDArray[Any] | None
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
    """Ranges, SNR and segments with gates that are no finer than the shapes of a rise need.

    Powers of neighbours are averaged; the shapes' tables grow with the square of the gates.
    """
    fold = int(FINEST_KM / range_step(group_range) + 1e-6)
    gates = group_range.size // max(fold, 1)
    if fold < 2 or gates < 2:
        return group_range, snr, segments
    used = gates * fold
    parts = np.asarray(snr[:, :used], np.float64).reshape(-1, gates, fold)
    there = np.isfinite(parts)
    power = np.where(there, 10 ** (np.where(there, parts, 0.0) / 10), 0.0).sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = 10 * np.log10(power / there.sum(axis=2))
    ranges = np.asarray(group_range[:used], np.float64).reshape(gates, fold).mean(axis=1)
    coarse = None if segments is None else segments[:, fold // 2 : used : fold]
    return ranges, mean.astype(np.float32), coarse
