"""Ionogram images: SNR between two limits as grey levels 1 to 255, 0 for invalid; no axes, no bars.

As ionograms are always drawn: frequency to the right, group range up. The canvas is a window of
frequency and range that is the same for every ionogram, whatever its own axes: a pixel is the mean
of the cells that it covers, by area, and 0 where less than half of it is covered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from odm.core.errors import InputError
from odm.images.canvas import LEVELS, CanvasSettings, Image

if TYPE_CHECKING:
    import xarray as xr
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class IonogramImageSettings(CanvasSettings):
    """How an ionogram becomes a model image; stored with every data set and model.

    Attributes:
        minimum, maximum: SNR in dB that becomes grey level 1 and 255.
        height, width: the canvas, multiples of 32.
        frequency_min, frequency_max: Hz at its left and right border.
        range_min, range_max: km at its lower and upper border.
    """

    called = "ionogram image settings"

    minimum: float = -5.0
    maximum: float = 35.0
    height: int = 416
    width: int = 416
    frequency_min: float = 5.95e6
    frequency_max: float = 30.05e6
    range_min: float = 0.0
    range_max: float = 5000.0

    def __post_init__(self) -> None:
        for low, high, name in (
            (self.minimum, self.maximum, "limits"),
            (self.frequency_min, self.frequency_max, "frequencies"),
            (self.range_min, self.range_max, "ranges"),
        ):
            if not (np.isfinite([low, high]).all() and low < high):
                raise InputError(f"image {name} {low} to {high}: give a minimum below a maximum")
        self.check_sides()

    # -- pixels <-> physical ---------------------------------------------------------------------

    def to_physical(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        """Pixel (x right, y down; centres at whole numbers) → frequency (Hz) and range (km)."""
        share_x = (np.asarray(x, dtype=np.float64) + 0.5) / self.width
        share_y = (np.asarray(y, dtype=np.float64) + 0.5) / self.height
        frequency = self.frequency_min + share_x * (self.frequency_max - self.frequency_min)
        return frequency, self.range_max - share_y * (self.range_max - self.range_min)

    def to_pixel(self, frequency: ArrayLike, group_range: ArrayLike) -> tuple[Floats, Floats]:
        """Inverse of `to_physical`."""
        span_f = self.frequency_max - self.frequency_min
        span_r = self.range_max - self.range_min
        share_x = (np.asarray(frequency, dtype=np.float64) - self.frequency_min) / span_f
        share_y = (self.range_max - np.asarray(group_range, dtype=np.float64)) / span_r
        return share_x * self.width - 0.5, share_y * self.height - 0.5

    def box_to_pixels(
        self, frequency_min: float, frequency_max: float, range_min: float, range_max: float
    ) -> tuple[float, float, float, float]:
        """A physical box as (left, top, right, bottom) on the canvas, cut at its borders.

        Here the canvas covers 0 to width and 0 to height, as detectors count: half a pixel more
        than `to_pixel`.
        """
        (left, right), (bottom, top) = self.to_pixel(
            [frequency_min, frequency_max], [range_min, range_max]
        )
        xs = np.clip(np.array([left, right]) + 0.5, 0, self.width)
        ys = np.clip(np.array([top, bottom]) + 0.5, 0, self.height)
        return float(xs[0]), float(ys[0]), float(xs[1]), float(ys[1])

    def box_to_physical(
        self, left: float, top: float, right: float, bottom: float
    ) -> tuple[float, float, float, float]:
        """Inverse of `box_to_pixels`: frequency_min, frequency_max (Hz), range_min, range_max."""
        xs, ys = np.array([left, right]) - 0.5, np.array([bottom, top]) - 0.5
        frequency, group_range = self.to_physical(xs, ys)
        return (
            float(frequency[0]), float(frequency[1]), float(group_range[0]), float(group_range[1])
        )  # fmt: skip


def ionogram_image(ionogram: xr.Dataset, settings: IonogramImageSettings) -> Image:
    """Make the model image of an ionogram.

    Args:
        ionogram: as `odm.archive.ionogram.reader.open_ionogram` gives it.
        settings: limits and canvas.

    Returns:
        (height, width) uint8, row 0 the longest range, column 0 the lowest frequency; 0 where
        nothing was measured or the window reaches beyond the ionogram.
    """
    snr = np.asarray(ionogram["snr"].values, dtype=np.float32)
    frequency, group_range = ionogram["frequency"].values, ionogram["group_range"].values
    return snr_image(snr, frequency, group_range, settings)


def snr_image(
    snr: NDArray[np.floating[Any]],
    frequency: Floats,
    group_range: Floats,
    settings: IonogramImageSettings,
) -> Image:
    """`ionogram_image` of arrays: SNR (F, R) in dB, frequency (F,) in Hz, range (R,) in km."""
    valid = np.isfinite(snr)
    level = np.where(valid, snr, np.float32(0)).astype(np.float32)
    np.clip(level, settings.minimum, settings.maximum, out=level)
    level[~valid] = 0
    total = _to_canvas(level, frequency, group_range, settings)
    weights = np.ones((1, 1), np.float32) if valid.all() else valid.astype(np.float32)
    weight = _to_canvas(weights, frequency, group_range, settings)
    enough = weight >= 0.5
    scale = LEVELS / (settings.maximum - settings.minimum)
    image = np.zeros((settings.height, settings.width), dtype=np.uint8)
    grey = (total[enough] / weight[enough] - settings.minimum) * scale + 1.5
    image[enough] = np.clip(grey, 1, 255).astype(np.uint8)
    return image


def mask_to_canvas(
    mask: NDArray[np.bool_],
    frequency: Floats,
    group_range: Floats,
    settings: IonogramImageSettings,
) -> Image:
    """A mask (F, R) of an ionogram on the canvas (H, W): 1 where it covers at least half."""
    covered = _to_canvas(mask.astype(np.float32), frequency, group_range, settings)
    return (covered >= 0.5).astype(np.uint8)


def mask_from_canvas(
    mask: NDArray[Any],
    frequency: Floats,
    group_range: Floats,
    settings: IonogramImageSettings,
) -> NDArray[Any]:
    """A mask or map on the canvas (H, W) at the values of an ionogram (F, R), by nearest pixel;
    0 outside the window."""
    if mask.shape != (settings.height, settings.width):
        raise InputError(f"a mask of {mask.shape} is not one of the canvas")
    x, _ = settings.to_pixel(frequency, settings.range_min)
    _, y = settings.to_pixel(settings.frequency_min, group_range)
    columns, lines = np.rint(x).astype(int), np.rint(y).astype(int)
    inside_x = (columns >= 0) & (columns < settings.width)
    inside_y = (lines >= 0) & (lines < settings.height)
    native = np.zeros((columns.size, lines.size), dtype=mask.dtype)
    native[np.ix_(inside_x, inside_y)] = mask[np.ix_(lines[inside_y], columns[inside_x])].T
    return native


def _to_canvas(
    values: NDArray[np.float32],
    frequency: Floats,
    group_range: Floats,
    settings: IonogramImageSettings,
) -> NDArray[np.float32]:
    """Sums over the cells that a pixel covers, each by the share of the pixel that it fills."""
    columns = _cover(frequency, settings.frequency_min, settings.frequency_max, settings.width)
    lines = _cover(group_range, settings.range_min, settings.range_max, settings.height)
    if values.shape == (1, 1):  # of ones throughout
        canvas = np.outer(lines.sum(axis=1), columns.sum(axis=1))
    else:
        canvas = lines @ (columns @ values).T
    return np.asarray(canvas[::-1], dtype=np.float32)


def _cover(axis: Floats, low: float, high: float, pixels: int) -> csr_array:
    """(pixels, N): which share of each pixel the cell of each value of an axis fills."""
    from scipy.sparse import csr_array

    lower, upper = cell_borders(axis)
    scale = pixels / (high - low)
    starts, ends = (lower - low) * scale, (upper - low) * scale
    first = np.clip(np.floor(starts), 0, pixels).astype(np.intp)
    last = np.clip(np.ceil(ends), 0, pixels).astype(np.intp)
    counts = np.maximum(last - first, 0)
    cells = np.repeat(np.arange(axis.size), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    pixel = first[cells] + within
    share = np.minimum(ends[cells], pixel + 1) - np.maximum(starts[cells], pixel)
    return csr_array(
        (np.maximum(share, 0).astype(np.float32), (pixel, cells)), shape=(pixels, axis.size)
    )


def cell_borders(axis: ArrayLike) -> tuple[Floats, Floats]:
    """Where the cell of each value of a rising axis begins and ends: half-way to its neighbours.

    Beside a gap (a step of more than twice the usual one nearby) a cell is as wide as on its other
    side, so that a gap stays one.
    """
    centres = np.asarray(axis, dtype=np.float64)
    steps = np.diff(centres)
    left, right = np.concatenate([[steps[0]], steps]), np.concatenate([steps, [steps[-1]]])
    usual = np.minimum(left, right)
    lower = centres - np.where(left > 2 * usual, usual, left) / 2
    upper = centres + np.where(right > 2 * usual, usual, right) / 2
    return lower, upper
