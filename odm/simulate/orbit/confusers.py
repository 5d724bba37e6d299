"""Natural emissions that are no nuclei and lie where they usually lie.

From sources: which emissions look like a nucleus and are none; plasmaspheric hiss lies below 2 kHz;
whistlers are vertical broadband streaks at 2 s a row, alone and in clusters; the lower-hybrid
frequency at 507 km is about 5.5-6.3 kHz.

Assumed here, without a source: how often each occurs, and all of its shape and level.

- *auroral_hiss*: in 45 % of the night and 25 % of the day passes of an auroral zone, above a lower
  cutoff of 4-9 kHz that is flat or funnel-shaped, up to 10-22 kHz, 3-11 dB, modulated in time;
- *cutoff_band*: in 35 % of the passes of a hemisphere, a long band on top of a lower-hybrid
  frequency that changes slowly along the track, 2-7 dB;
- *plasmaspheric_hiss*: in 60 % (day) and 35 % (night) of the passes of middle latitudes, 4-10 dB;
- *chorus*: in 30 % (day) and 15 % (night), grains of one or two rows at 1-5 kHz, 3-10 dB;
- *small_saucer*: up to four on a pass of an auroral zone, a tenth of the area of a nucleus;
- *whistler*: 5-40 by night and 0-12 by day below 60 degrees of latitude, half of them in clusters,
  from 0.5-2 kHz up to 4-22 kHz, 3-12 dB.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from odm.simulate.orbit.almost import ALMOST_NUCLEI
from odm.simulate.orbit.emission import (
    FREQUENCY,
    Emission,
    FloatArray,
    smooth_line,
    smooth_noise,
    wave,
)
from odm.simulate.orbit.groundtrack import Track

KHZ = FREQUENCY / 1e3


def broad_emissions(rng: np.random.Generator, track: Track) -> list[Emission]:
    """Draw emissions wide enough to be part of the ambient level of a nucleus."""
    emissions: list[Emission | None] = []
    for sign in (1, -1):
        for kind, broad in _BROAD.items():
            if rng.random() < (broad.by_night if track.night else broad.by_day):
                row, field = broad.draw(rng, sign * getattr(track, broad.axis))
                excess_db = rng.uniform(*broad.excess_db) * field / field.max()
                emissions.append(wave(rng, kind, (row, 0), excess_db, len(track.times)))
    return [emission for emission in emissions if emission is not None]


def short_emissions(rng: np.random.Generator, track: Track) -> list[Emission]:
    """Draw streaks and small saucers, which are added on top of everything."""
    emissions = _whistlers(rng, track)
    for sign in (1, -1):
        rows = np.flatnonzero((sign * track.dip > 66) & (sign * track.latitude > 45))
        for _ in range(int(rng.integers(0, 5)) if rows.size and rng.random() < 0.5 else 0):
            profile = ALMOST_NUCLEI["saucer"](rng, rng.uniform(7, 14), rng.uniform(20, 60))
            corner = (int(rng.choice(rows)), int(np.searchsorted(FREQUENCY, rng.uniform(2e3, 1e4))))
            contrast = rng.uniform(3, 10) * profile / profile.max()
            emissions.append(wave(rng, "small_saucer", corner, contrast, len(track.times)))
    return [emission for emission in emissions if emission is not None]


def _stretch(
    rng: np.random.Generator, axis: np.ndarray, centre: tuple[float, float], rows: tuple[int, int]
) -> tuple[int, FloatArray]:
    """Draw the first row and the envelope (n, 1) of an emission about a value of ``axis``."""
    middle = int(np.argmin(np.abs(axis - rng.uniform(*centre))))
    half = int(rng.integers(*rows)) // 2
    place = np.arange(-half, half + 1, dtype=np.float32)
    soft = half * rng.uniform(0.04, 0.25, 2) + 0.5
    inner = 0.8 * half
    envelope = expit((place + inner) / soft[0]) * expit((inner - place) / soft[1])
    return middle - half, envelope.astype(np.float32)[:, None]


def _auroral_hiss(rng: np.random.Generator, steep: np.ndarray) -> tuple[int, FloatArray]:
    row, envelope = _stretch(rng, steep, (68, 80), (50, 240))
    count = len(envelope)
    khz = KHZ[None, :]
    along = np.linspace(-1, 1, count)[:, None]
    lower = rng.uniform(4, 9) + 0.4 * smooth_line(rng, count, 25)[:, None]
    if rng.random() < 0.45:  # a funnel: the cutoff rises away from its middle
        lower = lower + rng.uniform(2, 8) * np.abs(along - rng.uniform(-0.3, 0.3)) ** 1.3
    upper = rng.uniform(10, 22) + 1.0 * smooth_line(rng, count, 12)[:, None]
    field = expit((khz - lower) / rng.uniform(0.04, 0.3))
    field = field * np.exp(-np.maximum(khz - lower, 0) / rng.uniform(5, 14))
    field = field * expit((upper - khz) / rng.uniform(0.5, 2.0))
    beat = np.exp(
        0.25 * rng.standard_normal((count, 1)) + 0.3 * smooth_line(rng, count, 9)[:, None]
    )
    field = field * envelope * np.clip(beat, 0.2, 1.7)
    field = field * np.clip(1 + 0.2 * smooth_noise(rng, field.shape, (5, 60)), 0.3, 1.6)
    return row, field


def _cutoff_band(rng: np.random.Generator, latitude: np.ndarray) -> tuple[int, FloatArray]:
    row, envelope = _stretch(rng, latitude, (30, 62), (120, 420))
    count = len(envelope)
    khz = KHZ[None, :]
    hybrid = rng.normal(5.9, 0.7) + rng.uniform(-1.5, 1.5) * np.linspace(-1, 1, count)[:, None]
    hybrid = hybrid + 0.25 * smooth_line(rng, count, 60)[:, None]
    above = khz - hybrid
    field = np.exp(-np.maximum(above, 0) / rng.uniform(0.25, 1.0))
    field = field * expit(above / rng.uniform(0.02, 0.08))
    patches = np.clip(1 + 0.4 * smooth_line(rng, count, rng.uniform(15, 50)), 0.1, 1.8)[:, None]
    field = field * envelope * patches
    field = field * np.clip(1 + 0.15 * rng.standard_normal((count, 1)), 0.3, 1.7)
    return row, field


def _plasmaspheric_hiss(rng: np.random.Generator, latitude: np.ndarray) -> tuple[int, FloatArray]:
    row, envelope = _stretch(rng, latitude, (25, 58), (120, 340))
    count = len(envelope)
    hertz = FREQUENCY[None, FREQUENCY < 3500.0]
    upper = rng.uniform(900, 1900) * np.exp(0.1 * smooth_line(rng, count, 60))[:, None]
    field = np.exp(-(((hertz - rng.uniform(350, 800)) / rng.uniform(500, 1100)) ** 2))
    field = field * expit((upper - hertz) / rng.uniform(40, 150))
    field = field * envelope * np.clip(1 + 0.2 * smooth_noise(rng, field.shape, (12, 12)), 0.2, 1.8)
    return row, field


def _chorus(rng: np.random.Generator, latitude: np.ndarray) -> tuple[int, FloatArray]:
    row, envelope = _stretch(rng, latitude, (48, 66), (25, 110))
    count = len(envelope)
    hertz = FREQUENCY[None, FREQUENCY < 8000.0]
    centre = rng.uniform(1500, 4500) * np.exp(0.15 * smooth_line(rng, count, 40))[:, None]
    band = np.exp(-(((hertz - centre) / (centre * rng.uniform(0.2, 0.35))) ** 2))
    grain = np.exp(0.7 * smooth_noise(rng, band.shape, (1.2, rng.uniform(8, 25))))
    field = band * envelope * np.minimum(grain, 3.0)
    return row, field


def _whistlers(rng: np.random.Generator, track: Track) -> list[Emission | None]:
    rows = np.flatnonzero(np.abs(track.latitude) < 60)
    count = int(rng.integers(5, 41) if track.night else rng.integers(0, 13))
    if not rows.size or not count:
        return []
    storms = rng.choice(rows, size=int(rng.integers(1, 4)))
    whistlers = []
    for _ in range(count):
        near = int(rng.choice(storms)) + round(float(12 * rng.standard_normal()))
        row = near if rng.random() < 0.5 else int(rng.choice(rows))
        low, high = rng.uniform(0.5, 2.0), 4 + 18 * rng.beta(1.2, 2.0)
        streak = expit((KHZ - low) / 0.15) * expit((high - KHZ) / rng.uniform(0.3, 1.5))
        streak = streak * np.exp(-KHZ / rng.uniform(8, 30))
        level = rng.uniform(3, 12) * streak / streak.max()
        if rng.random() < 0.25:
            level = np.stack([level, rng.uniform(0.2, 0.8) * level])
        excess_db = np.atleast_2d(level)
        whistlers.append(wave(rng, "whistler", (row, 0), excess_db, len(track.times)))
    return whistlers


class _Broad(NamedTuple):
    """A kind of broad emission: where along the track it lies, and how often and how strong it is.

    ``draw`` gives the first row and the field (n, k), up to a factor, about a value of ``axis``, an
    array of the track.
    """

    draw: Callable[[np.random.Generator, np.ndarray], tuple[int, FloatArray]]
    axis: str
    by_day: float
    by_night: float
    excess_db: tuple[float, float]


_BROAD = {
    "plasmaspheric_hiss": _Broad(_plasmaspheric_hiss, "latitude", 0.60, 0.35, (4, 10)),
    "cutoff_band": _Broad(_cutoff_band, "latitude", 0.35, 0.35, (2, 7)),
    "auroral_hiss": _Broad(_auroral_hiss, "dip", 0.25, 0.45, (3, 11)),
    "chorus": _Broad(_chorus, "latitude", 0.30, 0.15, (3, 10)),
}
