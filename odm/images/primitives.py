"""Primitives: structures of every place, size, angle and softness that are no nuclei.

Each has at least one sharp edge, is longer than any nucleus, or much narrower. What they are
composed of is random on purpose: a detector that has seen them cannot tell a nucleus from the rest
by knowing the rest. Everything here is assumed, without a source.

Coordinates are pixels of a relative image: rows from the highest frequency down, columns of time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Primitive(NamedTuple):
    """One structure.

    Attributes:
        window: rows and columns of the image that it covers.
        excess_db: (h, w) float32, dB above (below, where negative) what is there.
        fill: share of each pixel's block that the structure takes, up to 1: a streak of one row of
            the file takes a quarter.
    """

    window: tuple[slice, slice]
    excess_db: Floats
    fill: float


class _Frame(NamedTuple):
    """A window with coordinates ``u`` along and ``v`` across a random direction, in pixels."""

    window: tuple[slice, slice]
    u: Floats
    v: Floats
    rng: np.random.Generator

    def sharp(self, distance: NDArray[np.floating], softness: float | None = None) -> Floats:
        """1 where ``distance`` is positive, with an edge of at most 0.6 pixels unless told."""
        soft = self.rng.uniform(0.1, 0.6) if softness is None else softness
        return _logistic(distance.astype(np.float32) / np.float32(soft))

    def noise(self, scale: float) -> Floats:
        """Smooth noise of unit variance over the window, correlated over ``scale`` pixels."""
        return smooth_field(self.rng, (self.u.shape[0], self.u.shape[1]), scale, scale)


def _logistic(x: Floats) -> Floats:
    return np.float32(0.5) * (np.float32(1) + np.tanh(np.float32(0.5) * x))


def smooth_field(
    rng: np.random.Generator, shape: tuple[int, int], rows: float, columns: float
) -> Floats:
    """Return noise (h, w) of about unit variance, correlated over ``rows`` and ``columns``."""
    scales = zip(shape, (rows, columns), strict=True)
    knots = [max(3, int(size / scale) + 3) for size, scale in scales]
    coarse = rng.standard_normal(knots, dtype=np.float32)
    fine = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine, dtype=np.float32) * np.float32(1.3)


def _edge(frame: _Frame) -> Floats:
    """A half-plane, fading away from its edge or not."""
    alpha = frame.sharp(frame.u)
    if frame.rng.random() < 0.6:
        alpha = alpha * np.exp(-np.maximum(frame.u, 0) / np.float32(frame.rng.uniform(3, 60)))
    return alpha


def _box(frame: _Frame) -> Floats:
    """A rectangle with sharp sides, even or with a gradient."""
    a, b = frame.rng.uniform(2, 30, 2)
    alpha = frame.sharp(a - np.abs(frame.u)) * frame.sharp(b - np.abs(frame.v))
    if frame.rng.random() < 0.5:
        alpha = alpha * np.clip(0.6 + 0.4 * frame.u / np.float32(a), 0.2, 1.0)
    return alpha


def _disc(frame: _Frame) -> Floats:
    """An ellipse that is even inside, with a sharp border all round."""
    a, b = frame.rng.uniform(3, 16, 2)
    reach = np.hypot(frame.u / np.float32(a), frame.v / np.float32(b))
    return frame.sharp((1 - reach) * np.float32(min(a, b)))


def _band(frame: _Frame) -> Floats:
    """A long band that ends abruptly, or not at all; a wide one has a sharp side."""
    width = frame.rng.uniform(0.8, 14)
    across = np.exp(-((frame.v / np.float32(width)) ** 2))
    if width > 3:
        across = across * frame.sharp(frame.v + np.float32(frame.rng.uniform(0, 0.6) * width))
    length = frame.rng.uniform(30, 250)
    return across * frame.sharp(length - np.abs(frame.u))


def _line(frame: _Frame) -> Floats:
    """A thin line, bent a little, intermittent or not."""
    bend = frame.rng.uniform(-0.004, 0.004) * frame.u**2
    width = frame.rng.uniform(0.3, 1.2)
    alpha = np.exp(-(((frame.v - bend) / np.float32(width)) ** 2))
    if frame.rng.random() < 0.5:
        alpha = alpha * (frame.noise(frame.rng.uniform(1.5, 8)) > 0)
    return np.asarray(alpha, dtype=np.float32)


def _arc(frame: _Frame) -> Floats:
    """A part of a thin circle or ellipse, open on one side."""
    radius, squeeze = frame.rng.uniform(6, 60), frame.rng.uniform(0.5, 2.0)
    reach = np.hypot(frame.u, frame.v * np.float32(squeeze)) - np.float32(radius)
    width = frame.rng.uniform(0.5, 2.0)
    half = np.float32(frame.rng.uniform(0.4, 2.0))
    inside = np.abs(np.arctan2(frame.v, frame.u)) < half
    return np.exp(-((reach / np.float32(width)) ** 2)) * inside


def _ring(frame: _Frame) -> Floats:
    """A thin ring without anything in the middle: a nucleus can have a ring, around a core."""
    radius = frame.rng.uniform(7, 22)
    reach = np.hypot(frame.u, frame.v) - np.float32(radius)
    return np.exp(-((reach / np.float32(frame.rng.uniform(0.5, 0.14 * radius))) ** 2))


def _chevron(frame: _Frame) -> Floats:
    """Arms of a V, one or several nested, with what lies between them faint or empty."""
    slope = frame.rng.uniform(0.3, 2.5)
    depth = frame.u - np.float32(slope) * np.abs(frame.v)
    arms = np.zeros_like(depth)
    for _ in range(int(frame.rng.integers(1, 4))):
        offset, width = frame.rng.uniform(0, 12), frame.rng.uniform(0.6, 1.8)
        arms = np.maximum(arms, np.exp(-(((depth - np.float32(offset)) / np.float32(width)) ** 2)))
    fill = frame.rng.uniform(0, 0.35) * frame.sharp(depth)
    length = frame.rng.uniform(8, 40)
    return np.maximum(arms, fill) * frame.sharp(np.float32(length) - frame.u)


def _bundle(frame: _Frame) -> Floats:
    """Parallel lines of uneven distance and strength under one soft envelope."""
    reach, width = frame.rng.uniform(5, 30), frame.rng.uniform(0.4, 1.0)
    alpha = np.zeros_like(frame.v)
    for _ in range(int(frame.rng.integers(2, 10))):
        place, height = frame.rng.uniform(-reach, reach), frame.rng.uniform(0.4, 1)
        line = np.exp(-(((frame.v - np.float32(place)) / np.float32(width)) ** 2))
        alpha = np.maximum(alpha, np.float32(height) * line)
    length = frame.rng.uniform(5, 60)
    return alpha * np.exp(-((frame.u / np.float32(length)) ** 2))


def _grating(frame: _Frame) -> Floats:
    """Stripes of one period, straight or warped, inside a sharp or soft frame."""
    period = frame.rng.uniform(2.2, 9)
    phase = frame.v / np.float32(period) + frame.rng.uniform(0, 0.5) * frame.noise(20)
    stripes = np.float32(0.5) * (1 + np.cos(np.float32(2 * np.pi) * phase))
    sharpened = stripes ** np.float32(frame.rng.uniform(1, 4))
    a, b = frame.rng.uniform(6, 40, 2)
    return sharpened * frame.sharp(a - np.abs(frame.u), 1.5) * frame.sharp(b - np.abs(frame.v), 1.5)


def _streaks(frame: _Frame) -> Floats:
    """A cluster of vertical streaks, each a column wide, under one envelope."""
    rows, columns = frame.u.shape
    middle, reach = frame.rng.uniform(0, columns), frame.rng.uniform(3, 25)
    level = np.zeros(columns, dtype=np.float32)
    for _ in range(int(frame.rng.integers(3, 16))):
        column = round(float(middle + reach * frame.rng.standard_normal()))
        if 0 <= column < columns:
            level[column] = max(level[column], frame.rng.uniform(0.4, 1))
    y = np.arange(rows, dtype=np.float32)[:, None]
    top, bottom = np.sort(frame.rng.uniform(0, rows, 2)).astype(np.float32)
    soft = np.float32(frame.rng.uniform(0.5, 12))
    return _logistic((y - top) / soft) * _logistic((bottom - y) / soft) * level


def _grains(frame: _Frame) -> Floats:
    """Many small grains inside an envelope."""
    field = frame.noise(frame.rng.uniform(1.0, 2.2))
    a, b = frame.rng.uniform(5, 40, 2)
    envelope = np.exp(-((frame.u / np.float32(a)) ** 2) - (frame.v / np.float32(b)) ** 2)
    return np.clip(field - np.float32(frame.rng.uniform(0.3, 1.5)), 0, 2) / 2 * envelope


def _patch(frame: _Frame) -> Floats:
    """An irregular patch, even or mottled inside, with a sharp border."""
    scale = frame.rng.uniform(6, 30)
    border = frame.noise(scale) + np.float32(frame.rng.uniform(-0.5, 0.8))
    a, b = frame.rng.uniform(6, 40, 2)
    border = border - (frame.u / np.float32(a)) ** 2 - (frame.v / np.float32(b)) ** 2
    alpha = frame.sharp(border * np.float32(scale))
    mottle = 1 + frame.rng.uniform(0, 0.4) * frame.noise(frame.rng.uniform(1.5, 10))
    return alpha * np.clip(mottle, 0.2, 2)


def _halved(frame: _Frame) -> Floats:
    """A soft blob cut off along one sharp side, where it is brightest."""
    a, b = frame.rng.uniform(4, 24, 2)
    blob = np.exp(-((frame.u / np.float32(a)) ** 2) - (frame.v / np.float32(b)) ** 2)
    return blob * frame.sharp(frame.u)


def _funnel(frame: _Frame) -> Floats:
    """What lies above a bent edge, brightest along it and fading from there."""
    bend = frame.rng.uniform(0.002, 0.06) * frame.v**2 + frame.rng.uniform(0, 1.5) * frame.noise(12)
    above = frame.u - np.asarray(bend, dtype=np.float32)
    return frame.sharp(above) * np.exp(-np.maximum(above, 0) / np.float32(frame.rng.uniform(2, 40)))


_LARGE = 1000.0
PRIMITIVES: dict[str, tuple[Callable[[_Frame], Floats], float]] = {
    "edge": (_edge, _LARGE),
    "band": (_band, _LARGE),
    "line": (_line, _LARGE),
    "funnel": (_funnel, _LARGE),
    "box": (_box, 32),
    "disc": (_disc, 18),
    "arc": (_arc, 64),
    "ring": (_ring, 30),
    "chevron": (_chevron, 44),
    "bundle": (_bundle, 50),
    "grating": (_grating, 44),
    "streaks": (_streaks, 50),
    "grains": (_grains, 50),
    "patch": (_patch, 50),
    "halved": (_halved, 40),
}
"""Name -> how it is drawn, and half the side of the window that it needs, in pixels."""
_DARK = 0.25
"""Share of primitives that take power away."""
_NARROW = {"line", "arc", "chevron", "bundle", "grating", "streaks", "grains"}
"""Those that may be narrower than a pixel."""


def draw_primitive(
    rng: np.random.Generator, shape: tuple[int, int], names: tuple[str, ...]
) -> Primitive:
    """Draw one primitive.

    Args:
        rng: decides everything.
        shape: (h, w) of the image.
        names: those of `PRIMITIVES` that may be drawn.
    """
    name = names[int(rng.integers(len(names)))]
    draw, half = PRIMITIVES[name]
    y, x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
    rows = slice(max(0, int(y - half)), min(shape[0], int(y + half) + 1))
    columns = slice(max(0, int(x - half)), min(shape[1], int(x + half) + 1))
    # Structures lie along the axes more often than at other angles, as in real spectrograms.
    angle = rng.uniform(0, 2 * np.pi) if rng.random() < 0.5 else rng.integers(4) * np.pi / 2
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    dy = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - np.float32(y)
    dx = np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] - np.float32(x)
    frame = _Frame((rows, columns), dx * cos + dy * sin, dy * cos - dx * sin, rng)
    strength = float(np.exp(rng.uniform(np.log(1.5), np.log(30))))
    if rng.random() < _DARK:
        strength = -0.6 * strength
    excess = np.asarray(draw(frame), dtype=np.float32) * np.float32(strength)
    fill = float(rng.choice((0.0625, 0.25, 0.5, 1.0))) if name in _NARROW else 1.0
    return Primitive((rows, columns), excess, fill)
