"""Lines and bursts of the sky `emissions` that the first version of the simulator lacks.

From sources: signals of VLF transmitters are broadened where they meet irregularities of the
plasma; the frequencies and places of the transmitters (`odm.simulate.orbit.lines`).

Assumed here, without a source: how often each occurs, and all of its shape and level.

- *broadened_transmitter*: 0.2-1 kHz wide, in 30-200 rows where the track comes within 2,500 km of
  the transmitter or its conjugate point; for two of three half-orbits one of Alpha's, anywhere
  between 25 and 60 degrees; a band with a flat or a round top and often a line in it; 3-20 dB;
- *broadband_burst*: one to four of 10-60 s, from 0-1 kHz to 5-25 kHz, beginning and ending within
  one row or over a third of their length; 3-20 dB;
- *drifting_comb*: 3-12 lines, 0.15-1.5 kHz apart, which drift together by up to 3 kHz in 60-500
  rows; 2-12 dB.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import expit

from odm.simulate.orbit.emission import FREQUENCY, Emission, FloatArray, smooth_line
from odm.simulate.orbit.emissions_waves import ROW_S, log_uniform, trimmed
from odm.simulate.orbit.groundtrack import Track, conjugate_point
from odm.simulate.orbit.lines import ALPHA_KHZ, TRANSMITTERS, distance_km

BROADENED_KHZ = (0.2, 1.0)
BURST_S = (10.0, 60.0)
_KHZ = (FREQUENCY / 1e3).astype(np.float32)
_REACH_KM = 2500.0


def broadened_transmitters(rng: np.random.Generator, track: Track, busy: float) -> list[Emission]:
    """Draw transmitters whose line has become a band."""
    places: list[tuple[float, int]] = []
    for khz, latitude, longitude in TRANSMITTERS.values():
        for there in ((latitude, longitude), conjugate_point(latitude, longitude)):
            away = distance_km(track, *there)
            if away.min() < _REACH_KM and rng.random() < 0.5 * busy:
                places.append((khz, int(np.argmin(away))))
    for _ in range(int(rng.poisson(0.4 * busy))):
        near = np.flatnonzero((np.abs(track.latitude) > 25) & (np.abs(track.latitude) < 60))
        places.append((float(rng.choice(ALPHA_KHZ)), int(rng.choice(near))))
    emissions = [_band(rng, khz, row, len(track.times)) for khz, row in places]
    return [emission for emission in emissions if emission is not None]


def _band(rng: np.random.Generator, khz: float, row: int, rows: int) -> Emission | None:
    """Draw one broadened line about a row, `BROADENED_KHZ` wide at 30 % of its peak."""
    length = int(rng.integers(30, 200))
    half_khz = log_uniform(rng, *BROADENED_KHZ) / 2
    place = np.linspace(-1, 1, length, dtype=np.float32)
    # Broadened as strongly as the plasma is irregular: the width varies along the track.
    wide = half_khz * np.clip(1 - rng.uniform(0, 0.5) * np.abs(place) ** 2, 0.2, 1)
    power = float(rng.choice([2, 4, 8]))
    away = np.abs(_KHZ[None, :] - np.float32(khz)) / wide[:, None]
    field = np.exp(np.log(np.float32(0.3)) * np.minimum(away, 4) ** power)
    along = expit((1 - rng.uniform(0.1, 0.5) - np.abs(place)) / log_uniform(rng, 0.01, 0.2))
    beat = 1 + 0.3 * smooth_line(rng, length, log_uniform(rng, 2, 20))
    beat = beat + rng.uniform(0.02, 0.25) * rng.standard_normal(length)
    field = field * (along * np.clip(beat, 0.2, 1.7))[:, None]
    if rng.random() < 0.6:  # the transmitter itself
        line = round(1e3 * khz / FREQUENCY[1])
        field[:, line - 1 : line + 2] += rng.uniform(0.3, 1) * along[:, None]
    excess_db = (log_uniform(rng, 3, 20) * field / field.max()).astype(np.float32)
    return trimmed(rng, "broadened_transmitter", (row - length // 2, 0), excess_db, rows)


def broadband_bursts(rng: np.random.Generator, track: Track, busy: float) -> list[Emission]:
    """Draw bursts over many frequencies."""
    if rng.random() >= 0.4 * busy:
        return []
    rows, emissions = len(track.times), []
    for _ in range(int(rng.integers(1, 5))):
        length = max(round(log_uniform(rng, *BURST_S) / ROW_S), 5)
        low, high = rng.uniform(0, 1), log_uniform(rng, 5, 25)
        across = expit((_KHZ - low) / 0.1) * expit((high - _KHZ) / log_uniform(rng, 0.05, 4))
        across = across * np.exp(rng.uniform(-0.12, 0.03) * _KHZ)
        across = across * (1 + rng.uniform(0, 0.2) * smooth_line(rng, len(_KHZ), 60.0))
        place = np.abs(np.linspace(-1, 1, length))
        along = np.clip((1.02 - place) / log_uniform(rng, 0.02, 0.65), 0, 1)
        along = along * np.clip(1 + rng.uniform(0, 0.4) * rng.standard_normal(length), 0.15, 1.8)
        field: FloatArray = np.maximum(along[:, None] * across, 0).astype(np.float32)
        excess_db = np.float32(log_uniform(rng, 3, 20)) * field / field.max()
        corner = (int(rng.integers(0, rows - length)), 0)
        emissions.append(trimmed(rng, "broadband_burst", corner, excess_db, rows))
    return [emission for emission in emissions if emission is not None]


def drifting_combs(rng: np.random.Generator, track: Track, busy: float) -> list[Emission]:
    """Draw lines that drift together."""
    if rng.random() >= 0.3 * busy:
        return []
    rows, length = len(track.times), int(rng.integers(60, 501))
    count, apart = int(rng.integers(3, 13)), log_uniform(rng, 0.15, 1.5)
    course = rng.uniform(-1.5, 1.5) * np.linspace(-1, 1, length) ** int(rng.choice([1, 2, 3]))
    course = course + rng.uniform(0, 0.2) * smooth_line(rng, length, rng.uniform(20, 120))
    first, width = rng.uniform(0.3, 12), log_uniform(rng, 0.6, 2.5) * 0.0244
    along = expit((0.95 - np.abs(np.linspace(-1, 1, length))) / log_uniform(rng, 0.005, 0.1))
    along = along * np.clip(1 + 0.2 * smooth_line(rng, length, 8.0), 0.2, 1.6)
    field = np.zeros((length, len(_KHZ)), dtype=np.float32)
    for number in range(count):
        bins = (first + number * apart + course) / 0.024414
        left = np.floor(bins).astype(int) - 6
        near = left[:, None] + np.arange(14)
        height = rng.uniform(0.4, 1) * along[:, None]
        line = height * np.exp(-((((near - bins[:, None]) * 0.024414) / width) ** 2) / 2)
        inside = (near >= 0) & (near < len(_KHZ))
        at = np.nonzero(inside)[0], near[inside]
        field[at] = np.maximum(field[at], line[inside])
    if not field.any():
        return []
    excess_db = np.float32(log_uniform(rng, 2, 12)) * field / field.max()
    corner = (int(rng.integers(-length // 4, rows - length // 2)), 0)
    emission = trimmed(rng, "drifting_comb", corner, excess_db, rows)
    return [] if emission is None else [emission]


STREAKS: dict[str, Callable[[np.random.Generator, Track, float], list[Emission]]] = {
    "broadened_transmitter": broadened_transmitters,
    "broadband_burst": broadband_bursts,
    "drifting_comb": drifting_combs,
}
"""What draws each kind, given how busy the sky is: 1 as stated, 0 never."""
