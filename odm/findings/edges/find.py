"""Leading edges: the least group path P'(f) of each layer of an ionogram, in km, with its error.

    level      dB above the noise of each column                 `edge_level`
    isolate    one layer left: raw, boxes removed, or segments   `edge_isolate`
    trace      ``path`` (`edge_path`, `edge_refine`) or ``feng`` (`edge_feng`)

numpy and scipy alone; one call per ionogram, quick enough for a worker beside the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from odm.core.errors import InputError
from odm.findings.edges.feng import feng
from odm.findings.edges.isolate import CLASSES, Isolated, by_boxes, by_segments, raw
from odm.findings.edges.level import level_db
from odm.findings.edges.path import best_path, evidence
from odm.findings.edges.pieces import strays, without_specks
from odm.findings.edges.ranges import COARSEST_KM, even_ranges, not_too_fine, range_step
from odm.findings.edges.refine import refine
from odm.findings.edges.shape import ONSETS
from odm.findings.edges.under import unseen
from odm.findings.edges.window import at_all_frequencies, common_rise, not_measured_before
from odm.findings.layers import Layer

if TYPE_CHECKING:
    import xarray as xr

Floats = NDArray[np.float64]
Method = Literal["path", "feng"]
Isolation = Literal["raw", "boxes", "segments"]

CONVENTION = "backscatter"
"""Only there is a range the group path of one hop, and its least the leading edge."""
NO_LAYER, OUTSIDE, INTERFERENCE = "no layer", "outside window", "interference"
UNDER = "under another layer"
NO_VALUES = "not measured"
NO_RISE, CUT, GAPS, SHORT = "no rise", "cut by another layer", "gaps", "short"
STRAY = "pieces left out"


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """How edges are found.

    Attributes:
        method: ``path`` or ``feng``.
        layers: ``raw``, ``boxes`` or ``segments``: how one layer is isolated from the others.
        least_contrast_db: a mean profile that rises less is no echo.
        least_columns: an edge of fewer is none.
    """

    method: Method = "path"
    layers: Isolation = "boxes"
    least_contrast_db: float = 4.5
    least_columns: int = 8

    def __post_init__(self) -> None:
        for name, value, known in (
            ("edge", self.method, get_args(Method)),
            ("layers", self.layers, get_args(Isolation)),
        ):
            if value not in known:
                raise InputError(f"{name} {value!r} is none of {', '.join(known)}")


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


def edges_of(
    ionogram: xr.Dataset,
    layers: Sequence[Layer],
    settings: EdgeSettings | None = None,
    *,
    segments: NDArray[Any] | None = None,
) -> list[LayerEdge]:
    """The edge of each layer of an ionogram.

    Args:
        ionogram: as `odm.archive.ionogram.reader.open_ionogram` gives it.
        layers: what was found in it; with ``raw`` only their names are used.
        settings: the defaults if None.
        segments: (F, R) class of each value: 0 background, 1 Es, 2 F; for ``segments``.

    Returns:
        One for each of ``layers``, in their order, perhaps without a point; for an ionogram
        without a layer one that says so.

    Raises:
        InputError: ranges of another convention than ``backscatter``, or no segments where they
            are needed.
    """
    convention = ionogram.attrs.get("range_convention")
    if convention != CONVENTION:
        raise InputError(
            f"leading edges need ranges of the convention {CONVENTION}, and these are {convention}"
        )
    return matrix_edges(
        ionogram["snr"].values,
        ionogram["frequency"].values,
        ionogram["group_range"].values,
        layers,
        settings,
        segments=segments,
    )


def matrix_edges(
    snr: NDArray[Any],
    frequency: NDArray[Any],
    group_range: NDArray[Any],
    layers: Sequence[Layer],
    settings: EdgeSettings | None = None,
    *,
    segments: NDArray[Any] | None = None,
) -> list[LayerEdge]:
    """`edges_of` of arrays: SNR (F, R) in dB, frequency (F,) in Hz, backscatter range (R,) in km.

    Ranges have even steps; either axis may fall, and what is not finite was not measured.
    """
    settings = settings or EdgeSettings()
    for layer in layers:
        if layer.layer not in CLASSES:
            raise InputError(f"a layer {layer.layer!r} is none of {', '.join(CLASSES)}")
    wanted = (np.size(frequency), np.size(group_range))
    if snr.shape != wanted:
        raise InputError(f"an SNR of {snr.shape} does not fit axes of {wanted}")
    if not even_ranges(group_range):
        raise InputError("leading edges need ranges in even steps")
    if range_step(group_range) > COARSEST_KM:
        raise InputError(f"leading edges need ranges in steps of at most {COARSEST_KM:g} km")
    if settings.layers == "segments" and (segments is None or segments.shape != snr.shape):
        given = "none" if segments is None else f"some of {segments.shape}"
        raise InputError(f"edges by segments need segments of {snr.shape}, and there are {given}")
    if not layers:
        return [_empty("", NO_LAYER)]
    if frequency.size < 2:
        return [_empty(layer.layer, SHORT) for layer in layers]
    if frequency[0] > frequency[-1]:
        frequency, snr = frequency[::-1], snr[::-1]
        segments = None if segments is None else segments[::-1]
    if group_range[0] > group_range[-1]:
        group_range, snr = group_range[::-1], snr[:, ::-1]
        segments = None if segments is None else segments[:, ::-1]
    if not (np.diff(frequency) > 0).all():
        raise InputError("leading edges need frequencies that rise, or fall, from one to the next")
    group_range, snr, segments = not_too_fine(group_range, snr, segments)
    level, disturbed = level_db(np.where(np.isfinite(snr), snr, np.nan))
    gate_km = range_step(group_range)
    ready = _Ready(
        level,
        disturbed,
        np.asarray(frequency, np.float64),
        np.asarray(group_range, np.float64),
        gate_km,
        common_rise(level, gate_km),
    )
    if settings.layers == "raw":
        return _raw_edges(ready, layers, settings)
    found = []
    for one, layer in enumerate(layers):
        if settings.layers == "boxes":
            alone = by_boxes(layers, one, ready.frequency, ready.group_range)
        else:
            assert segments is not None
            alone = by_segments(segments, layers, one, ready.frequency, ready.group_range)
        # A single layer after isolation, as the paper has it.
        found.append(_edge(ready, layer.layer, alone, settings, upper=False))
    return found


@dataclass(frozen=True, slots=True)
class _Ready:
    level: NDArray[np.float32]
    disturbed: NDArray[np.bool_]
    frequency: Floats
    group_range: Floats
    gate_km: float
    common: Floats


def _empty(layer: str, *flags: str) -> LayerEdge:
    none = np.empty(0)
    return LayerEdge(layer, none, none, none, none, flags)


def _raw_edges(ready: _Ready, layers: Sequence[Layer], settings: EdgeSettings) -> list[LayerEdge]:
    """Edges of the whole ionogram: the lower is sporadic E's, if both are asked for."""
    names = [layer.layer for layer in layers]
    both = len(set(names)) > 1
    alone = raw(ready.frequency, ready.group_range)
    if settings.method == "feng":
        return [_edge(ready, name, alone, settings, upper=both and name == "F") for name in names]
    if not both:
        return [_edge(ready, name, alone, settings, upper=False) for name in names]
    score = evidence(ready.level, ready.gate_km)
    paths = []
    allowed = alone.allowed & np.asarray(np.isfinite(ready.level).any(axis=1))[:, None]
    for _ in range(2):
        path = best_path(score, allowed, ready.frequency, ready.gate_km)
        paths.append(path)
        gates = np.arange(score.shape[1])[None]
        with np.errstate(invalid="ignore"):
            allowed = allowed & ~(np.abs(gates - path[:, None]) * ready.gate_km < 100)
    common = np.isfinite(paths[0]) & np.isfinite(paths[1])
    below = float(np.median((paths[1] - paths[0])[common])) < 0 if common.any() else False
    lower, upper = (paths[1], paths[0]) if below else (paths[0], paths[1])
    by_name = {"Es": lower, "F": upper}
    return [_edge(ready, name, alone, settings, upper=False, path=by_name[name]) for name in names]


def _edge(
    ready: _Ready,
    layer: str,
    alone: Isolated,
    settings: EdgeSettings,
    *,
    upper: bool,
    path: Floats | None = None,
) -> LayerEdge:
    measured = np.asarray(np.isfinite(ready.level).any(axis=1))
    allowed = alone.allowed & measured[:, None]
    if alone.flag or not allowed.any():
        return _empty(layer, alone.flag or (NO_VALUES if alone.allowed.any() else NO_LAYER))
    level = ready.level
    if alone.removed.any():
        level = np.where(alone.removed, np.float32(np.nan), level)
    if settings.method == "feng":
        trace = feng(level, allowed, ready.frequency, ready.gate_km, upper)
        edge, sigma, contrast = trace.edge, trace.sigma, trace.contrast
        own = contrast
        trust = np.full(edge.size, 6.0)
    else:
        if path is None:
            path = best_path(
                evidence(level, ready.gate_km), allowed, ready.frequency, ready.gate_km
            )
        rise = refine(
            level,
            path,
            ready.frequency,
            ready.gate_km,
            ONSETS[layer],
            float(ready.group_range[0]),
            two_traces=layer == "F",
        )
        edge, sigma, contrast, own = rise.edge, rise.spread, rise.contrast, rise.own
        trust = rise.contrast
    with np.errstate(invalid="ignore"):
        there = np.isfinite(edge) & (contrast >= settings.least_contrast_db)
        there &= ~(ready.disturbed & ~(own >= 2.0))
    return _checked(ready, layer, alone, settings, edge, sigma, there, trust)


def _checked(
    ready: _Ready,
    layer: str,
    alone: Isolated,
    settings: EdgeSettings,
    edge: Floats,
    sigma: Floats,
    there: NDArray[np.bool_],
    contrast: Floats,
) -> LayerEdge:
    """The points that can be relied on, with the flags of what was left out."""
    flags = []
    last = ready.group_range.size - 1
    gate = np.clip(np.nan_to_num(np.rint(edge)), 0, last).astype(np.intp)
    beyond = there & ((edge > last - 3) | (edge < 0))
    blind = there & ~beyond & not_measured_before(ready.level, edge, ready.gate_km)
    fixed = there & ~beyond & ~blind & at_all_frequencies(ready.common, edge, ready.gate_km)
    # Behind a place that was cut out, the first that is left would pass for an edge.
    cut = np.zeros(edge.size, bool)
    if settings.layers == "boxes" and alone.removed.any():
        before = round(CUT_KM / ready.gate_km)
        near = np.clip(gate[:, None] + np.arange(-before, 2), 0, last)
        gone = np.take_along_axis(alone.removed, near, axis=1).mean(axis=1)
        cut = there & ~beyond & (gone > CUT_SHARE)
    if beyond.any():
        flags.append(OUTSIDE)
    if blind.any():
        flags.append(NO_VALUES)
    if cut.any():
        flags.append(CUT)
    there = there & ~beyond & ~blind & ~cut & ~fixed
    under = np.zeros_like(there)
    if alone.covered is not None and alone.behind is not None:
        before = np.maximum(gate - max(round(UNDER_KM / ready.gate_km), 1), 0)
        under = there & (alone.covered[np.arange(gate.size), before] | alone.behind)
    if under.any():
        flags.append(UNDER)
        kept = np.flatnonzero(there)
        hidden = unseen(
            ready.level[kept], edge[kept], under[kept], ready.frequency[kept] / 1e6, ready.gate_km
        )
        there[kept[hidden]] = False
    there = without_specks(there, ready.frequency)
    stray = strays(there, edge * ready.gate_km)
    if stray.any():
        flags.append(STRAY)
        there &= ~stray
    asked = alone.allowed.any(axis=1)
    if fixed.any() or (ready.disturbed & asked).sum() > 0.3 * asked.sum():
        flags.append(INTERFERENCE)
    if there.sum() < settings.least_columns:
        return _empty(layer, *flags, SHORT if there.any() else NO_RISE)
    kept = np.flatnonzero(there)
    if (np.diff(kept) > 1).any():
        flags.append(GAPS)
    step = ready.gate_km
    sigma_km = np.hypot(SIGMA_SCALE[layer] * sigma[kept] * step, SYSTEMATIC_KM[layer])
    sure = 1 / (1 + np.exp(-(contrast[kept] - 4.0) / 2.0))
    # Within the echo of another layer its grain may pass for an edge.
    sigma_km = np.where(under[kept], UNDER_SIGMA * sigma_km, sigma_km)
    sure = np.where(under[kept], UNDER_SURE * sure, sure)
    confidence = np.round(np.clip(sure * np.exp(-0.5 * (sigma_km / (4 * step)) ** 2), 0, 1), 3)
    return LayerEdge(
        layer,
        ready.frequency[kept],
        np.interp(edge[kept], np.arange(last + 1), ready.group_range),
        sigma_km,
        np.asarray(confidence, np.float64),
        tuple(flags),
    )


SIGMA_SCALE = {"F": 2.25, "Es": 2.25}
"""Errors against what resampling tells, on simulated ionograms: neighbours err alike."""
SYSTEMATIC_KM = {"F": 3.5, "Es": 7.0}
"""What it cannot tell: the shape of the rise is not known. Both so that 68 % of the errors on the
ionograms of seeds 71 to 73 lie within."""
CUT_KM, CUT_SHARE = 75.0, 0.2
"""An edge with more of the range before it cut out is not known to be one."""
UNDER_KM = 12.0
"""Another layer so far before an edge lies upon it."""
UNDER_SIGMA, UNDER_SURE = 3.0, 0.5
"""Factors of error and confidence there."""
