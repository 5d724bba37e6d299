"""What lies on an ionogram beside the layers: interference, meteors, field-aligned echoes, noise.

Powers are in units of the quiet noise floor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from odm.physics.raytrace import Floats, QuasiParabola, trace
from odm.simulate.folder import Rows
from odm.simulate.ionogram.backscatter import FREQUENCY_MHZ, box_of
from odm.simulate.ionogram.scene import ABSENT_DB, EsLayer, FLayer, Scene, Sounder

BROADCAST_MHZ = (
    (5.9, 6.2), (7.2, 7.45), (9.4, 9.9), (11.6, 12.1), (13.57, 13.87), (15.1, 15.8),
    (17.48, 17.9), (21.45, 21.85), (25.67, 26.1),
)  # fmt: skip
"""Bands of HF broadcasting (ITU Radio Regulations, Article 5)."""


@dataclass
class Clutter:
    """``power``: (F, G) echoes of what is no layer; ``rows``: their truth, a dictionary each."""

    power: Floats
    rows: Rows

    def add(self, kind: str, power: Floats, ranges: Floats) -> None:
        """Add an echo, and its box where it stands above the noise."""
        self.power += power
        seen = power > 1.0
        if not seen.any():
            return
        peak_snr = float(10 * np.log10(power.max()))
        self.rows.append({"kind": kind, "peak_snr": peak_snr} | box_of(seen, ranges))


def draw_clutter(scene: Scene, ranges: Floats, rng: np.random.Generator) -> Clutter:
    """Vertical echoes, meteors, field-aligned irregularities, the direct signal."""
    clutter = Clutter(np.zeros((FREQUENCY_MHZ.size, ranges.size)), [])
    c, gate = scene.conditions, scene.sounder.gate_km
    if c.vertical_db > ABSENT_DB:
        clutter.add("vertical echo", _vertical(scene, ranges, rng), ranges)
    if c.irregularities_db > ABSENT_DB:
        clutter.add("field-aligned", _irregularities(c.irregularities_db, ranges, rng), ranges)
    meteors = np.zeros_like(clutter.power)
    for _ in range(rng.poisson(c.meteors)):
        column = int(rng.integers(FREQUENCY_MHZ.size))
        place = int(rng.triangular(90, 200, 1400) / gate)
        wide, deep = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        level = 10 ** (rng.uniform(3, 20) / 10)
        meteors[column : column + wide, place : place + deep] += level
    clutter.add("meteor", meteors, ranges)
    if scene.sounder.leak_db > ABSENT_DB:
        width = rng.uniform(8, 25)
        uneven_leak = 10 ** (scene.sounder.leak_db / 10) * _wobble(rng, 4.0)
        leak = uneven_leak[:, None] * np.exp(-(((ranges - rng.uniform(0, 60)) / width) ** 2))[None]
        clutter.add("direct signal", leak, ranges)
    return clutter


def _wobble(rng: np.random.Generator, decibels: float) -> Floats:
    """(F,) smooth factor over frequency."""
    rough = rng.normal(0, 1, FREQUENCY_MHZ.size + 60)
    smooth = ndimage.gaussian_filter1d(rough, 12)[30:-30]
    return 10 ** (decibels * smooth / (smooth.std() + 1e-9) / 10)


def _vertical(scene: Scene, ranges: Floats, rng: np.random.Generator) -> Floats:
    """Straight up and down: virtual heights of F and sporadic E, and their multiples."""
    power = np.zeros((FREQUENCY_MHZ.size, ranges.size))
    width = max(scene.sounder.gate_km, 0.5 * scene.sounder.pulse_km)
    layers: list[tuple[FLayer | EsLayer, float, float]] = [
        (scene.f, scene.f.peak_km, scene.f.thickness_km)
    ]
    if scene.es.level_db > ABSENT_DB:
        layers.append((scene.es, scene.es.height_km, scene.es.thickness_km))
    for layer, height, thickness in layers:
        if layer.level_db < 0:
            continue
        parabola = QuasiParabola(layer.critical_mhz, height, thickness)
        path = trace(FREQUENCY_MHZ, np.radians(89.9), parabola).group_path
        level = scene.conditions.vertical_db + min(0.0, layer.level_db - 20)
        fading = 10 ** (level / 10) * _wobble(rng, 3.0)
        for multiple in (1, 2):
            height_km = np.where(np.isfinite(path), multiple * path / 2, -1e4)
            echo = np.exp(-(((ranges[None] - height_km[:, None]) / width) ** 2))
            power += fading[:, None] * 10 ** (-0.9 * (multiple - 1)) * echo
    return power


def _irregularities(level_db: float, ranges: Floats, rng: np.random.Generator) -> Floats:
    """A diffuse cloud whose range hardly depends on the frequency."""
    middle, spread = rng.uniform(9, 22), rng.uniform(1.5, 6)
    near, deep = rng.uniform(350, 1500), rng.uniform(50, 220)
    slope = rng.uniform(-8, 8)
    over = np.exp(-(((FREQUENCY_MHZ - middle) / spread) ** 2))
    place = near + slope * (FREQUENCY_MHZ - middle)
    away = (ranges[None] - place[:, None]) / deep
    shape = np.where(away > 0, np.exp(-away), np.exp(-((away * 2.5) ** 2)))
    return 10 ** (level_db / 10) * over[:, None] * shape


def interference(scene: Scene, shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """(F, G) noise level: 1 where it is quiet, more under broadcasters and other users."""
    strength = scene.conditions.interference
    level_db = np.full(shape[0], -40.0)
    for low, high in BROADCAST_MHZ:
        columns = np.flatnonzero((low <= FREQUENCY_MHZ) & (high >= FREQUENCY_MHZ))
        busy = rng.random(columns.size) < strength * rng.uniform(0.2, 1)
        level_db[columns[busy]] = rng.normal(14, 8, int(busy.sum()))
    others = rng.poisson(14 * strength)
    columns = rng.integers(0, shape[0], others)
    level_db[columns] = np.maximum(level_db[columns], rng.normal(8, 6, others))
    noise = np.broadcast_to(1 + 10 ** (level_db / 10), shape[::-1]).T.copy()
    # The signal of others comes and goes while a column is sounded.
    for column in np.flatnonzero(level_db > 0).tolist():
        if rng.random() < 0.3:
            start, length = rng.integers(0, shape[1]), int(rng.uniform(0.1, 0.6) * shape[1])
            noise[column, start : start + length] *= 10 ** (rng.uniform(-6, 4) / 10)
    for _ in range(rng.poisson(6 * strength)):  # short bursts
        column, first = int(rng.integers(shape[0])), int(rng.integers(shape[1]))
        noise[column, first : first + int(rng.uniform(4, 60))] += 10 ** (rng.uniform(2, 12) / 10)
    return noise


def gaps(shape: tuple[int, int], hard: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(F, G) where nothing was measured: frequencies left out, and the nearest ranges."""
    missing = np.zeros(shape, dtype=bool)
    for _ in range(rng.poisson(0.4 + 0.8 * hard)):
        start = int(rng.integers(shape[0]))
        missing[start : start + int(rng.integers(1, 6))] = True
    if rng.random() < 0.25:
        missing[:, : int(rng.uniform(3, 30))] = True
    return missing


def receive(power: Floats, sounder: Sounder) -> Floats:
    """Echo power (F, G) through the sounder's pulse, its side lobes and its code's pedestal."""
    gate = sounder.gate_km
    half = int(4 * max(sounder.pulse_km, sounder.side_lobe_km) / gate) + 1
    away = np.arange(-half, half + 1) * gate
    main = np.exp(-4 * np.log(2) * (away / sounder.pulse_km) ** 2)
    ripple = 0.6 + 0.4 * np.cos(2 * np.pi * away / (2.2 * sounder.pulse_km))
    lobes = np.exp(-np.abs(away) / sounder.side_lobe_km) * ripple
    kernel = main / main.sum() + 10 ** (sounder.side_lobe_db / 10) * lobes / lobes.sum()
    received = ndimage.convolve1d(power, kernel, axis=1, mode="constant")
    return received + 10 ** (sounder.pedestal_db / 10) * power.sum(axis=1, keepdims=True)


def pulse_only(power: Floats, sounder: Sounder) -> Floats:
    """Echo power (F, G) through the pulse without side lobes: what belongs to the layer."""
    sigma = sounder.pulse_km / 2.355 / sounder.gate_km
    return ndimage.gaussian_filter1d(power, sigma, axis=1, mode="constant", truncate=3.0)


def speckle(
    shape: tuple[int, int], sounder: Sounder, rng: np.random.Generator
) -> NDArray[np.float32]:
    """(F, G) exponential (few looks: gamma) factors of mean 1."""
    looks = sounder.looks
    if not sounder.smooth_speckle:
        return rng.standard_gamma(looks, shape, dtype=np.float32) / np.float32(looks)
    # Gates closer than the pulse is long share their samples.
    fewer = max(looks / 2.0, 0.5)
    grain = rng.standard_gamma(fewer, shape, dtype=np.float32) / np.float32(fewer)
    smooth = 0.5 * grain
    smooth[:, 1:] += 0.25 * grain[:, :-1]
    smooth[:, :-1] += 0.25 * grain[:, 1:]
    smooth[:, 0] += 0.25 * grain[:, 0]
    smooth[:, -1] += 0.25 * grain[:, -1]
    return smooth


def uneven(sounder: Sounder, rng: np.random.Generator) -> Floats:
    """(F,) the sounder's response over frequency, a factor."""
    return _wobble(rng, sounder.response_db * 0.5)


def near_loss(sounder: Sounder, ranges: Floats) -> Floats:
    """(G,) sensitivity at short range, a factor."""
    return 10 ** (-sounder.near_loss_db * np.exp(-ranges / 250) / 10)
