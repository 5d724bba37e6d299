"""The level of an ionogram above its own noise, and the part of it in which a layer's edge may lie.

Sounders state SNR against one noise floor for all frequencies, or against one for each; and the
signal of other users lies over a whole column or a part of one. What is an echo is seen only
against the quiet part of its own column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from odm.findings.edges.settings import CLASSES, TUNED, Floats, Mask, Matrix
from odm.findings.layers import Layer


class Levels(NamedTuple):
    """An ionogram, or one layer's part of it, in which edges are looked for.

    Attributes:
        level: (F, R) dB above the noise, NaN where nothing was measured.
        disturbed: (F,) columns with interference.
        frequency: (F,) Hz, rising.
        group_range: (R,) km, rising.
        gate_km: range step.
        common: (R,) dB, the rise that nearly all columns have.
    """

    level: Matrix
    disturbed: Mask
    frequency: Floats
    group_range: Floats
    gate_km: float
    common: Floats

    @property
    def mhz(self) -> Floats:
        """(F,) frequency in MHz."""
        return self.frequency / 1e6

    @property
    def measured(self) -> Mask:
        """(F, 1) columns of which anything was measured."""
        return np.asarray(np.isfinite(self.level).any(axis=1, keepdims=True))


def level_db(snr: NDArray[Any]) -> tuple[Matrix, Mask]:
    """Return the level above the noise of each column, and which columns hold interference.

    Args:
        snr: (F, R) dB, NaN where nothing was measured.

    Returns:
        (F, R) dB, NaN where nothing was measured, or nearly nothing in the column; (F,) bool.
    """
    columns, gates = snr.shape
    width = max(gates // TUNED.noise_blocks, 1)
    blocks = min(TUNED.noise_blocks, gates // width)
    parts = np.asarray(snr[:, : blocks * width], np.float32).reshape(columns, blocks, width)
    missing = np.isnan(parts)
    if missing.any():
        few = missing.mean(axis=2, keepdims=True) > TUNED.noise_missing_share
        parts = np.where(few | missing, np.inf, parts)
    medians = np.partition(parts, width // 2, axis=2)[:, :, width // 2]
    rank = min(TUNED.noise_rank, blocks - 1)
    floor = np.partition(medians, rank, axis=1)[:, rank]
    corrected = floor + np.float32(TUNED.noise_correction_db)
    floor = np.where(np.isfinite(floor), corrected, np.nan).astype(np.float32)
    disturbed = np.zeros(columns, bool)
    if not np.isnan(floor).all():
        disturbed = floor > np.nanmedian(floor) + TUNED.disturbed_db
    return np.asarray(snr, np.float32) - floor[:, None], disturbed


def even_ranges(group_range: NDArray[Any]) -> bool:
    """Whether ranges (R,) have even steps, as edges need them."""
    steps = np.diff(group_range)
    return bool(steps.size and np.ptp(steps) <= TUNED.uneven_share * abs(float(steps.mean())))


def range_step(group_range: NDArray[Any]) -> float:
    """Return the usual step of ranges (R,) in km; positive."""
    return abs(float(group_range[-1] - group_range[0])) / max(group_range.size - 1, 1)


def average_fine_gates(
    group_range: NDArray[Any], snr: NDArray[Any], segments: NDArray[Any] | None
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
    """Return ranges (R,), SNR (F, R) and segments (F, R) with gates no finer than edges need.

    Powers of neighbouring gates are averaged; of segments the class in the middle is kept.
    """
    fold = int(TUNED.finest_gate_km / range_step(group_range) + 1e-6)
    gates = group_range.size // max(fold, 1)
    if fold < 2 or gates < 2:
        return group_range, snr, segments
    kept = gates * fold
    parts = np.asarray(snr[:, :kept], np.float64).reshape(-1, gates, fold)
    there = np.isfinite(parts)
    power = np.where(there, 10 ** (np.where(there, parts, 0.0) / 10), 0.0).sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = 10 * np.log10(power / there.sum(axis=2))
    ranges = np.asarray(group_range[:kept], np.float64).reshape(gates, fold).mean(axis=1)
    coarse = None if segments is None else segments[:, fold // 2 : kept : fold]
    return ranges, mean.astype(np.float32), coarse


@dataclass(frozen=True, slots=True)
class Isolated:
    """One layer's part of an ionogram (F, R).

    Attributes:
        removed: (F, R) values that belong to other layers.
        allowed: (F, R) where the edge may be; nowhere if there is no layer.
        flag: why it is nowhere, else "".
        covered: (F, R) where another layer's segment lies, removed or not, and columns in which
            the layer begins where another one ends; None where nobody knows.
    """

    removed: Mask
    allowed: Mask
    flag: str = ""
    covered: Mask | None = None


def inside_box(layer: Layer, levels: Levels) -> Mask:
    """Return the values (F, R) inside a layer's box, its borders included."""
    frequency, group_range = levels.frequency, levels.group_range
    columns = (frequency >= layer.frequency_min) & (frequency <= layer.frequency_max)
    gates = (group_range >= layer.range_min) & (group_range <= layer.range_max)
    return np.asarray(columns[:, None] & gates[None])


def by_boxes(levels: Levels, layers: Sequence[Layer], index: int) -> Isolated:
    """Remove the boxes of all other layers, and allow the edge in the layer's own.

    Source: section 2 of the paper on ionograms.

    Args:
        levels: the ionogram.
        layers: all layers of it.
        index: the layer to isolate.
    """
    removed = np.zeros(levels.level.shape, bool)
    for number, layer in enumerate(layers):
        if number != index:
            removed |= inside_box(layer, levels)
    own = layers[index]
    margin = TUNED.box_margin_columns * float(np.median(np.diff(levels.frequency)))
    wider = replace(
        own,
        frequency_min=own.frequency_min - margin,
        frequency_max=own.frequency_max + margin,
        range_min=max(own.range_min - TUNED.box_margin_km, TUNED.nearest_km),
    )
    box = inside_box(wider, levels)
    if min(box.any(axis=1).sum(), box.any(axis=0).sum()) < TUNED.least_layer_columns:
        outside = not inside_box(own, levels).any()
        return Isolated(removed, np.zeros_like(box), "outside window" if outside else "few values")
    return Isolated(removed, box & ~removed)


def by_segments(
    levels: Levels, layers: Sequence[Layer], index: int, segments: NDArray[Any]
) -> Isolated:
    """Cut a layer out along the shape of its segment.

    Layers of one class share its segment: each has what lies in its own box.

    Args:
        levels: the ionogram.
        layers: all layers of it.
        index: the layer to isolate.
        segments: (F, R) class of each value: 0 background, 1 Es, 2 F.
    """
    segment = _own_segment(levels, layers, index, segments)
    removed = (segments > 0) & ~segment
    columns = np.flatnonzero(segment.any(axis=1))
    if segment.sum() < TUNED.least_layer_values or columns.size < TUNED.least_layer_columns:
        flag = "few values" if segment.any() else "no segment"
        return Isolated(removed, np.zeros_like(segment), flag)
    gate_km = float(np.median(np.diff(levels.group_range)))
    first = segment[columns].argmax(axis=1)
    # Where another layer lies in front, this one's border is not seen: neighbours tell of it.
    hidden = np.zeros(columns.size, bool)
    for below in range(1, TUNED.cover_gates + 1):
        hidden |= removed[columns, np.maximum(first - below, 0)]
    seen = ~hidden
    if seen.sum() < TUNED.least_layer_columns:
        seen[:] = True
    line = ndimage.median_filter(
        first[seen].astype(np.float64), TUNED.border_columns, mode="nearest"
    )
    everywhere = np.arange(levels.frequency.size)
    behind = np.zeros(everywhere.size, bool)
    behind[columns] = hidden
    border = np.interp(everywhere, columns[seen], line)[:, None]
    near = np.abs(everywhere[:, None] - columns[None]).min(axis=1) <= TUNED.bridged_columns
    near &= (everywhere >= columns[0] - 1) & (everywhere <= columns[-1] + 1)
    gates = np.arange(levels.group_range.size)[None]
    first_km, last_km = TUNED.segment_window_km
    allowed = (gates >= border + first_km / gate_km) & (gates <= border + last_km / gate_km)
    # Around the border nothing is cut: a cut would look like an edge.
    covered = removed | behind[:, None]
    return Isolated(removed & ~allowed, allowed & near[:, None], covered=covered)


def _own_segment(
    levels: Levels, layers: Sequence[Layer], index: int, segments: NDArray[Any]
) -> Mask:
    """Return the values (F, R) of one layer's segment."""
    own = layers[index]
    segment: Mask = segments == CLASSES.index(own.layer) + 1
    same = [number for number, layer in enumerate(layers) if layer.layer == own.layer]
    if len(same) > 1:
        segment &= inside_box(own, levels)
        # Where boxes of a class overlap, the values are the nearer one's.
        for number in same:
            if number != index and layers[number].range_min < own.range_min:
                segment &= ~inside_box(layers[number], levels)
    return segment
