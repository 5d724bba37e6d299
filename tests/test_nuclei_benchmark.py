"""The frozen tests of detectors of nuclei: sets, disturbances, and scores of drawn half-orbits."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from odm.archive.orbit.key import OrbitKey
from odm.archive.orbit.listing import list_orbits
from odm.archive.orbit.reader import MAXIMUM_AMPLITUDE
from odm.core.errors import InputError
from odm.findings.regions import RegionSettings
from odm.images.geometry import OrbitImageSettings
from odm.images.masks import IGNORED
from odm.scoring.orbit.maps import LabelledOrbits, MapSource, score_archive
from odm.scoring.orbit.scorer import Scorer
from odm.scoring.orbit.tally import Tally
from odm.scoring.orbit.truth import Truth
from odm.simulate.orbit.archive import simulate_orbits
from odm.simulate.orbit.half_orbit import simulate_half_orbit
from odm.simulate.orbit.recipe import FAMILIES, OrbitSimulation

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
KEY = OrbitKey.parse("CSES_01_EFD_3_L02_A1_175381_20210401_012158_20210401_015642_000.h5")
ROWS = 400
IMAGES = OrbitImageSettings.relative()
REGIONS = RegionSettings(threshold=0.55, low_threshold=0.5, minimum_area=100)


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)


def orbit(seed: int = 0) -> Any:
    """A drawn half-orbit of noise with two nuclei and a fill value."""
    from nuclei_drawn import DrawnOrbit

    rng = np.random.default_rng(seed)
    numbers = np.zeros((ROWS, 1024), np.uint8)
    numbers[100:130, 200:240] = 1
    numbers[300:340, 600:630] = 2
    amplitude = rng.gamma(4.0, 0.25, numbers.shape)
    amplitude[50, 60] = 9.96921e36
    return DrawnOrbit(
        key=KEY,
        times=np.datetime64("2021-04-01T01:22", "ns")
        + np.arange(ROWS) * np.timedelta64(2048, "ms"),
        latitude=np.linspace(-60, 60, ROWS),
        longitude=np.linspace(10, 20, ROWS),
        amplitude=amplitude,
        numbers=numbers,
        ignored=np.zeros(numbers.shape, bool),
        contrasts=(8.0, 12.0),
    )


def answer(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Map what is brighter than its surroundings."""
    grey = images[..., 0].astype(np.float32)
    smooth = np.stack([cv2.GaussianBlur(one, (0, 0), 2.0) for one in grey])
    return np.clip((smooth - 110) / 80, 0, 1).astype(np.float32)


# -- sets -----------------------------------------------------------------------------------------


def test_the_sets_hold_each_variant_and_each_sky_alone() -> None:
    from nuclei_sets import load_tests

    tests = load_tests()
    alone = [one.families for one in tests.sets.values() if one.families]
    wanted = [{kind: (name,)} for kind, names in FAMILIES.items() for name in names]
    # Variants that came later are tested with their sky.
    assert [dict(families) for families in alone] == [one for one in wanted if one in alone]
    assert len(alone) == 12
    assert {tests.sets[name].sky for name in tests.sets["home"].of} == {
        "emissions", "textures", "rays",
    }  # fmt: skip
    assert {one.base for one in tests.sets.values() if one.transform != "plain"} == {"plain"}


def test_the_frozen_sets_have_not_changed() -> None:
    # Whoever changes the sets makes older scores void, and says so by changing this.
    from nuclei_sets import load_tests

    content = json.dumps(load_tests().model_dump(mode="json"), sort_keys=True)
    assert hashlib.sha256(content.encode()).hexdigest()[:16] == "d8ae9bad6fb627eb"


def test_half_orbits_of_a_set_are_spread_over_cycles() -> None:
    from nuclei_sets import DrawnSet, load_tests

    tests = load_tests()
    names = tests.half_orbits("rays")
    assert len(names) == len(set(names)) == tests.sets["rays"].count
    assert len({number // 76 for number, _ in names}) > 100
    assert tests.half_orbits("textures") == names
    assert tests.drawn("home") == [DrawnSet(name) for name in ("emissions", "textures", "rays")]
    assert tests.drawn("steps")[0].stem == "plain_emissions-steps"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 7}, "from 900000 up"),
        ({"sky": ""}, "either a sky"),
        ({"count": 0}, "a count"),
        ({"families": {"shape": ["star"]}}, "star"),
        ({"colour": 1}, "colour"),
    ],
)
def test_a_set_that_cannot_be_is_refused(changes: dict[str, Any], words: str) -> None:
    from nuclei_sets import NucleiTests

    one = {"sky": "rays", "seed": 910000, "count": 5}
    rest = {"least_seed": 900000, "first_orbit": 9000, "every": 23}
    NucleiTests.model_validate({**rest, "sets": {"one": one}})
    with pytest.raises((ValidationError, InputError), match=words):
        NucleiTests.model_validate({**rest, "sets": {"one": {**one, **changes}}})


@pytest.mark.parametrize(
    ("total", "words"),
    [
        ({"of": ["two"]}, "two"),
        ({"of": ["one"], "transform": "upside_down", "base": "all"}, "upside_down"),
        ({"of": ["one"], "transform": "steps"}, "has a base"),
        ({"of": ["one"], "transform": "steps", "base": "other"}, "same half-orbits"),
        ({"of": ["all"]}, "drawn from a sky"),
    ],
)
def test_a_sum_that_cannot_be_is_refused(total: dict[str, Any], words: str) -> None:
    from nuclei_sets import NucleiTests

    sets = {
        "one": {"sky": "rays", "seed": 910000, "count": 5},
        "other": {"sky": "rays", "seed": 910001, "count": 5},
        "all": {"of": ["one"]},
        "bad": total,
    }
    with pytest.raises((ValidationError, InputError), match=words):
        NucleiTests.model_validate(
            {"least_seed": 900000, "first_orbit": 9000, "every": 23, "sets": sets}
        )


# -- disturbances ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "power"), [("gain_up", 10.0), ("gain_down", 0.1)])
def test_a_gain_is_a_decade_of_power(name: str, power: float) -> None:
    from nuclei_transforms import transformed

    before, after = orbit(), transformed(orbit(), name, 1)
    ratio = after.amplitude**2 / before.amplitude**2
    assert ratio[50, 60] == 1  # a fill value stays one
    ratio[50, 60] = power
    np.testing.assert_allclose(ratio, power)
    np.testing.assert_array_equal(after.mask, before.mask)


def test_steps_are_of_ten_decibels_and_repeatable() -> None:
    from nuclei_transforms import transformed

    before = orbit()
    after, again = (transformed(orbit(), "steps", 1) for _ in range(2))
    np.testing.assert_array_equal(after.amplitude, again.amplitude)
    level = 20 * np.log10(after.amplitude[:, 0] / before.amplitude[:, 0])
    jumps = np.diff(level)
    assert (jumps != 0).any()
    np.testing.assert_allclose(np.abs(jumps[np.abs(jumps) > 1e-9]), 10)
    assert set(np.round(level).astype(int)) <= {-10, 0, 10}
    assert not np.array_equal(after.amplitude, transformed(orbit(), "steps", 2).amplitude)


def test_clipping_and_saturation_leave_the_rest_alone() -> None:
    from nuclei_transforms import CLIPPED_SHARE, transformed

    before = orbit()
    clipped = transformed(before, "clipped", 1)
    changed = np.flatnonzero((clipped.amplitude != before.amplitude).any(axis=1))
    assert np.ptp(changed) < CLIPPED_SHARE * ROWS
    valid = before.amplitude < MAXIMUM_AMPLITUDE
    limit = np.percentile(before.amplitude[valid], 97)
    part = clipped.amplitude[changed[0] : changed[-1] + 1]
    assert part[part < MAXIMUM_AMPLITUDE].max() == limit
    assert (clipped.amplitude <= before.amplitude).all()

    saturated = transformed(before, "saturated", 1)
    rows = np.flatnonzero((saturated.amplitude != before.amplitude).any(axis=1))
    assert 9 <= rows.size <= 30
    assert (saturated.amplitude[rows] == before.amplitude[valid].max()).all()
    assert not (before.numbers[rows] > 0).any()


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_frequencies_are_scaled_with_the_truth(factor: float) -> None:
    from nuclei_transforms import transformed

    before = orbit()
    after = transformed(before, f"frequency_{factor}", 1)
    bins = np.flatnonzero((after.numbers == 1).any(axis=0))
    assert bins[0] == pytest.approx(200 * factor, abs=1)
    assert bins.size == pytest.approx(40 * factor, abs=1)
    for bin_ in (0, 100, 500):
        place = round(bin_ * factor)
        np.testing.assert_array_equal(
            after.amplitude[:, place], before.amplitude[:, round(place / factor)]
        )
    # The second nucleus, at bins 600 to 630, moves past 16 kHz by the larger factor.
    assert bool((after.numbers == 2).any()) == (factor < 1)
    assert bool(after.ignored.any()) == (factor > 1)
    np.testing.assert_array_equal(after.times, before.times)


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_times_are_scaled_with_the_truth(factor: float) -> None:
    from nuclei_transforms import transformed

    before = orbit()
    after = transformed(before, f"time_{factor}", 1)
    assert len(after.times) == round(ROWS * factor)
    rows = np.flatnonzero((after.numbers == 2).any(axis=1))
    assert rows[0] == pytest.approx(300 * factor, abs=1)
    assert rows.size == pytest.approx(40 * factor, abs=1)
    assert (np.diff(after.times).astype(np.int64) > 0).all()
    lasted = [(one.times[-1] - one.times[0]) / np.timedelta64(1, "s") for one in (before, after)]
    assert lasted[0] == pytest.approx(lasted[1], abs=2.1)
    assert after.mask.shape == (1024, len(after.times))


def test_a_pass_that_gets_too_long_keeps_its_nuclei() -> None:
    from nuclei_transforms import MOST_ROWS, transformed

    def long(first: int) -> Any:
        rows = 1000
        numbers = np.zeros((rows, 1024), np.uint8)
        numbers[first : first + 30, 200:240] = 1
        times = np.datetime64("2021-04-01", "ns") + np.arange(rows) * np.timedelta64(2048, "ms")
        return replace(
            orbit(),
            times=times,
            latitude=np.zeros(rows),
            longitude=np.zeros(rows),
            amplitude=np.ones((rows, 1024)),
            numbers=numbers,
            ignored=np.zeros(numbers.shape, bool),
            contrasts=(8.0,),
        )

    for first in (0, 480, 970):
        after = transformed(long(first), "time_1.25", 1)
        assert len(after.times) == MOST_ROWS
        assert (after.numbers == 1).sum() == pytest.approx(30 * 40 * 1.25, rel=0.05)


# -- scores ---------------------------------------------------------------------------------------


def test_drawn_half_orbits_score_as_their_files_do(tmp_path: Path) -> None:
    from nuclei_drawn import DrawnOrbit, score_drawn

    settings = OrbitSimulation(
        half_orbits=2, seed=5, prevalence=1.0, difficulty=0.2, components="z", every=77
    )
    simulate_orbits(tmp_path, settings)
    entries = list_orbits(tmp_path).entries
    source = MapSource(answer, IMAGES, 2)
    wanted = score_archive(source, LabelledOrbits(entries, Truth.load(str(tmp_path))), REGIONS)
    scorer = Scorer(REGIONS.threshold)
    halves = [
        simulate_half_orbit(settings, entry.key.orbit_number, entry.key.direction)
        for entry in entries
    ]
    drawn = [DrawnOrbit.of(half) for half in halves]
    for scored in score_drawn(drawn, answer, IMAGES, REGIONS):
        scorer.add(scored)
    tally, known = scorer.tally, wanted.tally
    assert len(tally.truth) >= 2
    assert len(tally.found) > 5
    for name in ("blocks", "clear", "boundary", "present", "alarms"):
        assert getattr(tally, name) == getattr(known, name), name
    for ours, theirs in zip(
        (*tally.found, *tally.truth), (*known.found, *known.truth), strict=True
    ):
        np.testing.assert_equal(ours, theirs)
    np.testing.assert_array_equal(tally.levels, known.levels)
    first, second = scorer.sheet(resamples=50), wanted.sheet(resamples=50)
    np.testing.assert_equal(first.at_false_rates, second.at_false_rates)
    assert first.counts == second.counts


def test_what_is_ignored_reaches_the_score() -> None:
    from nuclei_drawn import score_drawn

    ignored = np.zeros((ROWS, 1024), bool)
    ignored[10:40, 300:400] = True
    one = replace(orbit(), ignored=ignored)
    assert (one.mask == IGNORED).sum() == 3000
    (scored,) = score_drawn([one], answer, IMAGES, REGIONS)
    assert [finding.row["contrast_db"] for finding in scored.truth] == [8.0, 12.0]
    assert scored.ignored is not None
    np.testing.assert_array_equal(scored.ignored, np.rot90(ignored))
    # A nucleus too small to be true is ignored.
    (scored,) = score_drawn([one], answer, IMAGES, replace(REGIONS, minimum_area=1200))
    assert len(scored.truth) == 2
    (scored,) = score_drawn([one], answer, IMAGES, replace(REGIONS, minimum_area=1201))
    assert not scored.truth
    assert scored.ignored is not None
    assert scored.ignored.sum() == 3000 + 1200 + 1200


def test_tallies_add_up_and_are_kept_as_they_are() -> None:
    from nuclei_drawn import score_drawn
    from nuclei_tallies import plain_tally, tally_from

    orbits = [orbit(seed) for seed in range(3)]
    together, parts = Scorer(REGIONS.threshold), Tally()
    for scored in score_drawn(orbits, answer, IMAGES, REGIONS):
        together.add(scored)
        alone = Scorer(REGIONS.threshold)
        alone.add(scored)
        parts.extend(tally_from(json.loads(json.dumps(plain_tally(alone.tally)))))
    whole = together.tally
    assert len(whole.blocks) == 3
    for ours, theirs in zip(
        (*parts.found, *parts.truth), (*whole.found, *whole.truth), strict=True
    ):
        np.testing.assert_equal(ours, theirs)
    assert parts.boundary == whole.boundary
    np.testing.assert_array_equal(parts.levels, whole.levels)
    np.testing.assert_array_equal(parts.confusion[KEY.cycle], whole.confusion[KEY.cycle])
