"""`OrbitKey`: the name of a half-orbit, parsed once and carried through the whole system."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import PurePosixPath

from odm.core.errors import InputError

ORBITS_PER_CYCLE = 76
"""Orbits after which the ground track of CSES-01 repeats (5 days)."""

_NAME = re.compile(
    r"(?P<satellite>CSES_\d{2})_(?P<payload>[A-Z]{3}_\d)_(?P<level>L[0-9A-Z]{2})_(?P<group>[A-Z]\d)"
    r"_(?P<orbit>\d{5,})(?P<direction>\d)"
    r"_(?P<start>\d{8}_\d{6})_(?P<end>\d{8}_\d{6})_(?P<suffix>[0-9A-Za-z]+)\.h5"
)
_STAMP = "%Y%m%d_%H%M%S"


def _moment(stamp: str) -> datetime:
    if stamp < "1990":
        raise ValueError  # no satellite of this kind; and years before 1000 lose their zeros
    # By hand: strptime would be most of the time that listing 100,000 files takes.
    return datetime(
        int(stamp[:4]),
        int(stamp[4:6]),
        int(stamp[6:8]),
        int(stamp[9:11]),
        int(stamp[11:13]),
        int(stamp[13:]),
    )


class Direction(StrEnum):
    """Direction of flight; the digit in the name is 0 for descending, 1 for ascending."""

    DESCENDING = "descending"
    ASCENDING = "ascending"

    @property
    def digit(self) -> int:
        """0 descending (day side), 1 ascending (night side)."""
        return int(self is Direction.ASCENDING)

    @classmethod
    def from_digit(cls, digit: int) -> Direction:
        """Inverse of `digit`."""
        return cls.ASCENDING if digit else cls.DESCENDING


@dataclass(frozen=True, slots=True)
class OrbitKey:
    """One half-orbit as its file name gives it, for example
    ``CSES_01_EFD_3_L02_A1_175381_20210401_012158_20210401_015642_000.h5``.

    ``start`` and ``end`` are naive UTC with whole seconds, as the name says; the first row of the
    file can be later.
    """

    satellite: str
    payload: str
    level: str
    group: str
    orbit_number: int
    direction: Direction
    start: datetime
    end: datetime
    suffix: str = "000"

    @classmethod
    def parse(cls, name: str) -> OrbitKey:
        """Read a file name, or the last part of a path or URI.

        Raises:
            InputError: the name is not that of a half-orbit; the message says why.
        """
        last = PurePosixPath(str(name).replace("\\", "/")).name
        match = _NAME.fullmatch(last)
        if match is None:
            raise InputError(f"{last}: not the name of a CSES half-orbit")
        if match["direction"] not in "01":
            raise InputError(f"{last}: direction digit {match['direction']} is neither 0 nor 1")
        if len(match["orbit"]) > 5 and match["orbit"].startswith("0"):
            raise InputError(f"{last}: orbit number {match['orbit']} has a superfluous zero")
        try:
            start, end = _moment(match["start"]), _moment(match["end"])
        except ValueError:
            raise InputError(f"{last}: a time stamp in the name is no date") from None
        if end < start:
            raise InputError(f"{last}: the name says that it ends before it starts")
        return cls(
            satellite=match["satellite"],
            payload=match["payload"],
            level=match["level"],
            group=match["group"],
            orbit_number=int(match["orbit"]),
            direction=Direction.from_digit(int(match["direction"])),
            start=start,
            end=end,
            suffix=match["suffix"],
        )

    @property
    def stem(self) -> str:
        """The exact file name without its extension."""
        return (
            f"{self.satellite}_{self.payload}_{self.level}_{self.group}"
            f"_{self.orbit_number:05d}{self.direction.digit}"
            f"_{self.start:{_STAMP}}_{self.end:{_STAMP}}_{self.suffix}"
        )

    @property
    def name(self) -> str:
        """The exact file name."""
        return f"{self.stem}.h5"

    def __str__(self) -> str:
        return self.name

    @property
    def identity(self) -> str:
        """Satellite, payload, orbit number and direction: what two versions of a file share."""
        return f"{self.satellite}_{self.payload}_{self.orbit_number:05d}{self.direction.digit}"

    @property
    def version(self) -> tuple[str, int, str]:
        """Sorts the files of one identity: the later level wins, then the later suffix."""
        number = int(self.suffix) if self.suffix.isdigit() else -1
        return (self.level, number, self.suffix)

    @property
    def cycle(self) -> int:
        """Number of the 5-day ground-track cycle, counted in whole cycles from orbit 0."""
        return self.orbit_number // ORBITS_PER_CYCLE
