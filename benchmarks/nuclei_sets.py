"""The frozen sets of `configs/nuclei_tests.yaml`: the half-orbits of each, and what draws them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from nuclei_transforms import TRANSFORMS
from pydantic import BaseModel, ConfigDict, model_validator

from odm.archive.orbit.key import Direction
from odm.core.errors import InputError
from odm.core.settings import read_config
from odm.core.text import unknown_name
from odm.simulate.orbit.groundtrack import following
from odm.simulate.orbit.recipe import OrbitRecipe, choose_families

CONFIG = Path(__file__).parents[1] / "configs" / "nuclei_tests.yaml"
PLAIN = "plain"
"""Name of the transform that changes nothing."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TestSet(_Strict):
    """One set: either drawn from a sky, or the sum of others.

    Attributes:
        sky, seed, count, prevalence, difficulty, families: see `odm.simulate.orbit.recipe`.
        of: the sets that it is the sum of.
        transform: what is done to every half-orbit; see `nuclei_transforms`.
        base: the set without the transform, against which recall falls.
    """

    __test__ = False  # pytest takes it for tests

    sky: str = ""
    seed: int = 0
    count: int = 0
    prevalence: float = 0.4
    difficulty: float = 0.5
    families: Mapping[str, tuple[str, ...]] = {}
    of: tuple[str, ...] = ()
    transform: str = PLAIN
    base: str = ""

    @model_validator(mode="after")
    def _check(self) -> TestSet:
        if bool(self.of) == bool(self.sky):
            raise ValueError("give either a sky, or the sets that it is the sum of")
        if self.sky and (self.count < 1 or self.transform != PLAIN):
            raise ValueError("a set of a sky has a count, and no transform")
        if self.transform != PLAIN and not self.base:
            raise ValueError("a transformed set has a base")
        choose_families(self.families)
        return self

    def recipe(self) -> OrbitRecipe:
        """Return what draws its half-orbits; of the spectra Z only.

        Raises:
            InputError: no such sky.
        """
        return OrbitRecipe(
            seed=self.seed,
            prevalence=self.prevalence,
            difficulty=self.difficulty,
            sky=self.sky,
            components="z",
            families=self.families,
        )


class NucleiTests(_Strict):
    """All sets.

    Attributes:
        least_seed: seeds from there on belong to tests.
        first_orbit: number of the first orbit of every set.
        every: half-orbits from one to the next.
        sets: by name.
    """

    least_seed: int
    first_orbit: int
    every: int
    sets: Mapping[str, TestSet]

    @model_validator(mode="after")
    def _check(self) -> NucleiTests:
        seeds = [one.seed for one in self.sets.values() if one.sky]
        if len(set(seeds)) < len(seeds) or min(seeds) < self.least_seed:
            raise ValueError(f"every set of a sky has a seed of its own, from {self.least_seed} up")
        for name, one in self.sets.items():
            for other in (*one.of, *([one.base] if one.base else [])):
                if other not in self.sets:
                    raise ValueError(f"{name}: {unknown_name('set', other, self.sets)}")
            if any(not self.sets[other].sky for other in one.of):
                raise ValueError(f"{name}: a sum is of sets that are drawn from a sky")
            if one.transform not in TRANSFORMS:
                raise ValueError(f"{name}: {unknown_name('transform', one.transform, TRANSFORMS)}")
            if one.base and self.sets[one.base].of != one.of:
                raise ValueError(f"{name}: its base is not of the same half-orbits")
        return self

    def drawn(self, name: str) -> list[DrawnSet]:
        """Return the sets of skies that a set is made of.

        Raises:
            InputError: no such set.
        """
        if name not in self.sets:
            raise InputError(unknown_name("set", name, self.sets))
        one = self.sets[name]
        return [DrawnSet(part, one.transform) for part in one.of or (name,)]

    def half_orbits(self, name: str) -> list[tuple[int, Direction]]:
        """Return orbit number and direction of the half-orbits of a set of a sky."""
        walk = following(self.first_orbit, Direction.ASCENDING, self.every)
        return list(islice(walk, self.sets[name].count))


@dataclass(frozen=True)
class DrawnSet:
    """A set of one sky and what is done to its half-orbits: what is scored and kept by itself."""

    name: str
    transform: str = PLAIN

    @property
    def stem(self) -> str:
        """Its name as a file's."""
        return self.name if self.transform == PLAIN else f"{self.name}-{self.transform}"


def load_tests(path: Path = CONFIG) -> NucleiTests:
    """Read the frozen sets.

    Raises:
        InputError: the file is damaged; the message says where.
    """
    return read_config(path, NucleiTests)
