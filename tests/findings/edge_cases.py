"""Ionograms made by hand for tests of edges: a known curve and pulse, speckle by seed if any."""

from __future__ import annotations

import numpy as np

from odm.findings.edges import LayerEdge
from odm.findings.layers import Layer

FREQUENCY = np.round(np.arange(6.0, 20.01, 0.1), 1) * 1e6
GATE_KM = 5.0
RANGES = GATE_KM * np.arange(500)


def curve(base: float = 600.0, slope: float = 40.0, bend: float = 5.0) -> np.ndarray:
    """An edge in km: (F,)."""
    x = FREQUENCY / 1e6 - 6
    return base + slope * x + bend * x**2


def echo(
    edge: np.ndarray,
    *,
    power: float = -0.5,
    level_db: float = 25.0,
    pulse_km: float = 15.0,
    length_km: float = 250.0,
) -> np.ndarray:
    """Power (F, R) of a layer behind an edge, against noise of 1."""
    fine = 0.25
    grid = np.arange(-100, 700, fine)
    upto = np.maximum(grid + fine / 2, 0) ** (power + 1)
    begun = np.diff(upto, prepend=0.0) * np.exp(-np.maximum(grid, 0) / length_km)
    kernel = np.exp(-0.5 * (np.arange(-300, 301) * fine / (pulse_km / 2.355)) ** 2)
    shape = np.convolve(begun, kernel / kernel.sum(), mode="same")
    shape *= 10 ** (level_db / 10) / shape.max()
    away = RANGES[None] - edge[:, None]
    return np.nan_to_num(np.interp(away, grid, shape, left=0.0, right=0.0))


def snr(power: np.ndarray, looks: float | None = None, seed: int = 1) -> np.ndarray:
    """Echoes above noise in dB, with speckle if it has looks."""
    total = 1 + power
    if looks is not None:
        total = total * np.random.default_rng(seed).gamma(looks, 1 / looks, power.shape)
    return (10 * np.log10(total)).astype(np.float32)


def layer_of(name: str, power: np.ndarray) -> Layer:
    """The box of what is 3 dB above the noise."""
    seen = power > 2
    f, g = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return Layer(name, 1.0, FREQUENCY[f[0]], FREQUENCY[f[-1]], RANGES[g[0]], RANGES[g[-1]])


def errors(found: LayerEdge, truth: np.ndarray) -> np.ndarray:
    """km of an edge off the truth (F,), at its own frequencies."""
    return found.group_range - np.interp(found.frequency, FREQUENCY, truth)
