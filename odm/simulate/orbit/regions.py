"""Puts nuclei and almost-nuclei on a half-orbit, so that none touches another.

Assumed here, without a source: a tenth of both are put where the pass ends (on a half-orbit whose
dip angle there is one of nuclei), so that its cut-off takes a part of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from odm.images.nucleus import LEAST_AREA, MOST_AREA
from odm.simulate.orbit.almost import FEWEST, almost_nucleus, per_nucleus
from odm.simulate.orbit.emission import BINS, Emission
from odm.simulate.orbit.groundtrack import Track
from odm.simulate.orbit.nuclei import SHAPES, draw_contrast, is_whole, nucleus
from odm.simulate.orbit.places import SECOND_NUCLEUS, draw_place, presence, season_factor
from odm.simulate.orbit.recipe import OrbitRecipe

_CLEARANCE = 6  # pixels between the outlines of two regions
_TRIES = 30


class RegionPlacer:
    """Finds room for one region after another on one half-orbit.

    Args:
        track: the half-orbit (N rows).
        recipe: how many regions there are, and of which families.
    """

    def __init__(self, track: Track, recipe: OrbitRecipe) -> None:
        self.track = track
        self.recipe = recipe
        self.rows = len(track.times)
        self._occupied = np.zeros((self.rows, BINS), dtype=bool)

    def nuclei(self, rng: np.random.Generator) -> list[tuple[Emission, str]]:
        """Draw the nuclei of the half-orbit, each with its shape family."""
        count = int(rng.random() < presence(self.recipe.prevalence, self.track))
        count += count and int(rng.random() < SECOND_NUCLEUS)
        families = self.recipe.families["shape"]
        odds = np.array([SHAPES[family] for family in families])
        nuclei = []
        for _ in range(count):
            family = str(rng.choice(families, p=odds / odds.sum()))
            contrast = draw_contrast(rng, self.recipe.difficulty)
            draw = partial(nucleus, rng, family, contrast_db=contrast, rows=self.rows)
            if (emission := self._settle(rng, draw)) is not None:
                nuclei.append((emission, family))
        return nuclei

    def almost_nuclei(self, rng: np.random.Generator) -> list[Emission]:
        """Draw the almost-nuclei, whose number does not depend on the nuclei that are there."""
        difficulty = self.recipe.difficulty
        expected = per_nucleus(difficulty) * self.recipe.prevalence * (1 + SECOND_NUCLEUS)
        emissions = []
        for _ in range(int(rng.poisson(max(expected, FEWEST) * season_factor(self.track)))):
            kind = str(rng.choice(self.recipe.families["confuser"]))
            draw = partial(almost_nucleus, rng, kind, difficulty=difficulty, rows=self.rows)
            if (emission := self._settle(rng, draw)) is not None:
                emissions.append(emission)
        return emissions

    def _settle(
        self,
        rng: np.random.Generator,
        draw: Callable[[tuple[int, int]], Emission | None],
    ) -> Emission | None:
        """Draw until a region has room: apart from the others, and enough of it left at an edge."""
        at_end = rng.random() < 0.1
        for _ in range(_TRIES):
            place = draw_place(rng, self.track)
            if at_end:
                place = self._pass_end(rng, place)
            emission = draw(place)
            if emission is None:
                continue
            outline = emission.outline()
            if not emission.almost and not is_whole(outline, int(np.argmax(emission.excess_db))):
                continue  # cut in two by the end of the pass
            # A tenth in hand: rows of it can still be lost.
            if not 1.15 * LEAST_AREA <= np.count_nonzero(outline) <= MOST_AREA:
                continue
            if not self._occupied[emission.window][outline].any():
                self._occupy(emission, outline)
                return emission
        return None

    def _pass_end(self, rng: np.random.Generator, place: tuple[int, int]) -> tuple[int, int]:
        """Return the same frequency at that end of the pass which lies in the same hemisphere."""
        row, bin_ = place
        last = self.rows - 1
        end, inward = (0, 1) if row < last / 2 else (last, -1)
        if 58.0 <= abs(self.track.dip[end]) <= 80.0 and abs(self.track.latitude[end]) <= 70.0:
            return end + inward * int(rng.integers(0, 12)), bin_
        return place

    def _occupy(self, emission: Emission, outline: NDArray[np.bool_]) -> None:
        rows, bins = np.nonzero(outline)
        top, left = emission.row, emission.bin
        reach = _CLEARANCE
        # A box around the region is simple and leaves it clear of its neighbours on all sides.
        self._occupied[
            max(0, top + rows.min() - reach) : top + rows.max() + reach + 1,
            max(0, left + bins.min() - reach) : left + bins.max() + reach + 1,
        ] = True
