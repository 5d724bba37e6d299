"""The leading edge of a layer: the points that can be relied on, and flags for what is left out.

Edges of what was measured, and of what lies at one range at every frequency, are no layer's; nor
is the grain of another layer's echo, a speck that stands alone, or a later echo.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_opening

from odm.findings.edges.isolate import Isolated, Levels
from odm.findings.edges.settings import BEHIND, TUNED, EdgeSettings, Floats, Mask
from odm.findings.edges.shapes import Columns, window_mean, window_sums

CONVENTION = "backscatter"
"""Ranges of this convention are group paths of one hop, and the least of them the leading edge."""
NO_LAYER, OUTSIDE, INTERFERENCE = "no layer", "outside window", "interference"
UNDER = "under another layer"
NO_VALUES = "not measured"
NO_RISE, CUT, GAPS, SHORT = "no rise", "cut by another layer", "gaps", "short"
STRAY = "pieces left out"


@dataclass(frozen=True, slots=True)
class LayerEdge:
    """The leading edge of one layer.

    Attributes:
        layer: ``Es`` or ``F``; "" where the ionogram shows none.
        frequency: (N,) Hz, rising; a frequency at which nothing can be said is left out.
        group_range: (N,) km, P'(f).
        sigma: (N,) km, one standard deviation.
        confidence: (N,) 0 to 1, chance that it lies within four range steps of the truth.
        flags: what is to be known of it: ``no layer``, ``not measured``, ``no segment``,
            ``few values``, ``no rise``, ``short``, ``outside window``, ``interference``, ``gaps``,
            ``cut by another layer``, ``under another layer``, ``pieces left out``.
    """

    layer: str
    frequency: Floats
    group_range: Floats
    sigma: Floats
    confidence: Floats
    flags: tuple[str, ...] = ()

    @classmethod
    def without_points(cls, layer: str, *flags: str) -> LayerEdge:
        """Return an edge that says why it is none."""
        none = np.empty(0)
        return cls(layer, none, none, none, none, flags)

    def __bool__(self) -> bool:
        return bool(self.frequency.size)

    @property
    def frequency_max(self) -> float | None:
        """Highest frequency of the edge, Hz."""
        return float(self.frequency[-1]) if self else None

    @property
    def minimum_group_range(self) -> float | None:
        """Least group path, km."""
        return float(self.group_range.min()) if self else None


class Trace(NamedTuple):
    """What a method says of an edge, per column (F,), before it is checked; NaN where nothing.

    Attributes:
        edge: gates (real).
        sigma: gates, the spread of the edge.
        contrast: dB, the rise of the mean profile or the denoised map.
        own: dB, the rise of the column alone.
        trust: dB, the contrast from which the confidence of the points is computed.
    """

    edge: Floats
    sigma: Floats
    contrast: Floats
    own: Floats
    trust: Floats


def reliable_edge(
    levels: Levels, layer: str, isolated: Isolated, trace: Trace, settings: EdgeSettings
) -> LayerEdge:
    """Return the points that can be relied on, with the flags of what was left out.

    Args:
        levels: the ionogram.
        layer: ``Es`` or ``F``.
        isolated: the layer's part of it.
        trace: the edge in every column.
        settings: how it was found.
    """
    edge, gate_km = trace.edge, levels.gate_km
    with np.errstate(invalid="ignore"):
        there = np.isfinite(edge) & (trace.contrast >= settings.least_contrast_db)
        there &= ~(levels.disturbed & ~(trace.own >= TUNED.own_least_db))
    last = levels.group_range.size - 1
    gate = np.clip(np.nan_to_num(np.rint(edge)), 0, last).astype(np.intp)
    beyond = there & ((edge > last - TUNED.last_gates) | (edge < 0))
    there = there & ~beyond
    blind = there & _not_measured_before(levels.level, edge, gate_km)
    common = there & ~blind & _at_all_frequencies(levels.common, edge, gate_km)
    cut = np.zeros_like(there)
    if settings.layers == "boxes" and isolated.removed.any():
        cut = there & _behind_cut(isolated.removed, gate, gate_km)
    there = there & ~blind & ~cut & ~common
    under = there & _under_another(isolated, gate, gate_km)
    if under.any():
        kept = np.flatnonzero(there)
        columns = Columns.of(levels.level[kept], levels.mhz[kept], gate_km)
        there[kept[unseen(columns, edge[kept], under[kept])]] = False
    there = _without_specks(there, levels.frequency)
    stray = _strays(there, edge * gate_km)
    there &= ~stray
    asked = isolated.allowed.any(axis=1)
    disturbed = (levels.disturbed & asked).sum() > TUNED.interference_share * asked.sum()
    reasons = {
        OUTSIDE: beyond.any(),
        NO_VALUES: blind.any(),
        CUT: cut.any(),
        UNDER: under.any(),
        STRAY: stray.any(),
        INTERFERENCE: common.any() or disturbed,
    }
    flags = [flag for flag, holds in reasons.items() if holds]
    if there.sum() < settings.least_columns:
        return LayerEdge.without_points(layer, *flags, SHORT if there.any() else NO_RISE)
    kept = np.flatnonzero(there)
    if (np.diff(kept) > 1).any():
        flags.append(GAPS)
    sigma = TUNED.sigma_scale[layer] * trace.sigma[kept] * gate_km
    sigma = np.hypot(sigma, TUNED.systematic_km[layer])
    sure = 1 / (1 + np.exp(-(trace.trust[kept] - TUNED.sure_db) / TUNED.sure_scale_db))
    sigma = np.where(under[kept], TUNED.cover_sigma * sigma, sigma)
    sure = np.where(under[kept], TUNED.cover_confidence * sure, sure)
    near = np.exp(-0.5 * (sigma / (TUNED.confident_gates * gate_km)) ** 2)
    confidence = np.round(np.clip(sure * near, 0, 1), 3)
    group_range = np.interp(edge[kept], np.arange(levels.group_range.size), levels.group_range)
    return LayerEdge(
        layer,
        levels.frequency[kept],
        group_range,
        sigma,
        np.asarray(confidence, np.float64),
        tuple(flags),
    )


def _behind_cut(removed: Mask, gate: NDArray[np.intp], gate_km: float) -> Mask:
    """Where (F,) much was cut out before an edge: the first that is left would pass for one."""
    before = round(TUNED.cut_km / gate_km)
    near = np.clip(gate[:, None] + np.arange(-before, 2), 0, removed.shape[1] - 1)
    gone = np.take_along_axis(removed, near, axis=1).mean(axis=1)
    return np.asarray(gone > TUNED.cut_share)


def _under_another(isolated: Isolated, gate: NDArray[np.intp], gate_km: float) -> Mask:
    """Where (F,) another layer's segment lies upon an edge."""
    if isolated.covered is None:
        return np.zeros(gate.size, bool)
    before = np.maximum(gate - max(round(TUNED.cover_km / gate_km), 1), 0)
    return isolated.covered[np.arange(gate.size), before]


def _not_measured_before(level: NDArray[Any], edge: NDArray[Any], gate_km: float) -> Mask:
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


def _at_all_frequencies(rise: Floats, edge: NDArray[Any], gate_km: float) -> Mask:
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


def _without_specks(there: Mask, frequency: Floats) -> Mask:
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


def _strays(there: Mask, edge_km: Floats) -> Mask:
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
