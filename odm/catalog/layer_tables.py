"""The catalog of layers: its columns and their units. A Parquet file without geometry."""

from __future__ import annotations

import pyarrow as pa

from odm.catalog.tables import field

TIME = pa.timestamp("ns", tz="UTC")

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
        field("flags", pa.list_(pa.string()), "band_edge, range_edge, gap, other_convention"),
        field("source", pa.string(), "file, relative to the archive"),
        field("model", pa.string(), "digest of the model"),
    ]
)
