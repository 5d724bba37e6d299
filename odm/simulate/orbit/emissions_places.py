"""Where nuclei and almost-nuclei of the sky `emissions` are, how many, and which can be seen.

One sampler of places serves both, so that place does not tell them apart: that of `places` (the
group's paper) for most. From the paper too: 51 of 402 half-orbits have a second nucleus.

Assumed here, without a source:

- the number of almost-nuclei is negative binomial with a mean of 4, cut to 12; it depends neither
  on the prevalence nor on the nuclei that are there;
- a quarter has any frequency from 0.5 to 15.5 kHz and one in six any latitude; one in twelve each
  lies at an end of the pass and at a gap, one in eight of the nuclei at a confuser;
- one in five half-orbits, with a nucleus or without, has one of less than 3 dB.

A nucleus may touch and cross anything but another nucleus. One is not counted, but ignored, if what
arrives of it (after gaps, saturation, stronger emissions and the ends of the pass) is less than
half, less than 500 pixels, or in pieces; if its peak no longer stands out by 3 dB, of what was
there without it or of most of what surrounds it; or if it is lost in mottle of its own height.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.images.nucleus import LEAST_AREA, OUTLINE_DB, OUTLINE_SHARE, WEAKEST_DB
from odm.simulate.orbit.almost import almost_nucleus
from odm.simulate.orbit.emission import BINS, DECIBEL, FREQUENCY, Emission, FloatArray
from odm.simulate.orbit.emissions_nuclei import (
    DrawnNucleus,
    draw_nucleus,
    draw_peak_db,
)
from odm.simulate.orbit.emissions_receiver import Receiver
from odm.simulate.orbit.groundtrack import Track
from odm.simulate.orbit.nuclei import SHAPES
from odm.simulate.orbit.places import SECOND_NUCLEUS, draw_place, presence
from odm.simulate.orbit.recipe import OrbitRecipe

ALMOST_MEAN, ALMOST_MOST = 4.0, 12
FAINT_MEAN = 0.22
_ALMOST_SPREAD = 1.8  # shape of the gamma distribution of their rate
_APART = 6  # pixels between the outlines of two nuclei, at least
_TRIES = 50
_SEEN = 640  # bins that a relative image covers
_AROUND = 10  # pixels around an outline that are its surroundings
_MOST = 0.7  # share of the surroundings above which a peak stands
_COARSE = 4


@dataclass(frozen=True)
class Surroundings:
    """Where nuclei are put: ``track`` of M rows, the ``receiver``, the noise-free ``ambient`` level
    and the power of all that is ``there`` in Z, both (M, 1024), and the ``confusers``."""

    track: Track
    receiver: Receiver
    ambient: FloatArray
    there: FloatArray
    confusers: list[Emission]

    @cached_property
    def background_db(self) -> FloatArray:
        """(M, 1024) the median over time of every bin and over frequency of every row, of all that
        arrives without nuclei."""
        whole = (slice(0, self.there.shape[0]), slice(0, BINS))
        coarse = self.receiver.shown(self.there, whole)[::_COARSE, ::_COARSE]
        level = 10 * np.log10(np.maximum(coarse, 1e-30))
        bins = np.median(level[self.receiver.kept[::_COARSE]], axis=0)
        rows = np.median(level - bins, axis=1)
        tall, wide = np.repeat(rows, _COARSE)[: whole[0].stop], np.repeat(bins, _COARSE)
        return np.asarray(tall[:, None] + wide[None], np.float32)


@dataclass
class Placed:
    """Nuclei, each with its shape family, and those that are not counted."""

    nuclei: list[tuple[Emission, str]] = field(default_factory=list)
    doubtful: list[Emission] = field(default_factory=list)

    def all(self) -> list[Emission]:
        """Return both."""
        return [*(emission for emission, _ in self.nuclei), *self.doubtful]


def draw_spot(
    rng: np.random.Generator,
    track: Track,
    kept: NDArray[np.bool_],
    confusers: Sequence[Emission] = (),
) -> tuple[int, int]:
    """Draw the row, which may lie outside, and the bin of the brightest point of a region."""
    row, bin_ = draw_place(rng, track)
    if rng.random() < 0.25:
        bin_ = int(rng.uniform(500, 15_500) / FREQUENCY[1])
    if rng.random() < 1 / 6:
        row = int(rng.integers(len(kept)))
    chance = rng.random()
    gaps = np.flatnonzero(np.diff(kept.astype(np.int8)))
    if chance < 1 / 12:
        inward = int(rng.integers(-12, 25))
        row = inward if rng.random() < 0.5 else len(kept) - 1 - inward
    elif chance < 2 / 12 and gaps.size:
        row = int(rng.choice(gaps) + rng.normal(0, 18))
    elif chance < 2 / 12 + 1 / 8 and confusers:
        near = confusers[int(rng.integers(len(confusers)))]
        tall, wide = near.excess_db.shape
        row = near.row + int(rng.integers(-15, tall + 15))
        bin_ = near.bin + int(rng.integers(-15, wide + 15))
    return row, int(np.clip(bin_, 16, 636))


def place_almost(
    rng: np.random.Generator, track: Track, kept: NDArray[np.bool_], recipe: OrbitRecipe
) -> list[Emission]:
    """Draw the almost-nuclei of a half-orbit, which may overlap anything."""
    rate = rng.gamma(_ALMOST_SPREAD, ALMOST_MEAN / _ALMOST_SPREAD)
    wanted = min(int(rng.poisson(rate)), ALMOST_MOST)
    emissions: list[Emission] = []
    for _ in range(4 * wanted):
        if len(emissions) == wanted:
            break
        kind = str(rng.choice(recipe.families["confuser"]))
        peak = draw_peak_db(rng, recipe.difficulty) * rng.uniform(0.9, 1.3)
        spot = draw_spot(rng, track, kept)
        emission = almost_nucleus(rng, kind, spot, recipe.difficulty, len(kept))
        if emission is None or emission.contrast_db < 1:
            continue
        factor = np.float32(min(peak, 30.0) / emission.contrast_db)
        emissions.append(replace(emission, excess_db=emission.excess_db * factor))
    return emissions


def place_nuclei(rng: np.random.Generator, where: Surroundings, recipe: OrbitRecipe) -> Placed:
    """Draw the nuclei of a half-orbit: at a prevalence of 0 none, at 1 at least one."""
    placed = Placed()
    if rng.random() >= presence(recipe.prevalence, where.track):
        return placed
    count = 1 + int(rng.random() < SECOND_NUCLEUS)
    if rng.random() < 0.03:
        count = int(rng.integers(3, 6))
    families = recipe.families["shape"]
    odds = np.array([SHAPES[family] for family in families])
    for _ in range(_TRIES):
        if len(placed.nuclei) == count:
            break
        drawn = draw_nucleus(
            rng,
            str(rng.choice(families, p=odds / odds.sum())),
            draw_peak_db(rng, recipe.difficulty),
            draw_spot(rng, where.track, where.receiver.kept, where.confusers),
            len(where.receiver.kept),
        )
        if drawn is None or not _has_room(drawn.emission, placed, where.receiver.kept):
            continue
        if is_seen(drawn, where):
            placed.nuclei.append((drawn.emission, drawn.family))
        elif not placed.doubtful and drawn.emission.outline().any():
            placed.doubtful.append(drawn.emission)
    return placed


def place_faint(
    rng: np.random.Generator, where: Surroundings, recipe: OrbitRecipe, placed: Placed
) -> None:
    """Add nuclei too weak to be counted, as often where there are others as where there are not."""
    for _ in range(int(rng.poisson(FAINT_MEAN))):
        family = str(rng.choice(recipe.families["shape"]))
        spot = draw_spot(rng, where.track, where.receiver.kept, where.confusers)
        peak = rng.uniform(1.4, 2.95)
        drawn = draw_nucleus(rng, family, peak, spot, len(where.receiver.kept))
        if drawn is not None and _has_room(drawn.emission, placed, where.receiver.kept):
            placed.doubtful.append(drawn.emission)


def is_seen(drawn: DrawnNucleus, where: Surroundings) -> bool:
    """Whether enough arrives of a nucleus for it to be counted."""
    one = drawn.emission
    outline = one.outline()
    if one.contrast_db < WEAKEST_DB or not outline.any():
        return False
    rows, _ = one.window
    there = where.there[one.window]
    added = level_around(where.ambient, one.window) * np.expm1(DECIBEL * one.excess_db)
    before = where.receiver.shown(there, one.window)
    after = where.receiver.shown(there + added, one.window)
    gained = 10 * np.log10(np.maximum(after, 1e-30) / np.maximum(before, 1e-30))
    arrives = outline & where.receiver.kept[rows][:, None]
    least = 0.5 * max(OUTLINE_DB, OUTLINE_SHARE * one.contrast_db)
    visible = arrives & (gained >= min(least, 1.0))
    if visible.sum() < max(LEAST_AREA, 0.5 * drawn.area):
        return False
    if float(np.quantile(gained[arrives], 0.95)) < WEAKEST_DB:
        return False
    parts, _, stats, _ = cv2.connectedComponentsWithStats(
        outline[where.receiver.kept[rows]].astype(np.uint8), connectivity=8
    )
    if parts != 2 and stats[1:, cv2.CC_STAT_AREA].max() < 0.97 * arrives.sum():
        return False
    if not _stands_out(one, added, where):
        return False
    return one.contrast_db >= 2.5 * _scatter_db(where.ambient, one.window)


def _stands_out(one: Emission, added: FloatArray, where: Surroundings) -> bool:
    """Whether the peak of an emission of power ``added`` (n, k) is 3 dB above most of what
    surrounds it, as all of it arrives."""
    shape = where.there.shape
    wide = tuple(
        slice(max(0, part.start - _AROUND), min(size, part.stop + _AROUND))
        for part, size in zip(one.window, shape, strict=True)
    )
    window = (wide[0], wide[1])
    inner = tuple(
        slice(part.start - outer.start, part.stop - outer.start)
        for part, outer in zip(one.window, window, strict=True)
    )
    power = where.there[window].copy()
    power[inner] += added
    shown = cv2.blur(where.receiver.shown(power, window), (3, 3))
    level = 10 * np.log10(np.maximum(shown, 1e-30)) - where.background_db[window]
    outline = np.zeros(level.shape, np.uint8)
    outline[inner] = one.outline()
    kept = where.receiver.kept[window[0]][:, None]
    around = (_widened(outline, _AROUND) & ~_widened(outline, 2)) & kept
    if not around.any():
        return False
    peak = np.quantile(level[(outline > 0) & kept], 0.95)
    return bool(peak - np.quantile(level[around], _MOST) >= WEAKEST_DB)


def _scatter_db(ambient: FloatArray, window: tuple[slice, slice]) -> float:
    """Return the scatter of a level (M, 1024) in and around a window about the medians of its rows
    and columns, dB."""
    rows, bins = (slice(max(0, one.start - 20), one.stop + 20) for one in window)
    part = ambient[rows, bins]
    size = (max(part.shape[1] // 4, 2), max(part.shape[0] // 4, 2))
    level = 10 * np.log10(cv2.resize(part, size, interpolation=cv2.INTER_AREA))
    level -= np.median(level, axis=0, keepdims=True)
    level -= np.median(level, axis=1, keepdims=True)
    low, high = np.quantile(level, (0.16, 0.84))
    return float(high - low) / 2


def level_around(power: FloatArray, window: tuple[slice, slice]) -> FloatArray:
    """Return the mean level in dB, as power, of ``power`` (M, K) over 31 x 31 pixels, (n, k)."""
    rows, bins = window
    top, left = max(0, rows.start - 15), max(0, bins.start - 15)
    part = np.log(power[top : rows.stop + 15, left : bins.stop + 15])
    mean = cv2.blur(part, (31, 31), borderType=cv2.BORDER_REFLECT_101)
    inner = mean[rows.start - top :, bins.start - left :]
    return np.exp(inner[: rows.stop - rows.start, : bins.stop - bins.start])


def footprint(emissions: Sequence[Emission], rows: int, margin: int = 0) -> NDArray[np.bool_]:
    """Return where the outlines of emissions are, (rows, 1024), widened by a margin in pixels."""
    covered = np.zeros((rows, BINS), np.uint8)
    for emission in emissions:
        covered[emission.window] |= emission.outline()
    if margin and emissions:
        return _widened(covered, margin)
    return covered > 0


def _widened(covered: NDArray[np.uint8], margin: int) -> NDArray[np.bool_]:
    return cv2.dilate(covered, np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)) > 0


def _has_room(one: Emission, placed: Placed, kept: NDArray[np.bool_]) -> bool:
    """Whether a nucleus is closed, lies where it can be looked for, and is apart from all others,
    also after rows were lost."""
    outline = one.outline()
    per_bin = outline.sum(axis=0)
    if one.bin == 0 and per_bin[0] > 0:
        return False
    if per_bin[max(0, _SEEN - one.bin) :].sum() > 0.2 * per_bin.sum():
        return False
    if not placed.all():
        return True
    taken = _widened(footprint(placed.all(), len(kept))[kept].astype(np.uint8), _APART)
    return not taken[footprint([one], len(kept))[kept]].any()
