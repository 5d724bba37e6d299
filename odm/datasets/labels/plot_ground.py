"""The ground of a plotted ionogram: the one colour of the axes, where no value was drawn.

A ground is told from values by being flat, neutral and none of the scale. Black and coloured
grounds are only believed when they are named: black is the first colour of many colour maps, so
that a plot read with a wrong map would seem to have a black ground.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.core.errors import InputError

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
    large = frequent.same >= DOUBTFUL_SHARE * len(flat) or frequent.alike >= DOUBTFUL_ALIKE * len(
        flat
    )
    if frequent.is_neutral and large and not is_weakest:
        name = to_hex(frequent.colour)
        raise InputError(
            f"{100 * frequent.alike / len(flat):.0f} % of the data area is {name}, which is also a "
            f"colour of the scale: give --ground {name} if nothing was measured there, or "
            "--ground none if it is echo"
        )
    return None


def is_ground(
    pixels: NDArray[np.uint8], distance: NDArray[np.float64], colour: Colours, farthest: float
) -> NDArray[np.bool_]:
    """Return which pixels (H, W) are ground: nearer to it than to the scale, or hardly away from
    it."""
    away = np.linalg.norm(pixels - colour, axis=2)
    return (away <= NOISE) | ((away <= farthest) & (away <= distance))


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
    values, counts = np.unique(rgb.astype(np.int64) @ (65536, 256, 1), return_counts=True)
    code = int(values[counts.argmax()])
    colour = np.array([code >> 16, code >> 8 & 255, code & 255], dtype=np.float64)
    alike = np.linalg.norm(rgb - colour, axis=1) <= NOISE
    return _Frequent(colour, int(counts.max()), int(alike.sum()))
