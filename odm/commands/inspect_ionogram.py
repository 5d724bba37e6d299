"""The part of `odm inspect` that shows ionograms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import uniform_filter

from odm.archive.ionogram.key import IonogramKey
from odm.archive.ionogram.reader import open_ionogram
from odm.commands.inspect import Inspection, ends, known_folder
from odm.core.errors import InputError, OdmError
from odm.datasets.labels.layers import SIMULATED, load_layer_labels, physical_boxes
from odm.images.layer_truth import KnownLayer, drawn_layer, is_layer_truth, read_layers

if TYPE_CHECKING:
    import xarray as xr


def inspect_ionogram(
    file: str, annotations: str | None, component: str, edge: str | None, model: str | None
) -> Inspection:
    """Say what an ionogram is, and which layers it has.

    Args:
        file: the ionogram.
        annotations: simulated archive with its layers, or labels; its own folder if None and that
            is a simulated archive.
        component: an option for half-orbits.
        edge: ``path`` or ``feng``: layers are found, with their leading edges; None: they are not.
        model: folder of the detector or pipeline for that; the package's own if None.

    Raises:
        ArchiveError: the file is bad.
        InputError: an unknown edge, or annotations that do not label the file.
    """
    if edge not in (None, "path", "feng"):
        raise InputError(f"--edge {edge}: give path or feng")
    if model is not None and edge is None:
        raise InputError(f"--model {model}: finds layers for --edge; give that too")
    ionogram = open_ionogram(file)
    layers, source, name = _layers(file, ionogram, annotations)
    facts = describe_ionogram(ionogram)
    if source:
        facts[name] = [_describe_layer(layer) for layer in layers] or "no layer"
        facts[f"{name}_from"] = source
    if edge is not None:
        from odm.findings.edges import CONVENTION
        from odm.findings.pictures import layer_of_row

        rows, reason = _found(ionogram, edge, model)
        facts["found"] = [_describe_found(row) for row in rows] or reason or "no layer"
        if (convention := ionogram.attrs["range_convention"]) != CONVENTION:
            facts["edges"] = f"none: they need {CONVENTION} ranges, and these are {convention}"
        layers = [*layers, *(layer_of_row(row) for row in rows)]

    def draw(path: str) -> None:
        from odm.images.pictures.ionogram import draw_ionogram

        draw_ionogram(path, ionogram, layers=layers, layers_name=name or "found")

    return Inspection(facts, IonogramKey.of_name(file).stem, draw)


def describe_ionogram(ionogram: xr.Dataset) -> dict[str, Any]:
    """Return the facts of an ionogram that a person asks for first, as plain values."""
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
        "frequency_range_mhz": ends(mhz, 4),
        "frequency_step_mhz": round(float(np.median(np.diff(mhz))), 4),
        "ranges": int(km.size),
        "range_km": ends(km, 2),
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


def _describe_layer(layer: KnownLayer) -> dict[str, Any]:
    """Return the facts of a known layer, and where its leading edge can be seen."""
    seen = layer.seen
    facts: dict[str, Any] = {
        "layer": layer.layer,
        **({"kind": layer.kind} if layer.kind else {}),
        "frequency_mhz": ends(layer.frequency, 2, 1e6),
        "range_km": ends(layer.group_range, 1),
    }
    if not layer.edge_frequency.size:  # boxes that people drew have none
        return facts
    facts["edge_points_seen"] = int(seen.sum())
    if seen.any():
        facts["edge_mhz"] = ends(layer.edge_frequency[seen], 2, 1e6)
        facts["edge_km"] = ends(layer.edge_group_range[seen], 1)
    return facts


def _describe_found(row: dict[str, Any]) -> dict[str, Any]:
    """Return the facts of a layer that was found, its leading edge and what that tells."""
    facts: dict[str, Any] = {
        "layer": row["layer"],
        "confidence": round(row["confidence"], 3),
        "frequency_mhz": ends((row["frequency_min"], row["frequency_max"]), 2, 1e6),
        "range_km": ends((row["range_min"], row["range_max"]), 1),
        "edge_points": len(row["edge_frequency"]),
    }
    if row["edge_frequency"]:
        facts["edge_mhz"] = ends(row["edge_frequency"], 2, 1e6)
        facts["edge_km"] = ends(row["edge_group_range"], 1)
        facts["edge_sigma_km"] = round(float(np.median(row["edge_sigma"])), 1)
    facts["edge_flags"] = row["edge_flags"] or "none"
    if row["inversion_reason"]:
        facts["no_inversion"] = row["inversion_reason"]
        return facts
    for name, unit, scale in (
        ("critical_frequency", "mhz", 1e6),
        ("peak_height", "km", 1.0),
        ("semi_thickness", "km", 1.0),
    ):
        value, sigma = row[name] / scale, row[f"{name}_sigma"] / scale
        facts[f"{name}_{unit}"] = f"{value:.2f} ± {sigma:.2f}"
    return facts


def _found(ionogram: xr.Dataset, edge: str, model: str | None) -> tuple[list[dict[str, Any]], str]:
    """Return layers as a campaign finds them, with their edges; or why it would look for none."""
    from odm.findings.layer_rows import edge_rows, facts_of, find_edges
    from odm.images.ionogram import ionogram_image
    from odm.reprocess.ionogram import nothing_to_see, prepare_layers
    from odm.reprocess.request import LayerOptions, ModelOptions

    run = ModelOptions(folder=model, batch=1, engine="eager", device="cpu")
    prepared = prepare_layers(run, LayerOptions(edge=edge))
    stages = prepared.stages
    assert stages.edges is not None
    image = ionogram_image(ionogram, stages.image)
    if not image.any():
        return [], nothing_to_see(facts_of(ionogram), stages.image)
    (seen,) = prepared.inference.load()(image[None])
    edges = find_edges(ionogram, seen.layers, stages.edges, seen.segments, stages.image)
    names = ("layer", "confidence", "frequency_min", "frequency_max", "range_min", "range_max")
    rows = [
        {name: getattr(layer, name) for name in names} | columns
        for layer, columns in zip(seen.layers, edge_rows(edges), strict=True)
    ]
    return rows, ""


def _layers(
    file: str, ionogram: xr.Dataset, annotations: str | None
) -> tuple[list[KnownLayer], str, str]:
    """Return what is known of an ionogram, the folder it is from ("" for none), and its name:
    ``truth`` or ``annotated``."""
    stem, folder = Path(file).stem, known_folder(file, annotations, is_layer_truth)
    if folder is None:
        return [], "", ""
    try:
        labels = load_layer_labels(folder)
    except OdmError:
        if annotations is not None:
            raise
        return [], "", ""  # a file can be shown though what lies beside it is damaged
    if stem not in labels.images:
        # Beside a simulation, or labelled by nobody: that is not "no layer".
        if annotations is not None:
            raise InputError(f"{annotations}: does not label {Path(file).name}")
        return [], "", ""
    if labels.source == SIMULATED:
        return read_layers(folder).get(stem, []), folder, "truth"
    boxes = physical_boxes(labels.images[stem], ionogram)
    return [drawn_layer(*box) for box in boxes], folder, "annotated"
