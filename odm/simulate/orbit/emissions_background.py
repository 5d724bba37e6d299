"""The background of the sky `emissions`: that of `background`, under a wider range of spectra.

Assumed here, without a source:

- the level of a variant is tilted over frequency by up to 3 dB an octave either way, and carries up
  to four broad humps or hollows of up to 6 dB;
- it changes along the pass by up to 10 dB, differently at low and at high frequency, smoothly;
- mottle of several scales at once, 5-120 rows by 8-250 frequencies, makes blobs by chance; its
  standard deviation is log-uniform between 0.15 and 1.8 dB;
- the receiver ripples over frequency by 0.05-1 dB, and one row differs from the next by up to
  0.6 dB.
"""

from __future__ import annotations

import cv2
import numpy as np

from odm.simulate.orbit.background import draw_background
from odm.simulate.orbit.emission import (
    BINS,
    DECIBEL,
    FREQUENCY,
    FloatArray,
    smooth_line,
    smooth_noise,
)
from odm.simulate.orbit.emissions_waves import log_uniform
from odm.simulate.orbit.groundtrack import Track

_OCTAVES = np.log2((FREQUENCY + 150) / 4000).astype(np.float32)


def wide_background(rng: np.random.Generator, variant: str, track: Track) -> FloatArray:
    """Draw the noise-free PSD without emissions.

    Args:
        rng: the generator.
        variant: a name of `odm.simulate.orbit.background.VARIANTS`.
        track: where the rows were taken (M).

    Returns:
        (M, 1024) float32, (mV/m)^2/Hz.
    """
    level = draw_background(rng, variant, track)
    rows = len(track.times)
    change_db = _mottle(rng, rows)
    change_db += _spectrum(rng)
    change_db += _along(rng, rows)
    np.exp(DECIBEL * change_db, out=change_db)
    level *= change_db
    return level


def _spectrum(rng: np.random.Generator) -> FloatArray:
    """Draw what is added to the spectrum, (1, 1024) dB."""
    spectrum = np.float32(rng.uniform(-3, 3) * rng.random()) * _OCTAVES
    for _ in range(int(rng.integers(0, 5))):
        away = (FREQUENCY - rng.uniform(0, 18e3)) / log_uniform(rng, 300, 5000)
        spectrum = spectrum + rng.uniform(-6, 6) * np.exp(-(away**2) / 2)
    ripple = log_uniform(rng, 0.05, 1.0) * smooth_line(rng, BINS, log_uniform(rng, 3, 60))
    spectrum = spectrum + ripple + rng.uniform(-6, 6)
    return np.asarray(spectrum, dtype=np.float32)[None, :]


def _along(rng: np.random.Generator, rows: int) -> FloatArray:
    """Draw how the level changes along the pass, (M, 1024) dB."""
    share = (0.5 + 0.5 * np.tanh((_OCTAVES - rng.uniform(-2, 2)) / log_uniform(rng, 0.3, 3)))[None]
    low, high = (
        (
            log_uniform(rng, 0.2, 4) * smooth_line(rng, rows, log_uniform(rng, 60, 600))
            + rng.uniform(-3, 3) * np.linspace(-1, 1, rows)
        ).astype(np.float32)[:, None]
        for _ in range(2)
    )
    flicker = log_uniform(rng, 0.03, 0.6) * rng.standard_normal((rows, 1), dtype=np.float32)
    change: FloatArray = (low + flicker) + (high - low) * share
    return np.clip(change, -10, 10)


def _mottle(rng: np.random.Generator, rows: int) -> FloatArray:
    """Draw mottle, (M, 1024) dB: half of it is drawn on a grid of half the fineness."""
    total = np.zeros((-(-rows // 2), BINS // 2), dtype=np.float32)
    size_db = log_uniform(rng, 0.15, 1.8)
    shares = rng.dirichlet(np.full(4, 0.6))
    scales = ((5, 12), (12, 30), (30, 70), (70, 120))
    for share, (shortest, longest) in zip(shares, scales, strict=True):
        if share < 0.01:
            continue
        along = log_uniform(rng, shortest, longest) / 2
        across = log_uniform(rng, 1.6 * shortest, 2.1 * longest) / 2
        noise = smooth_noise(rng, (total.shape[0], total.shape[1]), (along, across))
        total += np.float32(size_db * np.sqrt(share)) * noise
    full = cv2.resize(total, (BINS, 2 * total.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(full[:rows], dtype=np.float32)
