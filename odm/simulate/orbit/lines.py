"""Narrow lines in a VLF spectrogram: transmitters, power grids, the platform itself.

From sources: frequencies of the transmitters, and that they are seen near their source and its
magnetically conjugate point, at night. Places of the transmitters are public knowledge.

Assumed here, without a source: 25 dB of excess above a source at night and 9 dB by day, falling as
a Gaussian over 1,300-2,400 km, 5 dB less at the conjugate point (of a centred dipole); a width of
about 100 Hz (one bin for Alpha, which comes and goes from row to row); power-line harmonics in one
file of four, as a comb of 100 or 120 Hz between 0.5 and 4 kHz over 60-200 rows of northern middle
latitudes; two to five platform lines at frequencies common to all files, whose level steps, and
which move by up to three bins, when the working mode changes or at random.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from odm.simulate.orbit.emission import (
    FREQUENCY,
    Emission,
    clipped,
    draw_strength,
    smooth_line,
    wave,
)
from odm.simulate.orbit.groundtrack import Track, conjugate_point

ALPHA_KHZ = (11.905, 12.649, 14.881)
"""Frequencies of the Alpha transmitters."""
_ALPHA_PLACES = ((45.40, 38.16), (55.76, 84.45), (50.07, 136.61))
TRANSMITTERS: dict[str, tuple[float, float, float]] = {
    "NWC": (19.8, -21.82, 114.17),
    "NPM": (21.4, 21.42, -158.15),
    "DHO38": (23.4, 53.08, 7.62),
    "NAA": (24.0, 44.64, -67.28),
}
"""kHz, latitude, longitude."""
PLATFORM_KHZ = (1.56, 3.91, 7.81, 9.77, 13.67, 16.0, 18.55, 22.46)


def narrow_lines(rng: np.random.Generator, track: Track, modes: np.ndarray) -> list[Emission]:
    """Draw every narrow line of one half-orbit; ``modes`` is the working mode of its rows (N,)."""
    lines = [*_transmitters(rng, track), *_platform(rng, len(track.times), modes)]
    if rng.random() < 0.25:
        lines.append(_power_grid(rng, track))
    return [line for line in lines if line is not None]


def distance_km(track: Track, latitude: float, longitude: float) -> np.ndarray:
    """Return the distance of every row (N,) from a place, along the ground."""
    lat, lon = np.radians(track.latitude), np.radians(track.longitude)
    to_lat, to_lon = np.radians(latitude), np.radians(longitude)
    cosine = np.sin(lat) * np.sin(to_lat) + np.cos(lat) * np.cos(to_lat) * np.cos(lon - to_lon)
    return 6371.0 * np.arccos(np.clip(cosine, -1, 1))


def _transmitters(rng: np.random.Generator, track: Track) -> list[Emission | None]:
    sources = [(name, *values) for name, values in TRANSMITTERS.items()]
    sources += [("Alpha", khz, *place) for place in _ALPHA_PLACES for khz in ALPHA_KHZ]
    rows = len(track.times)
    lines = []
    for name, khz, latitude, longitude in sources:
        peak = (25.0 if track.night else 9.0) - 4 * (name == "Alpha") + rng.normal(0, 2)
        reach = rng.uniform(1300, 2400)
        on_air = rng.random() < 0.85
        width = 0.45 if name == "Alpha" else rng.uniform(1.2, 2.2)
        keyed = rng.choice([0.35, 1.0], rows) if name == "Alpha" else np.ones(rows)
        flicker = 0.6 * smooth_line(rng, rows, 8.0)
        strength = draw_strength(rng)
        near = np.exp(-((distance_km(track, latitude, longitude) / reach) ** 2)) * peak
        far = distance_km(track, *conjugate_point(latitude, longitude))
        level = np.maximum(near, np.exp(-((far / reach) ** 2)) * (peak - 5.0)) * keyed
        seen = np.flatnonzero(level > 0.5)
        if not on_air or not seen.size:
            continue
        level = np.maximum(level + flicker * (level > 0.5), 0.0)[seen[0] : seen[-1] + 1]
        line = _line("transmitter", (khz, width), int(seen[0]), level, rows, strength)
        lines.append(line)
    return lines


def _line(
    kind: str,
    place: tuple[float, float],
    row: int,
    level_db: np.ndarray,
    rows: int,
    strength: tuple[float, float, float],
) -> Emission | None:
    """Return a line from a row on, its level given row by row, on a half-orbit of N rows.

    ``place``: its frequency in kHz, and its width in bins (standard deviation).
    """
    khz, width = place
    exact = 1e3 * khz / (FREQUENCY[1] - FREQUENCY[0])
    bins = np.arange(round(exact) - 6, round(exact) + 7)
    # The profile is one of power, so that a line of many dB does not grow wide.
    profile = np.exp(-(((bins - exact) / width) ** 2) / 2)
    power = np.expm1(np.log(10) / 10 * level_db)[:, None] * profile
    return clipped(kind, (row, int(bins[0])), 10 * np.log10(1 + power), rows, strength)


def _power_grid(rng: np.random.Generator, track: Track) -> Emission | None:
    step = 2 * float(rng.choice([50.0, 60.0]))
    middle = int(np.argmin(np.abs(track.latitude - rng.uniform(25, 60))))
    half = int(rng.integers(30, 100))
    low, high = rng.uniform(500, 1500), rng.uniform(2000, 4000)
    use = np.flatnonzero((low <= FREQUENCY) & (high >= FREQUENCY))
    comb = np.abs((FREQUENCY[use] + step / 2) % step - step / 2) < 13.0
    height = comb * rng.uniform(0.4, 1.0, len(use)) * rng.uniform(1.5, 5.0)
    along = np.exp(-(np.linspace(-1.6, 1.6, 2 * half + 1) ** 2))
    excess_db = along[:, None] * height[None, :]
    return wave(rng, "power_line", (middle - half, int(use[0])), excess_db, len(track.times))


def _platform(rng: np.random.Generator, rows: int, modes: np.ndarray) -> list[Emission | None]:
    changes = {0, rows, *(np.flatnonzero(np.diff(modes)) + 1).tolist()}
    changes |= {int(row) for row in rng.integers(20, rows - 20, int(rng.integers(0, 3)))}
    lines = []
    for khz in rng.choice(PLATFORM_KHZ, int(rng.integers(2, 6)), replace=False):
        level = float(rng.uniform(1.5, 7.0))
        strength = draw_strength(rng)
        for first, last in pairwise(sorted(changes)):
            shifted = khz + rng.integers(-3, 4) * 0.0244 * (first > 0)
            height = level * float(rng.choice([0.0, 0.5, 1.0, 1.4], p=[0.15, 0.25, 0.4, 0.2]))
            if height:
                level_db = np.full(last - first, height)
                line = _line("platform_line", (shifted, 0.45), first, level_db, rows, strength)
                lines.append(line)
    return lines
