"""Points of an edge that cannot be relied on, each kind by a function of its own.

Edges of what was measured, and of what lies at one range at every frequency, are no layer's; nor
is the grain of another layer's echo, a speck that stands alone, or a later echo.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_opening

from odm.findings.edges.settings import BEHIND, TUNED, Floats, Mask
from odm.findings.edges.shapes import Columns, window_mean, window_sums


def not_measured_before(level: NDArray[Any], edge: NDArray[Any], gate_km: float) -> Mask:
    """Where (F,) too little was measured before an edge to tell that it begins there.

    Args:
        level: (F, R) dB, NaN where nothing was measured.
        edge: (F,) gates (real), NaN where there is none.
        gate_km: range step.
    """
    first, last = (min(round(km / gate_km), -1) for km in TUNED.measured_km)
    at = np.rint(np.nan_to_num(edge)).astype(np.intp)[:, None] + np.arange(first, last + 1)
    inside = (at >= 0) & (at < level.shape[1])
    values = np.take_along_axis(level, at.clip(0, level.shape[1] - 1), axis=1)
    known = (inside & np.isfinite(values)).mean(axis=1)
    return np.asarray(known < TUNED.measured_share) & np.isfinite(edge)


def common_rise(level: NDArray[Any], gate_km: float) -> Floats:
    """Return the rise (R,) in dB at each gate that nearly all columns have.

    It is 0 where too few columns were measured.

    Args:
        level: (F, R) dB, NaN where nothing was measured.
        gate_km: range step.
    """
    measured = np.isfinite(level).any(axis=1)
    if measured.sum() < TUNED.common_least_columns:
        return np.zeros(level.shape[1])
    filled = np.nan_to_num(level[measured], nan=TUNED.floor_db)
    sums = window_sums(filled.clip(TUNED.floor_db, TUNED.ceiling_db))
    windows = sums(0, _common_gates(gate_km)), sums(-_common_gates(gate_km, before=True), 0)
    behind, before = (total / np.maximum(gates, 1) for total, gates in windows)
    return np.asarray(np.percentile(behind - before, TUNED.common_percentile, axis=0), np.float64)


def at_all_frequencies(rise: Floats, edge: NDArray[Any], gate_km: float) -> Mask:
    """Where (F,) the rise of an edge is one that nearly all columns have at that range.

    The delays of a layer change with frequency; those of the sounder's own disturbances do not.

    Args:
        rise: (R,) of `common_rise`.
        edge: (F,) gates (real), NaN where there is none.
        gate_km: range step.
    """
    half = _common_gates(gate_km) // 2
    last = rise.size - 1
    gate = np.rint(np.nan_to_num(edge)).clip(0, last).astype(np.intp)
    near = (gate[:, None] + np.arange(-half, half + 1)).clip(0, last)
    return np.asarray(rise[near].max(axis=1) >= TUNED.common_db) & np.isfinite(edge)


def _common_gates(gate_km: float, *, before: bool = False) -> int:
    km = TUNED.common_before_km if before else TUNED.common_behind_km
    return max(round(km / gate_km), 1)


def unseen(columns: Columns, gate: NDArray[Any], covered: Mask) -> Mask:
    """Return the points (N,) of an edge that another layer hides.

    Within the echo of another layer its grain may pass for an edge. There an edge counts as far as
    it goes on from where it lies open, and while a rise is seen along it.

    Args:
        columns: of the points.
        gate: (N,) the edge, gates (real).
        covered: (N,) where another layer lies upon it.
    """
    if not covered.any():
        return np.zeros_like(covered)
    profile, km = columns.profile_within(gate, TUNED.cover_reach_km)
    before = window_mean(profile, km, TUNED.cover_before_km)
    with np.errstate(invalid="ignore"):
        rises = window_mean(profile, km, BEHIND) - before >= TUNED.cover_least_db
    mhz = columns.mhz
    usual = float(np.median(np.diff(mhz))) if mhz.size > 1 else 0.0
    widest = max(TUNED.cover_bridged_mhz, TUNED.cover_bridged_steps * usual)
    kept = binary_opening(~covered, np.ones(TUNED.cover_open_columns))
    for way in (slice(None), slice(None, None, -1)):
        is_open, seen, at = kept[way].copy(), rises[way], mhz[way]
        follows = np.concatenate([[False], np.abs(np.diff(at)) <= widest])
        goes_on = False
        for number in range(is_open.size):
            goes_on = bool(is_open[number] or (goes_on and follows[number] and seen[number]))
            kept[way][number] |= goes_on
    return ~kept


def without_specks(there: Mask, frequency: Floats) -> Mask:
    """Return points (F,) but for stretches of a column or two that stand alone.

    Args:
        there: (F,) the points.
        frequency: (F,) Hz, rising.
    """
    borders = np.diff(np.concatenate([[0], there.astype(np.int8), [0]]))
    starts, ends = np.flatnonzero(borders == 1), np.flatnonzero(borders == -1)
    kept = np.zeros_like(there)
    wide = float(np.median(np.diff(frequency))) > TUNED.speck_step_mhz * 1e6
    around = TUNED.speck_around
    for start, end in zip(starts, ends, strict=True):
        points = there[max(start - around, 0) : end + around].sum()
        if end - start >= TUNED.speck_columns or points >= around or wide:
            kept[start:end] = True
    return kept


def strays(there: Mask, edge_km: Floats) -> Mask:
    """Return points (F,) of pieces that do not go on with the longest one.

    These lie beyond it at lower frequencies, or before it at higher ones.
    """
    kept = np.flatnonzero(there)
    stray = np.zeros_like(there)
    if kept.size < 2:
        return stray
    jumps = np.abs(np.diff(edge_km[kept])) > TUNED.jump_km
    cuts = np.flatnonzero(jumps | (np.diff(kept) > TUNED.piece_columns)) + 1
    pieces = np.split(kept, cuts)
    longest = max(range(len(pieces)), key=lambda number: pieces[number].size)
    main = edge_km[pieces[longest]]
    for number, piece in enumerate(pieces):
        middle = float(np.median(edge_km[piece]))
        if number < longest:
            stray[piece] = middle > main[0] + TUNED.stray_km
        elif number > longest:
            stray[piece] = middle < main[-1] - TUNED.stray_km
    return stray
