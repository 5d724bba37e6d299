"""The catalog of regions: its columns, their units, and how it is written and read.

The file is GeoParquet 1.1: any Parquet reader takes it, and geopandas, DuckDB and QGIS see the
point at each region's peak. Units and descriptions are in the field metadata.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from odm.catalog.fields import field
from odm.core.files import read_bytes, write_table

if TYPE_CHECKING:
    import geopandas as gpd

_TIME = pa.timestamp("ns", tz="UTC")
_OUTLINE = pa.list_(pa.struct([("time", _TIME), ("frequency", pa.float64())]))
_PSD = "(mV/m)^2/Hz"


REGION_SCHEMA = pa.schema(
    [
        field("region_id", pa.string(), "identity of the half-orbit and number in it"),
        field("orbit_number", pa.int32(), "orbit number"),
        field("direction", pa.string(), "ascending (night side) or descending (day side)"),
        field("hemisphere", pa.string(), "geographic hemisphere of the peak: north or south"),
        field("time_start", _TIME, "UTC of the first column"),
        field("time_end", _TIME, "UTC of the last column"),
        field("time_peak", _TIME, "UTC of the peak"),
        field("frequency_min", pa.float64(), "lowest frequency", "Hz"),
        field("frequency_max", pa.float64(), "highest frequency", "Hz"),
        field("frequency_peak", pa.float64(), "frequency of the peak", "Hz"),
        field("latitude", pa.float64(), "geographic latitude of the peak", "degrees"),
        field("longitude", pa.float64(), "geographic longitude of the peak", "degrees"),
        field("altitude", pa.float64(), "altitude of the peak", "km"),
        field("dip_angle", pa.float64(), "inclination of the field (IGRF-14)", "degrees"),
        field("aacgm_latitude", pa.float64(), "AACGM-v2 latitude", "degrees"),
        field("mlt", pa.float64(), "AACGM-v2 magnetic local time", "hours"),
        field("file_magnetic_latitude", pa.float64(), "MAG_LAT as in the file", "degrees"),
        field("local_time", pa.float64(), "mean solar local time", "hours"),
        field("month_season", pa.string(), "season by month, spring = March to May"),
        field("local_season", pa.string(), "season at the place"),
        field("psd_peak", pa.float64(), "largest PSD in the region, component Z", _PSD),
        field("psd_mean", pa.float64(), "mean PSD over the region, component Z", _PSD),
        field("psd_peak_x", pa.float64(), "largest PSD in the region, component X", _PSD),
        field("psd_peak_y", pa.float64(), "largest PSD in the region, component Y", _PSD),
        field("area_pixels", pa.int32(), "values (rows by frequencies) in the region", "1"),
        field("bandwidth", pa.float64(), "frequency_max - frequency_min", "Hz"),
        field("duration", pa.float64(), "time_end - time_start", "s"),
        field("confidence", pa.float64(), "mean probability inside, calibrated; 1 for truth", "1"),
        field("flags", pa.list_(pa.string()), "gap, pass_end, band_edge, known_line, burst, "
               "low_valid_share"),
        field("source", pa.string(), "file, relative to the archive"),
        field("model", pa.string(), "digest of the model, or what stands in its place"),
        field("geometry", pa.binary(), "point at the peak, WKB, longitude and latitude"),
        field("outline", _OUTLINE, "outline of the largest part over UTC and Hz"),
    ]
)  # fmt: skip

_GEO = {
    "version": "1.1.0",
    "primary_column": "geometry",
    "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["Point"]}},
}


def region_table(
    rows: Sequence[Mapping[str, Any]],
    more_fields: Sequence[pa.Field] = (),
    about: Mapping[str, str] | None = None,
) -> pa.Table:
    """Put rows into a table with the catalog's columns.

    Args:
        rows: as `odm.findings.measure.measure_regions` makes them.
        more_fields: columns that follow the catalog's own.
        about: texts for the file's metadata, such as what the numbers may not be used for.
    """
    schema = pa.schema([*REGION_SCHEMA, *more_fields])
    metadata = catalog_metadata(about)
    return pa.Table.from_pylist(list(rows), schema=schema.with_metadata(metadata))


def catalog_metadata(about: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the metadata that make a Parquet file GeoParquet, with what else is said about it."""
    return {"geo": json.dumps(_GEO), **(about or {})}


def write_regions(
    path: object,
    rows: Sequence[Mapping[str, Any]],
    more_fields: Sequence[pa.Field] = (),
    about: Mapping[str, str] | None = None,
) -> None:
    """Write a catalog of regions as one whole GeoParquet file."""
    write_table(path, region_table(rows, more_fields, about))


def read_regions(path: object) -> gpd.GeoDataFrame:
    """Read a catalog of regions, or a simulator's truth, as a GeoDataFrame."""
    import io

    import geopandas as gpd

    return gpd.read_parquet(io.BytesIO(read_bytes(path)))


def describe_region(row: Mapping[str, Any]) -> str:
    """Describe a region in one line."""
    return (
        f"{row['region_id']} at {row['time_peak']:%Y-%m-%d %H:%M:%S}, "
        f"{row['frequency_peak'] / 1e3:.2f} kHz, {row['area_pixels']} pixels, "
        f"confidence {row['confidence']:.2f}"
    )
