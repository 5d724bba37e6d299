"""Pictures of ionograms for the page: one each, with the boxes and edges of all its layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.archive.ionogram.reader import open_ionogram
from odm.images.ionogram import cell_borders
from odm.report.shared.pictures import Box, Crop, Pictures, PictureStyle, thousandths

if TYPE_CHECKING:
    import xarray as xr

Layer = Mapping[Any, Any]
PIXELS = (360, 240)
_LOWEST_DB, _HIGHEST_DB = 0.0, 25.0
# Noise costs most of the bytes.
_STYLE = PictureStyle(cv2.COLORMAP_INFERNO, (150, 150, 150), quality=60)
_AXES = {"x": {"scale": 1e-6, "label": "MHz"}, "y": {"label": "km"}}


def draw_ionograms(pictures: Pictures) -> None:
    """Draw the ionograms of the queue, then those of the surest layers."""
    rows = pictures.rows
    confidence = rows.findings["confidence"].to_numpy(float)
    surest = rows.owner[np.argsort(-confidence, kind="stable")[: pictures.limit]]
    numbers = list(dict.fromkeys([*pictures.queue.inputs, *surest.tolist()]))
    rank = {number: place for place, number in enumerate(numbers)}
    layers = rows.findings.to_dict("records")
    for number, ionogram in pictures.opened(numbers, open_ionogram):
        own = {row: layers[row] for row in rows.of_inputs.get(number, [])}
        crop = draw_ionogram(ionogram, own)
        pictures.of_inputs[number] = pictures.facts(crop, number, rank[number])


def draw_ionogram(ionogram: xr.Dataset, layers: Mapping[int, Layer]) -> Crop:
    """Return an ionogram with the box of every layer, and the leading edge where it has one.

    Args:
        ionogram: as `odm.archive.ionogram.reader.open_ionogram` gives it.
        layers: rows of the catalog, by row of the page.
    """
    column, measured, left, right = _evenly(ionogram["frequency"].values, PIXELS[0])
    line, heard, low, high = _evenly(ionogram["group_range"].values, PIXELS[1])
    box = (left, right, low, high)
    values = ionogram["snr"].values[np.ix_(column, line)].astype(float)
    known = np.isfinite(values) & measured[:, None] & heard
    level = (np.where(known, values, 0) - _LOWEST_DB) / (_HIGHEST_DB - _LOWEST_DB)
    return Crop(
        jpeg=_STYLE.jpeg(level, known, PIXELS),
        box=box,
        latitude=None,
        shapes=[_points(_corners(layer, box), box) for layer in layers.values()],
        rows=list(layers),
        lines=[_points(_edge(layer), box) for layer in layers.values()],
        axes=_AXES,
    )


def _evenly(
    axis: NDArray[Any], fewest: int
) -> tuple[NDArray[np.intp], NDArray[np.bool_], float, float]:
    """Divide an axis, whose steps may differ, into pixels of one size.

    Returns:
        (P,) the cell of each pixel, (P,) whether it lies in that cell and not in a gap, and the
        outer borders. P is the larger of ``fewest`` and the number of cells.
    """
    lower, upper = cell_borders(axis)
    pixels = max(fewest, axis.size)
    middles = lower[0] + (np.arange(pixels) + 0.5) / pixels * (upper[-1] - lower[0])
    cell = np.clip(np.searchsorted(lower, middles, side="right") - 1, 0, None)
    return cell, middles <= upper[cell], float(lower[0]), float(upper[-1])


def _corners(layer: Layer, box: Box) -> list[tuple[float, float]]:
    """Return the corners of a layer's box, cut at the borders of the picture."""
    left, right = np.clip([layer["frequency_min"], layer["frequency_max"]], *box[:2])
    near, far = np.clip([layer["range_min"], layer["range_max"]], *box[2:])
    return [(left, near), (right, near), (right, far), (left, far)]


def _edge(layer: Layer) -> list[tuple[float, float]]:
    frequency, group_range = layer.get("edge_frequency"), layer.get("edge_group_range")
    if frequency is None or group_range is None:
        return []
    return list(zip(frequency, group_range, strict=True))


def _points(points: Sequence[tuple[float, float]], box: Box) -> list[int]:
    places = np.array(points, dtype=float).reshape(-1, 2)
    x, y = places[np.isfinite(places).all(axis=1)].T
    return [int(value) for value in thousandths(x, y, box).ravel()]
