"""Which input is for training, validation and test: by its own name and time alone.

What an input is for depends on no other file, so data that come later move nothing. Ground tracks
of half-orbits repeat after 5 days (76 orbits), so neighbours in time and place are kept together
by taking whole cycles, and cycles next to another part are left out ("purged"). Ionograms that were
taken soon after one another are alike, and stay together.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from odm.archive.ionogram.key import IonogramKey
from odm.archive.orbit.key import ORBITS_PER_CYCLE, OrbitKey
from odm.core.errors import InputError
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
    """How an archive of half-orbits is divided; lengths are in cycles of 5 days.

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

    remedy: ClassVar[str] = "; odm dataset show tells what each part holds"
    """What may fill an empty part; follows a sentence."""

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
        start = key.start - _ORBIT * (key.orbit_number % ORBITS_PER_CYCLE)
        borders = [start + CYCLE * step for step in range(-around, around + 2)]
        return [str(season) for season in month_season(np.array(borders, dtype="datetime64[s]"))]


class IonogramSplit(Settings):
    """How an archive of ionograms is divided.

    Attributes:
        by: ``groups``: those of one link and one stretch of ``group_hours`` stay together, and
            chance decides for what they are. ``time``: what comes before ``validation_from`` is for
            training, before ``test_from`` for validation, the rest for test. ``whole``:
            everything is one part.
        train, validation, test: shares of ``groups``, in any unit.
        group_hours: length of a group's stretch of time; with 0 each ionogram is a group.
        seed: seed of the chance.
        validation_from, test_from: where ``time`` begins the parts, UTC.
        purge_hours: hours that ``time`` leaves out before each of them.
        part: what ``whole`` makes of everything.
    """

    by: Literal["groups", "time", "whole"] = "groups"
    train: float = Field(default=0.7, ge=0)
    validation: float = Field(default=0.15, ge=0)
    test: float = Field(default=0.15, ge=0)
    group_hours: float = Field(default=24, ge=0)
    seed: int = Field(default=0, ge=0)
    validation_from: datetime | None = None
    test_from: datetime | None = None
    purge_hours: float = Field(default=6, ge=0)
    part: Part | None = None

    @model_validator(mode="after")
    def _consistent(self) -> IonogramSplit:
        if self.by == "groups" and not self.train + self.validation + self.test:
            raise ValueError("all shares are 0: give train, validation or test one")
        if self.by == "time" and (self.validation_from is None or self.test_from is None):
            raise ValueError("by time needs validation_from and test_from")
        if self.by == "whole" and self.part is None:
            raise ValueError("by whole needs a part: train, validation or test")
        return self

    def part_of(self, key: IonogramKey) -> str:
        """Return ``train``, ``validation``, ``test`` or ``purged``.

        Raises:
            InputError: a split by time, and an ionogram whose name gives none.
        """
        if self.by == "whole":
            return str(self.part)
        return self._by_time(key) if self.by == "time" else self._by_group(key)

    def _by_group(self, key: IonogramKey) -> str:
        group = key.identity
        if key.time is not None and self.group_hours:
            hours = (key.time - datetime(2000, 1, 1)).total_seconds() / 3600
            group = f"{key.link}/{int(hours // self.group_hours)}"
        digest = hashlib.blake2b(f"{self.seed}/{group}".encode(), digest_size=8).digest()
        place = int.from_bytes(digest) / 2**64 * (self.train + self.validation + self.test)
        if place < self.train:
            return "train"
        return "validation" if place < self.train + self.validation else "test"

    def _by_time(self, key: IonogramKey) -> str:
        assert self.validation_from is not None and self.test_from is not None
        if key.time is None:
            raise InputError(f"{key}: its name gives no time, so it cannot be split by time")
        names = ("train", "validation")
        for name, start in zip(names, (self.validation_from, self.test_from), strict=True):
            left = (start.replace(tzinfo=None) - key.time).total_seconds() / 3600
            if left > self.purge_hours:
                return name
            if left > 0:
                return PURGED
        return "test"

    @property
    def asked_parts(self) -> set[str]:
        """Parts that should hold something."""
        if self.by == "whole":
            return {str(self.part)}
        return {part for part in PARTS if self.by == "time" or getattr(self, part)}

    @property
    def remedy(self) -> str:
        """What may fill an empty part; follows a sentence."""
        if self.by != "groups":
            return ""
        hint = ": give another --seed"
        if self.group_hours:
            hint += f", or groups shorter than {self.group_hours:g} hours (--group-hours)"
        return f"{hint}, to odm dataset ionograms"
