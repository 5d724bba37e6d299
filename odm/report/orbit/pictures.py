"""Pictures of regions with their surroundings, and of whole half-orbits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from odm.archive.orbit.reader import Orbit, read_orbit, valid_amplitude
from odm.physics.coordinates import bridged
from odm.report.shared.pictures import Box, Crop, Pictures, PictureStyle, thousandths

Outline = Sequence[Mapping[str, Any]]
"""Points of ``time`` (UTC, a pandas Timestamp) and ``frequency`` (Hz)."""

CROP_PIXELS = (200, 160)
WHOLE_PIXELS = (560, 256)
_MARGIN_S, _MARGIN_HZ = 60.0, 1200.0
_STYLE = PictureStyle(cv2.COLORMAP_VIRIDIS, (214, 214, 214), quality=72)
_MAX_POINTS = 40


def draw_orbits(pictures: Pictures, outlines: pa.Array) -> None:
    """Draw regions and the whole half-orbits of the queue, each half-orbit read once.

    Args:
        pictures: what is drawn is added to these.
        outlines: (regions,) lists of points, for the regions of the page.
    """
    rows, queued = pictures.rows, set(pictures.queue.inputs)
    confidence = rows.findings["confidence"].to_numpy(float)
    order = sorted(
        range(len(rows.ids)), key=lambda row: (rows.owner[row] not in queued, -confidence[row])
    )[: pictures.limit]
    rank = {row: number for number, row in enumerate(order)}
    drawn: dict[int, list[int]] = {number: [] for number in pictures.queue.inputs}
    for row in order:
        drawn.setdefault(int(rows.owner[row]), []).append(row)
    borders = rows.findings[["time_start", "time_end", "frequency_min", "frequency_max"]]
    records = borders.to_dict("records")

    def outline(row: int) -> Outline:
        return outlines[row].as_py() or ()

    for number, orbit in pictures.opened(drawn, lambda path: read_orbit(path, "z")):
        drawing = OrbitDrawing(orbit)
        for row in drawn[number]:
            crop = drawing.region(records[row], outline(row))
            pictures.of_findings[row] = pictures.facts(crop, row, rank[row])
        if number in queued:
            crop = drawing.whole({row: outline(row) for row in rows.of_inputs.get(number, [])})
            pictures.of_inputs[number] = pictures.facts(crop, number)


class OrbitDrawing:
    """Pictures of one half-orbit, all with the same colours.

    Args:
        orbit: with its Z component and coordinates.
    """

    def __init__(self, orbit: Orbit) -> None:
        self.orbit = orbit
        self._amplitude = orbit.amplitude["z"]
        self._seconds = row_seconds(orbit)
        self._step = float(np.median(np.diff(self._seconds)))
        few = self._amplitude[::8, ::4]
        known = few[valid_amplitude(few)]
        limits = np.percentile(2 * np.log10(known), (1, 99.5)) if known.size else (-9.0, -5.0)
        self._low, self._high = float(limits[0]), max(float(limits[1]), float(limits[0]) + 0.1)
        step_hz = (orbit.frequency[-1] - orbit.frequency[0]) / (orbit.frequency.size - 1)
        self._half = (self._step / 2, float(step_hz) / 2)

    def region(self, region: Mapping[Any, Any], outline: Outline) -> Crop:
        """Return a region with its surroundings.

        Args:
            region: its first and last time and its lowest and highest frequency, as in the catalog.
            outline: outline of the region.
        """
        start, end = _seconds(region["time_start"]), _seconds(region["time_end"])
        low, high = float(region["frequency_min"]), float(region["frequency_max"])
        wide, tall = max(_MARGIN_S, (end - start) / 2), max(_MARGIN_HZ, (high - low) / 2)
        box = (start - wide, end + wide, low - tall, high + tall)
        return self._crop(box, CROP_PIXELS, [outline])

    def whole(self, outlines: Mapping[int, Outline]) -> Crop:
        """Return the whole half-orbit with the outline of every row of the page."""
        frequency = self.orbit.frequency
        box = (self._seconds[0], self._seconds[-1], frequency[0], frequency[-1])
        return self._crop(box, WHOLE_PIXELS, list(outlines.values()), list(outlines))

    def _crop(
        self,
        window: Box,
        largest: tuple[int, int],
        outlines: Sequence[Outline],
        rows: Sequence[int] = (),
    ) -> Crop:
        frequency = self.orbit.frequency
        first, last = np.searchsorted(frequency, window[2:])
        first, last = min(int(first), frequency.size - 2), max(int(last), int(first) + 2)
        shown = frequency[first:last]
        start, end = max(window[0], self._seconds[0]), min(window[1], self._seconds[-1])
        slots = max(2, round((end - start) / self._step) + 1)
        times = start + np.arange(slots) * self._step
        nearest = np.clip(np.searchsorted(self._seconds, times), 1, self._seconds.size - 1)
        nearest -= times - self._seconds[nearest - 1] < self._seconds[nearest] - times
        measured = np.abs(self._seconds[nearest] - times) <= 0.75 * self._step  # none is invented
        box = (
            float(times[0]) - self._half[0],
            float(times[-1]) + self._half[0],
            float(shown[0]) - self._half[1],
            float(shown[-1]) + self._half[1],
        )
        amplitude = self._amplitude[nearest][:, first:last]
        valid = valid_amplitude(amplitude) & measured[:, None]
        log_psd = 2 * np.log10(np.where(valid, amplitude, 1.0))
        level = (log_psd - self._low) / (self._high - self._low)
        latitude = bridged(self.orbit.latitude, self._seconds)[nearest[[0, -1]]]
        return Crop(
            jpeg=_STYLE.jpeg(level, valid, largest),
            box=box,
            latitude=(float(latitude[0]), float(latitude[1])),
            shapes=[_simplified(outline, box) for outline in outlines],
            rows=list(rows),
        )


def row_seconds(orbit: Orbit) -> NDArray[np.float64]:
    """Return (N,) seconds since 1970 (UTC) of the rows of a half-orbit."""
    since_1970 = orbit.times.astype("datetime64[ns]").astype(np.int64)
    return np.asarray(since_1970 * 1e-9, dtype=np.float64)


def _simplified(outline: Outline, box: Box) -> list[int]:
    """Return an outline in thousandths of a picture, with no more points than show."""
    if not len(outline):
        return []
    seconds = [_seconds(point["time"]) for point in outline]
    hertz = [float(point["frequency"]) for point in outline]
    points = thousandths(seconds, hertz, box)[:, None, :]
    slack = 2.0
    while len(simplified := cv2.approxPolyDP(points, slack, True)) > _MAX_POINTS:
        slack *= 1.5
    return [int(value) for value in simplified.ravel()]


def _seconds(time: Any) -> float:
    """Return seconds since 1970 of a pandas Timestamp."""
    return float(time.value / 1e9)
