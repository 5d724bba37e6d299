"""Edges of what was measured, and of what lies at one range at every frequency, are no layer's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.findings.edge_profile import CEILING_DB, FLOOR_DB, along

Mask = NDArray[np.bool_]

BEFORE_KM = (-30.0, -6.0)
"""An edge is seen against these ranges before it."""
MEASURED_SHARE = 0.5
"""Of them, that must have been measured."""
EVERYWHERE = 15
"""Percentile over the frequencies: a rise of it is there at nearly all."""
EVERYWHERE_DB = 4.0
BEHIND_KM = 25.0


def not_measured_before(level: NDArray[Any], edge: NDArray[Any], gate_km: float) -> Mask:
    """Where (F,) too little was measured before an edge to tell that it begins there.

    Args:
        level: (F, R) dB, NaN where nothing was measured.
        edge: (F,) gates (real), NaN where there is none.
        gate_km: range step.
    """
    first = round(BEFORE_KM[0] / gate_km)
    x = np.arange(min(first, -1), min(round(BEFORE_KM[1] / gate_km), -1) + 1)
    before = along(level, np.nan_to_num(edge), x)
    return np.asarray(np.isfinite(before).mean(axis=1) < MEASURED_SHARE) & np.isfinite(edge)


def at_all_frequencies(level: NDArray[Any], edge: NDArray[Any], gate_km: float) -> Mask:
    """Where (F,) the rise of an edge is one that nearly all frequencies have at that range.

    The delays of a layer change with frequency; those of the sounder's own disturbances do not.
    """
    measured = np.isfinite(level).any(axis=1)
    found = np.isfinite(edge)
    if measured.sum() < 10 or not found.any():
        return np.zeros_like(found)
    part = np.nan_to_num(level[measured], nan=FLOOR_DB).clip(FLOOR_DB, CEILING_DB)
    behind, before = max(round(BEHIND_KM / gate_km), 1), max(round(-BEFORE_KM[0] / gate_km), 1)
    sums = np.cumsum(np.pad(part, ((0, 0), (1, 0))), axis=1)
    gates = part.shape[1]
    at = np.arange(gates)

    def mean(low: NDArray[Any], high: NDArray[Any]) -> NDArray[Any]:
        low, high = np.clip(low, 0, gates), np.clip(high, 0, gates)
        return np.asarray((sums[:, high] - sums[:, low]) / np.maximum(high - low, 1))

    rises = mean(at, at + behind) - mean(at - before, at)
    rise = np.percentile(rises, EVERYWHERE, axis=0)  # of each frequency's own
    gate = np.clip(np.rint(np.nan_to_num(edge)), 0, gates - 1).astype(np.intp)
    near = np.clip(gate[:, None] + np.arange(-(behind // 2), behind // 2 + 1), 0, gates - 1)
    return np.asarray(rise[near].max(axis=1) >= EVERYWHERE_DB) & found
