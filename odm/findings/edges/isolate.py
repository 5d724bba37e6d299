"""Single-layer ionograms: what is left of an ionogram for the edge of one of its layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from odm.findings.layers import Layer

Mask = NDArray[np.bool_]

CLASSES = ("Es", "F")
"""In a segmentation 1 and 2; 0 is background."""
NEAREST_KM = 90.0
"""No layer is nearer; the direct signal may be."""
MARGIN_KM, MARGIN_COLUMNS = 30.0, 1
"""By which a box is widened below and sideways."""
BEFORE_MASK_KM, BEHIND_MASK_KM = 40.0, 80.0
"""An edge lies so near the lower border of its layer's segment."""
LEAST_VALUES, LEAST_COLUMNS = 30, 4
"""A segment or box of less is no layer."""
BRIDGED_COLUMNS = 12
"""A segment with a wider hole is two."""


@dataclass(frozen=True, slots=True)
class Isolated:
    """One layer's part of an ionogram (F, R).

    Attributes:
        removed: what belongs to other layers.
        allowed: where the edge may be; nowhere if there is no layer.
        flag: why it is nowhere, else "".
        covered: where another layer's segment lies, removed or not.
        behind: (F,) in which columns the layer begins where another one ends.
    """

    removed: Mask
    allowed: Mask
    flag: str = ""
    covered: Mask | None = None
    behind: Mask | None = None


def inside_box(layer: Layer, frequency: NDArray[Any], group_range: NDArray[Any]) -> Mask:
    """(F, R) the values of a box, its borders included."""
    columns = (frequency >= layer.frequency_min) & (frequency <= layer.frequency_max)
    gates = (group_range >= layer.range_min) & (group_range <= layer.range_max)
    return np.asarray(columns[:, None] & gates[None])


def by_boxes(
    layers: Sequence[Layer], one: int, frequency: NDArray[Any], group_range: NDArray[Any]
) -> Isolated:
    """The boxes of all other layers removed (section 2 of the paper), the edge in its own."""
    removed = np.zeros((frequency.size, group_range.size), bool)
    for number, other in enumerate(layers):
        if number != one:
            removed |= inside_box(other, frequency, group_range)
    own = layers[one]
    step = float(np.median(np.diff(frequency)))
    apart = MARGIN_COLUMNS * step
    wider = Layer(
        own.layer,
        own.confidence,
        own.frequency_min - apart,
        own.frequency_max + apart,
        max(own.range_min - MARGIN_KM, NEAREST_KM),
        own.range_max,
    )
    box = inside_box(wider, frequency, group_range)
    if box.any(axis=1).sum() < LEAST_COLUMNS or box.any(axis=0).sum() < LEAST_COLUMNS:
        outside = not inside_box(own, frequency, group_range).any()
        flag = "outside window" if outside else "few values"
        return Isolated(removed, np.zeros_like(box), flag)
    return Isolated(removed, box & ~removed)


def by_segments(
    segments: NDArray[Any],
    layers: Sequence[Layer],
    one: int,
    frequency: NDArray[Any],
    group_range: NDArray[Any],
) -> Isolated:
    """Cut along the shape of a segmentation (F, R) of class indices.

    Layers of one class share its segment: each has what lies in its own box.
    """
    own = layers[one]
    kind = CLASSES.index(own.layer) + 1
    mine = segments == kind
    same = [number for number, other in enumerate(layers) if other.layer == own.layer]
    if len(same) > 1:
        mine &= inside_box(own, frequency, group_range)
        for number in same:
            if number != one:  # where boxes of a class overlap, the values are the nearer one's
                other = inside_box(layers[number], frequency, group_range)
                mine &= ~(other & (layers[number].range_min < own.range_min))
    removed = (segments > 0) & ~mine
    columns = np.flatnonzero(mine.any(axis=1))
    if mine.sum() < LEAST_VALUES or columns.size < LEAST_COLUMNS:
        return Isolated(removed, np.zeros_like(mine), "few values" if mine.any() else "no segment")
    gate_km = float(np.median(np.diff(group_range)))
    first = mine[columns].argmax(axis=1)
    # Where another layer lies in front, this one's border is not seen: neighbours tell of it.
    covered = np.zeros(columns.size, bool)
    for below in (1, 2, 3):
        covered |= removed[columns, np.maximum(first - below, 0)]
    seen = ~covered if (~covered).sum() >= LEAST_COLUMNS else np.ones_like(covered)
    line = ndimage.median_filter(first[seen].astype(np.float64), 5, mode="nearest")
    everywhere = np.arange(frequency.size)
    behind = np.zeros(frequency.size, bool)
    behind[columns] = covered
    border = np.interp(everywhere, columns[seen], line)
    near = np.abs(everywhere[:, None] - columns[None]).min(axis=1) <= BRIDGED_COLUMNS
    near &= (everywhere >= columns[0] - 1) & (everywhere <= columns[-1] + 1)
    gates = np.arange(group_range.size)[None]
    allowed = (gates >= border[:, None] - BEFORE_MASK_KM / gate_km) & (
        gates <= border[:, None] + BEHIND_MASK_KM / gate_km
    )
    # Around the border nothing is cut: a cut would look like an edge.
    return Isolated(removed & ~allowed, allowed & near[:, None], covered=removed, behind=behind)


def raw(frequency: NDArray[Any], group_range: NDArray[Any]) -> Isolated:
    """Nothing removed, an edge anywhere but at the sounder itself."""
    allowed = np.zeros((frequency.size, group_range.size), bool)
    allowed[:, group_range >= NEAREST_KM] = True
    return Isolated(np.zeros_like(allowed), allowed)
