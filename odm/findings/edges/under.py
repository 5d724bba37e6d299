"""Where one layer lies upon the edge of another: what can still be seen of that edge.

Within the echo of another layer its grain may pass for an edge. There an edge counts as far as it
goes on from where it lies open, and while a rise is seen along it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_opening

from odm.findings.edges.profile import along, mean_profile, nanmean, triangle

Mask = NDArray[np.bool_]

BEHIND_KM, BEFORE_KM = 25.0, (-60.0, -12.0)
"""Over which the rise is taken, from the edge."""
SMOOTH_MHZ = 0.5
"""Half-width of the triangle over which columns are averaged."""
LEAST_DB = 2.0
"""A smaller rise is not seen."""
BRIDGED_MHZ, BRIDGED_STEPS = 0.6, 1.5
"""Across a wider gap than this, or than so many usual steps, nothing goes on."""
LEAST_OPEN = 3
"""Columns; a shorter stretch, such as a hole in another layer's segment, is no open one."""


def unseen(
    level: NDArray[Any], gate: NDArray[Any], covered: Mask, mhz: NDArray[Any], gate_km: float
) -> Mask:
    """The points (N,) of an edge that nothing shows.

    Args:
        level: (N, R) dB above the noise, of the columns of the points.
        gate: (N,) the edge, gates (real).
        covered: (N,) where another layer lies upon it.
        mhz: (N,) frequency, rising.
        gate_km: range step.
    """
    if not covered.any():
        return np.zeros_like(covered)
    x = np.arange(round(BEFORE_KM[0] / gate_km), round(BEHIND_KM / gate_km) + 1)
    profile = mean_profile(triangle(mhz, SMOOTH_MHZ), along(level, gate, x))
    km = x * gate_km
    before = nanmean(profile[:, (km >= BEFORE_KM[0]) & (km <= BEFORE_KM[1])])
    with np.errstate(invalid="ignore"):
        rises = nanmean(profile[:, km >= 0]) - before >= LEAST_DB
    widest = max(BRIDGED_MHZ, BRIDGED_STEPS * float(np.median(np.diff(mhz)))) if mhz.size > 1 else 0
    kept = binary_opening(~covered, np.ones(LEAST_OPEN))
    for way in (slice(None), slice(None, None, -1)):
        open_, seen, at = kept[way].copy(), rises[way], mhz[way]
        follows = np.concatenate([[False], np.abs(np.diff(at)) <= widest])
        goes_on = False
        for number in range(open_.size):
            goes_on = bool(open_[number] or (goes_on and follows[number] and seen[number]))
            kept[way][number] |= goes_on
    return ~kept
