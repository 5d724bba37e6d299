"""How many nuclei a textured half-orbit has, and where they are.

From the group's paper: most are around 6 kHz and between 40 and 70 degrees of latitude, north and
south; one half-orbit in eight of those with a nucleus has a second one.

Assumed here, without a source: one in twenty has three to five; a third has any frequency up to
15.5 kHz, one in seven any latitude; one in twelve each lies at an end of the pass or at a gap, one
in seven at a conspicuous part of a texture.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.images.nucleus import LEAST_AREA
from odm.simulate.orbit.emission import BINS, FREQUENCY, Emission, FloatArray
from odm.simulate.orbit.groundtrack import Track
from odm.simulate.orbit.textures_nuclei import draw_nucleus, draw_peak_db
from odm.simulate.orbit.textures_receiver import Damage

_APART = 6  # pixels between nuclei, at least
_TRIES = 40


@dataclass(frozen=True)
class Surroundings:
    """Where nuclei are to be put.

    ``track`` of M rows; ``damage``, what is lost of it; ``ambient`` (M, 1024) power without nuclei;
    ``confusers``, conspicuous parts of textures.
    """

    track: Track
    damage: Damage
    ambient: FloatArray
    confusers: list[Emission]


@dataclass
class Placed:
    """Nuclei with their constructions, and those of which nobody can say whether they are any."""

    nuclei: list[tuple[Emission, str]] = field(default_factory=list)
    doubtful: list[Emission] = field(default_factory=list)

    def all(self) -> list[Emission]:
        """Return both."""
        return [*(emission for emission, _ in self.nuclei), *self.doubtful]


def place_nuclei(
    rng: np.random.Generator, where: Surroundings, prevalence: float, difficulty: float
) -> Placed:
    """Draw the nuclei of a half-orbit; at a prevalence of 0 none, at 1 at least one."""
    placed = Placed()
    if rng.random() >= prevalence:
        return placed
    chance = rng.random()
    count = int(rng.integers(3, 6)) if chance < 0.05 else 1 + (chance < 0.05 + 0.125)
    for _ in range(_TRIES):
        if len(placed.nuclei) == count:
            break
        drawn = draw_nucleus(
            rng, draw_peak_db(rng, difficulty), _draw_centre(rng, where), len(where.track.times)
        )
        if drawn is None or not _is_apart(drawn[0], placed.all(), where.damage.kept):
            continue
        if _is_seen(drawn[0], where.damage) and _stands_out(drawn[0], where.ambient):
            placed.nuclei.append(drawn)
        elif not placed.doubtful:
            placed.doubtful.append(drawn[0])
    return placed


def place_faint(rng: np.random.Generator, where: Surroundings, placed: Placed) -> None:
    """Add nuclei too weak to be counted, as often where there are others as where there are not."""
    for _ in range(int(rng.poisson(0.2))):
        drawn = draw_nucleus(
            rng, rng.uniform(1.2, 3.0), _draw_centre(rng, where), len(where.track.times)
        )
        if drawn is not None and _is_apart(drawn[0], placed.all(), where.damage.kept):
            placed.doubtful.append(drawn[0])


def footprint(emissions: list[Emission], rows: int, margin: int = 0) -> NDArray[np.bool_]:
    """Return where the outlines are, (rows, 1024), widened by a margin in pixels."""
    covered = np.zeros((rows, BINS), np.uint8)
    for emission in emissions:
        covered[emission.window] |= emission.outline().astype(np.uint8)
    return _widened(covered, margin) if margin and emissions else covered.astype(bool)


def _widened(covered: NDArray[np.uint8], margin: int) -> NDArray[np.bool_]:
    """Return what is at most ``margin`` pixels away along both axes."""
    return cv2.dilate(covered, np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)).astype(bool)


def _is_apart(one: Emission, others: list[Emission], kept: NDArray[np.bool_]) -> bool:
    """Whether there is enough between nuclei also after rows were lost."""
    if not others:
        return True
    taken = _widened(footprint(others, len(kept))[kept].astype(np.uint8), _APART)
    return not taken[footprint([one], len(kept))[kept]].any()


def _is_seen(one: Emission, damage: Damage) -> bool:
    """Whether at least half of a nucleus, and enough of it, arrives in one part."""
    outline = one.outline()
    seen = outline & ~damage.hidden[one.window]
    if seen.sum() < max(LEAST_AREA, 0.5 * outline.sum()):
        return False
    arrived = outline[damage.kept[one.window[0]]].astype(np.uint8)
    return bool(cv2.connectedComponents(arrived, connectivity=8)[0] == 2)


def _stands_out(one: Emission, ambient: FloatArray) -> bool:
    """Whether a nucleus is well above the scatter of what it lies on, in blocks of 4 x 4."""
    part = ambient[one.window]
    few = cv2.resize(part, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(one.outline().astype(np.uint8), few.shape[::-1]).astype(bool)
    around = 10 * np.log10(few[cv2.dilate(inside.astype(np.uint8), np.ones((5, 5))) > 0])
    low, high = np.quantile(around, (0.16, 0.84))
    return one.contrast_db > 1.5 * float(high - low)


def _draw_centre(rng: np.random.Generator, where: Surroundings) -> tuple[int, int]:
    """Draw the row and bin of the brightest point; the row may lie past an end of the pass."""
    khz = rng.uniform(0.5, 15.5)
    if rng.random() < 2 / 3:
        khz = 0.0
        while not 0.5 <= khz <= 15.5:
            khz = rng.normal(6.2, 2.4)
    bin_ = int(np.argmin(np.abs(FREQUENCY - 1e3 * khz)))
    kept = np.flatnonzero(where.damage.kept)
    edges = np.flatnonzero(np.diff(where.damage.kept.astype(np.int8)))
    chance = rng.random()
    if chance < 1 / 12:
        inward = int(rng.integers(-10, 25))
        return int(kept[0] + inward if rng.random() < 0.5 else kept[-1] - inward), bin_
    if chance < 2 / 12 and edges.size:
        return int(rng.choice(edges) + rng.normal(0, 18)), bin_
    if chance < 2 / 12 + 1 / 7 and where.confusers:
        near = where.confusers[int(rng.integers(len(where.confusers)))]
        rows, bins = near.window
        bin_ = int(rng.integers(bins.start - 15, bins.stop + 15))
        return int(rng.integers(rows.start - 15, rows.stop + 15)), int(np.clip(bin_, 20, 634))
    latitude = np.abs(where.track.latitude)
    usual = (latitude >= 40) & (latitude <= 70)
    if rng.random() < 6 / 7 and usual.any():
        side = np.sign(where.track.latitude) == rng.choice((-1, 1))
        there = usual & side if (usual & side).any() else usual
        return int(rng.choice(np.flatnonzero(there))), bin_
    return int(rng.integers(len(latitude))), bin_
