"""Leading edges: the least group path P'(f) of each layer of an ionogram, in km, with its error.

    level      dB above the noise of each column                 `isolate`
    isolate    one layer left: raw, boxes removed, or segments   `isolate`
    trace      ``path`` (`path`, `refine`) or ``feng`` (`feng`)
    check      the points that can be relied on                  `edge`

numpy and scipy alone; one call per ionogram, quick enough for a worker beside the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.core.errors import InputError
from odm.findings.edges import isolate
from odm.findings.edges.edge import (
    NO_LAYER,
    NO_VALUES,
    SHORT,
    LayerEdge,
    common_rise,
    reliable_edge,
)
from odm.findings.edges.feng import feng
from odm.findings.edges.isolate import Isolated, Levels
from odm.findings.edges.path import best_path, evidence
from odm.findings.edges.refine import refine
from odm.findings.edges.settings import CLASSES, TUNED, EdgeSettings, Floats, Mask
from odm.findings.layers import Layer


def matrix_edges(
    snr: NDArray[Any],
    frequency: NDArray[Any],
    group_range: NDArray[Any],
    layers: Sequence[Layer],
    settings: EdgeSettings | None = None,
    *,
    segments: NDArray[Any] | None = None,
) -> list[LayerEdge]:
    """Find the edge of each layer of an ionogram.

    Args:
        snr: (F, R) dB; what is not finite was not measured.
        frequency: (F,) Hz, rising or falling.
        group_range: (R,) km of a backscatter sounder, rising or falling in even steps.
        layers: the layers; with ``raw`` only their names are used.
        settings: the defaults if None.
        segments: (F, R) class of each value: 0 background, 1 Es, 2 F; for ``segments``.

    Returns:
        One for each of ``layers``, in their order, perhaps without a point; for an ionogram
        without a layer one that says so.

    Raises:
        InputError: axes or segments that do not fit, or a layer that is not of `CLASSES`.
    """
    settings = settings or EdgeSettings()
    _check(snr, frequency, group_range, layers)
    if settings.layers == "segments" and (segments is None or segments.shape != snr.shape):
        given = "none" if segments is None else f"some of {segments.shape}"
        raise InputError(f"edges by segments need segments of {snr.shape}, and there are {given}")
    if not layers:
        return [LayerEdge.without_points("", NO_LAYER)]
    if frequency.size < 2:
        return [LayerEdge.without_points(layer.layer, SHORT) for layer in layers]
    rising = tuple(
        slice(None, None, -1 if axis[0] > axis[-1] else 1) for axis in (frequency, group_range)
    )
    frequency, group_range, snr = frequency[rising[0]], group_range[rising[1]], snr[rising]
    segments = None if segments is None else segments[rising]
    if not (np.diff(frequency) > 0).all():
        raise InputError("leading edges need frequencies that rise, or fall, from one to the next")
    group_range, snr, segments = isolate.average_fine_gates(group_range, snr, segments)
    level, disturbed = isolate.level_db(np.where(np.isfinite(snr), snr, np.nan))
    gate_km = isolate.range_step(group_range)
    levels = Levels(
        level,
        disturbed,
        np.asarray(frequency, np.float64),
        np.asarray(group_range, np.float64),
        gate_km,
        common_rise(level, gate_km),
    )
    if settings.layers == "raw":
        return _raw_edges(levels, [layer.layer for layer in layers], settings)
    edges = []
    for number, layer in enumerate(layers):
        if settings.layers == "boxes":
            isolated = isolate.by_boxes(levels, layers, number)
        else:
            assert segments is not None
            isolated = isolate.by_segments(levels, layers, number, segments)
        # After isolation there is a single layer, as the paper has it.
        edges.append(_edge(levels, layer.layer, isolated, settings))
    return edges


def _check(
    snr: NDArray[Any],
    frequency: NDArray[Any],
    group_range: NDArray[Any],
    layers: Sequence[Layer],
) -> None:
    for layer in layers:
        if layer.layer not in CLASSES:
            raise InputError(f"a layer {layer.layer!r} is none of {', '.join(CLASSES)}")
    axes = (np.size(frequency), np.size(group_range))
    if snr.shape != axes:
        raise InputError(f"an SNR of {snr.shape} does not fit axes of {axes}")
    if not isolate.even_ranges(group_range):
        raise InputError("leading edges need ranges in even steps")
    if isolate.range_step(group_range) > TUNED.coarsest_gate_km:
        raise InputError(
            f"leading edges need ranges in steps of at most {TUNED.coarsest_gate_km:g} km"
        )


def _raw_edges(levels: Levels, names: Sequence[str], settings: EdgeSettings) -> list[LayerEdge]:
    """Find edges of the whole ionogram: the lower is sporadic E's, if both are asked for."""
    both = len(set(names)) > 1
    # An edge may be anywhere but at the sounder itself.
    allowed = np.broadcast_to(levels.group_range >= TUNED.nearest_km, levels.level.shape)
    whole = Isolated(np.zeros_like(allowed), allowed)
    paths: dict[str, Floats] = {}
    if both and settings.method == "path":
        paths = dict(zip(CLASSES, _two_paths(levels, allowed), strict=True))
    return [
        _edge(levels, name, whole, settings, upper=both and name == "F", path=paths.get(name))
        for name in names
    ]


def _two_paths(levels: Levels, allowed: Mask) -> tuple[Floats, Floats]:
    """Return the lower and the upper (F,) of the two paths of most evidence, gates."""
    score = evidence(levels.level, levels.gate_km)
    allowed = allowed & levels.measured
    gates = np.arange(score.shape[1])[None]
    first = best_path(score, allowed, levels.mhz, levels.gate_km)
    with np.errstate(invalid="ignore"):
        near = np.abs(gates - first[:, None]) * levels.gate_km < TUNED.apart_km
    second = best_path(score, allowed & ~near, levels.mhz, levels.gate_km)
    apart = (second - first)[np.isfinite(first) & np.isfinite(second)]
    below = apart.size and float(np.median(apart)) < 0
    return (second, first) if below else (first, second)


def _edge(
    levels: Levels,
    layer: str,
    isolated: Isolated,
    settings: EdgeSettings,
    *,
    upper: bool = False,
    path: Floats | None = None,
) -> LayerEdge:
    """Find the edge of one layer.

    Args:
        levels: the ionogram.
        layer: ``Es`` or ``F``.
        isolated: its part of the ionogram.
        settings: how it is found.
        upper: whether it is the upper of two layers.
        path: (F,) gates, if it is known.
    """
    allowed = isolated.allowed & levels.measured
    if isolated.flag or not allowed.any():
        flag = isolated.flag or (NO_VALUES if isolated.allowed.any() else NO_LAYER)
        return LayerEdge.without_points(layer, flag)
    part = levels
    if isolated.removed.any():
        part = levels._replace(level=np.where(isolated.removed, np.float32(np.nan), levels.level))
    if settings.method == "feng":
        trace = feng(part, allowed, upper=upper)
    else:
        if path is None:
            score = evidence(part.level, part.gate_km)
            path = best_path(score, allowed, part.mhz, part.gate_km)
        trace = refine(part, path, layer)
    return reliable_edge(levels, layer, isolated, trace, settings)
