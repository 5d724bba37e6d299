"""Which half-orbit is for training, validation and test: by its name alone.

Ground tracks repeat after 5 days (76 orbits), so neighbours in time and place are kept together by
taking whole cycles, and cycles next to another part are left out ("purged"). What a half-orbit is
for depends on its own number and time and on no other file: data that come later move nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from odm.archive.orbit.key import ORBITS_PER_CYCLE, OrbitKey
from odm.core.settings import Settings
from odm.physics.coordinates import month_season

Part = Literal["train", "validation", "test"]
Season = Literal["spring", "summer", "autumn", "winter"]
Hemisphere = Literal["north", "south"]

PARTS: tuple[Part, ...] = ("train", "validation", "test")
PURGED = "purged"

CYCLE = timedelta(days=5)
_ORBIT = CYCLE / ORBITS_PER_CYCLE


class OrbitSplit(Settings):
    """How an archive is divided; lengths are in cycles of 5 days.

    Attributes:
        by: ``cycles``: train, purge, validation, purge, test, purge, again and again, counted from
            orbit 0. ``season``: one season by month, of every year, is the test; the other cycles
            repeat train, purge, validation, purge, and those next to the season are purged.
            ``hemisphere``: as ``cycles``, and the test shows only the hemisphere that training and
            validation do not show. ``whole``: everything is one part, for a separate archive.
        train, validation, test: lengths of the blocks; 0 leaves a part out.
        purge: cycles left out between two parts.
        offset: shifts the pattern by this many cycles.
        season: the held-out season (spring is March to May, in both hemispheres).
        hemisphere: the geographic hemisphere for training.
        part: what ``whole`` makes of everything.
    """

    by: Literal["cycles", "season", "hemisphere", "whole"] = "cycles"
    train: int = Field(default=6, ge=0, le=1000)
    validation: int = Field(default=1, ge=0, le=1000)
    test: int = Field(default=1, ge=0, le=1000)
    purge: int = Field(default=1, ge=1, le=8)
    offset: int = 0
    season: Season | None = None
    hemisphere: Hemisphere | None = None
    part: Part | None = None

    @model_validator(mode="after")
    def _consistent(self) -> OrbitSplit:
        for name, rule in (("season", "season"), ("hemisphere", "hemisphere"), ("part", "whole")):
            given = getattr(self, name) is not None
            if (self.by == rule) != given:
                what = f"needs a {name}" if not given else f"has no {name}"
                raise ValueError(f"a split by {self.by} {what} (--{name})")
        if self.by != "whole" and not self._blocks():
            raise ValueError("a split needs a part with at least one cycle")
        return self

    def part_of(self, key: OrbitKey) -> str:
        """``train``, ``validation``, ``test`` or ``purged``."""
        if self.part is not None:
            return self.part
        if self.season is not None:
            near = self._seasons(key, self.purge)
            if set(self._seasons(key, 0)) == {self.season}:
                return "test"
            if self.season in near:
                return PURGED
        position = (key.cycle - self.offset) % self.period
        for part, length in self._blocks():
            if position < length:
                return part
            position -= length + self.purge
            if position < 0:
                return PURGED
        return PURGED

    def hemisphere_of(self, part: str) -> Hemisphere | None:
        """The hemisphere that a part shows; None for both."""
        if self.hemisphere is None or part != "test":
            return self.hemisphere
        return "south" if self.hemisphere == "north" else "north"

    @property
    def period(self) -> int:
        """Cycles after which the pattern repeats."""
        blocks = self._blocks()
        if len(blocks) == 1:
            return blocks[0][1]
        return sum(length + self.purge for _, length in blocks)

    def _blocks(self) -> list[tuple[Part, int]]:
        lengths: list[tuple[Part, int]] = [("train", self.train), ("validation", self.validation)]
        if self.by != "season":
            lengths.append(("test", self.test))
        return [(part, length) for part, length in lengths if length]

    @staticmethod
    def _seasons(key: OrbitKey, around: int) -> list[str]:
        """Seasons at the borders of the key's cycle and of ``around`` cycles on either side.

        The cycle began as many orbits ago as the number says; a season is longer than a cycle, so
        the borders tell all. Half-orbits of a cycle agree on its begin within an hour.
        """
        begin = key.start - _ORBIT * (key.orbit_number % ORBITS_PER_CYCLE)
        borders = [begin + CYCLE * step for step in range(-around, around + 2)]
        return [str(season) for season in month_season(np.array(borders, dtype="datetime64[s]"))]
