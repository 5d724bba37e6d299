"""`SpectrogramGeometry`: from a pixel of a model image to time, place and frequency, and back.

Pixel centres lie at whole numbers, so the image of h rows covers -0.5 to h - 0.5. Row 0 is the
highest frequency and column 0 the first row of the file: the spectrogram [time, frequency] rotated
by 90 degrees counter-clockwise. Along the time axis the true stamps are used: a packet gap is a
jump between two neighbouring columns, shared evenly by their two halves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from odm.core.errors import InputError
from odm.images import relative
from odm.images.canvas import CanvasSettings, Image
from odm.physics.coordinates import bridged, unwrapped, wrapped

NATIVE_HEIGHT, NATIVE_WIDTH = 1024, 1088
"""Canvas for native images: 1024 frequencies; the longest known half-orbit has 1077 rows."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OrbitImageSettings(CanvasSettings):
    """How a spectrogram becomes a model image; stored with every data set and model.

    Attributes:
        minimum, maximum: log10 of the PSD in (mV/m)^2/Hz that becomes grey level 1 and 255; None
            where ``mode`` is ``relative``.
        mode: ``native``, one pixel per value, top left on a canvas whose rest is 0; ``resized``,
            the whole spectrogram scaled to the canvas; ``relative``, a pixel of two channels per
            block of values, top left on the canvas: see `odm.images.relative`.
        height, width: the canvas, multiples of 32; 0 for what the mode usually has.
        component: x, y or z.
    """

    called = "image settings"

    minimum: float | None = None
    maximum: float | None = None
    mode: Literal["native", "resized", "relative"] = "native"
    height: int = 0
    width: int = 0
    component: Literal["x", "y", "z"] = "z"

    @classmethod
    def relative(cls, component: Literal["x", "y", "z"] = "z") -> Self:
        """Return the settings of a relative image."""
        return cls(mode="relative", component=component)

    @property
    def channels(self) -> int:
        """Number of channels of an image; with 1 it is (H, W), with more (H, W, C)."""
        return relative.CHANNELS if self.mode == "relative" else 1

    @property
    def limits(self) -> tuple[float, float]:
        """``minimum`` and ``maximum`` of an image that has them."""
        assert self.minimum is not None and self.maximum is not None
        return self.minimum, self.maximum

    def to_values(self, image: Image) -> NDArray[np.float32]:
        """Return the physical values of grey levels, NaN where the image is 0: log10 of the PSD, or
        dB of a relative image; levels 1 and 255 mean "or beyond"."""
        if self.mode == "relative":
            return relative.expand(image)
        return CanvasSettings.to_values(self, image)

    def __post_init__(self) -> None:
        if self.mode not in ("native", "resized", "relative"):
            raise InputError(f"image mode {self.mode!r}: give native, resized or relative")
        is_relative = self.mode == "relative"
        self._check_limits(is_relative)
        usual = (relative.HEIGHT, relative.WIDTH) if is_relative else (NATIVE_HEIGHT, NATIVE_WIDTH)
        for name, size in zip(("height", "width"), usual, strict=True):
            if getattr(self, name) == 0:
                object.__setattr__(self, name, size)  # frozen for everyone else
        self.check_sides()
        if is_relative and self.height != relative.HEIGHT:
            raise InputError(
                f"image height {self.height}: a relative image is {relative.HEIGHT} pixels high"
            )
        if self.component not in ("x", "y", "z"):
            raise InputError(f"component {self.component!r}: give x, y or z")

    def _check_limits(self, is_relative: bool) -> None:
        limits = {"minimum": self.minimum, "maximum": self.maximum}
        for name, limit in limits.items():
            if is_relative and limit is not None:
                raise InputError(f"image {name} {limit}: a relative image has no limits")
            if not is_relative and limit is None:
                raise InputError(
                    f"image {name} is missing: give minimum and maximum, in log10 of (mV/m)^2/Hz, "
                    "or mode relative"
                )
        if is_relative:
            return
        if not (np.isfinite(self.limits).all() and self.limits[0] < self.limits[1]):
            raise InputError(
                f"image limits {self.minimum} to {self.maximum}: give a minimum below a maximum, "
                "in log10 of (mV/m)^2/Hz"
            )


class SpectrogramGeometry:
    """Both ways between the pixels of one image and (UTC, latitude, longitude, Hz).

    Args:
        times: (N,) datetime64, strictly increasing.
        frequency: (K,) Hz, strictly increasing.
        latitude, longitude: (N,) degrees; NaN is bridged from its neighbours.
        settings: the image.

    Attributes:
        shape: (H, W) of the canvas.
        content: (h, w) of its pixels, top left, that show the half-orbit.
        native_shape: (K, N) of a native mask, row 0 the highest frequency.
        covered: native pixels that the content covers, from the lowest frequency and the first row
            of the file: of a relative image they may be fewer than K, and up to 3 more than N.

    Raises:
        InputError: a native or relative image that does not fit its canvas.
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
        self.native_shape = self.covered = (columns, rows)
        check_fits(rows, columns, settings)
        if settings.mode == "native":
            self.content = (columns, rows)
        elif settings.mode == "relative":
            self.content = (relative.HEIGHT, -(-rows // relative.BLOCK))
            self.covered = (relative.COVERED, self.content[1] * relative.BLOCK)
        else:
            self.content = self.shape
        # Seconds from the first row: float64 then resolves nanoseconds within a pass.
        self._seconds = (self.times - self.times[0]).astype(np.int64) * 1e-9
        self._latitude = bridged(np.asarray(latitude, dtype=np.float64), self._seconds)
        self._longitude = bridged(unwrapped(np.asarray(longitude, dtype=np.float64)), self._seconds)

    # -- native indices <-> pixels of the canvas -------------------------------------------------

    def to_native(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """Pixel (x right, y down) → fractional row of the file and fractional frequency index."""
        height, width = self.content
        native_height, native_width = self.covered
        column = (np.asarray(x, dtype=np.float64) + 0.5) * (native_width / width) - 0.5
        line = (np.asarray(y, dtype=np.float64) + 0.5) * (native_height / height) - 0.5
        return column, native_height - 1 - line

    def from_native(self, row: ArrayLike, index: ArrayLike) -> tuple[Floats, Floats]:
        """Inverse of `to_native`."""
        height, width = self.content
        native_height, native_width = self.covered
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
        """A native mask (K, N), top = high frequency, on the canvas (H, W) by nearest pixel.

        A pixel of a relative image has the class that most of its native pixels have.
        """
        if mask.shape != self.native_shape:
            raise InputError(f"a mask of {mask.shape} is not one of {self.native_shape}")
        height, width = self.content
        canvas = np.zeros(self.shape, dtype=mask.dtype)
        if self.settings.mode == "relative":
            canvas[:height, :width] = relative.mask_blocks(mask)
            return canvas
        lines, columns = _nearest(height, mask.shape[0]), _nearest(width, mask.shape[1])
        canvas[:height, :width] = mask[np.ix_(lines, columns)]
        return canvas

    def mask_to_native(self, mask: NDArray[Any]) -> NDArray[Any]:
        """A mask or map on the canvas (H, W) at native size (K, N) by nearest pixel; 0 at
        frequencies that the image does not show."""
        if mask.shape != self.shape:
            raise InputError(f"a mask of {mask.shape} is not one of {self.shape}")
        lines = _nearest(self.covered[0], self.content[0])
        return self.placed(mask[np.ix_(lines, self.column_of_row)])

    @property
    def column_of_row(self) -> NDArray[np.intp]:
        """The column of the canvas that shows each row of the file, (N,)."""
        return _nearest(self.covered[1], self.content[1])[: self.native_shape[1]]

    def placed(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values at native resolution of what the image covers, at native size (K, N).

        Args:
            values: (C, N or more), C and the lowest row being those of ``covered``.

        Returns:
            (K, N), 0 at frequencies that the image does not show.
        """
        lines, columns = self.native_shape
        values = values[max(0, values.shape[0] - lines) :, :columns]
        if values.shape == self.native_shape:
            return values
        native = np.zeros(self.native_shape, dtype=values.dtype)
        native[lines - values.shape[0] :] = values
        return native


def check_fits(rows: int, frequencies: int, settings: OrbitImageSettings) -> None:
    """Check that a half-orbit fits its canvas.

    Raises:
        InputError: a native or relative image that does not.
    """
    if settings.mode == "native" and (frequencies > settings.height or rows > settings.width):
        raise InputError(
            f"a half-orbit of {rows} rows and {frequencies} frequencies does not fit the native "
            f"canvas of {settings.width} by {settings.height}; set a larger width or height, or "
            "resize"
        )
    if settings.mode == "relative" and rows > settings.width * relative.BLOCK:
        raise InputError(
            f"a half-orbit of {rows} rows does not fit the relative canvas of "
            f"{settings.width * relative.BLOCK} rows; set a larger width"
        )


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
