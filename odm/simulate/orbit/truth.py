"""What is true of a simulated half-orbit, as rows of tables and as masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import ndimage

from odm.archive.orbit.reader import read_orbit
from odm.catalog.fields import field
from odm.catalog.orbit.regions import REGION_SCHEMA, catalog_metadata
from odm.findings.measure import measure_regions
from odm.images.masks import IGNORED, number_areas
from odm.simulate.folder import ABOUT, Rows
from odm.simulate.orbit.emission import FREQUENCY
from odm.simulate.orbit.half_orbit import HalfOrbit, Nucleus
from odm.simulate.orbit.nuclei import main_part

MODEL = "truth"
"""Value of the catalog's column ``model``."""

TRUTH_FIELDS = (
    field("contrast_db", pa.float64(), "peak excess over the ambient level, noise-free", "dB"),
    field("mean_contrast_db", pa.float64(), "mean excess inside the mask, noise-free", "dB"),
    field("area_uncut", pa.int32(), "pixels inside the outline, lost rows included", "1"),
    field("shape", pa.string(), "shape family"),
    field("background", pa.string(), "background family of the half-orbit"),
    field("centre_frequency", pa.float64(), "brightest point, noise-free", "Hz"),
    field("centre_latitude", pa.float64(), "geographic, brightest point, noise-free", "degrees"),
    field("centre_dip_angle", pa.float64(), "dip angle, brightest point, noise-free", "degrees"),
    field("mask", pa.string(), "mask picture, relative to the archive"),
)
"""Columns of ``truth.parquet`` after the catalog's own."""
TRUTH_SCHEMA = pa.schema([*REGION_SCHEMA, *TRUTH_FIELDS], metadata=catalog_metadata(ABOUT))
"""Columns of ``truth.parquet``, which is GeoParquet as a catalog is."""

_TIME = pa.timestamp("ns", tz="UTC")
CONFUSER_SCHEMA = pa.schema(
    [
        field("source", pa.string(), "file, relative to the archive"),
        field("orbit_number", pa.int32(), "orbit number"),
        field("direction", pa.string(), "ascending or descending"),
        field("kind", pa.string(), "what it is"),
        field("almost_nucleus", pa.bool_(), "shaped to be taken for a nucleus, in its places"),
        field("time_start", _TIME, "UTC where the outline begins"),
        field("time_end", _TIME, "UTC where it ends"),
        field("time_peak", _TIME, "UTC of the brightest point, noise-free"),
        field("frequency_min", pa.float64(), "lowest frequency of the outline", "Hz"),
        field("frequency_max", pa.float64(), "highest frequency of the outline", "Hz"),
        field("frequency_peak", pa.float64(), "of the brightest point", "Hz"),
        field("latitude", pa.float64(), "geographic, of the brightest point", "degrees"),
        field("longitude", pa.float64(), "geographic, of the brightest point", "degrees"),
        field("dip_angle", pa.float64(), "of the brightest point", "degrees"),
        field("local_time", pa.float64(), "of the brightest point", "hours"),
        field("contrast_db", pa.float64(), "peak excess, noise-free", "dB"),
        field("area_pixels", pa.int32(), "pixels inside the outline", "1"),
    ],
    metadata=ABOUT,
)

IGNORED_SCHEMA = pa.schema(
    [
        field("source", pa.string(), "file, relative to the archive"),
        field("orbit_number", pa.int32(), "orbit number"),
        field("direction", pa.string(), "ascending or descending"),
        field("time_start", _TIME, "UTC where the area begins"),
        field("time_end", _TIME, "UTC where it ends"),
        field("frequency_min", pa.float64(), "lowest frequency of the area", "Hz"),
        field("frequency_max", pa.float64(), "highest frequency of the area", "Hz"),
        field("area_pixels", pa.int32(), "pixels of the area", "1"),
    ],
    metadata=ABOUT,
)
"""Columns of ``ignored.parquet``."""


def nucleus_rows(path: Path, half: HalfOrbit) -> Rows:
    """Return rows of ``truth.parquet``, measured in the file at ``path`` as any finding is."""
    if not half.nuclei:
        return []
    orbit = read_orbit(path, components=tuple(half.amplitude))
    psd = {name: orbit.psd(name) for name in half.amplitude}
    measured = measure_regions(orbit, psd, half.masks(), source=half.key.name, model=MODEL)
    return [row | _drawn(half, nucleus) for row, nucleus in zip(measured, half.nuclei, strict=True)]


def _drawn(half: HalfOrbit, nucleus: Nucleus) -> dict[str, Any]:
    """Return what `TRUTH_FIELDS` say of a nucleus."""
    row, bin_ = nucleus.emission.peak()
    outline = main_part(nucleus.emission.outline())
    return {
        "contrast_db": nucleus.emission.contrast_db,
        "mean_contrast_db": float(nucleus.emission.excess_db[outline].mean()),
        "area_uncut": int(outline.sum()),
        "shape": nucleus.family,
        "background": half.background,
        "centre_frequency": float(FREQUENCY[bin_]),
        "centre_latitude": float(half.full_track.latitude[row]),
        "centre_dip_angle": float(half.full_track.dip[row]),
        "mask": f"masks/{half.key.stem}.png",
    }


def confuser_rows(half: HalfOrbit) -> Rows:
    """Return rows of ``confusers.parquet``."""
    track = half.full_track
    rows = []
    for emission in half.confusers:
        outline = emission.outline()
        if not outline.any():
            continue
        row, bin_ = emission.peak()
        times = np.flatnonzero(outline.any(axis=1)) + emission.row
        bins = np.flatnonzero(outline.any(axis=0)) + emission.bin
        utc = track.times[[times[0], times[-1], row]].astype("datetime64[ns]").astype(np.int64)
        rows.append(
            {
                "source": half.key.name,
                "orbit_number": track.orbit_number,
                "direction": track.direction.value,
                "kind": emission.kind,
                "almost_nucleus": emission.almost,
                **dict(zip(("time_start", "time_end", "time_peak"), utc.tolist(), strict=True)),
                "frequency_min": float(FREQUENCY[bins[0]]),
                "frequency_max": float(FREQUENCY[bins[-1]]),
                "frequency_peak": float(FREQUENCY[bin_]),
                "latitude": float(track.latitude[row]),
                "longitude": float(track.longitude[row]),
                "dip_angle": float(track.dip[row]),
                "local_time": float(track.local_time[row]),
                "contrast_db": emission.contrast_db,
                "area_pixels": int(outline.sum()),
            }
        )
    return rows


def ignored_rows(half: HalfOrbit) -> Rows:
    """Return rows of ``ignored.parquet``: areas of the mask, pixels that touch at a corner being in
    one."""
    labels, count = number_areas(np.rot90(mask_of(half) == IGNORED, -1))
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    utc = half.track.times.astype("datetime64[ns]").astype(np.int64)
    return [
        {
            "source": half.key.name,
            "orbit_number": half.track.orbit_number,
            "direction": half.track.direction.value,
            "time_start": int(utc[rows.start]),
            "time_end": int(utc[rows.stop - 1]),
            "frequency_min": float(FREQUENCY[bins.start]),
            "frequency_max": float(FREQUENCY[bins.stop - 1]),
            "area_pixels": int(areas[label]),
        }
        for label, (rows, bins) in enumerate(ndimage.find_objects(labels), start=1)
    ]


def mask_of(half: HalfOrbit) -> NDArray[np.uint8]:
    """Return the mask of a half-orbit, (1024, N) of 0, 1 and `IGNORED`.

    Row 0 is the highest frequency. What belongs to a nucleus is never ignored.
    """
    ignored = np.rot90(half.ignored).astype(np.uint8) * np.uint8(IGNORED)
    for mask in half.masks():
        ignored[mask] = 1
    return ignored
