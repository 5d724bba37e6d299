"""The edge in km along a path: where in the rise of the mean profile it lies.

The mean profiles along the path are matched with the shapes of `odm.findings.edges.shapes`.
Resampled columns (a Bayesian bootstrap) tell how far speckle alone moves the answer.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from odm.findings.edges.edge import Trace
from odm.findings.edges.isolate import Levels
from odm.findings.edges.settings import TUNED, Floats, Matrix
from odm.findings.edges.shapes import (
    Bank,
    Columns,
    base_and_peak,
    mean_profile,
    misfits,
    one_rise_bank,
    triangle,
    window_mean,
    within,
)
from odm.findings.edges.two_traces import find_split


def refine(part: Levels, path: Floats, layer: str) -> Trace:
    """Find the edge along a path.

    Args:
        part: of the ionogram, without other layers.
        path: (F,) gates, NaN where there is none.
        layer: ``Es`` or ``F``, which tells how it begins, and whether the extraordinary wave may
            run ahead (see `odm.findings.edges.two_traces`).
    """
    known = np.flatnonzero(np.isfinite(path))
    if known.size < 2:
        return Trace(*np.full((5, path.size), np.nan))
    onset, gate_km = TUNED.onsets[layer], part.gate_km
    columns = Columns.of(part.level[known], part.mhz[known], gate_km)
    bank = one_rise_bank(round(gate_km, 4), onset.powers)
    pool = triangle(columns.mhz, TUNED.pool_mhz)
    powers = np.array([rise.power for rise in bank.rises])

    def match(line: Floats, straight: Matrix) -> _Match:
        unlikely = onset.penalty(float(part.group_range[0]) + line * gate_km, powers)
        profile = mean_profile(columns.near, straight)
        return _match(profile, bank, pool, unlikely, onset.dynamic_db)

    line = columns.smooth(path[known])
    for _ in range(2):
        best = match(line, columns.straight(line, bank.x))
        line = columns.smooth(line + best.shift)
    apart_km, main = np.full(line.size, np.inf), best.contrast
    split = find_split(columns, line) if layer == "F" else None
    if split is not None:
        line, apart_km = split.line, split.apart_km
    straight = columns.straight(line, bank.x)
    # The other trace would draw the edge towards itself.
    straight[bank.x[None] * gate_km > TUNED.split_hidden_share * apart_km[:, None]] = np.nan
    best = match(line, straight)
    most = TUNED.split_move_share * apart_km / gate_km
    edge = line + np.clip(best.shift, -most, most)
    # The stronger of a layer's traces tells that there is a layer.
    contrast = np.where(np.isfinite(apart_km), np.maximum(best.contrast, main), best.contrast)
    spread = _resampled(columns.near, straight, bank, best.rise, onset.dynamic_db)
    whole = np.full((5, path.size), np.nan)
    whole[:, known] = edge, spread, contrast, _own_rise(straight, bank.km), contrast
    return Trace(*whole)


class _Match(NamedTuple):
    """The best shape in each column (F,): its shift in gates, its contrast in dB, its rise."""

    shift: Floats
    contrast: Floats
    rise: NDArray[np.int64]


def _base_and_peak(profile: Matrix, bank: Bank, dynamic_db: float) -> tuple[Floats, Floats]:
    before = profile[:, within(bank.km, TUNED.base_km)]
    known = np.isfinite(before)
    base = np.where(known, before, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return base_and_peak(profile, base, bank.km, TUNED.peak_km, dynamic_db)


def _match(
    profile: Matrix, bank: Bank, pool: Floats, unlikely: Floats, dynamic_db: float
) -> _Match:
    """Match each column with the shapes; columns that are near share their rise."""
    base, peak = _base_and_peak(profile, bank, dynamic_db)
    contrast = np.maximum(peak - base, 0.0)
    rows = np.arange(len(profile))
    shifts = bank.shift.size
    cost = np.empty((rows.size, len(bank.rises), shifts), np.float32)
    for some, misfit in misfits(profile, base, peak, bank):
        cost[some] = misfit
    trusted = np.minimum(contrast, TUNED.trusted_db)[:, None] ** 2
    rise = ((pool @ (cost.min(axis=2) * trusted)) * unlikely).argmin(axis=1)
    own = cost[rows, rise]
    inner = np.clip(own.argmin(axis=1), 1, shifts - 2)
    before, here, after = (own[rows, inner + step] for step in (-1, 0, 1))
    bend = before + after - 2 * here
    step = np.where(bend > 1e-9, 0.5 * (before - after) / np.where(bend > 1e-9, bend, 1), 0)
    shift = bank.shift[inner] + (bank.shift[1] - bank.shift[0]) * np.clip(step, -1, 1)
    return _Match(shift.astype(np.float64), contrast, rise)


def _own_rise(straight: Matrix, km: NDArray[Any]) -> Floats:
    """Rise (F,) of each column alone, dB."""
    before = np.nan_to_num(window_mean(straight, km, TUNED.base_km))
    return np.asarray(window_mean(straight, km, TUNED.own_behind_km) - before, np.float64)


def _resampled(
    near: Floats, straight: Matrix, bank: Bank, rise: NDArray[np.int64], dynamic_db: float
) -> Floats:
    """Standard deviation (F,) of the shift over columns weighted anew, gates."""
    rng = np.random.default_rng(0)
    shifts = np.empty((TUNED.resampled, near.shape[0]))
    for turn in shifts:
        weight = near * np.asarray(rng.standard_exponential(near.shape[0]))[None]
        profile = mean_profile(weight, straight)
        base, peak = _base_and_peak(profile, bank, dynamic_db)
        for some, misfit in misfits(profile, base, peak, bank, rise):
            turn[some] = bank.shift[misfit[:, 0].argmin(axis=1)]
    return np.asarray(shifts.std(axis=0, ddof=1))
