"""Natural waves of the sky `emissions` that the first version of the simulator lacks.

From sources: quasi-periodic emissions lie at about 0.5-4 kHz and repeat after 10-300 s (Hayosh et
al., Geophys. Res. Lett. 43, 2016); bands of lower-hybrid noise have a sharp lower edge whose
frequency changes smoothly along the track, most often at about 55 and 75 degrees (Alouette 1,
Can. J. Phys. 45, 1967); auroral hiss has its lower edge at the local lower-hybrid frequency;
plasma irregularities at the magnetic equator make electrostatic noise of low frequency.

Assumed here, without a source: how often each occurs, and all of its shape and level.

- *lower_hybrid_funnel*: noise above a sharp lower edge, which rises by 0.05-0.5 kHz a degree of
  latitude away from a place between 25 and 68 degrees, from 2.5-8 kHz up to 14 kHz; 3-15 dB;
- *quasi_periodic*: 3 to 30 elements at 0.5-4 kHz, 10-300 s apart, each begins faster than it ends,
  and some drift; between 15 and 65 degrees; 3-16 dB;
- *elf_hiss*: above a lower edge of 0.25-0.8 kHz, which follows the strength of a dipole field,
  falling off over 0.2-1.2 kHz, for 100-600 rows; 4-16 dB;
- *equatorial_turbulence*: a power law that falls with frequency, below 0.3-4 kHz, patchy, the
  stronger the nearer to the dip equator, 5-25 dB, three times as often by night.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import expit

from odm.simulate.orbit.emission import (
    FREQUENCY,
    Emission,
    FloatArray,
    clipped,
    draw_strength,
    smooth_line,
    smooth_noise,
)
from odm.simulate.orbit.groundtrack import Track

QUASI_PERIODIC_KHZ = (0.5, 4.0)
QUASI_PERIODIC_S = (10.0, 300.0)
ROW_S = 2.048
_KHZ = (FREQUENCY / 1e3).astype(np.float32)
_FAINTEST_DB = 0.05  # what is below it everywhere is cut off


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def trimmed(
    rng: np.random.Generator, kind: str, corner: tuple[int, int], excess_db: FloatArray, rows: int
) -> Emission | None:
    """Return an emission cut to where it is more than nothing; None where that is nowhere.

    Args:
        rng: draws its strength in X, Y and Z.
        kind: what it is.
        corner: row and bin of its first pixel, which may lie outside.
        excess_db: (n, k) dB.
        rows: M of the half-orbit (M, 1024).
    """
    strength = draw_strength(rng)
    seen = excess_db > _FAINTEST_DB
    along, across = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if not along.size:
        return None
    part = excess_db[along[0] : along[-1] + 1, across[0] : across[-1] + 1]
    place = (corner[0] + int(along[0]), corner[1] + int(across[0]))
    return clipped(kind, place, np.maximum(part, 0), rows, strength)


def lower_hybrid_funnels(rng: np.random.Generator, track: Track, busy: float) -> list[Emission]:
    """Draw noise above an edge that follows the latitude, at most one in each hemisphere."""
    emissions = []
    for sign in (1, -1):
        if rng.random() >= 0.35 * busy:
            continue
        latitude = sign * track.latitude
        middle = rng.uniform(25, 68)
        reach = rng.uniform(4, 18)
        inside = np.flatnonzero(np.abs(latitude - middle) < 1.4 * reach)
        if len(inside) < 8:
            continue
        away = (latitude[inside] - middle).astype(np.float32)
        rises = np.where(away < 0, log_uniform(rng, 0.05, 0.5), log_uniform(rng, 0.05, 0.5))
        bend = rng.uniform(0.8, 1.5)
        edge = rng.uniform(2.5, 8) + rises * np.abs(away) ** bend
        edge = edge + rng.uniform(0, 0.2) * smooth_line(rng, len(inside), rng.uniform(6, 40))
        edge = np.minimum(edge, 14)[:, None]
        above = _KHZ[None, :] - edge.astype(np.float32)
        field = expit(above / log_uniform(rng, 0.02, 0.2))
        field = field * np.exp(-np.maximum(above, 0) / log_uniform(rng, 0.5, 6))
        ends = expit((reach - np.abs(away)) / rng.uniform(0.2, 2.5))
        beat = 1 + rng.uniform(0, 0.5) * smooth_line(rng, len(inside), log_uniform(rng, 3, 40))
        beat = beat + rng.uniform(0, 0.2) * rng.standard_normal(len(inside))
        field = field * (ends * np.clip(beat, 0.1, 1.9))[:, None]
        excess_db = (log_uniform(rng, 3, 15) * field / field.max()).astype(np.float32)
        emissions.append(
            trimmed(rng, "lower_hybrid_funnel", (int(inside[0]), 0), excess_db, len(latitude))
        )
    return [emission for emission in emissions if emission is not None]


def quasi_periodic(rng: np.random.Generator, track: Track, busy: float) -> list[Emission]:
    """Draw a train of elements that repeat."""
    if rng.random() >= 0.4 * busy:
        return []
    rows = len(track.times)
    period = log_uniform(rng, *QUASI_PERIODIC_S) / ROW_S
    count = int(np.clip(rng.uniform(80, 450) / period, 3, 30))
    latitude = rng.choice((-1, 1)) * rng.uniform(15, 65)
    start = int(np.argmin(np.abs(track.latitude - latitude))) - int(count * period / 2)
    length = int((count + 1) * period) + 4
    low, high = QUASI_PERIODIC_KHZ
    lower = rng.uniform(low, 2.5)
    upper = rng.uniform(lower + 0.4, min(high, lower + 2.5))
    use = np.flatnonzero((low <= _KHZ) & (high >= _KHZ))
    khz = _KHZ[use][None, :]
    moments = np.arange(length, dtype=np.float32)[:, None]
    field = np.zeros((length, len(use)), dtype=np.float32)
    drift = rng.uniform(-0.1, 0.6) * period / max(upper - lower, 0.5)
    rise, fall = period * log_uniform(rng, 0.02, 0.12), period * log_uniform(rng, 0.08, 0.4)
    soft = log_uniform(rng, 0.03, 0.25)
    across = expit((khz - lower) / soft) * expit((upper - khz) / soft)
    for number in range(count):
        onset = (number + 0.3 + 0.06 * rng.standard_normal()) * period
        delay = drift * (khz - lower)
        part = slice(
            max(0, int(onset + min(delay[0, 0], delay[0, -1]) - 6 * rise)),
            max(0, int(onset + max(delay[0, 0], delay[0, -1]) + 5 * fall) + 2),
        )
        late = moments[part] - np.float32(onset) - delay
        element = expit(late / rise) * np.exp(-np.maximum(late, 0) / fall)
        np.maximum(field[part], np.float32(rng.uniform(0.5, 1)) * element, out=field[part])
    field *= across
    field *= np.clip(1 + 0.2 * rng.standard_normal((length, 1), dtype=np.float32), 0.4, 1.6)
    excess_db = (log_uniform(rng, 3, 16) * field / field.max()).astype(np.float32)
    emission = trimmed(rng, "quasi_periodic", (start, int(use[0])), excess_db, rows)
    return [] if emission is None else [emission]


def elf_hiss(rng: np.random.Generator, track: Track, busy: float) -> list[Emission]:
    """Draw hiss that has a lower edge, at most one in each hemisphere."""
    emissions = []
    for sign in (1, -1):
        if rng.random() >= 0.4 * busy:
            continue
        middle = int(np.argmin(np.abs(sign * track.latitude - rng.uniform(15, 62))))
        half = int(rng.integers(50, 300))
        first, last = max(0, middle - half), min(len(track.times), middle + half)
        magnetic = np.sin(np.radians(track.latitude[first:last]))
        strength = np.sqrt(1 + 3 * magnetic**2) / 2
        edge = np.clip(rng.uniform(0.4, 0.8) * strength, 0.25, 0.8).astype(np.float32)[:, None]
        above = _KHZ[None, :205] - edge
        field = expit(above / log_uniform(rng, 0.012, 0.06))
        field = field * np.exp(-np.maximum(above, 0) / log_uniform(rng, 0.2, 1.2))
        place = np.arange(first, last) - middle
        ends = expit((0.85 * half - np.abs(place)) / (half * rng.uniform(0.02, 0.2) + 0.5))
        beat = 1 + rng.uniform(0, 0.4) * smooth_line(rng, last - first, log_uniform(rng, 4, 60))
        beat = beat + 0.12 * rng.standard_normal(last - first)
        field = field * (ends * np.clip(beat, 0.2, 1.8))[:, None]
        excess_db = (log_uniform(rng, 4, 16) * field / field.max()).astype(np.float32)
        emissions.append(trimmed(rng, "elf_hiss", (first, 0), excess_db, len(track.times)))
    return [emission for emission in emissions if emission is not None]


def equatorial_turbulence(rng: np.random.Generator, track: Track, busy: float) -> list[Emission]:
    """Draw noise of low frequency about the dip equator."""
    if rng.random() >= (0.6 if track.night else 0.2) * busy:
        return []
    width = rng.uniform(5, 22)
    near = np.flatnonzero(np.abs(track.dip) < 2.2 * width)
    if len(near) < 8:
        return []
    along = np.exp(-((track.dip[near] / width) ** 2))
    patches = smooth_line(rng, len(near), log_uniform(rng, 4, 30))
    depth = rng.uniform(0, 1)
    along = along * (1 - depth + depth * expit(patches / rng.uniform(0.05, 0.6)))
    along = along * np.clip(1 + 0.15 * rng.standard_normal(len(near)), 0.4, 1.6)
    top = log_uniform(rng, 0.3, 4)
    reach = top * np.exp(0.25 * smooth_line(rng, len(near), 15.0)) * (0.4 + 0.6 * along)
    reach, khz = np.clip(reach, 0.05, 4)[:, None], _KHZ[None, :]
    across = np.log1p(reach / (khz + 0.03)) * expit((reach - khz) / (0.1 * reach))
    field = (along[:, None] * across).astype(np.float32)
    field *= np.clip(1 + 0.12 * smooth_noise(rng, field.shape, (3.0, 8.0)), 0.3, 1.7)
    excess_db = np.float32(log_uniform(rng, 5, 25)) * field / field[:, 2:].max()
    excess_db = np.minimum(excess_db, np.float32(25))
    emission = trimmed(rng, "equatorial_turbulence", (int(near[0]), 0), excess_db, len(track.times))
    return [] if emission is None else [emission]


WAVES: dict[str, Callable[[np.random.Generator, Track, float], list[Emission]]] = {
    "lower_hybrid_funnel": lower_hybrid_funnels,
    "quasi_periodic": quasi_periodic,
    "elf_hiss": elf_hiss,
    "equatorial_turbulence": equatorial_turbulence,
}
"""What draws each kind, given how busy the sky is: 1 as stated, 0 never."""
