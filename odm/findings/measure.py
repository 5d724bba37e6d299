"""Regions in physical terms: one catalog row per region, from the native data.

Nothing here comes from the model image, whose grey levels are clipped and may be resized.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.archive.orbit.reader import Orbit
from odm.findings.outlines import Mask, bounding_box
from odm.physics.coordinates import (
    aacgm,
    bridged,
    dip_angle,
    local_season,
    local_time,
    month_season,
    unwrapped,
    wrapped,
)

MAX_GAP_S = 10.0
"""Rows further apart than this belong to different regions."""

KNOWN_LINES_HZ = (11_905.0, 12_649.0, 14_881.0, 19_800.0, 21_400.0, 23_400.0, 24_000.0)
"""VLF transmitters: the three Alpha frequencies, NWC, NPM, DHO38, NAA."""

_LINE_WIDTH_HZ = 40.0
_LOW_VALID_SHARE = 0.9

Psd = NDArray[np.float64]


def measure_regions(
    orbit: Orbit,
    psd: Mapping[str, Psd],
    masks: Sequence[Mask],
    *,
    source: str,
    model: str,
    confidences: Sequence[float] | None = None,
) -> list[dict[str, Any]]:
    """Return one row of the catalog for each region, in the order given.

    Args:
        orbit: the half-orbit; its spectra are not used.
        psd: component → (N, K) PSD in (mV/m)^2/Hz, NaN where invalid; ``z`` is needed, ``x`` and
            ``y`` are NaN in the row where missing.
        masks: (K, N) each, image orientation (row 0 = highest frequency), with at least one
            valid value of Z inside.
        source: the file, relative to the archive.
        model: digest of the model, or what stands in its place (``truth``).
        confidences: one per region; 1 where missing.

    Raises:
        ValueError: a mask of another shape, or without a valid value.
    """
    areas = [_Area.of(orbit, mask) for mask in masks]
    peaks = [area.peak(psd["z"]) for area in areas]
    places = _places(orbit, np.array([peak[0] for peak in peaks], dtype=np.intp))
    identity = orbit.key.identity if orbit.key else f"orbit_{orbit.orbit_number}"
    return [
        {
            "region_id": f"{identity}_{number + 1:02d}",
            "orbit_number": orbit.orbit_number,
            "direction": orbit.direction,
            **{name: values[number] for name, values in places.items()},
            **_extent(orbit, area, peak),
            **_power(psd, area),
            "confidence": 1.0 if confidences is None else float(confidences[number]),
            "flags": _flags(orbit, psd["z"], area, peak),
            "source": source,
            "model": model,
            "outline": _outline(orbit, area),
        }
        for number, (area, peak) in enumerate(zip(areas, peaks, strict=True))
    ]


@dataclass(frozen=True, slots=True)
class _Area:
    """A region as spectra are stored, (rows, frequencies), cut to what holds all of it."""

    rows: slice
    columns: slice
    inside: Mask

    @classmethod
    def of(cls, orbit: Orbit, mask: Mask) -> _Area:
        upright = np.rot90(mask, -1)
        if upright.shape != orbit.shape:
            raise ValueError(f"a mask of {upright.shape} is not one of {orbit.shape}")
        rows, columns = bounding_box(upright)
        return cls(rows, columns, upright[rows, columns])

    def values(self, psd: Psd) -> Psd:
        """Return the values inside the region (P,)."""
        inside: Psd = psd[self.rows, self.columns][self.inside]
        return inside

    def peak(self, psd: Psd) -> tuple[int, int]:
        """Return row and frequency index of the largest value inside."""
        inside = np.where(self.inside, psd[self.rows, self.columns], np.nan)
        if np.isnan(inside).all():
            raise ValueError("a region needs at least one valid value")
        row, column = np.unravel_index(np.nanargmax(inside), inside.shape)
        return self.rows.start + int(row), self.columns.start + int(column)


def _places(orbit: Orbit, row: NDArray[np.intp]) -> dict[str, list[Any]]:
    """Return what depends only on when and where the peaks are; libraries are called once."""
    import shapely

    times = orbit.times[row]
    seconds = orbit.seconds
    latitude = bridged(orbit.latitude, seconds)[row]
    longitude = wrapped(bridged(unwrapped(orbit.longitude), seconds))[row]
    # The dip angle changes by less than 0.01 degrees over the few km that altitude varies.
    altitude = np.where(np.isnan(orbit.altitude[row]), 507.0, orbit.altitude[row])
    magnetic_latitude, mlt = aacgm(times, latitude, longitude, altitude)
    points = shapely.to_wkb(shapely.points(longitude, latitude))
    return {
        "time_peak": [_utc(time) for time in times],
        "hemisphere": ["north" if value >= 0 else "south" for value in latitude],
        "latitude": latitude.tolist(),
        "longitude": longitude.tolist(),
        "altitude": orbit.altitude[row].tolist(),
        "dip_angle": dip_angle(times, latitude, longitude, altitude).tolist(),
        "aacgm_latitude": magnetic_latitude.tolist(),
        "mlt": mlt.tolist(),
        "file_magnetic_latitude": orbit.file_magnetic_latitude[row].tolist(),
        "local_time": local_time(times, longitude).tolist(),
        "month_season": month_season(times).tolist(),
        "local_season": local_season(times, latitude).tolist(),
        "geometry": list(points),
    }


def _extent(orbit: Orbit, area: _Area, peak: tuple[int, int]) -> dict[str, Any]:
    start, end = orbit.times[area.rows.start], orbit.times[area.rows.stop - 1]
    low = float(orbit.frequency[area.columns.start])
    high = float(orbit.frequency[area.columns.stop - 1])
    return {
        "time_start": _utc(start),
        "time_end": _utc(end),
        "frequency_min": low,
        "frequency_max": high,
        "frequency_peak": float(orbit.frequency[peak[1]]),
        "area_pixels": int(area.inside.sum()),
        "bandwidth": high - low,
        "duration": float((end - start) / np.timedelta64(1, "s")),
    }


def _power(psd: Mapping[str, Psd], area: _Area) -> dict[str, float]:
    def largest(component: str) -> float:
        if component not in psd:
            return float("nan")
        inside = area.values(psd[component])
        return float("nan") if np.isnan(inside).all() else float(np.nanmax(inside))

    return {
        "psd_peak": largest("z"),
        "psd_mean": float(np.nanmean(area.values(psd["z"]))),
        "psd_peak_x": largest("x"),
        "psd_peak_y": largest("y"),
    }


def _flags(orbit: Orbit, psd: Psd, area: _Area, peak: tuple[int, int]) -> list[str]:
    last_row, last_column = (size - 1 for size in orbit.shape)
    rows = area.rows.start + np.flatnonzero(area.inside.any(axis=1))
    around = slice(max(0, area.rows.start - 1), area.rows.stop + 1)
    steps = np.diff(orbit.times[around]) / np.median(np.diff(orbit.times))
    box = psd[area.rows, area.columns]
    line_distance = np.abs(np.array(KNOWN_LINES_HZ) - orbit.frequency[peak[1]])
    conditions = {
        "gap": bool((steps > 1.5).any()),  # any lost row, inside or next to it
        "pass_end": area.rows.start == 0 or area.rows.stop - 1 == last_row,
        "band_edge": area.columns.start == 0 or area.columns.stop - 1 == last_column,
        "known_line": bool(line_distance.min() <= _LINE_WIDTH_HZ),
        "burst": bool((orbit.work_mode[rows] == 2).any()),
        "low_valid_share": bool(np.isfinite(box).mean() < _LOW_VALID_SHARE),
    }
    return [name for name, holds in conditions.items() if holds]


def _outline(orbit: Orbit, area: _Area) -> list[dict[str, Any]]:
    contours, _ = cv2.findContours(
        area.inside.astype(np.uint8),
        cv2.RETR_EXTERNAL,
        cv2.CHAIN_APPROX_SIMPLE,
        offset=(area.columns.start, area.rows.start),
    )
    largest = max(contours, key=lambda contour: (cv2.contourArea(contour), len(contour)))
    return [
        {"time": _utc(orbit.times[row]), "frequency": float(orbit.frequency[column])}
        for column, row in largest[:, 0, :]
    ]


def _utc(time: np.datetime64) -> Any:
    import pandas as pd

    return pd.Timestamp(time, tz="UTC")
