"""The content of ``drawn.yaml``: which half-orbits are drawn for training and validation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from odm.core.settings import Settings
from odm.core.text import unknown_name
from odm.datasets.base import known_keys_of
from odm.images.geometry import OrbitImageSettings
from odm.simulate.orbit.recipe import SKIES, OrbitRecipe, choose_families
from odm.training.drawn.backgrounds import BackgroundSettings

DRAWN_ORBITS = "drawn orbits"
"""Kind of such a data set, as the file says it."""
TEST_SEEDS = 900_000
"""Seeds from here up to `SEEDS` belong to frozen tests, and nothing is trained on them."""
SEEDS = 1_000_000
"""Added to a seed when every orbit has been met once: the same orbits come with another seed, which
is neither one of a test nor, as they differ by less, one of another part."""
FIRST_ORBIT, ORBITS = 2_000, 38_000
"""Orbits that are drawn: seven years from June 2018."""
WITHOUT_FAMILIES = ("textures", "rays")
"""Skies to which the variants of families do not apply."""

Names = tuple[str, ...]


class SkySettings(Settings):
    """Half-orbits of one part.

    Attributes:
        seed: of everything that is drawn.
        skies: shares of the makers of skies; one that is not named does not occur.
        families: variants that occur, by kind of family (`odm.simulate.orbit.recipe.FAMILIES`); of
            a kind that is not named, all. They apply to skies other than `WITHOUT_FAMILIES`.
        held_out: variants that do not occur, by kind of family.
        prevalence: share of half-orbits with a nucleus.
        difficulty: see `odm.simulate.orbit.recipe.OrbitRecipe`.
        half_orbits: number in use at once.
    """

    seed: int = Field(ge=0)
    skies: Mapping[str, float]
    families: Mapping[str, Names] = {}
    held_out: Mapping[str, Names] = {}
    prevalence: float = Field(default=0.5, ge=0, le=1)
    difficulty: float = Field(default=0.5, ge=0, le=1)
    half_orbits: int = Field(ge=1, le=2 * ORBITS)

    @model_validator(mode="after")
    def _can_be_drawn(self) -> SkySettings:
        if self.seed >= TEST_SEEDS:
            raise ValueError(
                f"seed {self.seed}: give one below {TEST_SEEDS}, as those from there on belong to "
                "tests"
            )
        for sky, share in self.skies.items():
            if sky not in SKIES:
                raise ValueError(unknown_name("sky", sky, SKIES))
            if not (math.isfinite(share) and share >= 0):
                raise ValueError(f"sky {sky} has the share {share}: give a number from 0")
        if not any(self.skies.values()):
            raise ValueError("skies: give at least one a share above 0")
        choose_families(self.families, self.held_out)
        return self

    @property
    def shares(self) -> dict[str, float]:
        """Share of each sky that occurs; together 1."""
        total = sum(self.skies.values())
        return {sky: self.skies[sky] / total for sky in SKIES if self.skies.get(sky)}

    def recipe(self, sky: str, component: str, *, positive: bool, turn: int = 0) -> OrbitRecipe:
        """Return what draws the half-orbits of one sky.

        Args:
            sky: its maker.
            component: of the field.
            positive: whether there is a nucleus in each.
            turn: how often every orbit was met before.
        """
        chosen = choose_families(self.families, self.held_out)
        return OrbitRecipe(
            seed=self.seed + SEEDS * turn,
            prevalence=float(positive),
            difficulty=self.difficulty,
            sky=sky,
            components=component,
            # So that trainings with other families share the other skies in the cache.
            families={} if sky in WITHOUT_FAMILIES else chosen,
        )


class ValidationSettings(Settings):
    """Half-orbits for validation; what is not given is as for training.

    Attributes:
        seed: another one than that of the training.
        half_orbits: number; they stay the same.
        skies, families, held_out, prevalence, difficulty: see `SkySettings`.
    """

    seed: int = Field(ge=0)
    half_orbits: int = Field(ge=1, le=2 * ORBITS)
    skies: Mapping[str, float] | None = None
    families: Mapping[str, Names] | None = None
    held_out: Mapping[str, Names] | None = None
    prevalence: float | None = Field(default=None, ge=0, le=1)
    difficulty: float | None = Field(default=None, ge=0, le=1)


class DrawnConfig(SkySettings):
    """The content of ``drawn.yaml``.

    Attributes:
        version: format of the file.
        kind: says that nothing is read from an archive.
        image: how a half-orbit becomes an image.
        fresh: number of half-orbits that are new in every epoch, in place of the oldest; 0 keeps
            the first ones.
        validation: half-orbits for validation.
        backgrounds: prepared half-orbits of an archive that are used beside the drawn ones.
    """

    version: Literal[1] = 1
    kind: Literal["drawn orbits"]
    image: Annotated[OrbitImageSettings, known_keys_of(OrbitImageSettings)] = (
        OrbitImageSettings.relative()
    )
    fresh: int = Field(default=0, ge=0)
    validation: ValidationSettings
    backgrounds: BackgroundSettings | None = None

    @model_validator(mode="after")
    def _parts(self) -> DrawnConfig:
        if self.fresh > self.half_orbits:
            raise ValueError(
                f"fresh {self.fresh} is more than the {self.half_orbits} half-orbits in use: give "
                "at most as many"
            )
        if self.validation.seed == self.seed:
            raise ValueError(
                f"validation has the seed {self.seed} of the training: give it another one"
            )
        _ = self.for_validation
        return self

    @property
    def for_training(self) -> SkySettings:
        """What is drawn for training."""
        return SkySettings(**{name: getattr(self, name) for name in SkySettings.model_fields})

    @property
    def for_validation(self) -> SkySettings:
        """What is drawn for validation."""
        given = self.validation.model_dump(exclude_none=True)
        return self.for_training.model_validate({**dict(self.for_training), **given})
