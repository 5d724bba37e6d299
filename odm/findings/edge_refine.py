"""From a path to an edge in km: the mean profile along it, and where in its rise the edge lies.

Speckle makes a single column's rise worth little. Neighbouring columns, moved so that the path is
straight, give one mean profile, which the shapes of `odm.findings.edge_shape` are matched with.
Resampled columns (a Bayesian bootstrap) tell how far speckle alone moves the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.findings.edge_shape import POWERS, Bank, bank, contrast_class

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]

SMOOTH_MHZ = 0.5
"""Half-width of the triangle over which columns are averaged."""
POOL_MHZ = 4.0
"""Half-width over which columns share one shape: pulse and power law change slowly."""
BEFORE_KM, BEHIND_KM = 36.0, 40.0
"""What lies before the rise is taken from farther before; the peak is sought within."""
DYNAMIC_DB = 13.0
"""Below the peak nothing is matched: side lobes of the sounder's code may lie there."""
RESAMPLED = 8
FLOOR_DB, CEILING_DB = -4.0, 45.0


@dataclass(frozen=True, slots=True)
class Rise:
    """What the profiles say, per column (F,); NaN where there is no path.

    Attributes:
        edge: gates (real), where the edge is.
        contrast: dB, peak of the mean profile against what lies before it.
        own: dB, the same of the column alone, behind the edge against before it.
        misfit: dB, root mean square of the profile against its shape.
        spread: gates, standard deviation over resampled columns.
    """

    edge: Floats
    contrast: Floats
    own: Floats
    misfit: Floats
    spread: Floats


def refine(
    level: Matrix,
    path: Floats,
    frequency: NDArray[Any],
    gate_km: float,
    powers: tuple[float, ...] = POWERS,
    seed: int = 0,
) -> Rise:
    """The edge along a path.

    Args:
        level: (F, R) dB above the noise, NaN where there is none.
        path: (F,) gates, NaN where there is none.
        frequency: (F,) Hz.
        gate_km: range step.
        seed: of the resampling.
    """
    columns = np.flatnonzero(np.isfinite(path))
    empty = np.full(path.size, np.nan)
    if columns.size < 2:
        return Rise(*(empty.copy() for _ in range(5)))
    mhz = np.asarray(frequency, np.float64)[columns] / 1e6
    shapes = bank(round(gate_km, 4), powers)
    near = _triangle(mhz, SMOOTH_MHZ)
    pool = _triangle(mhz, POOL_MHZ)
    part = level[columns]
    line = smoothed(path[columns], mhz, near)
    for _ in range(2):
        straight = _along(part, line, shapes)
        profile = _mean(near, straight)
        fit = _match(profile, shapes, gate_km, pool)
        line = smoothed(line + fit.shift, mhz, near)
    straight = _along(part, line, shapes)
    profile = _mean(near, straight)
    fit = _match(profile, shapes, gate_km, pool)
    edge = line + fit.shift
    spread = _resampled(near, straight, shapes, fit, gate_km, seed)
    found = (edge, fit.contrast, _own(straight, shapes, gate_km), fit.misfit, spread)
    return Rise(*(_placed(values, columns, path.size) for values in found))


def _placed(values: Floats, columns: NDArray[np.int64], size: int) -> Floats:
    whole = np.full(size, np.nan)
    whole[columns] = values
    return whole


def _triangle(mhz: Floats, half: float) -> Floats:
    """(F, F) weights of neighbours."""
    return np.maximum(1 - np.abs(mhz[:, None] - mhz[None]) / half, 0.0)


def smoothed(values: Floats, mhz: Floats, near: Floats, rounds: int = 3) -> Floats:
    """Local straight lines through (F,) values, robust against single ones far off."""
    away = mhz[None] - mhz[:, None]
    trust = np.ones_like(values)
    line = values
    for turn in range(rounds):
        weight = near * trust[None] + 1e-9 * near
        s0, s1 = weight.sum(axis=1), (weight * away).sum(axis=1)
        s2 = (weight * away**2).sum(axis=1)
        t0, t1 = weight @ values, (weight * away) @ values
        below = s0 * s2 - s1**2
        flat = below < 1e-6 * s0**2
        line = np.where(flat, t0 / s0, (s2 * t0 - s1 * t1) / np.where(flat, 1.0, below))
        if turn < rounds - 1:
            off = np.abs(values - line)
            scale = 2.5 * max(1.4826 * float(np.median(off)), 0.5)
            trust = np.where(off < 2 * scale, (1 - (off / (2 * scale)) ** 2) ** 2, 0.0)
    return np.asarray(line)


def _along(part: Matrix, line: Floats, shapes: Bank) -> Matrix:
    """(F, W) levels at gates line + x."""
    gates = part.shape[1]
    place = line[:, None] + shapes.x[None]
    low = np.floor(place)
    share = (place - low).astype(np.float32)
    at = low.astype(np.int64)
    one = np.take_along_axis(part, np.clip(at, 0, gates - 1), axis=1)
    two = np.take_along_axis(part, np.clip(at + 1, 0, gates - 1), axis=1)
    values = one + share * (two - one)
    values[(at < 0) | (at + 1 >= gates)] = np.nan
    return np.clip(values, FLOOR_DB, CEILING_DB)


def _mean(near: Floats, straight: Matrix) -> Matrix:
    """Weighted means (F, W) over neighbouring columns, NaN where none was measured."""
    weight = near.astype(np.float32)
    there = np.isfinite(straight)
    count = weight @ there.astype(np.float32)
    total = weight @ np.where(there, straight, np.float32(0))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
    mean[count < 0.3 * weight.sum(axis=1, keepdims=True)] = np.nan
    return np.asarray(mean)


@dataclass(frozen=True, slots=True)
class _Fit:
    shift: Floats
    contrast: Floats
    misfit: Floats
    kind: NDArray[np.int64]


def _base(profile: Matrix, shapes: Bank, gate_km: float) -> tuple[Floats, Floats]:
    """What lies before the rise, and the peak behind it, dB (F,)."""
    km = shapes.x * gate_km
    before = profile[:, km <= -BEFORE_KM + 1e-6]
    known = np.isfinite(before)
    count = known.sum(axis=1)
    base = np.where(known, before, 0).sum(axis=1) / np.maximum(count, 1)
    base = np.where(count > 0, base, 0.0)
    behind = profile[:, (km >= -12) & (km <= BEHIND_KM)]
    peak = np.where(np.isfinite(behind), behind, -99.0).max(axis=1)
    base = np.maximum(base, peak - DYNAMIC_DB)
    return base.astype(np.float64), np.maximum(peak, base).astype(np.float64)


def _match(
    profile: Matrix,
    shapes: Bank,
    gate_km: float,
    pool: Floats,
    kind: NDArray[np.int64] | None = None,
) -> _Fit:
    """Shift of the best shape in each column; columns that are near share its kind."""
    base, peak = _base(profile, shapes, gate_km)
    contrast = peak - base
    level = contrast_class(contrast)
    there = np.isfinite(profile)
    lifted = np.where(there, np.maximum(profile - base[:, None], 0), 0).astype(np.float32)
    weight = there.astype(np.float32)
    columns, kinds, shifts = profile.shape[0], len(shapes.kinds), shapes.shift.size
    cost = np.empty((columns, kinds, shifts), np.float32)
    squares = (lifted**2).sum(axis=1)
    for one in np.unique(level):
        rows = np.flatnonzero(level == one)
        table = shapes.shapes[one].reshape(-1, shapes.x.size)
        cross = lifted[rows] @ table.T
        power = weight[rows] @ (table**2).T
        cost[rows] = (squares[rows, None] - 2 * cross + power).reshape(rows.size, kinds, shifts)
    if kind is None:
        least = cost.min(axis=2)
        trusted = np.minimum(contrast, 12.0)[:, None] ** 2
        kind = (pool @ (least * trusted)).argmin(axis=1)
    own = cost[np.arange(columns), kind]
    best = own.argmin(axis=1)
    inner = np.clip(best, 1, shifts - 2)
    rows = np.arange(columns)
    a, b, c = own[rows, inner - 1], own[rows, inner], own[rows, inner + 1]
    bend = a + c - 2 * b
    step = np.where(bend > 1e-9, 0.5 * (a - c) / np.where(bend > 1e-9, bend, 1), 0)
    quarter = shapes.shift[1] - shapes.shift[0]
    shift = shapes.shift[inner] + quarter * np.clip(step, -1, 1)
    misfit = np.sqrt(np.maximum(own[rows, best], 0) / np.maximum(weight.sum(axis=1), 1))
    return _Fit(shift.astype(np.float64), contrast, misfit.astype(np.float64), kind)


def _own(straight: Matrix, shapes: Bank, gate_km: float) -> Floats:
    """Rise of each column alone, dB."""
    km = shapes.x * gate_km
    with np.errstate(invalid="ignore"):
        behind = _nanmean(straight[:, (km >= 0) & (km <= 25)])
        before = _nanmean(straight[:, km <= -BEFORE_KM + 1e-6])
    return np.asarray(behind - np.nan_to_num(before), np.float64)


def _nanmean(values: Matrix) -> Matrix:
    there = np.isfinite(values)
    count = there.sum(axis=1)
    total = np.where(there, values, 0).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(count * 3 >= values.shape[1], total / count, np.nan))


def _resampled(
    near: Floats, straight: Matrix, shapes: Bank, fit: _Fit, gate_km: float, seed: int
) -> Floats:
    """Standard deviation of the shift over columns weighted anew, gates."""
    rng = np.random.default_rng(seed)
    shifts = np.empty((RESAMPLED, near.shape[0]))
    for turn in range(RESAMPLED):
        weight = near * np.asarray(rng.standard_exponential(near.shape[0]))[None]
        profile = _mean(weight, straight)
        shifts[turn] = _match_kind(profile, shapes, gate_km, fit.kind)
    return np.asarray(shifts.std(axis=0, ddof=1))


def _match_kind(profile: Matrix, shapes: Bank, gate_km: float, kind: NDArray[np.int64]) -> Floats:
    """As `_match` with kinds that are known: a thirtieth of the work."""
    base, peak = _base(profile, shapes, gate_km)
    level = contrast_class(peak - base)
    there = np.isfinite(profile)
    lifted = np.where(there, np.maximum(profile - base[:, None], 0), 0).astype(np.float32)
    best = np.zeros(profile.shape[0])
    pairs = level * len(shapes.kinds) + kind
    for pair in np.unique(pairs):
        rows = np.flatnonzero(pairs == pair)
        table = shapes.shapes[pair // len(shapes.kinds), pair % len(shapes.kinds)]
        cost = there[rows].astype(np.float32) @ (table**2).T - 2 * lifted[rows] @ table.T
        best[rows] = shapes.shift[cost.argmin(axis=1)]
    return best
