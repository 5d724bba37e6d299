"""The edge in km along a path: where in the rise of the mean profile it lies.

The mean profiles along the path are matched with the shapes of `odm.findings.edges.shapes`.
Resampled columns (a Bayesian bootstrap) tell how far speckle alone moves the answer.

**Two traces** of one layer: the extraordinary wave runs in front of the ordinary one.
The Earth's field splits each echo in two. The extraordinary trace is the ordinary one a few tenths
of a MHz higher (half the gyrofrequency, less at an angle), and so, as P'(f) rises, the nearer of
the two by some 10 to 100 km; it is often the fainter one. Which of them a search for the strongest
rise takes changes from column to column. Here the main trace is followed, and one shift in
frequency and one ratio of power are sought for the whole layer with which shapes of two rises come
much nearer to the profiles than those of one. What arrives first is then the edge, unless it is so
faint that nobody would take it for the layer.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from odm.findings.edges import shapes
from odm.findings.edges.edge import Trace
from odm.findings.edges.isolate import Levels
from odm.findings.edges.path import best_path
from odm.findings.edges.settings import BEHIND, TUNED, Floats, Matrix
from odm.findings.edges.shapes import Bank, Columns, window_mean, window_sums


def refine(part: Levels, path: Floats, layer: str) -> Trace:
    """Find the edge along a path.

    Args:
        part: of the ionogram, without other layers.
        path: (F,) gates, NaN where there is none.
        layer: ``Es`` or ``F``, which tells how it begins, and whether the extraordinary wave may
            run ahead.
    """
    known = np.flatnonzero(np.isfinite(path))
    if known.size < 2:
        return Trace(*np.full((5, path.size), np.nan))
    onset, gate_km = TUNED.onsets[layer], part.gate_km
    columns = Columns.of(part.level[known], part.mhz[known], gate_km)
    bank = shapes.one_rise_bank(round(gate_km, 4), onset.powers)
    pool = shapes.triangle(columns.mhz, TUNED.pool_mhz)
    powers = np.array([rise.power for rise in bank.rises])

    def match(line: Floats, straight: Matrix) -> _Match:
        unlikely = onset.penalty(float(part.group_range[0]) + line * gate_km, powers)
        profile = shapes.mean_profile(columns.near, straight)
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
    before = profile[:, shapes.within(bank.km, TUNED.base_km)]
    known = np.isfinite(before)
    base = np.where(known, before, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return shapes.base_and_peak(profile, base, bank.km, TUNED.peak_km, dynamic_db)


def _match(
    profile: Matrix, bank: Bank, pool: Floats, unlikely: Floats, dynamic_db: float
) -> _Match:
    """Match each column with the shapes; columns that are near share their rise."""
    base, peak = _base_and_peak(profile, bank, dynamic_db)
    contrast = np.maximum(peak - base, 0.0)
    rows = np.arange(len(profile))
    shifts = bank.shift.size
    cost = np.empty((rows.size, len(bank.rises), shifts), np.float32)
    for some, misfit in shapes.misfits(profile, base, peak, bank):
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
        profile = shapes.mean_profile(weight, straight)
        base, peak = _base_and_peak(profile, bank, dynamic_db)
        for some, misfit in shapes.misfits(profile, base, peak, bank, rise):
            turn[some] = bank.shift[misfit[:, 0].argmin(axis=1)]
    return np.asarray(shifts.std(axis=0, ddof=1))


class Split(NamedTuple):
    """Two traces.

    Attributes:
        line: (F,) gates, the edge.
        apart_km: (F,) to the other trace behind it; infinite where there is none to mind.
        split_mhz: distance of the traces in frequency.
        ratio_db: power of the first trace against the main one.
        gain: share of the misfit by which two rises are better than one.
    """

    line: Floats
    apart_km: Floats
    split_mhz: float
    ratio_db: float
    gain: float


def find_split(columns: Columns, path: Floats) -> Split | None:
    """Find two traces along a path, if there are two.

    Args:
        columns: of the layer.
        path: (F,) gates, the first estimate, on either trace.
    """
    if columns.mhz.size < TUNED.split_least_columns:
        return None

    def main_line(start: Floats, less_before: float) -> Floats:
        return columns.smooth(_main_path(columns, start, less_before))

    lines = [main_line(path, less_before) for less_before in TUNED.main_less_before]
    usual, bold = (_split_along(columns, line) for line in lines)
    if not usual and not bold:
        # From there again: at the highest frequencies it may be farther than it was sought.
        return leave_faint(columns, path, main_line(lines[0], TUNED.main_less_before[0]))
    if not usual or not bold or max(usual.ratio_db, bold.ratio_db) < TUNED.faint_db:
        return usual
    return bold if bold.gain > usual.gain and bold.ratio_db >= TUNED.faint_db else usual


def leave_faint(columns: Columns, path: Floats, main: Floats) -> Split | None:
    """Take the main trace (F,) where a path (F,) runs along something too faint to count."""
    x = np.arange(max(round(TUNED.faint_behind_km / columns.gate_km), 1))
    first, second = (window_mean(columns.profile(line, x), x, BEHIND) for line in (path, main))
    ahead = (main - path) * columns.gate_km >= TUNED.faint_ahead_km
    faint = ahead & (first - second < TUNED.faint_db)
    if faint.sum() < TUNED.split_least_columns:
        return None
    line = columns.smooth(np.where(faint, main, path))
    return Split(line, np.full(line.size, np.inf), 0.0, float("-inf"), 0.0)


def _split_along(columns: Columns, line: Floats) -> Split | None:
    """Find two traces of which a line (F,) is the main one, if there are two."""
    mhz, gate_km = columns.mhz, columns.gate_km
    one, two, contrast, peak = _costs(columns, line)
    known = np.isfinite(peak)
    rows = np.arange(mhz.size)
    apart_km = np.array(TUNED.split_apart_km)
    best: tuple[float, float, float, Floats] | None = None
    for split in TUNED.split_mhz:
        apart = (line - _earlier(line, mhz, split)) * gate_km
        usable = (apart >= apart_km[0]) & (apart <= apart_km[-1])
        usable &= contrast >= TUNED.split_least_db
        if usable.sum() < TUNED.split_least_columns:
            continue
        at = np.abs(apart[:, None] - apart_km).argmin(axis=1)
        double = two[rows, :, at][usable].sum(axis=0)  # pulses, ratios
        single = float(one[usable].sum(axis=0).min())
        gain = 1 - float(double.min()) / max(single, 1e-6)
        if best is None or gain > best[0]:
            ratio = TUNED.split_ratios_db[int(double.min(axis=0).argmin())]
            there = usable & known & (mhz - split >= mhz[0])
            if there.any():  # the same rays, which the main trace has a split lower
                lower = np.interp(mhz - split, mhz[known], peak[known])
                ratio += float(np.mean((peak - lower)[there]))
            ratio += TUNED.fainter_db_mhz * (split - TUNED.fainter_from_mhz)
            best = (gain, split, ratio, apart)
    if best is None or best[0] < TUNED.least_gain:
        return None
    gain, split, ratio, apart = best
    if ratio < TUNED.faint_db:
        return Split(line, np.full(mhz.size, np.inf), split, ratio, gain)
    ahead = apart >= apart_km[0]
    first = np.where(ahead, line - apart / gate_km, line)
    expected = ahead & (contrast + ratio >= TUNED.expected_db)
    profile, km = columns.profile_within(first, TUNED.visible_reach_km)
    before = np.nan_to_num(window_mean(profile, km, TUNED.visible_before_km))
    unseen = expected & (window_mean(profile, km, BEHIND) - before < TUNED.visible_db)
    if unseen.sum() > TUNED.unseen_share * expected.sum():
        return None
    return Split(first, np.where(ahead, apart, np.inf), split, ratio, gain)


def _main_path(columns: Columns, path: Floats, less_before: float) -> Floats:
    """The strongest onset near a path: what lies behind it, less a part of what lies before."""
    level, gate_km = columns.level, columns.gate_km
    filled = np.clip(np.where(np.isfinite(level), level, 0), 0, TUNED.main_ceiling_db)
    sums = window_sums(filled.astype(np.float32))
    behind, before = (
        max(round(km / gate_km), 1) for km in (TUNED.main_behind_km, TUNED.main_before_km)
    )
    score = sums(0, behind)[0] / np.float32(behind)
    score = score - np.float32(less_before) * (sums(-before, 0)[0] / np.float32(before))
    away = (np.arange(level.shape[1])[None] - path[:, None]) * gate_km
    allowed = (away >= TUNED.main_window_km[0]) & (away <= TUNED.main_window_km[1])
    main = best_path(score, allowed, columns.mhz, gate_km)
    return np.where(np.isfinite(main), main, path)


def _earlier(line: Floats, mhz: Floats, split: float) -> Floats:
    """The line (F,) at frequencies lower by ``split``; it goes on straight below the lowest."""
    earlier = np.interp(mhz - split, mhz, line)
    low = mhz - split < mhz[0]
    end = min(TUNED.slope_columns, mhz.size - 1)
    slope = (line[end] - line[0]) / (mhz[end] - mhz[0])
    earlier[low] = line[0] + slope * (mhz[low] - split - mhz[0])
    return np.asarray(earlier)


def _costs(columns: Columns, line: Floats) -> tuple[Matrix, Matrix, Floats, Floats]:
    """Match the profiles along a line (F,) with one rise and with two.

    Returns:
        Misfits of one rise (F, pulses) and of two (F, pulses, distances, ratios), and the contrast
        (F,) and the peak (F,) in dB, NaN where none was measured.
    """
    bank = shapes.two_rise_bank(round(columns.gate_km, 4))
    profile = columns.profile(line, bank.x)
    km = bank.x * columns.gate_km
    windows = (TUNED.split_far_km, TUNED.split_close_km)
    base = np.nan_to_num(np.fmin(*(window_mean(profile, km, window) for window in windows)))
    base, peak = shapes.base_and_peak(
        profile, base, km, TUNED.split_peak_km, TUNED.split_dynamic_db
    )
    cost = np.empty((len(profile), len(bank.rises)), np.float32)
    for rows, misfit in shapes.misfits(profile, base, peak, bank):
        cost[rows] = misfit.min(axis=2)
    by_pulse = cost.reshape(len(profile), len(TUNED.pulses_km), -1)
    two = by_pulse[:, :, 1:].reshape(
        *by_pulse.shape[:2], len(TUNED.split_apart_km), len(TUNED.split_ratios_db)
    )
    contrast = np.maximum(peak - base, 0.0)
    return by_pulse[:, :, 0], two, contrast, np.where(peak > -99.0, peak, np.nan)
