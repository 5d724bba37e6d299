"""Where nuclei and almost-nuclei are: one sampler for both, so that place does not tell them apart.

From the group's paper (453 regions, November 2021 to October 2022): frequencies between 0 and
12.5 kHz, most around 6.2 kHz, one region above 12.5 kHz; geographic latitudes between 40 and 70
degrees; dip angles between 58 and 80 degrees (eight above 80, two below 58); north and south in
spring 80 and 62, in summer 71 and 53, in autumn 79 and 50, in winter 36 and 22, with March to May
called spring in both hemispheres; 453 regions on 402 orbits.

Assumed here, without a source:

- the centre frequency is normal around 6.2 kHz with a standard deviation of 2.2 kHz, cut to
  0.8-12.3 kHz; the one above is uniform in 12.6-16 kHz;
- the dip angle is normal around 69 degrees with a standard deviation of 5 degrees, cut to 58-80,
  as far as the track of the half-orbit allows;
- day and night, and all longitudes, are equally likely;
- the number on one half-orbit depends on nothing else.
"""

from __future__ import annotations

import numpy as np

from odm.physics.coordinates import month_season
from odm.simulate.orbit.emission import FREQUENCY
from odm.simulate.orbit.groundtrack import Track

SEASON_COUNTS: dict[str, tuple[int, int]] = {
    "spring": (80, 62),
    "summer": (71, 53),
    "autumn": (79, 50),
    "winter": (36, 22),
}
"""Regions of the paper in the north and in the south."""
SECOND_NUCLEUS = 51 / 402
"""Share of half-orbits with a nucleus that have a second one (453 regions on 402)."""
_ABOVE_BAND = 1 / 453
_OUTSIDE_DIP = 10 / 453


def season(track: Track) -> str:
    """The paper's season of a half-orbit: March to May is spring everywhere."""
    return str(month_season(track.times[0]))


def season_factor(track: Track) -> float:
    """How often regions occur in this season, relative to the year's mean."""
    total = sum(sum(counts) for counts in SEASON_COUNTS.values())
    return 4 * sum(SEASON_COUNTS[season(track)]) / total


def presence(prevalence: float, track: Track) -> float:
    """Chance that a half-orbit has a nucleus.

    The odds, not the chance, follow the season, so that 0 and 1 keep their meaning.
    """
    odds = season_factor(track) * prevalence
    return odds / (1.0 - prevalence + odds)


def draw_place(rng: np.random.Generator, track: Track) -> tuple[int, int]:
    """Draw the row and frequency bin of the centre of a nucleus or almost-nucleus."""
    row = _draw_row(rng, track)
    if rng.random() < _ABOVE_BAND:
        khz = rng.uniform(12.6, 16.0)
    else:
        khz = 0.0
        while not 0.8 <= khz <= 12.3:
            khz = rng.normal(6.2, 2.2)
    return row, int(np.argmin(np.abs(FREQUENCY - 1e3 * khz)))


def _draw_row(rng: np.random.Generator, track: Track) -> int:
    """Draw a row of a hemisphere whose dip angle is nearest to a drawn angle."""
    north, south = SEASON_COUNTS[season(track)]
    sign = 1 if rng.random() < north / (north + south) else -1
    latitude = sign * track.latitude
    allowed = np.flatnonzero((latitude >= 40.0) & (latitude <= 70.0))
    dip = np.abs(track.dip[allowed])
    if rng.random() < _OUTSIDE_DIP:
        inside = (dip > 80.0) | ((dip > 54.0) & (dip < 58.0))
    else:
        inside = (dip >= 58.0) & (dip <= 80.0)
    if not inside.any():  # the South Atlantic, where the field is flat: as steep as there is
        inside = dip >= dip.max() - 4.0
    allowed, dip = allowed[inside], dip[inside]
    weight = np.exp(-(((dip - 69.0) / 5.0) ** 2) / 2) + 1e-3
    # Dip changes unevenly along the track: weight by its step so that dip itself is as drawn.
    step = np.abs(np.gradient(dip)) + 0.02 if len(dip) > 1 else np.ones(1)
    chance = weight * step
    return int(rng.choice(allowed, p=chance / chance.sum()))
