"""Nuclei planted in measured half-orbits: power on top of the local level, with its speckle.

The nuclei are those of the sky `emissions`. Of a measurement only what was observed is known, so
the level under a nucleus is the mean of the power around it in dB, and the looks of the speckle are
estimated from differences between neighbouring pixels.

Assumed here, without a source: places are uniform over the pass and from 0.5 to 15 kHz.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.archive.orbit.reader import valid_amplitude
from odm.images.nucleus import LEAST_AREA, WEAKEST_DB
from odm.images.relative import block_means, polished
from odm.images.sky import looks_of
from odm.simulate.orbit.emission import BINS, DECIBEL, FREQUENCY, Emission, FloatArray
from odm.simulate.orbit.emissions_nuclei import DrawnNucleus, draw_nucleus
from odm.simulate.orbit.emissions_places import footprint, level_around
from odm.simulate.orbit.nuclei import SHAPES

LOWEST_HZ, HIGHEST_HZ = 500.0, 15_000.0
_TRIES = 60
_APART = 6  # pixels between two nuclei, and between one and what is to be avoided


@dataclass(frozen=True)
class Planted:
    """A half-orbit with nuclei planted in it.

    Attributes:
        amplitude: (N, 1024) mV/m/Hz^0.5 with fill values, as the measured one.
        numbers: (N, 1024) uint8, which nucleus a pixel belongs to, from 1; 0 for none.
        contrasts_db: peak excess of each nucleus over the local level.
        ignored: (N, 1024) bool, what was planted and shows too little to be counted.
    """

    amplitude: NDArray[np.float64]
    numbers: NDArray[np.uint8]
    contrasts_db: tuple[float, ...]
    ignored: NDArray[np.bool_]


def plant_nuclei(
    amplitude: NDArray[np.floating],
    contrasts_db: Sequence[float],
    rng: np.random.Generator,
    avoid: NDArray[np.bool_] | None = None,
) -> Planted:
    """Plant nuclei of these peak contrasts; one that finds no room is left out.

    Args:
        amplitude: (N, 1024) mV/m/Hz^0.5 as stored.
        contrasts_db: peak excess of each nucleus over the local level, from 3 dB.
        rng: decides shapes, places and speckle.
        avoid: (N, 1024) bool, where nothing is planted.
    """
    valid = valid_amplitude(amplitude)
    power = np.where(valid, np.square(amplitude, dtype=np.float64), 0.0)
    # Means in dB of single speckled pixels lie below the level.
    level = np.asarray(cv2.blur(_filled(power, valid), (5, 5)), np.float32)
    looks = looks_of(polished(block_means(amplitude)[0]))
    rows = len(amplitude)
    numbers = np.zeros((rows, BINS), np.uint8)
    ignored = np.zeros((rows, BINS), bool)
    taken = np.zeros((rows, BINS), bool) if avoid is None else avoid.copy()
    counted: list[float] = []
    for contrast in contrasts_db:
        drawn = _place(rng, contrast, taken, valid)
        if drawn is None:
            continue
        one = drawn.emission
        taken |= footprint([one], rows, margin=_APART)
        added = level_around(level, one.window) * np.expm1(DECIBEL * one.excess_db)
        outline = one.outline() & valid[one.window]
        if _is_seen(drawn, added, level[one.window], outline):
            counted.append(contrast)
            numbers[one.window][outline] = len(counted)
        else:
            ignored[one.window] |= outline
        power[one.window] += added * rng.gamma(looks, 1 / looks, added.shape)
    planted = np.where(valid, np.sqrt(power), amplitude)
    return Planted(planted, numbers, tuple(counted), ignored)


def _place(
    rng: np.random.Generator,
    contrast_db: float,
    taken: NDArray[np.bool_],
    valid: NDArray[np.bool_],
) -> DrawnNucleus | None:
    """Draw a nucleus at a free place where most of it is measured."""
    rows = len(taken)
    families = list(SHAPES)
    odds = np.array([SHAPES[family] for family in families])
    for _ in range(_TRIES):
        centre = (
            int(rng.integers(rows)),
            int(rng.uniform(LOWEST_HZ, HIGHEST_HZ) / FREQUENCY[1]),
        )
        family = str(rng.choice(families, p=odds / odds.sum()))
        drawn = draw_nucleus(rng, family, contrast_db, centre, rows)
        if drawn is None or not _has_room(drawn.emission, taken):
            continue
        outline = drawn.emission.outline()
        if np.count_nonzero(outline & valid[drawn.emission.window]) >= 0.5 * drawn.area:
            return drawn
    return None


def _has_room(one: Emission, taken: NDArray[np.bool_]) -> bool:
    """Whether an emission is closed towards 0 Hz and touches nothing."""
    outline = one.outline()
    if one.bin == 0 and outline[:, 0].any():
        return False
    return not taken[one.window][outline].any()


def _is_seen(
    drawn: DrawnNucleus, added: FloatArray, level: FloatArray, outline: NDArray[np.bool_]
) -> bool:
    """Whether enough of a nucleus shows above what was there for it to be counted."""
    if np.count_nonzero(outline) < max(LEAST_AREA, 0.5 * drawn.area):
        return False
    gained = 10 * np.log10(1 + added / level)
    return bool(np.quantile(gained[outline], 0.95) >= WEAKEST_DB)


def _filled(power: NDArray[np.float64], valid: NDArray[np.bool_]) -> FloatArray:
    """Return power with the median of its row where it is not measured, or of all rows."""
    if not valid.any():
        return np.ones(power.shape, np.float32)
    known = np.where(valid, power, np.nan)
    rows = np.full(len(power), np.median(power[valid]))
    some = valid.any(axis=1)
    rows[some] = np.nanmedian(known[some], axis=1)
    return np.where(valid, power, rows[:, None]).astype(np.float32)
