"""The catalog of layers: its columns and their units. A Parquet file without geometry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from odm.catalog.fields import field

TIME = pa.timestamp("ns", tz="UTC")
_LIST = pa.list_(pa.float64())

EDGE_FIELDS = (
    field("edge_frequency", _LIST, "frequencies of the leading edge; none where none is", "Hz"),
    field("edge_group_range", _LIST, "minimum group path P'(f) there", "km"),
    field("edge_confidence", _LIST, "chance that it is within four range steps", "1"),
    field("edge_sigma", _LIST, "standard deviation of the minimum group path", "km"),
    field("edge_frequency_max", pa.float64(), "highest frequency of the edge", "Hz"),
    field("minimum_group_range", pa.float64(), "smallest P' of the edge", "km"),
    field("edge_flags", pa.list_(pa.string()), "what is to be known of the edge, or why it is "
          "empty"),
    field("critical_frequency", pa.float64(), "of the quasi-parabola with this edge", "Hz"),
    field("critical_frequency_sigma", pa.float64(), "its standard deviation", "Hz"),
    field("peak_height", pa.float64(), "height of its peak", "km"),
    field("peak_height_sigma", pa.float64(), "its standard deviation", "km"),
    field("semi_thickness", pa.float64(), "from its base to its peak", "km"),
    field("semi_thickness_sigma", pa.float64(), "its standard deviation", "km"),
    field("inversion_misfit", pa.float64(), "root mean square of edge less quasi-parabola", "km"),
    field("inversion_reason", pa.string(), "why there is no quasi-parabola, else empty"),
    field("edge_ground_range", _LIST, "where the ray of the edge comes down", "km"),
    field("edge_ground_range_sigma", _LIST, "its standard deviation", "km"),
)  # fmt: skip
"""Columns of the leading edge of a layer, and of the layer that is computed from it."""

LAYER_SCHEMA = pa.schema(
    [
        field("ionogram_id", pa.string(), "link and time, or the file's path"),
        field("link", pa.string(), "link or station"),
        field("time", TIME, "UTC"),
        field("layer", pa.string(), "Es or F"),
        field("confidence", pa.float64(), "confidence of the model, 1 for truth", "1"),
        field("frequency_min", pa.float64(), "left border of the box", "Hz"),
        field("frequency_max", pa.float64(), "right border of the box", "Hz"),
        field("range_min", pa.float64(), "lower border of the box", "km"),
        field("range_max", pa.float64(), "upper border of the box", "km"),
        field("range_convention", pa.string(), "what a range is: backscatter, vertical, oblique"),
        *EDGE_FIELDS,
        field("flags", pa.list_(pa.string()), "band_edge, range_edge, gap, other_convention"),
        field("source", pa.string(), "file, relative to the archive"),
        field("model", pa.string(), "digest of the model"),
    ]
)


def describe_layer(row: Mapping[str, Any]) -> str:
    """Describe a layer in one line."""
    return (
        f"{row['ionogram_id']}: {row['layer']}, {row['frequency_min'] / 1e6:.2f} to "
        f"{row['frequency_max'] / 1e6:.2f} MHz, {row['range_min']:.0f} to "
        f"{row['range_max']:.0f} km, confidence {row['confidence']:.2f}"
    )
