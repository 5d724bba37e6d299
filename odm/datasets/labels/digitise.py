"""A plotted ionogram (PNG or JPEG) back to a matrix: cut to its data area, colours to SNR.

Where a colour cannot be one of the scale (a line, a letter, a logo), and on the ground that was
left in the colour of the axes, there is no value. What was drawn in the first or last colour was
that, or beyond.

A ground is told from values by being flat, neutral and none of the scale. Black and coloured
grounds are only believed when they are named: black is the first colour of many colour maps, so
that a plot read with a wrong map would seem to have a black ground.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.core.errors import ArchiveError, InputError
from odm.core.files import read_bytes

Area = tuple[float, float, float, float]
"""Left, top, right and bottom border in pixels; the picture's own are 0, 0, width, height."""

FARTHEST_COLOUR = 60.0
"""Distance in RGB (0-255) at which a pixel is none of the scale; JPEG shifts colours by some 30."""


AUTO, NONE = "auto", "none"
NOISE = 12.0
"""Distance in RGB (0-255) within which pixels are of one flat colour, JPEG noise included."""
OFF_SCALE = 2 * NOISE
"""Distance from a scale at which a flat colour cannot be one of it."""
DARKEST, LARGEST_SPREAD = 64, 12
"""Limits of a ground that is not named: its darkest channel, and the spread of its channels."""
LEAST_SHARE = 0.05
"""Share of the data area below which a flat colour may be letters or lines."""
DOUBTFUL_SHARE, DOUBTFUL_ALIKE = 0.25, 0.5
"""Shares of the data area in exactly one colour of the scale, and in one but for noise, from which
a colour is doubtful: values are hardly so alike, unless it is that of the weakest echo."""
ENOUGH_PIXELS = 100

Colours = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PlotScale:
    """How a plot is to be read.

    Attributes:
        area: of the data, inside the frame.
        frequency: at its left and right border, Hz.
        group_range: at its lower and upper border, km.
        snr: of the first and last colour, dB.
        colours: a matplotlib colour map by name, or the area of the plot's own colour bar: first
            colour at the bottom, or on the left of a bar that is wider than high.
        cells: numbers of frequencies and ranges that were drawn; a value per pixel if None.
        ground: colour of the axes where nothing was drawn, as matplotlib writes it; ``auto`` for
            a flat white or grey that is none of the scale, ``none`` if all was drawn.
    """

    area: Area
    frequency: tuple[float, float]
    group_range: tuple[float, float]
    snr: tuple[float, float]
    colours: str | Area = "viridis"
    cells: tuple[int, int] | None = None
    ground: str = AUTO


@dataclass(frozen=True, slots=True)
class DigitisedPlot:
    """``snr``: (F, R) dB, NaN on the ground and where no colour could be read; ``frequency``: Hz;
    ``group_range``: km; ``ground``: its colour, empty where there is none; ``ground_share``: of
    the pixels; ``unread_share``: of the others, but those that touch the ground."""

    snr: NDArray[np.float32]
    frequency: NDArray[np.float64]
    group_range: NDArray[np.float64]
    ground: str
    ground_share: float
    unread_share: float


def digitise_plot(path: object, scale: PlotScale) -> DigitisedPlot:
    """Read the matrix out of a plotted ionogram.

    Raises:
        ArchiveError: the file is no picture.
        InputError: an area outside the picture, or a scale that cannot be meant.
    """
    picture = _picture(path)
    mhz = (scale.frequency[0] / 1e6, scale.frequency[1] / 1e6)
    for name, (low, high), unit in (("frequency", mhz, "MHz"), ("range", scale.group_range, "km")):
        if not low < high:
            raise InputError(f"{name} {low:g} to {high:g} {unit}: give the lower one first")
    if scale.snr[0] == scale.snr[1]:
        raise InputError(f"SNR {scale.snr[0]:g} to {scale.snr[1]:g}: give two different values")
    left, top, right, bottom = _whole_pixels(path, picture, scale.area, "data area")
    pixels, colours = picture[top:bottom, left:right], _colours(path, picture, scale)
    level, distance = _levels(pixels, colours)
    snr = scale.snr[0] + level * (scale.snr[1] - scale.snr[0])
    snr[distance > FARTHEST_COLOUR] = np.nan
    weakest = colours[0 if scale.snr[0] < scale.snr[1] else -1]
    colour = find_ground(pixels, distance, scale.ground, weakest)
    ground = is_ground(pixels, distance, colour)
    unread = unread_share(np.isnan(snr), ground)
    snr[ground] = np.nan
    # Borders of the whole pixels that were taken, in the plot's own scale.
    frequency = _ends(scale.frequency, scale.area[0], scale.area[2], left, right)
    high, low = _ends(scale.group_range[::-1], scale.area[1], scale.area[3], top, bottom)
    cells = scale.cells or (right - left, bottom - top)
    values = _averaged(_upright(snr), cells)
    # A stray pixel of another colour makes no value of a cell that is ground.
    values[_averaged(_upright(ground.astype(np.float64)), cells) > 0.5] = np.nan
    return DigitisedPlot(
        snr=values.astype(np.float32),
        frequency=_centres(*frequency, cells[0]),
        group_range=_centres(low, high, cells[1]),
        ground="" if colour is None else to_hex(colour),
        ground_share=float(ground.mean()),
        unread_share=unread,
    )


def _upright(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of a picture as frequency, then range rising."""
    return np.ascontiguousarray(rows[::-1].T)


def _picture(path: object) -> NDArray[np.uint8]:
    """(H, W, 3) RGB; what is transparent is white, as a viewer shows it."""
    data = np.frombuffer(read_bytes(path), np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if pixels is None:
        raise ArchiveError(path, "not a picture that can be read")
    if pixels.dtype == np.uint16:
        pixels = (pixels.astype(np.uint16) >> 8).astype(np.uint8)
    if pixels.ndim == 2:
        return np.repeat(pixels[:, :, None], 3, axis=2)
    colours = pixels[:, :, 2::-1]
    if pixels.shape[2] == 4:
        opaque = pixels[:, :, 3:].astype(np.float32) / 255
        colours = np.rint(colours * opaque + 255 * (1 - opaque)).astype(np.uint8)
    return np.ascontiguousarray(colours)


def _whole_pixels(
    path: object, picture: NDArray[np.uint8], area: Area, what: str
) -> tuple[int, int, int, int]:
    left, top, right, bottom = (round(border) for border in area)
    height, width = picture.shape[:2]
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise InputError(
            f"{path}: the {what} {' '.join(f'{border:g}' for border in area)} does not lie in the "
            f"picture of {width} by {height} pixels; give left, top, right, bottom"
        )
    if right - left < 2 or bottom - top < 2:
        raise InputError(f"{path}: the {what} is smaller than 2 by 2 pixels")
    return left, top, right, bottom


def _colours(path: object, picture: NDArray[np.uint8], scale: PlotScale) -> NDArray[np.float64]:
    """(N, 3) RGB from the first to the last colour of the scale."""
    if isinstance(scale.colours, str):
        from matplotlib import colormaps

        if scale.colours not in colormaps:
            raise InputError(f"colour map {scale.colours!r} is none that matplotlib knows")
        return np.asarray(colormaps[scale.colours](np.linspace(0, 1, 256))[:, :3] * 255)
    left, top, right, bottom = _whole_pixels(path, picture, scale.colours, "colour bar")
    bar = picture[top:bottom, left:right].astype(np.float64)
    upright = bar.shape[0] >= bar.shape[1]
    return np.median(bar, axis=1)[::-1] if upright else np.median(bar, axis=0)


def _levels(
    pixels: NDArray[np.uint8], colours: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Place of each pixel's colour in the scale, 0 to 1, and its distance from there in RGB."""
    from scipy.spatial import cKDTree

    # A plot has few colours many times.
    codes, back = np.unique(_codes(pixels).ravel(), return_inverse=True)
    distance, nearest = cKDTree(colours).query(_rgb(codes))
    level = nearest / (len(colours) - 1)
    return level[back].reshape(pixels.shape[:2]), distance[back].reshape(pixels.shape[:2])


def _codes(rgb: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return one number for each colour (..., 3)."""
    return rgb.astype(np.int64) @ (65536, 256, 1)


def _rgb(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the inverse of `_codes`."""
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1)


def _ends(
    values: tuple[float, float] | tuple[float, ...], start: float, end: float, low: int, high: int
) -> tuple[float, float]:
    slope = (values[1] - values[0]) / (end - start)
    return values[0] + (low - start) * slope, values[0] + (high - start) * slope


def _centres(low: float, high: float, number: int) -> NDArray[np.float64]:
    return low + (np.arange(number) + 0.5) * (high - low) / number


def _averaged(values: NDArray[np.float64], cells: tuple[int, int]) -> NDArray[np.float64]:
    """Means (cells) of values that were drawn as more pixels; a cell's own pixels only.

    A cell's outermost pixels are mixed with its neighbours', so its middle part counts.
    """
    for axis, number in enumerate(cells):
        size = values.shape[axis]
        if number == size:
            continue
        if not 2 <= number <= size:
            raise InputError(
                f"{number} cells cannot be read from {size} pixels: give fewer, or none"
            )
        borders = np.arange(number + 1) * size / number
        first = np.floor(borders[:-1] + 0.25 * size / number).astype(int)
        last = np.maximum(np.ceil(borders[1:] - 0.25 * size / number).astype(int), first + 1)
        moved = np.moveaxis(values, axis, 0)
        parts = [_mean(moved[a:b]) for a, b in zip(first, last, strict=True)]
        values = np.moveaxis(np.stack(parts), 0, axis)
    return values


def _mean(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    there = np.isfinite(rows)
    count = there.sum(axis=0)
    total = np.where(there, rows, 0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def find_ground(
    pixels: NDArray[np.uint8], distance: NDArray[np.float64], ground: str, weakest: Colours
) -> Colours | None:
    """Return the colour of the ground, or None where there is none.

    Args:
        pixels: (H, W, 3) RGB of the data area.
        distance: (H, W) from the nearest colour of the scale, RGB.
        ground: ``auto``, ``none`` or a colour as matplotlib writes it (``white``, ``#e5e5e5``).
        weakest: (3,) the scale's colour of the weakest echo.

    Raises:
        InputError: ``ground`` is no colour; or it is ``auto``, and a white or grey that is also a
            colour of the scale fills so much that it may be the ground.
    """
    if ground == NONE:
        return None
    if ground != AUTO:
        return _named(ground)
    flat = pixels.reshape(-1, 3)
    off = distance.reshape(-1) > OFF_SCALE
    frequent = _most_frequent(flat[off])
    if frequent.is_neutral and frequent.alike >= max(LEAST_SHARE * len(flat), 0.5 * off.sum()):
        return frequent.colour
    frequent = _most_frequent(flat)
    is_weakest = np.linalg.norm(frequent.colour - weakest) <= OFF_SCALE
    same, alike = frequent.same / len(flat), frequent.alike / len(flat)
    large = same >= DOUBTFUL_SHARE or alike >= DOUBTFUL_ALIKE
    if frequent.is_neutral and large and not is_weakest:
        name = to_hex(frequent.colour)
        raise InputError(
            f"{100 * frequent.alike / len(flat):.0f} % of the data area is {name}, which is also a "
            f"colour of the scale: give --ground {name} if nothing was measured there, or "
            "--ground none if it is echo"
        )
    return None


def is_ground(
    pixels: NDArray[np.uint8], distance: NDArray[np.float64], colour: Colours | None
) -> NDArray[np.bool_]:
    """Return which pixels (H, W) are ground: nearer to it than to the scale, or hardly away from
    it."""
    if colour is None:
        return np.zeros(distance.shape, dtype=bool)
    away = np.linalg.norm(pixels - colour, axis=2)
    return (away <= NOISE) | ((away <= FARTHEST_COLOUR) & (away <= distance))


def unread_share(unread: NDArray[np.bool_], ground: NDArray[np.bool_]) -> float:
    """Return the share of pixels without a colour of the scale, of those that are no ground.

    Pixels that touch the ground are mixed with it and do not count, where enough others are left.
    """
    others = ~ground
    inner = cv2.erode(others.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    counted = inner if inner.sum() >= ENOUGH_PIXELS else others
    return float(unread[counted].mean()) if counted.any() else 0.0


def to_hex(colour: Colours) -> str:
    """Return a colour as ``#rrggbb``."""
    return "#" + "".join(f"{round(channel):02x}" for channel in colour.tolist())


def _named(text: str) -> Colours:
    from matplotlib.colors import to_rgb

    try:
        return np.array(to_rgb(text)) * 255
    except ValueError:
        raise InputError(
            f"ground {text!r} is no colour: give auto, none, or one such as white or #e5e5e5"
        ) from None


@dataclass(frozen=True, slots=True)
class _Frequent:
    """The most frequent colour: RGB, how many pixels have it, and how many it but for noise."""

    colour: Colours
    same: int
    alike: int

    @property
    def is_neutral(self) -> bool:
        """Whether it is white or grey."""
        return self.colour.min() >= DARKEST and bool(np.ptp(self.colour) <= LARGEST_SPREAD)


def _most_frequent(rgb: NDArray[np.uint8]) -> _Frequent:
    """Return the most frequent colour of pixels (N, 3)."""
    if not len(rgb):
        return _Frequent(np.zeros(3), 0, 0)
    codes, counts = np.unique(_codes(rgb), return_counts=True)
    colour = _rgb(codes[counts.argmax()]).astype(np.float64)
    alike = np.linalg.norm(rgb - colour, axis=1) <= NOISE
    return _Frequent(colour, int(counts.max()), int(alike.sum()))
