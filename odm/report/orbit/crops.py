"""Small pictures of spectrograms for the page: coloured JPEG, and where its edges lie.

The page draws axes and outlines over them, so that they stay sharp and can be told in any theme.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.archive.orbit.reader import Orbit, valid_amplitude
from odm.physics.coordinates import bridged

Box = tuple[float, float, float, float]
"""First and last second since 1970 (UTC), lowest and highest frequency in Hz; of an ionogram lowest
and highest frequency in Hz, shortest and longest range in km."""

CROP_PIXELS = (200, 160)
WHOLE_PIXELS = (560, 256)
_QUALITY = 72
_MARGIN_S, _MARGIN_HZ = 60.0, 1200.0
_MISSING = (214, 214, 214)
_THOUSANDTHS = 1000
_MOST_POINTS = 40


@dataclass(frozen=True)
class Crop:
    """One picture.

    Attributes:
        jpeg: its bytes.
        box: what its outer edges are.
        latitude: geographic, at its left and right edge.
        shapes: outlines as x, y, x, y, ... in thousandths of the width and height, from the top
            left corner.
        rows: of the page, one per shape; none where there is only one thing to show.
        lines: leading edges in the same units, one per shape, perhaps empty.
    """

    jpeg: bytes
    box: Box
    latitude: tuple[float, float]
    shapes: list[list[int]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    lines: list[list[int]] = field(default_factory=list)

    def facts(self, source: str | None = None) -> dict[str, Any]:
        """For the page, with the picture itself or the name of its file."""
        x0, x1, y0, y1 = self.box
        inside = "data:image/jpeg;base64," + base64.b64encode(self.jpeg).decode()
        facts: dict[str, Any] = {
            "x": [round(x0, 3), round(x1, 3)],
            "y": [round(y0, 2), round(y1, 2)],
            "lat": [round(value, 2) if value == value else None for value in self.latitude],
            "shapes": self.shapes,
            "src": inside if source is None else source,
        }
        return facts | {n: v for n, v in (("rows", self.rows), ("lines", self.lines)) if v}


class OrbitPictures:
    """Pictures of one half-orbit, all with the same colours."""

    def __init__(self, orbit: Orbit) -> None:
        self.orbit = orbit
        self._amplitude = orbit.amplitude["z"]
        since_1970 = orbit.times.astype("datetime64[ns]").astype(np.int64)
        self._seconds: NDArray[np.float64] = (since_1970 * 1e-9).astype(np.float64)
        self._step = float(np.median(np.diff(self._seconds)))
        few = self._amplitude[::8, ::4]
        known = few[valid_amplitude(few)]
        limits = np.percentile(2 * np.log10(known), (1, 99.5)) if known.size else (-9.0, -5.0)
        self._low, self._high = float(limits[0]), max(float(limits[1]), float(limits[0]) + 0.1)
        step_hz = (orbit.frequency[-1] - orbit.frequency[0]) / (orbit.frequency.size - 1)
        self._half = (self._step / 2, float(step_hz) / 2)

    def region(self, row: Mapping[str, Any], outline: Sequence[Mapping[str, Any]]) -> Crop:
        """A region with its surroundings.

        Args:
            row: of the catalog: times and frequencies.
            outline: points of ``time`` (UTC) and ``frequency`` (Hz).
        """
        start, end = seconds_of(row["time_start"]), seconds_of(row["time_end"])
        low, high = float(row["frequency_min"]), float(row["frequency_max"])
        wide, tall = max(_MARGIN_S, (end - start) / 2), max(_MARGIN_HZ, (high - low) / 2)
        crop = self._crop((start - wide, end + wide, low - tall, high + tall), CROP_PIXELS)
        crop.shapes.append(outline_points(outline, crop.box))
        return crop

    def whole(self, outlines: Mapping[int, Sequence[Mapping[str, Any]]]) -> Crop:
        """The whole half-orbit with the outline of every row of the page."""
        frequency = self.orbit.frequency
        box = (self._seconds[0], self._seconds[-1], frequency[0], frequency[-1])
        crop = self._crop(box, WHOLE_PIXELS)
        crop.shapes.extend(outline_points(outline, crop.box) for outline in outlines.values())
        crop.rows.extend(outlines)
        return crop

    def _crop(self, wanted: Box, most: tuple[int, int]) -> Crop:
        frequency = self.orbit.frequency
        first, last = np.searchsorted(frequency, wanted[2:])
        first, last = min(int(first), frequency.size - 2), max(int(last), int(first) + 2)
        chosen = frequency[first:last]
        begin, end = max(wanted[0], self._seconds[0]), min(wanted[1], self._seconds[-1])
        slots = max(2, round((end - begin) / self._step) + 1)
        times = begin + np.arange(slots) * self._step
        rows = np.clip(np.searchsorted(self._seconds, times), 1, self._seconds.size - 1)
        rows -= times - self._seconds[rows - 1] < self._seconds[rows] - times
        there = np.abs(self._seconds[rows] - times) <= 0.75 * self._step  # no row is invented
        box = (
            float(times[0]) - self._half[0],
            float(times[-1]) + self._half[0],
            float(chosen[0]) - self._half[1],
            float(chosen[-1]) + self._half[1],
        )
        picture = self._colours(self._amplitude[rows][:, first:last], there)
        latitude = bridged(self.orbit.latitude, self._seconds)[rows[[0, -1]]]
        return Crop(jpeg(picture, most), box, (float(latitude[0]), float(latitude[1])))

    def _colours(self, amplitude: NDArray[Any], there: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """(slots, K) amplitudes as (K, slots, 3), the highest frequency on top."""
        valid = valid_amplitude(amplitude) & there[:, None]
        log_psd = 2 * np.log10(np.where(valid, amplitude, 1.0))
        level = np.clip((log_psd - self._low) / (self._high - self._low), 0, 1) * 255
        colours = cv2.applyColorMap(np.rot90(level).astype(np.uint8), cv2.COLORMAP_VIRIDIS)
        colours[~np.rot90(valid)] = _MISSING
        return np.asarray(colours, dtype=np.uint8)


def outline_points(outline: Sequence[Mapping[str, Any]], box: Box) -> list[int]:
    """An outline in thousandths of a picture, with no more points than show."""
    if not len(outline):
        return []
    seconds = np.array([seconds_of(point["time"]) for point in outline])
    hertz = np.array([float(point["frequency"]) for point in outline])
    x = (seconds - box[0]) / (box[1] - box[0]) * _THOUSANDTHS
    y = (box[3] - hertz) / (box[3] - box[2]) * _THOUSANDTHS
    points = np.rint(np.stack([x, y], axis=1)).astype(np.int32)[:, None, :]
    slack = 2.0
    fewer = cv2.approxPolyDP(points, slack, True)
    while len(fewer) > _MOST_POINTS:
        slack *= 1.5
        fewer = cv2.approxPolyDP(points, slack, True)
    return [int(value) for value in fewer.ravel()]


def seconds_of(time: Any) -> float:
    """Seconds since 1970 of a pandas Timestamp, a datetime (UTC) or a datetime64."""
    nanoseconds = getattr(time, "value", None)
    if isinstance(nanoseconds, int):
        return nanoseconds / 1e9
    if isinstance(time, np.datetime64):
        return float(time.astype("datetime64[ns]").astype(np.int64)) / 1e9
    return float(time.timestamp())


def jpeg(picture: NDArray[np.uint8], most: tuple[int, int], quality: int = _QUALITY) -> bytes:
    """A picture (H, W, 3), made smaller where it is larger than ``most`` (width, height)."""
    height, width = picture.shape[:2]
    size = min(width, most[0]), min(height, most[1])
    if size != (width, height):
        resized = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        picture = np.asarray(resized, dtype=np.uint8)
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])
