"""The part of `odm inspect` that shows ionograms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

    from odm.images.ionogram_layers import KnownLayer

SEEN_DB = 6.0


def inspect_ionogram(
    file: str, picture: str | None, annotations: str | None
) -> tuple[dict[str, Any], str | None]:
    """The facts of an ionogram, and where its picture was written.

    Args:
        file: the ionogram.
        picture: where the picture goes; "" for none; None for a name of its own.
        annotations: simulated archive with its layers; its own folder if None.
    """
    from odm.archive.ionogram_keys import IonogramKey
    from odm.archive.ionograms import open_ionogram

    ionogram = open_ionogram(file)
    layers, source = _layers(file, ionogram, annotations)
    facts = describe_ionogram(ionogram)
    if source:
        facts["truth"] = [describe_layer(layer) for layer in layers] or "no layer"
        facts["truth_from"] = source
    if picture == "":
        return facts, None
    from odm.images.ionogram_picture import draw_ionogram

    target = picture or f"{IonogramKey.of_name(file).stem}.png"
    draw_ionogram(target, ionogram, layers=layers)
    return facts, target


def describe_ionogram(ionogram: xr.Dataset) -> dict[str, Any]:
    """What a person asks for first, as plain values."""
    from scipy.ndimage import uniform_filter

    snr = ionogram["snr"].values
    mhz, km = ionogram["frequency"].values / 1e6, ionogram["group_range"].values
    # Over a few values: speckle peaks anywhere, and a plot's colours end at its scale.
    smooth = uniform_filter(np.nan_to_num(snr, nan=float(np.nanmin(snr))), 5, mode="nearest")
    row, column = np.unravel_index(np.argmax(smooth), snr.shape)
    attributes = ionogram.attrs
    return {
        "file": attributes["source"],
        "key": attributes["key"],
        "format": attributes["format"],
        "link": attributes["link"] or None,
        "time": attributes["time"] or None,
        "frequencies": int(mhz.size),
        "frequency_range_mhz": [round(float(mhz[i]), 4) for i in (0, -1)],
        "frequency_step_mhz": round(float(np.median(np.diff(mhz))), 4),
        "ranges": int(km.size),
        "range_km": [round(float(km[i]), 2) for i in (0, -1)],
        "range_step_km": round(float(np.median(np.diff(km))), 3),
        "range_convention": attributes["range_convention"],
        "valid_share": round(float(np.isfinite(snr).mean()), 5),
        "snr_db_percentiles_1_50_99": [
            round(float(value), 1) for value in np.nanpercentile(snr, (1, 50, 99))
        ],
        "strongest_db_mhz_km": [
            round(float(value), 2) for value in (smooth[row, column], mhz[row], km[column])
        ],
    }


def describe_layer(layer: KnownLayer) -> dict[str, Any]:
    """One layer and where its leading edge can be seen."""
    seen = layer.edge_snr >= SEEN_DB
    facts: dict[str, Any] = {
        "layer": layer.layer,
        "kind": layer.kind,
        "frequency_mhz": [round(value / 1e6, 2) for value in layer.frequency],
        "range_km": [round(value, 1) for value in layer.group_range],
        "edge_points_seen": int(seen.sum()),
    }
    if seen.any():
        mhz, km = layer.edge_frequency[seen] / 1e6, layer.edge_group_range[seen]
        facts["edge_mhz"] = [round(float(mhz[i]), 2) for i in (0, -1)]
        facts["edge_km"] = [round(float(km[i]), 1) for i in (0, -1)]
    return facts


def _layers(
    file: str, ionogram: xr.Dataset, annotations: str | None
) -> tuple[list[KnownLayer], str]:
    from odm.archive.files import local_path
    from odm.images.ionogram_layers import is_layer_truth, read_layers

    folder = annotations
    if folder is None:
        local = local_path(file)
        if local is None or not is_layer_truth(local.parent):
            return [], ""
        folder = str(local.parent)
    return read_layers(folder).get(Path(file).stem, []), folder
