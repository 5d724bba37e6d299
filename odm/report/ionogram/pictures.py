"""Pictures of ionograms for the page: one each, with the boxes and edges of all its layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.archive.ionogram.reader import open_ionogram
from odm.core.errors import OdmError
from odm.core.files import join
from odm.core.progress import progress
from odm.images.ionogram import cell_borders
from odm.report.orbit.crops import Box, Crop, jpeg
from odm.report.orbit.gather import INSIDE, Pictures, write_beside

if TYPE_CHECKING:
    import xarray as xr

Layer = Mapping[Any, Any]
PIXELS = (360, 240)
_QUALITY = 60  # noise costs most of the bytes
_LOWEST_DB, _HIGHEST_DB = 0.0, 25.0
_MISSING = (150, 150, 150)
_AXES = {"x": {"scale": 1e-6, "label": "MHz"}, "y": {"label": "km"}}


def gather_ionograms(
    out: str,
    archive: str,
    sources: Sequence[str],
    wanted: Mapping[int, Mapping[int, Layer]],
    *,
    inside: int = INSIDE,
) -> Pictures:
    """Draw ionograms.

    Args:
        out: folder of the page.
        archive: folder or URI.
        sources: of each ionogram: its file, relative to the archive.
        wanted: ionogram → row of the page → layer, the most wanted ionogram first: these come
            inside the page.
        inside: how many come inside the page.
    """
    found = Pictures()
    with progress("drawing", len(wanted), "ionograms") as advance:
        for place, (number, layers) in enumerate(wanted.items()):
            try:
                opened = open_ionogram(join(archive, sources[number]))
            except OdmError as error:
                found.problems.append(str(error))
                continue
            finally:
                advance(1)
            crop = whole_ionogram(opened, layers)
            name = write_beside(out, number, crop) if place >= inside else None
            found.orbits[number] = {**crop.facts(name), "axes": _AXES, "lat": None}
    return found


def whole_ionogram(ionogram: xr.Dataset, layers: Mapping[int, Layer]) -> Crop:
    """An ionogram with the box of every layer, and the leading edge where it has one.

    Args:
        ionogram: as `odm.archive.ionogram.reader.open_ionogram` gives it.
        layers: row of the page → row of the catalog.
    """
    column, measured, left, right = _evenly(ionogram["frequency"].values, PIXELS[0])
    line, heard, low, high = _evenly(ionogram["group_range"].values, PIXELS[1])
    box = (left, right, low, high)
    values = ionogram["snr"].values[np.ix_(column, line)].astype(float)
    known = np.isfinite(values) & measured[:, None] & heard
    level = (np.where(known, values, 0) - _LOWEST_DB) / (_HIGHEST_DB - _LOWEST_DB)
    grey = np.rot90(np.clip(level, 0, 1) * 255).astype(np.uint8)
    colours = np.asarray(cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO), dtype=np.uint8)
    colours[~np.rot90(known)] = _MISSING
    return Crop(
        jpeg=jpeg(colours, PIXELS, _QUALITY),
        box=box,
        latitude=(float("nan"), float("nan")),
        shapes=[_points(_corners(layer, box), box) for layer in layers.values()],
        rows=list(layers),
        lines=[_points(_edge(layer), box) for layer in layers.values()],
    )


def _evenly(
    axis: NDArray[Any], least: int
) -> tuple[NDArray[np.intp], NDArray[np.bool_], float, float]:
    """Cells of an axis, whose steps may differ, by pixels of one size.

    Returns:
        (P,) the cell of each pixel, (P,) whether it lies in that cell and not in a gap, and the
        outer borders. P is at least ``least``, and the number of cells.
    """
    lower, upper = cell_borders(axis)
    pixels = max(least, axis.size)
    middles = lower[0] + (np.arange(pixels) + 0.5) / pixels * (upper[-1] - lower[0])
    cell = np.clip(np.searchsorted(lower, middles, side="right") - 1, 0, None)
    return cell, middles <= upper[cell], float(lower[0]), float(upper[-1])


def _corners(layer: Layer, box: Box) -> list[tuple[float, float]]:
    """Of its box, cut at the borders of the picture: a window may be larger than an ionogram."""
    left, right = np.clip([layer["frequency_min"], layer["frequency_max"]], *box[:2])
    near, far = np.clip([layer["range_min"], layer["range_max"]], *box[2:])
    return [(left, near), (right, near), (right, far), (left, far)]


def _edge(layer: Layer) -> list[tuple[float, float]]:
    edge = layer.get("edge_frequency"), layer.get("edge_group_range")
    if edge[0] is None or edge[1] is None:
        return []
    return list(zip(edge[0], edge[1], strict=True))


def _points(points: Sequence[tuple[float, float]], box: Box) -> list[int]:
    x0, x1, y0, y1 = box
    flat = [
        ((x - x0) / (x1 - x0) * 1000, (y1 - y) / (y1 - y0) * 1000)
        for x, y in points if np.isfinite(x) and np.isfinite(y)
    ]  # fmt: skip
    return [round(value) for pair in flat for value in pair]
