"""Waves from the ground: lightning and its whistlers, transmitters and power lines.

Sources: whistlers after Helliwell (1965), with the upper cut-off at half of the equatorial
gyrofrequency of those that follow a duct; modes of the Earth-ionosphere waveguide, nothing of which
spreads below the first cut-off; transmitters broadened above their foot by scattering at
irregularities (Starks et al. 2009) and seen again at the conjugate foot; Alpha's 11.9, 12.6 and
14.9 kHz.

Assumed here, without a source: all rates, strengths and attenuations.
"""

from __future__ import annotations

import cv2
import numpy as np

from odm.simulate.orbit.emission import BINS
from odm.simulate.orbit.groundtrack import ROW_STEP_MS
from odm.simulate.orbit.rays_plasma import (
    KM_PER_ROW,
    Floats,
    Plasma,
    log_draw,
    wandering,
    whistler_delay,
)
from odm.simulate.orbit.rays_sky import BIN_HZ, HZ, Sky

ROW_S = ROW_STEP_MS / 1e3
_COARSE = slice(4, None, 8)  # every eighth frequency
_ALPHA_HZ = (11_905.0, 12_649.0, 14_881.0)


def add_storms(rng: np.random.Generator, sky: Sky, busy: float) -> None:
    """Add the sferics of thunderstorms: streaks whose strength falls with distance."""
    for _ in range(int(rng.poisson(2.5 * busy))):
        place, aside = rng.uniform(-150, sky.rows + 150), rng.uniform(0, 3000)
        coarse = HZ[_COARSE]
        rows = np.arange(4, sky.rows + 8, 8)
        away = np.hypot((rows - place) * KM_PER_ROW, aside)[:, None] / 1e3
        loss = away * _guided_loss(sky.plasma, coarse, rng.uniform(1.0, 2.5))
        upward = np.interp(rows, np.arange(sky.rows), sky.plasma.absorption_db)[:, None]
        spectrum = 10 * np.log10(_flash_spectrum(rng, sky.plasma, coarse))
        decibels = spectrum - loss - (upward - upward.min()) * np.sqrt(coarse / 1e4)
        spread = cv2.resize(np.exp(0.23 * decibels).astype(np.float32), (BINS, 8 * len(rows)))[
            : sky.rows
        ]
        rate = log_draw(rng, 0.03, 30)
        flashes = rng.gamma(rate, 1 / rate, sky.rows) * np.exp(0.8 * rng.standard_normal(sky.rows))
        unit = sky.unit(5e3, rng.uniform(0.3, 14))
        sky.arrive(rng, "sferics", (0, 0), spread * (unit * flashes[:, None]), listed=False)


def _guided_loss(plasma: Plasma, hertz: Floats, scale: float) -> Floats:
    """Return dB per 1000 km in the waveguide, large where no mode spreads."""
    part = hertz / plasma.waveguide
    modes = scale * (1.2 + 4 * np.exp(-3 * (part - 1))) * (1 if plasma.night else 1.6)
    return np.asarray(np.where(part < 1, np.minimum(30.0, 4 + 40 * part**4), np.minimum(modes, 30)))


def _flash_spectrum(rng: np.random.Generator, plasma: Plasma, hertz: Floats) -> Floats:
    """Return the spectrum of a flash, at most about 1, with a peak above every cut-off."""
    part = hertz / rng.uniform(3.5e3, 9e3)
    spectrum = 4 * part**2 / (1 + part**2) ** 2
    for mode in range(1, int(rng.integers(2, 7))):
        above = (hertz - mode * plasma.waveguide) / rng.uniform(150, 900)
        spectrum += rng.uniform(0, 0.8) / mode * np.where(above > 0, np.exp(-above), 0)
    return np.asarray(spectrum + 1e-4)


def whistler_power(
    dispersions: Floats,
    starts: Floats,
    strengths: Floats,
    limits: tuple[float, float, float],
    width: float,
) -> tuple[tuple[int, int], Floats]:
    """Return the power of whistlers over rows and bins, and where its first value lies.

    Args:
        dispersions: (w,) s Hz^0.5.
        starts: (w,) rows, fractions included, at which the flashes are.
        strengths: (w,) power.
        limits: lowest and highest frequency, and the equatorial gyrofrequency of the duct, Hz.
        width: rows over which a frequency arrives.
    """
    low, high, gyro = limits
    first = max(0, int(low / BIN_HZ))
    hertz = HZ[first : max(int(high / BIN_HZ), first + 8)]
    edges = np.clip((hertz - low) / 200, 0, 1) * np.clip((high - hertz) / (0.15 * high), 0, 1)
    delays = whistler_delay(hertz, 1.0, gyro) / ROW_S
    arrivals = starts[:, None] + dispersions[:, None] * delays
    top, bottom = int(arrivals.min() - 3 * width), int(arrivals.max() + 3 * width) + 1
    power = np.zeros((bottom - top, len(hertz)))
    for arrival, strength in zip(arrivals, strengths, strict=True):
        begin = max(int(arrival.min() - 3 * width) - top, 0)
        end = int(arrival.max() + 3 * width) + 1 - top
        middle = np.arange(begin, end)[:, None] + (top + 0.5)
        power[begin:end] += strength * np.exp(-(((middle - arrival) / width) ** 2) / 2)
    return (top, first), power * edges


def add_whistlers(rng: np.random.Generator, sky: Sky, busy: float) -> None:
    """Add whistlers with long paths: arcs, bundles of arcs, and trains of echoes."""
    for _ in range(int(rng.poisson(4 * busy))):
        row = rng.uniform(-20, sky.rows)
        gyro = float(sky.plasma.equatorial_gyro[int(np.clip(row, 0, sky.rows - 1))])
        high = min(rng.uniform(0.35, 0.55) * gyro, rng.uniform(3e3, 22e3))
        low = rng.uniform(300, 2500)
        if high < low + 1500:
            continue
        shape = rng.choice(("single", "bundle", "train"), p=(0.3, 0.3, 0.4))
        dispersion = log_draw(rng, 40, 1500)
        if shape == "bundle":
            count = int(rng.integers(4, 25))
            dispersions = dispersion * np.exp(rng.normal(0, rng.uniform(0.05, 0.5), count))
            starts = row + rng.normal(0, log_draw(rng, 0.3, 25), count)
            strengths = rng.exponential(1.0, count)
        else:
            hops = np.arange(1.0 if shape == "single" else rng.integers(3, 14))
            dispersions = min(dispersion, 250 if len(hops) > 1 else 1500) * (1 + 2 * hops)
            starts = np.full(len(hops), row)
            strengths = rng.uniform(0.45, 0.9) ** hops
        unit = sky.unit(min(high, 4e3), log_draw(rng, 3, 28))
        width = log_draw(rng, 0.35, 2.5)
        corner, power = whistler_power(
            dispersions, starts, unit * strengths, (low, high, gyro), width
        )
        sky.arrive(rng, "whistler", corner, power)


def add_transmitters(rng: np.random.Generator, sky: Sky, busy: float) -> None:
    """Add transmitters over their feet and the conjugate ones, broadened where it is rough."""
    hertz = [*rng.uniform(9e3, 24.5e3, int(rng.poisson(0.5 + 3 * busy)))]
    if rng.random() < 0.35:
        hertz += list(_ALPHA_HZ)
    for centre in hertz:
        place = rng.uniform(-100, sky.rows + 100)
        profile = _footprint(rng, sky, place, rng.uniform(0, 1500))
        unit = sky.unit(centre, log_draw(rng, 2, 26))
        half = int(log_draw(rng, 12, 70))
        middle = round(centre / BIN_HZ)
        offset = np.abs(np.arange(-half, half + 1) * BIN_HZ) / rng.uniform(40, 110)
        keyed = 1 if rng.random() < 0.5 else rng.choice((0.2, 1.0), sky.rows)
        line = (profile * keyed)[:, None] * np.exp(-(offset**2))
        corner = (0, middle - half)
        sky.arrive(rng, "transmitter", corner, unit * line)
        rough = np.minimum(sky.plasma.roughness + rng.uniform(0, 0.2), 1) * (
            profile / profile.max()
        )
        wide = np.abs(np.arange(-half, half + 1)) / (0.4 * half)
        flicker = np.exp(0.4 * rng.standard_normal((sky.rows, 2 * half + 1)))
        halo = (rough**1.5)[:, None] * np.exp(-(wide ** rng.uniform(1, 4))) * flicker
        halo[rough < 0.02] = 0
        sky.arrive(rng, "broadened transmitter", corner, 0.3 * rng.random() * unit * halo)


def _footprint(rng: np.random.Generator, sky: Sky, place: float, aside_km: float) -> Floats:
    """Return how strong a transmitter is along the track, with the other end of its field line."""
    rows = np.arange(sky.rows)
    spread = rng.uniform(200, 700)
    near = np.hypot((rows - place) * KM_PER_ROW, aside_km)
    strength = np.exp(-((near / spread) ** 2) / 2) + 0.15 * np.exp(-near / (4 * spread))
    there = sky.plasma.latitude[int(np.clip(place, 0, sky.rows - 1))]
    far = np.abs(sky.plasma.latitude + there) * 111.2
    strength += rng.uniform(0, 0.4) * np.exp(-((far / (0.7 * spread)) ** 2) / 2)
    loss = (sky.plasma.absorption_db - sky.plasma.absorption_db.min()) * 0.05
    return np.asarray(strength * np.exp(-loss + 0.2 * wandering(rng, sky.rows, 2.0)))


def add_power_lines(rng: np.random.Generator, sky: Sky, busy: float) -> None:
    """Add harmonics of power lines over land: a comb of 50 or 60 Hz."""
    for _ in range(int(rng.poisson(0.5 * busy))):
        step = rng.choice((50.0, 60.0)) * rng.choice((1, 2, 6))
        first = int(rng.uniform(300, 3000) / step)
        harmonics = step * np.arange(first, first + int(rng.integers(4, 40)))
        harmonics = harmonics[harmonics < 15e3]
        tall = int(log_draw(rng, 20, 250))
        window = np.sin(np.pi * (np.arange(tall) + 0.5) / tall)
        comb = np.exp(-(((HZ[:, None] - harmonics) / 20) ** 2)) @ rng.exponential(1, len(harmonics))
        unit = sky.unit(float(harmonics.mean()), log_draw(rng, 2, 12))
        row = int(rng.integers(-tall // 2, sky.rows))
        sky.arrive(rng, "power line", (row, 0), unit * window[:, None] * comb)
