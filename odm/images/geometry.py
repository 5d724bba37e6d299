"""`SpectrogramGeometry`: from a pixel of a model image to time, place and frequency, and back.

Pixel centres lie at whole numbers, so the image of h rows covers -0.5 to h - 0.5. Row 0 is the
highest frequency and column 0 the first row of the file: the spectrogram [time, frequency] rotated
by 90 degrees counter-clockwise. Along the time axis the true stamps are used: a packet gap is a
jump between two neighbouring columns, shared evenly by their two halves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from odm.core.errors import InputError
from odm.images.canvas import CanvasSettings
from odm.physics.coordinates import bridged, unwrapped, wrapped

NATIVE_HEIGHT, NATIVE_WIDTH = 1024, 1088
"""Canvas for native images: 1024 frequencies; the longest known half-orbit has 1077 rows."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OrbitImageSettings(CanvasSettings):
    """How a spectrogram becomes a model image; stored with every data set and model.

    Attributes:
        minimum, maximum: log10 of the PSD in (mV/m)^2/Hz that becomes grey level 1 and 255.
        mode: ``native``, one pixel per value, top left on a canvas whose rest is 0; ``resized``,
            the whole spectrogram scaled to the canvas.
        height, width: the canvas, multiples of 32.
        component: x, y or z.
    """

    called = "image settings"

    minimum: float
    maximum: float
    mode: Literal["native", "resized"] = "native"
    height: int = NATIVE_HEIGHT
    width: int = NATIVE_WIDTH
    component: Literal["x", "y", "z"] = "z"

    def __post_init__(self) -> None:
        if not (np.isfinite([self.minimum, self.maximum]).all() and self.minimum < self.maximum):
            raise InputError(
                f"image limits {self.minimum} to {self.maximum}: give a minimum below a maximum, "
                "in log10 of (mV/m)^2/Hz"
            )
        if self.mode not in ("native", "resized"):
            raise InputError(f"image mode {self.mode!r}: give native or resized")
        self.check_sides()
        if self.component not in ("x", "y", "z"):
            raise InputError(f"component {self.component!r}: give x, y or z")


class SpectrogramGeometry:
    """Both ways between the pixels of one image and (UTC, latitude, longitude, Hz).

    Args:
        times: (N,) datetime64, strictly increasing.
        frequency: (K,) Hz, strictly increasing.
        latitude, longitude: (N,) degrees; NaN is bridged from its neighbours.
        settings: the image.

    Raises:
        InputError: a native image that does not fit its canvas.
    """

    def __init__(
        self,
        times: ArrayLike,
        frequency: ArrayLike,
        latitude: ArrayLike,
        longitude: ArrayLike,
        settings: OrbitImageSettings,
    ) -> None:
        self.settings = settings
        self.times = np.asarray(times).astype("datetime64[ns]")
        self.frequency = np.asarray(frequency, dtype=np.float64)
        rows, columns = self.times.size, self.frequency.size
        self.shape = (settings.height, settings.width)
        if settings.mode == "native":
            if columns > settings.height or rows > settings.width:
                raise InputError(
                    f"a half-orbit of {rows} rows and {columns} frequencies does not fit the "
                    f"native canvas of {settings.width} by {settings.height}; "
                    "set a larger width or height, or resize"
                )
            self.content = (columns, rows)
        else:
            self.content = self.shape
        self.native_shape = (columns, rows)
        # Seconds from the first row: float64 then resolves nanoseconds within a pass.
        self._seconds = (self.times - self.times[0]).astype(np.int64) * 1e-9
        self._latitude = bridged(np.asarray(latitude, dtype=np.float64), self._seconds)
        self._longitude = bridged(unwrapped(np.asarray(longitude, dtype=np.float64)), self._seconds)

    # -- native indices <-> pixels of the canvas -------------------------------------------------

    def to_native(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """Pixel (x right, y down) → fractional row of the file and fractional frequency index."""
        height, width = self.content
        native_height, native_width = self.native_shape
        column = (np.asarray(x, dtype=np.float64) + 0.5) * (native_width / width) - 0.5
        line = (np.asarray(y, dtype=np.float64) + 0.5) * (native_height / height) - 0.5
        return column, native_height - 1 - line

    def from_native(self, row: ArrayLike, index: ArrayLike) -> tuple[Floats, Floats]:
        """Inverse of `to_native`."""
        height, width = self.content
        native_height, native_width = self.native_shape
        line = native_height - 1 - np.asarray(index, dtype=np.float64)
        x = (np.asarray(row, dtype=np.float64) + 0.5) * (width / native_width) - 0.5
        y = (line + 0.5) * (height / native_height) - 0.5
        return x, y

    # -- pixels <-> the sky ----------------------------------------------------------------------

    def to_physical(
        self, x: ArrayLike, y: ArrayLike
    ) -> tuple[NDArray[np.datetime64], Floats, Floats, Floats]:
        """Time (datetime64[ns]), latitude, longitude (degrees, [-180, 180)) and frequency (Hz).

        Fractions of a pixel are interpolated; beyond the outermost centres the last step goes on.
        """
        row, index = self.to_native(x, y)
        seconds = _interpolate(row, self._seconds)
        times = self.times[0] + np.round(seconds * 1e9).astype("timedelta64[ns]")
        longitude = wrapped(_interpolate(row, self._longitude))
        latitude = _interpolate(row, self._latitude)
        return times, latitude, longitude, _interpolate(index, self.frequency)

    def to_pixel(self, time: ArrayLike, frequency_hz: ArrayLike) -> tuple[Floats, Floats]:
        """Pixel (x, y) of a time and a frequency; inverse of `to_physical`."""
        elapsed = (np.asarray(time).astype("datetime64[ns]") - self.times[0]).astype(np.int64)
        row = _locate(elapsed * 1e-9, self._seconds)
        index = _locate(np.asarray(frequency_hz, dtype=np.float64), self.frequency)
        return self.from_native(row, index)

    # -- masks -----------------------------------------------------------------------------------

    def mask_from_native(self, mask: NDArray[Any]) -> NDArray[Any]:
        """A native mask (K, N), top = high frequency, on the canvas (H, W) by nearest pixel."""
        if mask.shape != self.native_shape:
            raise InputError(f"a mask of {mask.shape} is not one of {self.native_shape}")
        height, width = self.content
        canvas = np.zeros(self.shape, dtype=mask.dtype)
        lines, columns = _nearest(height, mask.shape[0]), _nearest(width, mask.shape[1])
        canvas[:height, :width] = mask[np.ix_(lines, columns)]
        return canvas

    def mask_to_native(self, mask: NDArray[Any]) -> NDArray[Any]:
        """A mask or map on the canvas (H, W) at native size (K, N) by nearest pixel."""
        if mask.shape != self.shape:
            raise InputError(f"a mask of {mask.shape} is not one of {self.shape}")
        lines = _nearest(self.native_shape[0], self.content[0])
        columns = _nearest(self.native_shape[1], self.content[1])
        return mask[np.ix_(lines, columns)]


def _nearest(size: int, source: int) -> NDArray[np.intp]:
    """Return for each of ``size`` pixels that of ``source`` whose cell holds its centre."""
    centres = (np.arange(size) + 0.5) * (source / size)
    return np.minimum(centres.astype(np.intp), source - 1)


def _interpolate(position: Floats, axis: Floats) -> Floats:
    """Value at a fractional index; linear, going on past the ends with the outermost step."""
    lower = np.clip(np.floor(position), 0, axis.size - 2).astype(np.intp)
    return axis[lower] + (position - lower) * (axis[lower + 1] - axis[lower])


def _locate(value: Floats, axis: Floats) -> Floats:
    """Fractional index of a value on an increasing axis; inverse of `_interpolate`."""
    lower = np.clip(np.searchsorted(axis, value, side="right") - 1, 0, axis.size - 2)
    return lower + (value - axis[lower]) / (axis[lower + 1] - axis[lower])
