"""What is true of a simulated ionogram, as rows of tables and as masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from odm.catalog.fields import field
from odm.simulate.folder import ABOUT, Rows
from odm.simulate.ionogram.backscatter import box_of
from odm.simulate.ionogram.ionogram import EDGE_SEEN_DB, LayerTruth, SimulatedIonogram
from odm.simulate.ionogram.scene import Scene

_TIME = pa.timestamp("ns", tz="UTC")
_LIST = pa.list_(pa.float64())

_BOX = [
    field("frequency_min", pa.float64(), "lowest frequency (centre of the first column)", "Hz"),
    field("frequency_max", pa.float64(), "highest frequency (centre of the last column)", "Hz"),
    field("range_min", pa.float64(), "shortest group range (centre of the first gate)", "km"),
    field("range_max", pa.float64(), "longest group range (centre of the last gate)", "km"),
]

LAYER_TRUTH_SCHEMA = pa.schema(
    [
        field("ionogram_id", pa.string(), "link and time, or the file's path"),
        field("link", pa.string(), "link"),
        field("time", _TIME, "UTC"),
        field("layer", pa.string(), "Es or F"),
        field("confidence", pa.float64(), "1 for truth", "1"),
        *_BOX,
        field("range_convention", pa.string(), "what a range is"),
        field("edge_frequency", _LIST, "frequencies of the leading edge", "Hz"),
        field("edge_group_range", _LIST, "minimum group path P'(f) there", "km"),
        field("edge_confidence", _LIST, "1 where the edge can be seen (6 dB), else 0", "1"),
        field("edge_frequency_max", pa.float64(), "highest at which it can be seen", "Hz"),
        field("minimum_group_range", pa.float64(), "smallest P' that can be seen", "km"),
        field("flags", pa.list_(pa.string()), "none for truth"),
        field("source", pa.string(), "file, relative to the archive"),
        field("model", pa.string(), "truth"),
        field("edge_snr", _LIST, "noise-free SNR of the layer at its edge", "dB"),
        field("edge_group_range_o", _LIST, "P'(f) of the O mode alone", "km"),
        field("layer_kind", pa.string(), "F, E, local Es, remote Es, or some of these in one"),
        field("ionogram_kind", pa.string(), "mixed, f, es or none, as drawn"),
        field("ray_model", pa.string(), "quasi-parabolic or layered"),
        field("peak_snr", pa.float64(), "largest noise-free SNR of the layer", "dB"),
        field("mask", pa.string(), "mask picture, relative to the archive"),
        field("mask_pixels", pa.int32(), "values in the mask", "1"),
        field("critical_frequency", pa.float64(), "at the sounder, or of the patch", "Hz"),
        field("peak_height", pa.float64(), "of the layer at the sounder", "km"),
    ],
    metadata=ABOUT,
)

IONOGRAM_CONFUSER_SCHEMA = pa.schema(
    [
        field("ionogram_id", pa.string(), "link and time"),
        field("source", pa.string(), "file, relative to the archive"),
        field("kind", pa.string(), "what it is"),
        *_BOX,
        field("peak_snr", pa.float64(), "largest noise-free SNR", "dB"),
    ],
    metadata=ABOUT,
)


def layer_rows(ionogram: SimulatedIonogram, source: str) -> Rows:
    """Return the rows of ``truth.parquet``; ``source`` is the file's name."""
    return [_row(ionogram, layer, n, source) for n, layer in enumerate(ionogram.layers)]


def _row(
    ionogram: SimulatedIonogram, layer: LayerTruth, number: int, source: str
) -> dict[str, Any]:
    there = np.isfinite(layer.edge)
    seen = there & (layer.edge_snr >= EDGE_SEEN_DB)
    frequency, edge = ionogram.frequency[there], layer.edge[there]
    critical_mhz, height = _layer_numbers(ionogram.scene, layer.what)
    return {
        "ionogram_id": ionogram.stem,
        "link": ionogram.link,
        "time": ionogram.time,
        "layer": layer.layer,
        "confidence": 1.0,
        **box_of(layer.mask, ionogram.group_range),
        "range_convention": "backscatter",
        "edge_frequency": frequency.tolist(),
        "edge_group_range": edge.tolist(),
        "edge_confidence": seen[there].astype(float).tolist(),
        "edge_frequency_max": float(ionogram.frequency[seen].max()) if seen.any() else None,
        "minimum_group_range": float(layer.edge[seen].min()) if seen.any() else None,
        "flags": [],
        "source": source,
        "model": "truth",
        "edge_snr": layer.edge_snr[there].tolist(),
        "edge_group_range_o": layer.o_edge[there].tolist(),
        "layer_kind": layer.what,
        "ionogram_kind": ionogram.scene.kind,
        "ray_model": ionogram.scene.ray_model,
        "peak_snr": layer.peak_snr,
        "mask": f"masks/{ionogram.stem}_{number}_{layer.layer}.png",
        "mask_pixels": int(layer.mask.sum()),
        "critical_frequency": critical_mhz * 1e6,
        "peak_height": height,
    }


def _layer_numbers(scene: Scene, what: str) -> tuple[float, float]:
    """Return the critical frequency (MHz) and the height (km) of a layer."""
    if what == "F":
        return scene.f.critical_mhz, scene.f.peak_km
    if what == "E":
        return scene.conditions.e_mhz, 110.0
    patch = scene.remote_es if what == "remote Es" else scene.es
    return patch.critical_mhz, patch.height_km


def confuser_rows(ionogram: SimulatedIonogram, source: str) -> Rows:
    """Return the rows of ``confusers.parquet``; ``source`` is the file's name."""
    return [{"ionogram_id": ionogram.stem, "source": source} | row for row in ionogram.confusers]
