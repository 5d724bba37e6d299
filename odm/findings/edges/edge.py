"""The leading edge of a layer: the points that can be relied on, and flags for what is left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from odm.findings.edges import checks
from odm.findings.edges.isolate import Isolated, Levels
from odm.findings.edges.settings import TUNED, EdgeSettings, Floats, Mask
from odm.findings.edges.shapes import Columns

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
    blind = there & checks.not_measured_before(levels.level, edge, gate_km)
    common = there & ~blind & checks.at_all_frequencies(levels.common, edge, gate_km)
    cut = np.zeros_like(there)
    if settings.layers == "boxes" and isolated.removed.any():
        cut = there & _behind_cut(isolated.removed, gate, gate_km)
    there = there & ~blind & ~cut & ~common
    under = there & _under_another(isolated, gate, gate_km)
    if under.any():
        kept = np.flatnonzero(there)
        columns = Columns.of(levels.level[kept], levels.mhz[kept], gate_km)
        there[kept[checks.unseen(columns, edge[kept], under[kept])]] = False
    there = checks.without_specks(there, levels.frequency)
    stray = checks.strays(there, edge * gate_km)
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
