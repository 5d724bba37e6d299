"""Two traces of one layer: the extraordinary wave in front of the ordinary one.

The Earth's field splits each echo in two. The extraordinary trace is the ordinary one a few tenths
of a MHz higher (half the gyrofrequency, less at an angle), and so, as P'(f) rises, the nearer of
the two by some 10 to 100 km; it is often the fainter one. Which of them a search for the strongest
rise takes changes from column to column. Here the main trace is followed, and one shift in
frequency and one ratio of power are sought for the whole layer with which shapes of two rises come
much nearer to the profiles than those of one. What arrives first is then the edge, unless it is so
faint that nobody would take it for the layer.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from odm.findings.edges.path import best_path
from odm.findings.edges.profile import along, mean_profile, nanmean, smoothed
from odm.findings.edges.shape import PULSES_KM, power_profile

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]

SPLIT_MHZ = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8)
"""Between the traces."""
RATIOS_DB = tuple(-float(one) for one in range(1, 17))
"""Of the first trace against the main one."""
FAINT_DB, FAINTER_DB_MHZ = -10.4, 3.5
"""A fainter one does not count: 10 dB of power. In means of dB noise makes faint power fainter, the
more the farther the traces are apart."""
FAINT_AHEAD_KM = 40.0
"""So far before the main trace it is not the beginning of the same."""
GAIN = 0.3
"""Share of the misfit by which two rises have to be better than one."""
EXPECTED_DB, SEEN_DB, UNSEEN = 6.0, 2.0, 0.3
"""Where the first trace should rise by so much it does by more than this, but for a share."""
LEAST_DB, LEAST_COLUMNS = 10.0, 15
"""Only columns with so much contrast tell, and so many must."""
APART_KM = (16.0, 19.0, 23.0, 28.0, 34.0, 41.0, 50.0, 60.0, 72.0, 86.0, 103.0)
POWER = -0.6
REACH_KM = (150.0, 36.0)
SHIFT_KM = 15.0
DYNAMIC_DB = 20.0
CONTRASTS_DB = tuple(float(one) for one in range(4, 21, 2))
LESS_BEFORE = (0.5, 0.2)
"""Weights of what lies before the main trace: against a diffuse echo, and against a near trace."""
MAIN_KM = (-25.0, 130.0)
"""Where the main trace is sought, from the first path."""


class Split(NamedTuple):
    """Two traces.

    Attributes:
        line: (F,) gates, the edge.
        apart_km: (F,) to the other trace behind it; infinite where there is none to mind.
        split_mhz, ratio_db, gain: what was found.
    """

    line: Floats
    apart_km: Floats
    split_mhz: float
    ratio_db: float
    gain: float


class _Bank(NamedTuple):
    """Shapes (contrast, pulse, kind, shift, W): the first kind is one rise, then by distance and
    ratio."""

    x: NDArray[np.int64]
    shapes: NDArray[np.float32]


def find_split(
    level: Matrix, path: Floats, mhz: Floats, near: Floats, gate_km: float
) -> Split | None:
    """Two traces along a path, if there are two.

    Args:
        level: (F, R) dB above the noise, NaN where there is none.
        path: (F,) gates, the first estimate, on either trace.
        mhz: (F,) frequency.
        near: (F, F) weights of neighbours.
        gate_km: range step.
    """
    if mhz.size < LEAST_COLUMNS:
        return None

    def main_line(start: Floats, less: float) -> Floats:
        return smoothed(_main_path(level, start, mhz, gate_km, less), mhz, near)

    lines = [main_line(path, less) for less in LESS_BEFORE]
    usual, bold = (_split_along(level, line, mhz, near, gate_km) for line in lines)
    if not usual and not bold:
        # From there again: at the highest frequencies it may be farther than it was sought.
        main = main_line(lines[0], LESS_BEFORE[0])
        return _without_faint(level, path, main, mhz, near, gate_km)
    if not usual or not bold or max(usual.ratio_db, bold.ratio_db) < FAINT_DB:
        return usual
    return bold if bold.gain > usual.gain and bold.ratio_db >= FAINT_DB else usual


def _without_faint(
    level: Matrix, path: Floats, main: Floats, mhz: Floats, near: Floats, gate_km: float
) -> Split | None:
    """The main trace where a path runs along something else that is too faint to count."""
    x = np.arange(max(round(25 / gate_km), 1))
    first, second = (nanmean(mean_profile(near, along(level, line, x))) for line in (path, main))
    faint = ((main - path) * gate_km >= FAINT_AHEAD_KM) & (first - second < FAINT_DB)
    if faint.sum() < LEAST_COLUMNS:
        return None
    line = smoothed(np.where(faint, main, path), mhz, near)
    return Split(line, np.full(mhz.size, np.inf), 0.0, float("-inf"), 0.0)


def _split_along(
    level: Matrix, line: Floats, mhz: Floats, near: Floats, gate_km: float
) -> Split | None:
    """Two traces of which ``line`` is the main one, if there are two."""
    shapes = _bank(round(gate_km, 4))
    profile = mean_profile(near, along(level, line, shapes.x))
    one, two, contrast, peak = _costs(profile, shapes, gate_km)
    known = np.isfinite(peak)
    rows = np.arange(mhz.size)
    found: tuple[float, float, float, Floats] | None = None
    for split in SPLIT_MHZ:
        apart = (line - _earlier(line, mhz, split)) * gate_km
        usable = (apart >= APART_KM[0]) & (apart <= APART_KM[-1]) & (contrast >= LEAST_DB)
        if usable.sum() < LEAST_COLUMNS:
            continue
        at = np.abs(apart[:, None] - np.array(APART_KM)).argmin(axis=1)
        double = two[rows, :, at][usable].sum(axis=0)  # pulses, ratios
        single = float(one[usable].sum(axis=0).min())
        gain = 1 - float(double.min()) / max(single, 1e-6)
        if found is None or gain > found[0]:
            ratio = RATIOS_DB[int(double.min(axis=0).argmin())]
            there = usable & known & (mhz - split >= mhz[0])
            if there.any():  # the same rays, which the main trace has a split lower
                lower = np.interp(mhz - split, mhz[known], peak[known])
                ratio += float(np.mean((peak - lower)[there]))
            ratio += FAINTER_DB_MHZ * (split - 0.25)
            found = (gain, split, ratio, apart)
    if found is None or found[0] < GAIN:
        return None
    gain, split, ratio, apart = found
    if ratio < FAINT_DB:
        return Split(line, np.full(mhz.size, np.inf), split, ratio, gain)
    ahead = apart >= APART_KM[0]
    first = np.where(ahead, line - apart / gate_km, line)
    expected = ahead & (contrast + ratio >= EXPECTED_DB)
    unseen = expected & (_rise(level, first, near, gate_km) < SEEN_DB)
    if unseen.sum() > UNSEEN * expected.sum():
        return None
    return Split(first, np.where(ahead, apart, np.inf), split, ratio, gain)


def _rise(level: Matrix, line: Floats, near: Floats, gate_km: float) -> Floats:
    """(F,) dB by which what lies behind a line exceeds what lies before it."""
    x = np.arange(-round(75 / gate_km), round(20 / gate_km) + 1)
    profile = mean_profile(near, along(level, line, x))
    before = np.nan_to_num(nanmean(profile[:, x * gate_km <= -36]))
    return np.asarray(nanmean(profile[:, x >= 0]) - before)


def _main_path(
    level: Matrix, path: Floats, mhz: Floats, gate_km: float, less_before: float
) -> Floats:
    """The strongest onset near a path: what lies behind it, less a part of what lies before."""
    there = np.isfinite(level)
    filled = np.clip(np.where(there, level, 0), 0, 40).astype(np.float32)
    sums = np.cumsum(np.pad(filled, ((0, 0), (1, 0))), axis=1)
    gates = level.shape[1]
    at = np.arange(gates)

    def mean(first: int, last: int) -> Matrix:
        low, high = np.clip(at + first, 0, gates), np.clip(at + last, 0, gates)
        return (sums[:, high] - sums[:, low]) / np.float32(last - first)

    behind, before = max(round(25 / gate_km), 1), max(round(15 / gate_km), 1)
    score = mean(0, behind) - np.float32(less_before) * mean(-before, 0)
    away = (at[None] - path[:, None]) * gate_km
    allowed = (away >= MAIN_KM[0]) & (away <= MAIN_KM[1])
    found = best_path(score, allowed, mhz * 1e6, gate_km)
    return np.where(np.isfinite(found), found, path)


def _earlier(line: Floats, mhz: Floats, split: float) -> Floats:
    """(F,) the line at frequencies lower by ``split``; it goes on straight below the lowest."""
    earlier = np.interp(mhz - split, mhz, line)
    low = mhz - split < mhz[0]
    end = min(8, mhz.size - 1)
    slope = (line[end] - line[0]) / (mhz[end] - mhz[0])
    earlier[low] = line[0] + slope * (mhz[low] - split - mhz[0])
    return np.asarray(earlier)


@lru_cache(maxsize=8)
def _bank(gate_km: float) -> _Bank:
    x = np.arange(-round(REACH_KM[0] / gate_km), round(REACH_KM[1] / gate_km) + 1)
    shifts = max(round(SHIFT_KM / gate_km), 1) * 2
    away = (x[None] - np.arange(-shifts, shifts + 1)[:, None] / 2) * gate_km
    contrast = 10 ** (np.array(CONTRASTS_DB) / 10)
    pulses = []
    for pulse in PULSES_KM:
        grid, profile = power_profile(POWER, pulse, gate_km)
        main = np.interp(away, grid, profile, left=0.0)
        kinds = [main]
        for km in APART_KM:
            lead = np.interp(away + km, grid, profile, left=0.0)
            kinds += [main + 10 ** (ratio / 10) * lead for ratio in RATIOS_DB]
        pulses.append(np.stack(kinds))
    values = np.stack(pulses)
    values /= np.maximum(values.max(axis=-1, keepdims=True), 1e-12)
    shapes = 10 * np.log10(1 + (contrast[:, None, None, None, None] - 1) * values[None])
    return _Bank(x, shapes.astype(np.float32))


def _costs(profile: Matrix, shapes: _Bank, gate_km: float) -> tuple[Matrix, Any, Floats, Floats]:
    """Least squares of one rise (F, pulses), of two (F, pulses, distances, ratios), and the
    contrast (F,) and the peak (F,) in dB, NaN where none was measured."""
    km = shapes.x * gate_km
    far, close = nanmean(profile[:, km <= -110]), nanmean(profile[:, (km >= -75) & (km <= -36)])
    base = np.nan_to_num(np.fmin(far, close))
    behind = profile[:, km >= -12]
    peak = np.where(np.isfinite(behind), behind, -99.0).max(axis=1)
    base = np.maximum(base, peak - DYNAMIC_DB)
    contrast = np.maximum(peak - base, 0.0)
    there = np.isfinite(profile)
    lifted = np.where(there, np.maximum(profile - base[:, None], 0), 0).astype(np.float32)
    weight = there.astype(np.float32)
    level = np.abs(contrast[:, None] - np.array(CONTRASTS_DB)).argmin(axis=1)
    pulses, kinds, shifts, width = shapes.shapes.shape[1:]
    cost = np.empty((profile.shape[0], pulses, kinds), np.float32)
    squares = (lifted**2).sum(axis=1)
    for one in np.unique(level):
        rows = np.flatnonzero(level == one)
        table = shapes.shapes[one].reshape(-1, width)
        part = squares[rows, None] - 2 * lifted[rows] @ table.T + weight[rows] @ (table**2).T
        cost[rows] = part.reshape(rows.size, pulses, kinds, shifts).min(axis=3)
    two = cost[:, :, 1:].reshape(-1, pulses, len(APART_KM), len(RATIOS_DB))
    peak = np.where(np.isfinite(behind).any(axis=1), peak, np.nan)
    return cost[:, :, 0], two, contrast.astype(np.float64), peak.astype(np.float64)
