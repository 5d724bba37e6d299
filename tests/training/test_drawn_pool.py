"""The half-orbits that a training draws: without end, and shared by trainings where they can be."""

from __future__ import annotations

import numpy as np
import pytest

from odm.simulate.orbit.half_orbit import simulate_half_orbit
from odm.simulate.orbit.recipe import FAMILIES, OrbitRecipe
from odm.training.drawn.settings import ORBITS, SEEDS, TEST_SEEDS, WITHOUT_FAMILIES
from tests.training.tiny_drawn import opened

HELD_OUT = {kind: list(variants[1:]) for kind, variants in FAMILIES.items()}


def test_no_half_orbit_comes_twice_and_no_turn_meets_the_seed_of_a_test() -> None:
    dataset = opened()
    pool, other = dataset.pools["train"], dataset.pools["validation"]
    places = [*range(300), *range(2 * ORBITS - 20, 2 * ORBITS + 300), 4 * ORBITS, 40 * ORBITS]
    drawings = [pool.sample(place).drawing for place in sorted(set(places))]
    identities = {(d.maker.recipe.seed, d.number, d.direction) for d in drawings}
    assert len(identities) == len(drawings)
    seeds = {drawing.maker.recipe.seed for drawing in drawings}
    assert seeds == {11 + SEEDS * turn for turn in (0, 1, 2, 20)}
    assert all(seed % SEEDS < TEST_SEEDS for seed in seeds)
    assert not seeds & {other.sample(place).drawing.maker.recipe.seed for place in places}


def test_names_are_unlike_where_a_turn_ends() -> None:
    pool = opened(half_orbits=2 * ORBITS, fresh=500).pools["train"]
    names = [sample.name for sample in pool.samples(3)]
    assert len(set(names)) == len(names) == 2 * ORBITS


def test_trainings_with_other_families_share_the_skies_without() -> None:
    plain, held_out = (
        opened(half_orbits=60, **changes).samples("train")
        for changes in ({}, {"held_out": HELD_OUT})
    )
    for a, b in zip(plain, held_out, strict=True):
        shared = a.drawing.maker.recipe.sky in WITHOUT_FAMILIES
        assert (a.drawing.path == b.drawing.path) == shared
    assert "do not apply to textures" in opened(held_out=HELD_OUT).warnings[0]
    assert not opened().warnings
    assert not opened(held_out=HELD_OUT, skies={"classic": 1}).warnings


@pytest.mark.parametrize("sky", WITHOUT_FAMILIES)
def test_these_skies_really_have_no_families(sky: str) -> None:
    one = {kind: variants[:1] for kind, variants in FAMILIES.items()}
    halves = [
        simulate_half_orbit(
            OrbitRecipe(seed=5, sky=sky, prevalence=1.0, components="z", families=families),
            3000,
            opened().samples("train")[0].drawing.direction,
        )
        for families in ({}, one)
    ]
    assert np.array_equal(halves[0].amplitude["z"], halves[1].amplitude["z"], equal_nan=True)
