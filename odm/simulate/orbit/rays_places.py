"""How many nuclei a half-orbit of `rays` has, where they are, and whether they can be seen.

From the group's paper: most frequencies around 6 kHz, latitudes between 40 and 70 degrees; one in
eight of the half-orbits with a region has a second one.

Assumed here, without a source: the peak is log-normal around a median of 13 dB at difficulty 0 and
7 dB at 1, one in six anywhere between 3 and 30 dB; a third has any frequency from 0.5 to 15.5 kHz,
one in six any latitude, and one in ten each lies at an end of the pass, at a gap, or on a confuser.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.images.nucleus import LEAST_AREA
from odm.simulate.orbit.emission import BINS, DECIBEL, Emission, FloatArray
from odm.simulate.orbit.groundtrack import Track
from odm.simulate.orbit.rays_nuclei import draw_nucleus, is_whole
from odm.simulate.orbit.rays_plasma import log_draw
from odm.simulate.orbit.rays_sky import BIN_HZ

APART = 6
"""Pixels between two nuclei, at least."""
SECOND = 1 / 8
"""Share of half-orbits with a nucleus that have a second one."""
_TRIES = 40
_RING = 12  # pixels around a nucleus that it has to stand out of
_BAND = 640  # frequencies below 15.6 kHz


@dataclass(frozen=True)
class Surroundings:
    """Where nuclei are to be put: ``track`` of M rows, ``kept`` rows (M,), where nothing can be
    seen, ``hidden`` (M, 1024), noise-free ``ambient`` power (M, 1024), and the ``confusers``."""

    track: Track
    kept: NDArray[np.bool_]
    hidden: NDArray[np.bool_]
    ambient: FloatArray
    confusers: list[Emission]


def place_nuclei(
    rng: np.random.Generator, where: Surroundings, prevalence: float, difficulty: float
) -> tuple[list[tuple[Emission, str]], list[Emission]]:
    """Draw the nuclei of a half-orbit, with their sources, and those that nobody could tell."""
    nuclei: list[tuple[Emission, str]] = []
    doubtful: list[Emission] = []
    if rng.random() >= prevalence:
        return nuclei, doubtful
    count = 1 + int(rng.random() < SECOND)
    for _ in range(_TRIES):
        if len(nuclei) == count:
            break
        peak = 13 * (7 / 13) ** difficulty * np.exp(0.45 * rng.standard_normal())
        peak = log_draw(rng, 3.05, 30) if rng.random() < 1 / 6 else float(np.clip(peak, 3.5, 25))
        drawn = draw_nucleus(rng, peak, _draw_centre(rng, where), len(where.kept))
        if drawn is None or drawn[0].contrast_db < 3 or not _is_in_band(drawn[0]):
            continue
        if not _is_apart(drawn[0], [*(one for one, _ in nuclei), *doubtful], where.kept):
            continue
        if _is_seen(drawn[0], where) and stands_out(drawn[0], where.ambient):
            nuclei.append(drawn)
        elif not doubtful:
            doubtful.append(drawn[0])
    return nuclei, doubtful


def place_faint(
    rng: np.random.Generator, where: Surroundings, others: list[Emission]
) -> list[Emission]:
    """Draw nuclei too weak to be counted, as often whether or not there are ``others``."""
    faint: list[Emission] = []
    for _ in range(int(rng.poisson(0.2))):
        drawn = draw_nucleus(rng, rng.uniform(1.3, 2.95), _draw_centre(rng, where), len(where.kept))
        if drawn is not None and _is_apart(drawn[0], [*others, *faint], where.kept):
            faint.append(drawn[0])
    return faint


def footprint(emissions: list[Emission], rows: int, margin: int = 0) -> NDArray[np.bool_]:
    """Return where outlines are, (rows, 1024), widened by a margin in pixels."""
    covered = np.zeros((rows, BINS), np.uint8)
    for emission in emissions:
        covered[emission.window] |= emission.outline()
    if margin and emissions:
        return cv2.dilate(covered, np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)) > 0
    return covered > 0


def _is_apart(one: Emission, others: list[Emission], kept: NDArray[np.bool_]) -> bool:
    """Whether there is enough between nuclei, also after rows were lost."""
    taken = footprint(others, len(kept))[kept].astype(np.uint8)
    if not taken.any():
        return True
    size = 2 * APART + 1
    return not cv2.dilate(taken, np.ones((size, size), np.uint8))[
        footprint([one], len(kept))[kept]
    ].any()


def _is_seen(one: Emission, where: Surroundings) -> bool:
    """Whether at least half of a nucleus, and enough of it, arrives and is not drowned."""
    outline = one.outline()
    near = level_around(where.ambient, one)
    drowned = where.ambient[one.window] > near * np.float32(10) ** (one.excess_db / 10)
    seen = outline & ~where.hidden[one.window] & ~drowned
    if seen.sum() < max(LEAST_AREA, 0.5 * outline.sum()):
        return False
    return is_whole(outline[where.kept[one.window[0]]])


def _is_in_band(one: Emission) -> bool:
    """Whether the outline is closed towards 0 Hz, and most of it lies below 15.6 kHz."""
    per_bin = one.outline().sum(axis=0)
    below = per_bin[: max(0, _BAND - one.bin)].sum()
    closed = one.bin > 0 or per_bin[0] == 0
    return bool(closed and below >= max(LEAST_AREA, 0.75 * per_bin.sum()))


def stands_out(one: Emission, ambient: FloatArray) -> bool:
    """Whether the core stands out of what lies earlier, later, below and above the outline."""
    rows, bins = one.window
    top, left = max(0, rows.start - _RING), max(0, bins.start - _RING)
    total = ambient[top : rows.stop + _RING, left : bins.stop + _RING].copy()
    inner = (slice(rows.start - top, rows.stop - top), slice(bins.start - left, bins.stop - left))
    total[inner] += level_around(ambient, one) * np.expm1(DECIBEL * one.excess_db)
    decibels = 10 * np.log10(total)
    excess = np.zeros_like(total)
    excess[inner] = one.excess_db
    core = np.median(decibels[excess >= 0.7 * one.contrast_db])
    outline = np.zeros(total.shape, np.uint8)
    outline[inner] = one.outline()
    size = 2 * _RING + 1
    ring = (cv2.dilate(outline, np.ones((size, size), np.uint8)) > 0) & (outline == 0)
    covered = np.argwhere(outline)
    time, frequency = ((np.argwhere(ring) - covered.mean(axis=0)) / np.ptp(covered, axis=0)).T
    beside = np.abs(time) > np.abs(frequency)
    around = decibels[ring]
    early, low = time < 0, frequency < 0
    for side in (beside & early, beside & ~early, ~beside & low, ~beside & ~low):
        least = max(1.0, 0.4 * one.contrast_db)
        if side.sum() > 30 and core - np.median(around[side]) < least:
            return False
    return True


def level_around(power: FloatArray, one: Emission) -> FloatArray:
    """Return the ambient level over the window of a nucleus: the geometric mean of 31 x 31."""
    rows, bins = one.window
    top, left = max(0, rows.start - 15), max(0, bins.start - 15)
    part = np.log(power[top : rows.stop + 15, left : bins.stop + 15])
    smooth = cv2.blur(part, (31, 31), borderType=cv2.BORDER_REFLECT)
    inner = smooth[rows.start - top :, bins.start - left :]
    return np.exp(inner[: rows.stop - rows.start, : bins.stop - bins.start])


def _draw_centre(rng: np.random.Generator, where: Surroundings) -> tuple[int, int]:
    """Draw the row and bin of the brightest point; the row may lie past an end of the pass."""
    hertz = rng.uniform(500, 15_500) if rng.random() < 1 / 3 else rng.normal(6000, 2000)
    bin_ = int(np.clip(hertz, 500, 15_500) / BIN_HZ)
    arrived = np.flatnonzero(where.kept)
    gaps = np.flatnonzero(np.diff(where.kept.astype(np.int8)))
    chance = rng.random()
    if chance < 0.1:
        inward = int(rng.integers(-8, 25))
        return int(arrived[0] + inward if rng.random() < 0.5 else arrived[-1] - inward), bin_
    if chance < 0.2 and gaps.size:
        return int(rng.choice(gaps) + rng.normal(0, 20)), bin_
    if chance < 0.3 and where.confusers:
        row, there = where.confusers[int(rng.integers(len(where.confusers)))].peak()
        row, there = row + int(rng.normal(0, 15)), there + int(rng.normal(0, 15))
        return row, int(np.clip(there, 500 / BIN_HZ, 15_500 / BIN_HZ))
    latitude = where.track.latitude * rng.choice((-1, 1))
    usual = np.flatnonzero((latitude >= 40) & (latitude <= 70))
    if rng.random() < 5 / 6 and usual.size:
        return int(rng.choice(usual)), bin_
    return int(rng.integers(len(latitude))), bin_
