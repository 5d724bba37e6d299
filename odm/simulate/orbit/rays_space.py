"""Waves born in the plasma: hiss, chorus, resonance cones, lower hybrid noise, turbulence.

Sources: hiss and chorus at fractions of the equatorial gyrofrequency of the field line (Helliwell
1965); saucers from sources of the size of a point far above or below, which radiate along the
resonance cone, so that each frequency above the lower hybrid arrives at a time offset of its own
(James et al. 2012, on DEMETER's); noise that begins at the lower hybrid frequency; turbulence that
is fixed in the plasma and seen at the frequency with which the satellite crosses it, a power law
that ends where the smallest scale does.

Assumed here, without a source: all rates and strengths; that some sources drift, which widens their
cones.
"""

from __future__ import annotations

import numpy as np

from odm.simulate.orbit.rays_ground import ROW_S
from odm.simulate.orbit.rays_plasma import (
    KM_PER_ROW,
    Floats,
    cone_tangent,
    log_draw,
    wandering,
)
from odm.simulate.orbit.rays_sky import BIN_HZ, HZ, Sky


def _soft(values: Floats) -> Floats:
    """Return 0 far below 0 and 1 far above."""
    return np.asarray(0.5 + 0.5 * np.tanh(np.clip(values, -20, 20)))


def _run(present: Floats) -> slice:
    """Return the rows from the first to the last at which something is present; maybe none."""
    rows = np.flatnonzero(present > 0.01)
    return slice(int(rows[0]), int(rows[-1]) + 1) if rows.size else slice(0, 0)


def add_hiss(rng: np.random.Generator, sky: Sky, busy: float) -> None:
    """Add belts of hiss: bands at a fraction of the equatorial gyrofrequency, or at a fixed one."""
    plasma = sky.plasma
    for _ in range(int(rng.poisson(1.6 * busy))):
        inner, width = rng.uniform(1.3, 6), log_draw(rng, 0.15, 3)
        belt = np.exp(-(np.abs((plasma.shell - inner) / width) ** rng.uniform(1.5, 8)))
        side = rng.choice((-1, 1))
        belt = np.where(plasma.latitude * side > 0, belt, rng.choice((0, 0.1, 1)) * belt)
        for rows in (_run(belt * (plasma.latitude > 0)), _run(belt * (plasma.latitude <= 0))):
            if rows.stop - rows.start > 3:
                _add_belt(rng, sky, rows, belt[rows])


def _add_belt(rng: np.random.Generator, sky: Sky, rows: slice, belt: Floats) -> None:
    plasma, count = sky.plasma, rows.stop - rows.start
    share = log_draw(rng, 0.02, 0.5)
    own = np.clip(share * plasma.equatorial_gyro[rows], 250, 14e3)
    middle = own if rng.random() < 0.6 else np.full(count, float(np.median(own)))
    middle = (middle * np.exp(rng.uniform(0, 0.15) * wandering(rng, count, 12)))[:, None]
    spread = log_draw(rng, 0.08, 0.9)
    hertz = HZ[: int(16.5e3 / BIN_HZ)]
    away = np.log(hertz / middle) / spread
    power = np.exp(-(np.abs(away) ** rng.uniform(1.6, 4)))
    if rng.random() < 0.4:  # waves below the lower hybrid frequency are turned back higher up
        sharp = rng.uniform(150, 1200)
        power *= _soft((hertz - plasma.lower_hybrid[rows][:, None]) / sharp)
    if rng.random() < 0.5:  # quasi-periodic, each element rising or not
        period, rise = log_draw(rng, 10, 300) / ROW_S, rng.normal(0, 2e-3)
        phase = 2 * np.pi * (np.arange(count)[:, None] - hertz * rise) / period
        power *= np.exp(rng.uniform(0.3, 4) * (np.cos(phase) - 1))
    beam = np.exp(rng.uniform(0, 1.2) * wandering(rng, count, log_draw(rng, 0.4, 15)))
    unit = sky.unit(float(np.median(middle)), log_draw(rng, 2, 26))
    sky.arrive(rng, "hiss", (rows.start, 0), unit * power * (belt * beam)[:, None])


def add_chorus(rng: np.random.Generator, sky: Sky, busy: float) -> None:
    """Add groups of chirps between 0.1 and 0.7 of the equatorial gyrofrequency."""
    plasma = sky.plasma
    for _ in range(int(rng.poisson(1.2 * busy))):
        allowed = np.flatnonzero((plasma.equatorial_gyro > 2e3) & (plasma.equatorial_gyro < 5e4))
        if not allowed.size:
            return
        row, tall = int(rng.choice(allowed)), log_draw(rng, 3, 60)
        begin, end = (int(np.clip(row + part * tall, 0, sky.rows)) for part in (-2.5, 2.5))
        power = np.zeros((end - begin, len(HZ)), np.float32)
        slow, tone = rng.random() < 0.5, rng.uniform(0.1, 0.6)
        for _ in range(int(log_draw(rng, 5, 250))):
            start = row + rng.normal(0, tall) - begin
            if not 0 <= start < end - begin:
                continue
            gyro = plasma.equatorial_gyro[begin + int(start)]
            pitch = gyro * tone * np.exp(rng.normal(0, 0.2))
            rate = rng.choice((1, 1, -1)) * (log_draw(rng, 30, 500) if slow else 4e3) * ROW_S
            steps = int(rng.integers(2, 9)) if slow else 1
            sweep = rate if slow else np.sign(rate) * log_draw(rng, 300, 3000)
            for step in range(steps):
                low, high = sorted((pitch + step * sweep, pitch + (step + 1) * sweep))
                bins = slice(max(int(low / BIN_HZ), 0), max(int(high / BIN_HZ), 0) + 2)
                if int(start) + step < end - begin:
                    power[int(start) + step, bins] += rng.exponential()
        hertz = float(np.clip(tone * plasma.equatorial_gyro[row], 500, 2e4))
        strength = sky.unit(hertz, log_draw(rng, 3, 24))
        used = np.flatnonzero(power.any(axis=0))
        if used.size:
            part = power[:, used[0] : used[-1] + 1]
            sky.arrive(rng, "chorus", (begin, int(used[0])), strength * part)


def add_cones(rng: np.random.Generator, sky: Sky, busy: float) -> None:
    """Add what point sources send along resonance cones: saucers, V-shapes, halves, funnels."""
    plasma = sky.plasma
    for _ in range(int(rng.poisson(2.5 * busy))):
        row = int(rng.integers(sky.rows))
        base = float(plasma.lower_hybrid[row]) * rng.choice((1.0, rng.uniform(0.3, 1.0)))
        first = int(base / BIN_HZ) + 1
        high = min(base * log_draw(rng, 1.6, 6), 24e3)
        hertz = HZ[first : int(high / BIN_HZ)]
        if len(hertz) < 20:
            continue
        tangent = cone_tangent(hertz, float(plasma.plasma[row]), float(plasma.gyro[row]), base)
        per_row = KM_PER_ROW * max(float(plasma.sine_dip[row]), 0.2) * log_draw(rng, 0.05, 1)
        wanted = log_draw(rng, 2, 70)  # rows at the highest frequency
        distance = float(np.clip(wanted * per_row / tangent[-1], 100, 60e3))
        offset = np.nan_to_num(distance * tangent / per_row)
        if offset[-1] > 150:
            continue
        fade = np.clip((high - hertz) / (rng.uniform(0.05, 0.6) * high), 0, 1)
        fade = fade * (base / hertz) ** rng.uniform(-0.5, 2.5)
        arm, filling = log_draw(rng, 0.4, 6), rng.choice((0.0, rng.uniform(0.02, 0.8)))
        tall = int(offset[-1] + 4 * arm) + 1
        time = np.arange(-tall, tall + 1)[:, None] + 0.0
        width = arm + rng.uniform(0, 0.3) * offset
        left, right = rng.uniform(0.3, 1, 2) if rng.random() < 0.7 else (1.0, 0.0)
        power = left * np.exp(-(((time + offset) / width) ** 2) / 2)
        power += right * np.exp(-(((time - offset) / width) ** 2) / 2)
        if right:
            power += filling * _soft((offset - np.abs(time)) / (0.3 * width))
        power *= np.exp(rng.uniform(0, 0.5) * rng.standard_normal((len(time), 1)))
        unit = sky.unit(float(np.sqrt(base * high)), log_draw(rng, 3, 26))
        sky.arrive(rng, "resonance cone", (row - tall, first), unit * power * fade)


def add_lower_hybrid_noise(rng: np.random.Generator, sky: Sky, busy: float) -> None:
    """Add noise that begins at the lower hybrid frequency of the place, and fades above."""
    plasma = sky.plasma
    for _ in range(int(rng.poisson(0.9 * busy))):
        middle, width = rng.uniform(-65, 65), log_draw(rng, 3, 40)
        present = np.exp(-(np.abs((plasma.latitude - middle) / width) ** 3))
        bursts = wandering(rng, sky.rows, log_draw(rng, 0.6, 15))
        present *= np.exp(rng.uniform(0.2, 1.5) * bursts)
        rows = _run(present)
        hertz = HZ[: int(18e3 / BIN_HZ)]
        above = hertz - plasma.lower_hybrid[rows][:, None]
        power = _soft(above / log_draw(rng, 40, 500)) * np.exp(
            -np.maximum(above, 0) / log_draw(rng, 150, 4000)
        )
        unit = sky.unit(6e3, log_draw(rng, 2, 18))
        power *= unit * present[rows][:, None]
        sky.arrive(rng, "lower hybrid noise", (rows.start, 0), power)


def add_turbulence(rng: np.random.Generator, sky: Sky, busy: float) -> None:
    """Add electrostatic turbulence where the plasma is rough, and bursts of broad noise."""
    rough = sky.plasma.roughness * np.exp(0.7 * rng.standard_normal(sky.rows))
    edges = np.flatnonzero(np.diff(np.pad((sky.plasma.roughness > 0.2).astype(int), 1)))
    slope, unit = rng.uniform(1.2, 3.2), sky.unit(1e3, log_draw(rng, 3, 26))
    for begin, end in edges.reshape(-1, 2):
        end_hz = log_draw(rng, 700, 1.5e4) * np.exp(0.3 * rng.standard_normal((end - begin, 1)))
        power = (1e3 / HZ) ** slope * np.exp(-HZ / end_hz)
        power *= unit * np.maximum(rough[begin:end], 0)[:, None] ** 2
        sky.arrive(rng, "turbulence", (int(begin), 0), power)
    for _ in range(int(rng.poisson(1.2 * busy))):
        tall, row = int(log_draw(rng, 2, 30)), int(rng.integers(sky.rows))
        low, high = log_draw(rng, 100, 6e3), log_draw(rng, 2e3, 2e4)
        spectrum = _soft((HZ - low) / (0.2 * low)) * np.exp(-HZ / high)
        course = rng.exponential(1, tall) if rng.random() < 0.5 else np.ones(tall)
        strength = sky.unit(2e3, log_draw(rng, 2, 16))
        sky.arrive(rng, "turbulence", (row, 0), strength * course[:, None] * spectrum)
