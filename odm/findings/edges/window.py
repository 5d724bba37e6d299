"""Edges of what was measured, and of what lies at one range at every frequency, are no layer's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.findings.edges.profile import CEILING_DB, FLOOR_DB

Mask = NDArray[np.bool_]

BEFORE_KM = (-30.0, -6.0)
"""An edge is seen against these ranges before it."""
MEASURED_SHARE = 0.5
"""Of them, that must have been measured."""
EVERYWHERE = 15
"""Percentile over the frequencies: a rise of it is there at nearly all."""
EVERYWHERE_DB = 4.0
BEHIND_KM = 25.0
LEAST_COLUMNS = 10
"""Of fewer frequencies nothing is said."""


def not_measured_before(level: NDArray[Any], edge: NDArray[Any], gate_km: float) -> Mask:
    """Where (F,) too little was measured before an edge to tell that it begins there.

    Args:
        level: (F, R) dB, NaN where nothing was measured.
        edge: (F,) gates (real), NaN where there is none.
        gate_km: range step.
    """
    first, last = (min(round(km / gate_km), -1) for km in BEFORE_KM)
    at = np.rint(np.nan_to_num(edge)).astype(np.intp)[:, None] + np.arange(first, last + 1)
    inside = (at >= 0) & (at < level.shape[1])
    values = np.take_along_axis(level, at.clip(0, level.shape[1] - 1), axis=1)
    known = (inside & np.isfinite(values)).mean(axis=1)
    return np.asarray(known < MEASURED_SHARE) & np.isfinite(edge)


def common_rise(level: NDArray[Any], gate_km: float) -> NDArray[np.float64]:
    """The rise (R,) in dB at each gate that nearly all frequencies have; 0 of too few of them."""
    measured = np.isfinite(level).any(axis=1)
    gates = level.shape[1]
    if measured.sum() < LEAST_COLUMNS:
        return np.zeros(gates)
    part = np.nan_to_num(level[measured], nan=FLOOR_DB).clip(FLOOR_DB, CEILING_DB)
    behind, before = _reach(gate_km)
    sums = np.cumsum(np.pad(part, ((0, 0), (1, 0))), axis=1)
    at = np.arange(gates)

    def mean(low: NDArray[Any], high: NDArray[Any]) -> NDArray[Any]:
        low, high = np.clip(low, 0, gates), np.clip(high, 0, gates)
        return np.asarray((sums[:, high] - sums[:, low]) / np.maximum(high - low, 1))

    rises = mean(at, at + behind) - mean(at - before, at)
    return np.asarray(np.percentile(rises, EVERYWHERE, axis=0), np.float64)


def at_all_frequencies(
    rise: NDArray[np.float64], edge: NDArray[Any], gate_km: float
) -> NDArray[np.bool_]:
    """Where (F,) the rise of an edge is one that nearly all frequencies have at that range.

    The delays of a layer change with frequency; those of the sounder's own disturbances do not.

    Args:
        rise: of `common_rise`.
        edge: (F,) gates (real), NaN where there is none.
        gate_km: range step.
    """
    behind, _ = _reach(gate_km)
    last = rise.size - 1
    gate = np.rint(np.nan_to_num(edge)).clip(0, last).astype(np.intp)
    near = (gate[:, None] + np.arange(-(behind // 2), behind // 2 + 1)).clip(0, last)
    return np.asarray(rise[near].max(axis=1) >= EVERYWHERE_DB) & np.isfinite(edge)


def _reach(gate_km: float) -> tuple[int, int]:
    """Gates behind and before."""
    return max(round(BEHIND_KM / gate_km), 1), max(round(-BEFORE_KM[0] / gate_km), 1)
