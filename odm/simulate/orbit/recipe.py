"""Settings of simulated half-orbits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np

from odm.archive.orbit.key import Direction
from odm.archive.orbit.reader import check_components
from odm.core.checks import check_choice, check_share, check_whole
from odm.core.errors import InputError
from odm.simulate.orbit.almost import ALMOST_NUCLEI
from odm.simulate.orbit.background import VARIANTS
from odm.simulate.orbit.emissions_receiver import RECEIVER
from odm.simulate.orbit.emissions_streaks import STREAKS
from odm.simulate.orbit.emissions_waves import WAVES
from odm.simulate.orbit.nuclei import SHAPES

FAMILIES: dict[str, tuple[str, ...]] = {
    "background": tuple(VARIANTS),
    "shape": tuple(SHAPES),
    "confuser": tuple(ALMOST_NUCLEI),
}
"""Kinds of family and their variants, each of which can be held out."""
EMISSION = "emission"
OPTIONAL_FAMILIES: dict[str, tuple[str, ...]] = {EMISSION: (*WAVES, *STREAKS, *RECEIVER)}
"""Kinds of family that only the sky "emissions" has; all of their variants can be held out. A
recipe has them only if they are named."""
SKIES = ("classic", "emissions", "textures", "rays")
"""Makers of skies, which share neither code nor idea of what a background and a nucleus are."""
Stream = Callable[[str], np.random.Generator]
"""Gives the random generator of one purpose."""
_PURPOSES = (
    "plan", "background", "nuclei", "almost", "broad", "short", "lines", "components", "gaps",
    "gain", "fill", "modes", "looks", "shared", "x", "y", "z", "wave_x", "wave_y", "wave_z", "file",
    "waves", "receiver", "faint",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class OrbitRecipe:
    """Settings that decide the content of every half-orbit of an archive.

    Attributes:
        seed: 0 or more.
        prevalence: share of half-orbits with a nucleus, on average over a year, 0 to 1.
        difficulty: 0 to 1; lowers the contrast of nuclei, and adds almost-nuclei that are more
            alike.
        burst: share of half-orbits in burst mode.
        burst_rows: fewest and most rows in burst mode on such a half-orbit; each adds 1.2 MB.
        sky: which maker draws what a half-orbit shows; see `SKIES`.
        components: which of the spectra x, y, z there are ("z" makes small training sets).
        families: variants that occur, by kind of family (see `FAMILIES` and `OPTIONAL_FAMILIES`);
            of a kind that is not named, all.

    Raises:
        InputError: a setting that cannot be meant.
    """

    seed: int = 0
    prevalence: float = 0.5
    difficulty: float = 0.5
    sky: str = "classic"
    burst: float = 0.0
    burst_rows: tuple[int, int] = (20, 60)
    components: str = "xyz"
    families: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        low, high = (check_whole("burst_rows", row, 1) for row in self.burst_rows)
        if not low <= high <= 900:
            raise InputError(
                f"burst_rows {low} to {high}: give two numbers, rising, of at most 900"
            )
        check_choice("sky", self.sky, SKIES)
        given = check_components(self.components)
        shares = {name: getattr(self, name) for name in ("prevalence", "difficulty", "burst")}
        self._keep(
            seed=check_whole("seed", self.seed, 0),
            **{name: check_share(name, value) for name, value in shares.items()},
            burst_rows=(low, high),
            components="".join(name for name in "xyz" if name in given),
            families=choose_families(self.families),
        )

    def _keep(self, **values: object) -> None:
        """Set what was checked, in the form in which the manifest has it."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def stream(self, number: int, direction: Direction, purpose: str) -> np.random.Generator:
        """Return the random generator of one purpose on one half-orbit."""
        return np.random.default_rng([self.seed, number, direction.digit, _PURPOSES.index(purpose)])


@dataclass(frozen=True, kw_only=True)
class OrbitSimulation(OrbitRecipe):
    """Settings of an archive of simulated half-orbits.

    Attributes:
        half_orbits: how many.
        start: the first half-orbit begins at or after this day or time (UTC).
        every: take each ``every``-th half-orbit, so that few files span many 5-day cycles.
    """

    half_orbits: int
    start: str | date = "2021-11-01"
    every: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("half_orbits", self.half_orbits, 1)
        check_whole("every", self.every, 1)
        self._keep(start=_as_datetime(self.start))

    @property
    def start_time(self) -> datetime:
        """Start of the archive, naive UTC."""
        return _as_datetime(self.start)


def choose_families(
    families: Mapping[str, Sequence[str]], held_out: Mapping[str, Sequence[str]] | None = None
) -> dict[str, tuple[str, ...]]:
    """Return the variants of every kind of family that may occur.

    Kinds of `OPTIONAL_FAMILIES` are left out where neither argument names them.

    Args:
        families: only these variants, by kind; of a kind that is not named, all.
        held_out: variants that do not occur, by kind.

    Raises:
        InputError: an unknown kind or variant, or no variant is left of a kind of `FAMILIES`.
    """
    held_out = held_out or {}
    every = FAMILIES | OPTIONAL_FAMILIES
    for kind, names in (*families.items(), *held_out.items()):
        check_choice("family", kind, every)
        for name in names:
            check_choice(kind, name, every[kind])
    allowed = {}
    for kind, known in every.items():
        if kind in OPTIONAL_FAMILIES and kind not in families and kind not in held_out:
            continue
        chosen = families.get(kind, known)
        allowed[kind] = tuple(n for n in known if n in chosen and n not in held_out.get(kind, ()))
        if not allowed[kind] and kind in FAMILIES:
            raise InputError(f"no {kind} is left: every one is held out")
    return allowed


def emission_kinds(recipe: OrbitRecipe) -> tuple[str, ...]:
    """Return the kinds of the family "emission" that may occur."""
    return tuple(recipe.families.get(EMISSION, OPTIONAL_FAMILIES[EMISSION]))


def _as_datetime(start: str | date) -> datetime:
    if isinstance(start, str):
        try:
            start = datetime.fromisoformat(start)
        except ValueError:
            raise InputError(f"start {start!r} is no date: write it as 2021-11-01") from None
    if not isinstance(start, datetime):
        start = datetime(start.year, start.month, start.day)
    if start.tzinfo is not None:
        raise InputError(f"start {start} has a time zone: give it in UTC without one")
    return start
