"""Layers of texture that are no nuclei: fields, patches, filaments, cells, stripes, lines, blocks.

Each layer is drawn from random fields and simple geometry, without any emission in mind, and says
by how many dB it raises (or, below 0, lowers) the power of a half-orbit.

Assumed here, without a source: all shapes, sizes and strengths; they are meant to be wider than
what any instrument shows.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from odm.simulate.orbit.emission import BINS, FloatArray
from odm.simulate.orbit.textures_fields import (
    Weave,
    coarse_field,
    draw_angle,
    draw_weave,
    enlarge,
    log_uniform,
    random_curve,
    random_field,
    soft_step,
    warped,
)

Layer = Callable[[np.random.Generator, int, float], FloatArray]
"""Draws a layer (rows, 1024) in dB from a generator, the number of rows, and its strength in dB."""
_SIGN = (1.0, 1.0, 1.0, -1.0)


def _clouds(rng: np.random.Generator, rows: int, strength: float) -> FloatArray:
    """A plain random field; faint where its bumps could be taken for nuclei."""
    weave = draw_weave(rng, (1.5, 200), (1.0, 4.0), 20)
    deviation = 0.25 * strength
    if 4 < weave.scale < 40 and weave.stretch < 5:
        deviation = min(deviation, 1.0)
    return np.float32(min(deviation, 5.0)) * random_field(rng, rows, weave, 1 + (weave.scale > 3))


def _patches(rng: np.random.Generator, rows: int, strength: float) -> FloatArray:
    """Raised or lowered areas inside a level set, with edges from sharp to soft."""
    field = random_field(rng, rows, draw_weave(rng, (4, 90), (2.5, 7.0)))
    shape = soft_step(field, rng.uniform(0.7, 2.2), log_uniform(rng, 0.03, 0.5))
    vary = 1 + 0.3 * random_field(rng, rows, Weave(60.0, 4.0), 8)
    return np.float32(rng.choice(_SIGN) * strength) * shape * np.clip(vary, 0.2, 2.0)


def _contours(rng: np.random.Generator, rows: int, strength: float) -> FloatArray:
    """Bands along level curves: rings, crescents and winding paths, dark within."""
    field = random_field(rng, rows, draw_weave(rng, (6, 60), (4.0, 7.0), 4))
    away = (field - np.float32(rng.uniform(0.6, 1.8))) / np.float32(log_uniform(rng, 0.05, 0.25))
    return np.float32(strength) * np.exp(-away * away)


def _filaments(rng: np.random.Generator, rows: int, strength: float) -> FloatArray:
    """Ridges where a field changes its sign, here and there."""
    field = random_field(rng, rows, draw_weave(rng, (4, 60), (2.5, 5.0), 12))
    away = field / np.float32(log_uniform(rng, 0.04, 0.2))
    return np.float32(strength) * np.exp(-away * away) * _gate(rng, rows)


def _bursts(rng: np.random.Generator, rows: int, strength: float) -> FloatArray:
    """The exponential of a field: mostly nothing, here and there a lot."""
    field = random_field(rng, rows, draw_weave(rng, (1.5, 12), (2.0, 4.0), 25), 1)
    bursts = np.exp(np.float32(rng.uniform(1.0, 2.2)) * (field - 3))
    return np.float32(strength) * np.minimum(bursts, 1.2)


def _cells(rng: np.random.Generator, rows: int, strength: float) -> FloatArray:
    """Voronoi cells with a level each, or only the walls between them."""
    tall, wide = rows // int(rng.integers(2, 7)), BINS // int(rng.integers(2, 7))
    count = int(tall * wide / log_uniform(rng, 60, 6000)) + 4
    seeds = np.ones((tall, wide), np.uint8)
    seeds[rng.integers(0, tall, count), rng.integers(0, wide, count)] = 0
    away, labels = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    distance = np.asarray(away, dtype=np.float32)
    if rng.random() < 0.3:
        picture = soft_step(
            np.asarray(distance, np.float32), float(np.quantile(distance, 0.85)), 1.0
        )
    else:
        levels = rng.normal(0, 0.3, count + 1) if rng.random() < 0.5 else rng.random(count + 1)
        levels[rng.random(count + 1) > rng.uniform(0.05, 0.7)] = 0
        picture = levels.astype(np.float32)[labels]
    if rng.random() < 0.6:
        moves = [
            np.float32(log_uniform(rng, 1, 10)) * coarse_field(rng, (tall, wide), Weave(12.0, 4.0))
            for _ in range(2)
        ]
        picture = warped(picture, *moves)
    return np.float32(strength) * enlarge(picture, rows, sharp=True)


def _stripes(rng: np.random.Generator, rows: int, strength: float) -> FloatArray:
    """Bundles, combs and arcs: stripes across a warped plane, inside a window or everywhere."""
    row, bin_ = np.arange(rows, dtype=np.float32)[:, None], np.arange(BINS, dtype=np.float32)
    if rng.random() < 0.4:
        reach = rng.uniform(30, 1500)
        distance = np.hypot(
            row - np.float32(rng.uniform(-300, rows + 300)),
            (bin_ - np.float32(rng.uniform(-400, BINS))) * np.float32(log_uniform(rng, 0.4, 2.5)),
        )
        coordinate = np.abs(distance - np.float32(reach))
    else:
        angle = draw_angle(rng)
        coordinate = row * np.float32(np.sin(angle)) + bin_ * np.float32(np.cos(angle))
    bend = log_uniform(rng, 1, 60) * random_field(rng, rows, Weave(rng.uniform(40, 200), 5.0), 8)
    phase = (coordinate + bend) * np.float32(2 * np.pi / log_uniform(rng, 7, 110))
    stripes = np.exp(np.float32(log_uniform(rng, 0.7, 12)) * (np.cos(phase) - 1))
    return np.float32(strength) * stripes * _gate(rng, rows)


def _gate(rng: np.random.Generator, rows: int) -> FloatArray:
    """Where a pattern shows, 0 to 1: a band of time, of frequency, both, or a soft level set."""
    if rng.random() < 0.4:
        field = random_field(rng, rows, draw_weave(rng, (25, 150), (4.0, 6.0), 4), 8)
        return soft_step(field, rng.uniform(-0.5, 1.2), log_uniform(rng, 0.05, 0.8))
    gate = np.ones((rows, BINS), np.float32)
    for size, shape in ((rows, (rows, 1)), (BINS, (1, BINS))):
        if rng.random() < 0.7:
            half = 0.5 * log_uniform(rng, 40, size)
            away = np.abs(np.arange(size, dtype=np.float32) - rng.uniform(0, size)) - half
            gate *= (1 - soft_step(away, 0, log_uniform(rng, 2, 80))).reshape(shape)
    return gate


def _grains(rng: np.random.Generator, rows: int, strength: float) -> FloatArray:
    """Many small wavelets of one kind, straight or bent, scattered or in clusters."""
    reach = 24
    along, across = log_uniform(rng, 1.0, 10.0), log_uniform(rng, 0.6, 2.5)
    t, f = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    angle = draw_angle(rng)
    u, v = t * np.cos(angle) + f * np.sin(angle), f * np.cos(angle) - t * np.sin(angle)
    v += np.float32(rng.normal(0, 0.3) / along) * u * u
    grain = np.exp(-((u / along) ** 2 + (v / across) ** 2) / 2)
    count = int(log_uniform(rng, 20, 500))
    clusters = rng.uniform(0, 1, (int(rng.integers(1, 8)), 2))
    spread = log_uniform(rng, 0.03, 1.0)
    places = clusters[rng.integers(len(clusters), size=count)]
    places = (places + rng.normal(0, spread, (count, 2))) % 1
    layer = np.zeros((rows + 2 * reach + 1, BINS + 2 * reach + 1), np.float32)
    for row, bin_ in (places * (rows, BINS)).astype(int).tolist():
        part = layer[row : row + 2 * reach + 1, bin_ : bin_ + 2 * reach + 1]
        np.maximum(part, grain * np.float32(strength * rng.uniform(0.3, 1)), out=part)
    return layer[reach : reach + rows, reach : reach + BINS]


def _lines(rng: np.random.Generator, rows: int, strength: float) -> FloatArray:
    """Lines along time: of any width, drifting or not, on and off."""
    layer = np.zeros((rows, BINS), np.float32)
    bins = np.arange(BINS, dtype=np.float32)
    for _ in range(int(rng.integers(1, 9))):
        wander = random_curve(rng, rows, 100.0)
        centre = rng.uniform(0, BINS) + rng.choice((0, 0, 1, 15)) * wander[:, None]
        width = log_uniform(rng, 0.6, 25)
        line = 1 - soft_step(np.abs(bins - centre), 0.6 * width, 0.5 * width + 0.5)
        on = soft_step(random_curve(rng, rows, log_uniform(rng, 5, 150)), rng.uniform(-2, 1), 0.2)
        on *= np.float32(strength * rng.uniform(0.3, 1))
        np.maximum(layer, line * on[:, None], out=layer)
    return layer


def _strokes(rng: np.random.Generator, rows: int, strength: float) -> FloatArray:
    """Lines along frequency: short in time, from any frequency to any other."""
    layer = np.zeros((rows, BINS), np.float32)
    for _ in range(int(log_uniform(rng, 1, 25))):
        first, last = np.sort(rng.uniform(-300, BINS + 300, 2))
        profile = soft_step(np.arange(BINS, dtype=np.float32), first, 30)
        profile *= 1 - soft_step(np.arange(BINS, dtype=np.float32), last, log_uniform(rng, 3, 200))
        row, length = int(rng.integers(rows)), int(log_uniform(rng, 1, 14))
        part = layer[row : row + length]
        np.maximum(part, np.float32(strength * rng.uniform(0.3, 1)) * profile, out=part)
    return layer


def _blocks(rng: np.random.Generator, rows: int, strength: float) -> FloatArray:
    """Rectangles of another level, even or with a ramp."""
    layer = np.zeros((rows, BINS), np.float32)
    for _ in range(int(rng.integers(1, 9))):
        tall, wide = (int(log_uniform(rng, 6, 250)) for _ in range(2))
        row, bin_ = int(rng.integers(rows)), int(rng.integers(BINS))
        part = layer[row : row + tall, bin_ : bin_ + wide]
        part += np.float32(rng.choice(_SIGN) * strength * rng.uniform(0.3, 1))
        if rng.random() < 0.3:
            low = 0.2 if rng.random() < 0.5 else 1.0
            part *= np.linspace(low, 1.2 - low, part.shape[1], dtype=np.float32)
    return layer


def _fronts(rng: np.random.Generator, rows: int, strength: float) -> FloatArray:
    """One side of a winding border higher than the other."""
    angle = draw_angle(rng)
    row, bin_ = np.arange(rows, dtype=np.float32)[:, None], np.arange(BINS, dtype=np.float32)
    row, bin_ = row - np.float32(rng.uniform(0, rows)), bin_ - np.float32(rng.uniform(0, 700))
    across = row * np.float32(np.sin(angle)) + bin_ * np.float32(np.cos(angle))
    weave = Weave(rng.uniform(25, 150), 5.0)
    bend = np.float32(log_uniform(rng, 3, 60)) * random_field(rng, rows, weave, 8)
    side = soft_step(across + bend, 0, log_uniform(rng, 2, 150))
    fade = np.exp(-np.maximum(across, 0) / np.float32(log_uniform(rng, 100, 3000)))
    return np.float32(strength) * side * fade


LAYERS: dict[str, Layer] = {
    "cloud": _clouds, "patch": _patches, "contour": _contours, "filament": _filaments,
    "burst": _bursts, "cell": _cells, "stripe": _stripes, "grain": _grains, "line": _lines,
    "stroke": _strokes, "block": _blocks, "front": _fronts,
}  # fmt: skip
"""Kinds of layer."""
