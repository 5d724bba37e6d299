"""From a path to an edge in km: the mean profile along it, and where in its rise the edge lies.

Speckle makes a single column's rise worth little. Neighbouring columns, moved so that the path is
straight, give one mean profile, which the shapes of `odm.findings.edges.shape` are matched with.
Resampled columns (a Bayesian bootstrap) tell how far speckle alone moves the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.findings.edges.lead import find_split
from odm.findings.edges.profile import along, mean_profile, nanmean, smoothed, triangle
from odm.findings.edges.shape import PEAK_KM, Bank, Onset, bank, contrast_class

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]

SMOOTH_MHZ = 0.5
"""Half-width of the triangle over which columns are averaged."""
POOL_MHZ = 2.0
"""Half-width over which columns share one shape: pulse and power law change slowly."""
BEFORE_KM = 36.0
"""What lies before the rise is taken from farther before."""
RESAMPLED = 8
NEAR_SPLIT = 0.35
"""Where two traces were found their distance is known: by so much of it the edge may move."""


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
    onset: Onset,
    first_km: float = 0.0,
    seed: int = 0,
    two_traces: bool = True,
) -> Rise:
    """The edge along a path.

    Args:
        level: (F, R) dB above the noise, NaN where there is none.
        path: (F,) gates, NaN where there is none.
        frequency: (F,) Hz.
        gate_km: range step.
        onset: how the layer begins; of `odm.findings.edges.shape`.
        first_km: range of the first gate.
        seed: of the resampling.
        two_traces: whether the extraordinary wave may run ahead; see `odm.findings.edges.lead`.
    """
    columns = np.flatnonzero(np.isfinite(path))
    empty = np.full(path.size, np.nan)
    if columns.size < 2:
        return Rise(*(empty.copy() for _ in range(5)))
    mhz = np.asarray(frequency, np.float64)[columns] / 1e6
    shapes = bank(round(gate_km, 4), onset.powers, onset.dynamic_db)
    near = triangle(mhz, SMOOTH_MHZ)
    pool = triangle(mhz, POOL_MHZ)
    part = level[columns]
    line = smoothed(path[columns], mhz, near)
    powers = shapes.kinds[:, 0]
    for _ in range(2):
        unlikely = onset.penalty(first_km + line * gate_km, powers)
        straight = along(part, line, shapes.x)
        profile = mean_profile(near, straight)
        fit = _match(profile, shapes, pool, unlikely)
        line = smoothed(line + fit.shift, mhz, near)
    behind, main = np.full(line.size, np.inf), fit.contrast
    if two_traces:
        split = find_split(part, line, mhz, near, gate_km)
        if split is not None:
            line, behind = split.line, split.apart_km
    straight = along(part, line, shapes.x)
    # The other trace would draw the edge towards itself.
    straight[shapes.x[None] * gate_km > 0.6 * behind[:, None]] = np.nan
    profile = mean_profile(near, straight)
    unlikely = onset.penalty(first_km + line * gate_km, powers)
    fit = _match(profile, shapes, pool, unlikely)
    most = NEAR_SPLIT * behind / gate_km
    edge = line + np.clip(fit.shift, -most, most)
    # That there is a layer the stronger of its traces tells.
    contrast = np.where(np.isfinite(behind), np.maximum(fit.contrast, main), fit.contrast)
    spread = _resampled(near, straight, shapes, fit, seed)
    found = (edge, contrast, _own(straight, shapes), fit.misfit, spread)
    return Rise(*(_placed(values, columns, path.size) for values in found))


def _placed(values: Floats, columns: NDArray[np.int64], size: int) -> Floats:
    whole = np.full(size, np.nan)
    whole[columns] = values
    return whole


@dataclass(frozen=True, slots=True)
class _Fit:
    shift: Floats
    contrast: Floats
    misfit: Floats
    kind: NDArray[np.int64]


def _base(profile: Matrix, shapes: Bank) -> tuple[Floats, Floats]:
    """What lies before the rise, and the peak behind it, dB (F,)."""
    km = shapes.x * shapes.gate_km
    before = profile[:, km <= -BEFORE_KM + 1e-6]
    known = np.isfinite(before)
    count = known.sum(axis=1)
    base = np.where(known, before, 0).sum(axis=1) / np.maximum(count, 1)
    base = np.where(count > 0, base, 0.0)
    behind = profile[:, (km >= PEAK_KM[0]) & (km <= PEAK_KM[1])]
    peak = np.where(np.isfinite(behind), behind, -99.0).max(axis=1)
    base = np.maximum(base, peak - shapes.dynamic_db)
    return base.astype(np.float64), np.maximum(peak, base).astype(np.float64)


def _match(
    profile: Matrix,
    shapes: Bank,
    pool: Floats,
    unlikely: Floats,
) -> _Fit:
    """Shift of the best shape in each column; columns that are near share its kind."""
    base, peak = _base(profile, shapes)
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
    trusted = np.minimum(contrast, 12.0)[:, None] ** 2
    kind = ((pool @ (cost.min(axis=2) * trusted)) * unlikely).argmin(axis=1)
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


def _own(straight: Matrix, shapes: Bank) -> Floats:
    """Rise of each column alone, dB."""
    km = shapes.x * shapes.gate_km
    with np.errstate(invalid="ignore"):
        behind = nanmean(straight[:, (km >= 0) & (km <= 25)])
        before = nanmean(straight[:, km <= -BEFORE_KM + 1e-6])
    return np.asarray(behind - np.nan_to_num(before), np.float64)


def _resampled(near: Floats, straight: Matrix, shapes: Bank, fit: _Fit, seed: int) -> Floats:
    """Standard deviation of the shift over columns weighted anew, gates."""
    rng = np.random.default_rng(seed)
    shifts = np.empty((RESAMPLED, near.shape[0]))
    for turn in range(RESAMPLED):
        weight = near * np.asarray(rng.standard_exponential(near.shape[0]))[None]
        profile = mean_profile(weight, straight)
        shifts[turn] = _match_kind(profile, shapes, fit.kind)
    return np.asarray(shifts.std(axis=0, ddof=1))


def _match_kind(profile: Matrix, shapes: Bank, kind: NDArray[np.int64]) -> Floats:
    """As `_match` with kinds that are known: a thirtieth of the work."""
    base, peak = _base(profile, shapes)
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
