"""Random fields over time and frequency, from prescribed power spectra: what textures are made of.

A field is white noise in the plane of wavenumbers, weighed with ``(k0^2 + k^2)^(-index / 4)`` and
transformed back: beyond its scale its power spectrum falls as a power law. Stretching and turning
the plane of wavenumbers makes it streaky in any direction. All lengths are pixels of the file.

Sources: none for the numbers; the construction is the spectral method for Gaussian random fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import scipy.fft

from odm.simulate.orbit.emission import BINS, FloatArray


@dataclass(frozen=True)
class Weave:
    """How a random field is correlated.

    Attributes:
        scale: correlation length, pixels; a bump is about four of them wide.
        index: slope of the power spectrum over wavenumber, both in two dimensions; 1 is rough like
            noise, 4 like clouds, above 6 smooth.
        stretch: length over width of what is seen.
        angle: direction of the long side, radians; 0 is along time, pi / 2 along frequency.
    """

    scale: float
    index: float
    stretch: float = 1.0
    angle: float = 0.0


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number between ``low`` and ``high``, its logarithm uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def draw_angle(rng: np.random.Generator) -> float:
    """Draw a direction: along time, along frequency, or any, as often."""
    return float((0.0, np.pi / 2, rng.uniform(0, np.pi))[int(rng.integers(3))])


def draw_weave(
    rng: np.random.Generator,
    scale: tuple[float, float],
    index: tuple[float, float] = (2.0, 6.0),
    stretch: float = 8.0,
) -> Weave:
    """Draw a `Weave` with a scale and an index in these ranges, stretched at most so much."""
    return Weave(
        log_uniform(rng, *scale), rng.uniform(*index), log_uniform(rng, 1, stretch), draw_angle(rng)
    )


@lru_cache(maxsize=16)
def _wavenumbers(tall: int, wide: int, step: int) -> tuple[FloatArray, FloatArray]:
    """Cycles per pixel along time (tall, 1) and frequency (1, wide // 2 + 1)."""
    time = np.fft.fftfreq(tall, step).astype(np.float32)[:, None]
    frequency = np.fft.rfftfreq(wide, step).astype(np.float32)[None, :]
    return time, frequency


def coarse_field(
    rng: np.random.Generator, shape: tuple[int, int], weave: Weave, step: int = 1
) -> FloatArray:
    """Return a random field of mean 0 and variance 1, ``shape`` samples ``step`` pixels apart."""
    tall, wide = (scipy.fft.next_fast_len(size, real=True) for size in shape)
    wide += wide % 2
    time, frequency = _wavenumbers(tall, wide, step)
    cos, sin = np.float32(np.cos(weave.angle)), np.float32(np.sin(weave.angle))
    root = np.float32(np.sqrt(weave.stretch))
    along, across = (time * cos + frequency * sin) * root, (frequency * cos - time * sin) / root
    square = along * along
    square += across * across
    square += np.float32((2 * np.pi * weave.scale) ** -2)
    weight = np.exp(np.float32(-weave.index / 4) * np.log(square))
    weight[0, 0] = 0.0
    white = rng.standard_normal((*weight.shape, 2), dtype=np.float32).view(np.complex64)[..., 0]
    field = scipy.fft.irfft2(white * weight, s=(tall, wide))
    field -= field.mean()
    field /= max(float(field.std()), 1e-12)
    return np.ascontiguousarray(field[: shape[0], : shape[1]], dtype=np.float32)


def enlarge(coarse: FloatArray, rows: int, *, sharp: bool = False) -> FloatArray:
    """Return a coarse picture as (rows, 1024)."""
    how = cv2.INTER_NEAREST if sharp else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(coarse, (BINS, rows), interpolation=how), dtype=np.float32)


def random_field(rng: np.random.Generator, rows: int, weave: Weave, step: int = 2) -> FloatArray:
    """Return a random field (rows, 1024) of mean 0 and variance 1, drawn ``step`` pixels apart."""
    return enlarge(coarse_field(rng, (-(-rows // step), BINS // step), weave, step), rows)


def random_curve(
    rng: np.random.Generator, size: int, scale: float, index: float = 4.0
) -> FloatArray:
    """Return a random curve (size,) of mean 0 and variance 1, which does not join its ends."""
    padded = scipy.fft.next_fast_len(size + int(4 * min(scale, size)), real=True)
    k = np.fft.rfftfreq(padded)
    weight = ((2 * np.pi * scale) ** -2 + k * k) ** (-index / 4)
    weight[0] = 0.0
    white = rng.standard_normal((len(k), 2)).view(np.complex128)[..., 0]
    curve = scipy.fft.irfft(white * weight, padded)[:size]
    curve -= curve.mean()
    return np.asarray(curve / max(float(curve.std()), 1e-12), dtype=np.float32)


def soft_step(values: FloatArray, place: float, width: float) -> FloatArray:
    """Return 0 below ``place`` and 1 above ``place + width``, straight between."""
    return np.clip((values - np.float32(place)) * np.float32(1 / width), 0, 1)


def warped(picture: FloatArray, along_time: FloatArray, along_frequency: FloatArray) -> FloatArray:
    """Return ``picture`` with every sample fetched from so many samples away."""
    tall, wide = picture.shape
    column, row = np.meshgrid(np.arange(wide, dtype=np.float32), np.arange(tall, dtype=np.float32))
    moved = cv2.remap(
        picture, column + along_frequency, row + along_time, cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )  # fmt: skip
    return np.asarray(moved, dtype=np.float32)
