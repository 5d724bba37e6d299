"""Pictures of ionograms for people: km over MHz, with a colour bar, boxes and leading edges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from odm.images.ionogram import cell_borders
from odm.images.layer_truth import KnownLayer, read_mask
from odm.images.pictures.figure import new_figure, write_figure

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

COLOURS = "inferno"
LAYER_COLOURS = {"Es": "lime", "F": "cyan"}
KNOWN = ("truth", "annotated")
"""Names of what is not found by a model."""
_RANGE_NAMES = {
    "backscatter": "group range, km",
    "vertical": "virtual height, km",
    "oblique": "group path of the link, km",
}


def draw_ionogram(
    path: object,
    ionogram: xr.Dataset,
    *,
    layers: Sequence[KnownLayer] = (),
    layers_name: str = "truth",
    limits: tuple[float, float] | None = None,
    title: str | None = None,
) -> None:
    """Write a PNG of one ionogram.

    Args:
        path: the picture.
        ionogram: as `odm.archive.ionogram.reader.open_ionogram` gives it.
        layers: drawn as boxes, outlines and leading edges. What is known: dashed boxes and white
            edges, dotted where they are not `KnownLayer.seen`. What was found: whole boxes, red
            edges.
        layers_name: what they are, for the legend.
        limits: of the colours, dB; -3 to a high percentile, at most 40, if None.
        title: instead of link and time.
    """
    figure = new_figure(10, 6.5)
    axes = figure.add_subplot()
    snr = ionogram["snr"].values
    low, high = limits or (-3.0, float(np.clip(np.nanpercentile(snr, 99.7), 12, 40)))
    mhz, km = ionogram["frequency"].values / 1e6, ionogram["group_range"].values
    mesh = axes.pcolormesh(
        *_with_gaps(mhz, km, snr), vmin=low, vmax=high, cmap=COLOURS, rasterized=True
    )
    axes.set_facecolor("0.6")  # what is missing
    for layer in layers:
        _draw_layer(axes, layer, mhz, km, layers_name)
    if layers:
        axes.legend(loc="upper left", fontsize=8, framealpha=0.6)
    axes.set_xlabel("frequency, MHz")
    axes.set_ylabel(_RANGE_NAMES[ionogram.attrs["range_convention"]])
    axes.set_xlim(cell_borders(mhz)[0][0], cell_borders(mhz)[1][-1])
    axes.set_ylim(cell_borders(km)[0][0], cell_borders(km)[1][-1])
    stamp = str(ionogram.attrs["time"])[:19].replace("T", " ")
    name = f"{ionogram.attrs['link']}  {stamp} UTC" if stamp else ionogram.attrs["key"]
    axes.set_title(title or name, fontsize=10, loc="left")
    figure.colorbar(mesh, ax=axes, pad=0.01, extend="both").set_label("SNR, dB")
    write_figure(path, figure)


def _with_gaps(
    mhz: np.ndarray, km: np.ndarray, snr: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Borders and values for a mesh in which a gap between two frequencies stays empty."""
    lower, upper = cell_borders(mhz)
    gap = np.flatnonzero(lower[1:] > upper[:-1] + 1e-9)
    values = np.insert(snr, gap + 1, np.nan, axis=0)
    borders = np.insert(np.append(lower, upper[-1]), gap + 1, upper[gap])
    low, high = cell_borders(km)
    return borders, np.append(low, high[-1]), values.T


def _draw_layer(
    axes: Axes, layer: KnownLayer, mhz: np.ndarray, km: np.ndarray, layers_name: str
) -> None:
    from matplotlib.patches import Rectangle

    colour = LAYER_COLOURS.get(layer.layer, "white")
    (left, right), (bottom, top) = np.array(layer.frequency) / 1e6, layer.group_range
    box = Rectangle((left, bottom), right - left, top - bottom, fill=False, ec=colour, lw=1.0)
    if not layer.found:
        box.set_linestyle("--")
    name = "found" if layer.found and layers_name in KNOWN else layers_name
    box.set_label(f"{name}: {layer.kind or layer.layer}")
    axes.add_patch(box)
    if layer.mask_path is not None and layer.mask_path.is_file():
        mask = read_mask(layer.mask_path)
        if mask.shape == (mhz.size, km.size) and mask.any():
            axes.contour(mhz, km, mask.T.astype(float), [0.5], colors=colour, linewidths=0.4)
    if layer.found:
        axes.plot(layer.edge_frequency / 1e6, layer.edge_group_range, color="red", lw=1.4)
        return
    seen = layer.seen
    edge_mhz = layer.edge_frequency / 1e6
    faint = np.where(seen, np.nan, layer.edge_group_range)
    clear = np.where(seen, layer.edge_group_range, np.nan)
    axes.plot(edge_mhz, clear, color="white", lw=1.2)
    axes.plot(edge_mhz, faint, color="white", lw=0.8, ls=":")
