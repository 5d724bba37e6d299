"""Ionograms by another simulator than the package's: nothing of `odm.simulate` is in them.

A flat Earth under a parabolic layer, with Martyn's equivalence and the secant law instead of rays
on a sphere; power by counting rays, instead of by derivatives; a trapezoid as pulse, fading of a
log-normal kind, noise of four looks, a scale of half a dB, gates of 6 km.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]

FREQUENCY_MHZ = np.round(np.arange(6.0, 30.01, 0.1), 1)
GATE_KM, GATES = 6.0, 800
RAYS = 6000
PULSE_KM = (9.0, 15.0)
"""Flat top and whole width of the trapezoid."""
FADING_DB, LOOKS = 4.0, 4
SEEN = 2.0
"""Power against the noise of 1 from which a value belongs to a layer."""
DEPTH_KM = 500.0


def ionograms(seed: int, count: int) -> list[Any]:
    """Ionograms with the attributes of a `SimulatedIonogram` that scores of edges need."""
    return [_ionogram(np.random.default_rng((seed, index)), index) for index in range(count)]


def _ionogram(rng: np.random.Generator, index: int) -> Any:
    kind = ("f", "es", "mixed")[index % 3]
    layers = []
    if kind != "es":
        critical, base, half = rng.uniform(5, 11), rng.uniform(190, 250), rng.uniform(60, 110)
        layers.append(_layer(rng, "F", critical, base, half))
    if kind != "f":
        critical, base, half = rng.uniform(3, 8), rng.uniform(98, 108), rng.uniform(2, 6)
        layers.append(_layer(rng, "Es", critical, base, half))
    layers = [layer for layer in layers if layer.mask.sum() > 200]
    power = sum((layer.power for layer in layers), np.zeros((FREQUENCY_MHZ.size, GATES)))
    noise = rng.gamma(LOOKS, 1 / LOOKS, power.shape)
    faded = power * 10 ** (rng.normal(0, FADING_DB, power.shape) / 10)
    return SimpleNamespace(
        snr=(np.round(20 * np.log10(faded + noise)) / 2).astype(np.float32),
        frequency=FREQUENCY_MHZ * 1e6,
        group_range=GATE_KM * np.arange(GATES),
        layers=layers,
        stem=f"OTHER_{index:03d}",
        scene=SimpleNamespace(
            kind=kind, ray_model="flat Earth", sounder=SimpleNamespace(gate_km=GATE_KM)
        ),
    )


def _layer(
    rng: np.random.Generator, name: str, critical: float, base: float, half_km: float
) -> Any:
    paths = _group_paths(critical, base, half_km)
    edge = np.nanmin(np.where(np.isfinite(paths), paths, np.inf), axis=1)
    edge = np.where(np.isfinite(edge) & (edge < GATE_KM * (GATES - 20)), edge, np.nan)
    power = _power(paths) * 10 ** (rng.uniform(3.6, 4.4)) / np.nanmedian(edge) ** 0.5
    gate = np.nan_to_num(edge / GATE_KM).astype(int)
    behind = np.clip(gate[:, None] + np.arange(6), 0, GATES - 1)
    peak = np.take_along_axis(power, behind, axis=1).max(axis=1)
    away = GATE_KM * np.arange(GATES)[None] - edge[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        mask = (power > SEEN) & (away >= -GATE_KM) & (away < DEPTH_KM)
        snr = np.where(np.isfinite(edge), 10 * np.log10(peak), -np.inf)
    return SimpleNamespace(layer=name, what=name, edge=edge, edge_snr=snr, mask=mask, power=power)


def _elevations() -> Floats:
    return np.radians(np.linspace(2.0, 85.0, RAYS))


def _group_paths(critical: float, base: float, half_km: float) -> Floats:
    """(F, B) km, both legs: virtual height at the equivalent frequency over the sine, twice."""
    sine = np.sin(_elevations())[None]
    share = FREQUENCY_MHZ[:, None] * sine / critical
    with np.errstate(invalid="ignore", divide="ignore"):
        height = base + half_km / 2 * share * np.log((1 + share) / (1 - share))
    return np.where(share < 1, 2 * height / sine, np.nan)


def _power(paths: Floats) -> Floats:
    """(F, R): rays that come down in each gate, by the antenna's gain and the spreading."""
    gain = (1 - np.exp(-np.degrees(_elevations()) / 7)) ** 2
    fine = GATE_KM / 6
    power = np.zeros((paths.shape[0], GATES * 6))
    for row, path in enumerate(paths):
        known = np.isfinite(path) & (path < GATE_KM * GATES - 1)
        weight = gain[known] / path[known] ** 1.5
        cells = ((path[known] + GATE_KM / 2) / fine).astype(int)
        power[row] = np.bincount(cells, weight, power.shape[1])[: power.shape[1]]
    top, width = (round(km / fine) for km in PULSE_KM)
    kernel = np.convolve(np.ones(top), np.ones(width - top + 1))
    power = ndimage.convolve1d(power, kernel / kernel.sum(), axis=1)
    return power.reshape(paths.shape[0], GATES, 6).sum(axis=2) * 10
