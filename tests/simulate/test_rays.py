"""The sky made of rays and dispersion: physics, nuclei, what is ignored, and the way through files.

Of the half-orbits of `halves` every one has a nucleus.
"""

import ast
import inspect
from pathlib import Path

import cv2
import numpy as np
import pytest

import odm.simulate.orbit.rays as maker
from odm.archive.orbit.key import Direction
from odm.archive.orbit.reader import read_orbit, valid_amplitude
from odm.images.nucleus import LEAST_AREA, MOST_AREA
from odm.simulate.orbit.archive import simulate_orbits
from odm.simulate.orbit.emission import BINS
from odm.simulate.orbit.groundtrack import fly, row_times
from odm.simulate.orbit.half_orbit import simulate_half_orbit
from odm.simulate.orbit.rays_doubts import look_alikes
from odm.simulate.orbit.rays_ground import (
    ROW_S,
    add_power_lines,
    add_storms,
    add_transmitters,
    add_whistlers,
    whistler_power,
)
from odm.simulate.orbit.rays_nuclei import SOURCES, draw_nucleus
from odm.simulate.orbit.rays_places import (
    APART,
    Surroundings,
    level_around,
    place_nuclei,
    stands_out,
)
from odm.simulate.orbit.rays_plasma import (
    cone_tangent,
    draw_plasma,
    lower_hybrid_frequency,
    whistler_delay,
)
from odm.simulate.orbit.rays_receiver import draw_receiver, observe, speckle
from odm.simulate.orbit.rays_sky import HZ, start_sky
from odm.simulate.orbit.rays_space import (
    add_chorus,
    add_cones,
    add_hiss,
    add_lower_hybrid_noise,
    add_turbulence,
)
from odm.simulate.orbit.recipe import OrbitRecipe, OrbitSimulation

ROWS = 800


def drawn(number, direction=Direction.ASCENDING, **settings):
    """One half-orbit of this sky."""
    recipe = OrbitRecipe(sky="rays", **({"seed": 3, "components": "z"} | settings))
    return simulate_half_orbit(recipe, number, direction)


@pytest.fixture(scope="module")
def halves():
    return [
        drawn(21000 + number, Direction.from_digit(number % 2), prevalence=1.0)
        for number in range(7)
    ]


def test_the_makers_share_no_code():
    own = "odm.simulate.orbit.rays"
    allowed = {"emission", "groundtrack", "recipe", "scene"}
    files = sorted(Path(inspect.getfile(maker)).parent.glob("rays*.py"))
    assert len(files) >= 2
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("odm.simulate"):
                name = str(node.module).removeprefix("odm.simulate.orbit.")
                assert str(node.module).startswith(own) or name in allowed, (file, node.module)


def test_the_same_arguments_give_the_same_half_orbit(halves):
    again = drawn(21000, Direction.DESCENDING, prevalence=1.0)
    np.testing.assert_array_equal(again.amplitude["z"], halves[0].amplitude["z"])
    np.testing.assert_array_equal(again.ignored, halves[0].ignored)
    other = drawn(21000, Direction.DESCENDING, prevalence=1.0, seed=4)
    assert not np.array_equal(other.amplitude["z"][:50], halves[0].amplitude["z"][:50])


def test_lower_hybrid_frequency_is_that_of_the_textbook():
    """1 / f^2 = 1 / (ion plasma frequency)^2 + 1 / (gyrofrequencies)^2, here of oxygen."""
    plasma, gyro = np.array([2.84e6, 0.5e6]), np.array([0.9e6, 1.2e6])
    mass = 16 * 1836.15
    expected = (1 / (plasma**2 / mass) + 1 / (gyro * gyro / mass)) ** -0.5
    np.testing.assert_allclose(lower_hybrid_frequency(plasma, gyro, 16.0), expected, rtol=1e-12)
    dense = lower_hybrid_frequency(np.array([1e9]), np.array([1e6]), 16.0)
    assert dense[0] == pytest.approx(1e6 / np.sqrt(mass), rel=1e-5)


def test_a_cone_opens_at_the_lower_hybrid_frequency():
    tangent = cone_tangent(np.array([4e3, 5e3, 10e3, 20e3]), 3e6, 1e6, 5e3)
    assert np.isnan(tangent[0])
    assert tangent[1] == 0
    expected = np.sqrt((1 + 9) * (1 - 1 / 4) / (300.0**2 - 1))
    assert tangent[2] == pytest.approx(expected, rel=1e-12)
    assert tangent[3] > tangent[2]


def test_a_whistler_arrives_as_eckersley_says():
    hertz = np.array([1e3, 4e3, 9e3])
    np.testing.assert_allclose(whistler_delay(hertz, 60.0) * np.sqrt(hertz), 60.0, rtol=1e-12)
    nose = whistler_delay(np.linspace(1e3, 19e3, 1801), 60.0, 20e3)
    assert 1e3 + 10 * np.argmin(nose) == pytest.approx(0.37 * 20e3, rel=0.02)
    start, dispersion = 40.25, 800.0
    (row, bin_), power = whistler_power(
        np.array([dispersion]), np.array([start]), np.ones(1), (1e3, 12e3, np.inf), 1.0
    )
    bins = np.flatnonzero(power.max(axis=0) > 0.5)
    power = power[:, bins]
    middle = (power * (np.arange(len(power))[:, None] + row + 0.5)).sum(axis=0) / power.sum(axis=0)
    expected = start + dispersion / np.sqrt(HZ[bin_ + bins]) / ROW_S
    np.testing.assert_allclose(middle, expected, atol=0.02)


def test_plasma_is_that_of_the_upper_ionosphere():
    for direction in Direction:
        track = fly(21000, direction, row_times(21000, direction, (65, 65)))
        for seed in range(12):
            plasma = draw_plasma(np.random.default_rng(seed), track)
            assert 300 < plasma.lower_hybrid.min() < plasma.lower_hybrid.max() < 4e4
            assert 0.5e6 < plasma.gyro.min() < plasma.gyro.max() < 1.7e6
            assert plasma.shell.min() >= 1
            assert 1.6e3 < plasma.waveguide < 2.4e3
            assert plasma.night == (direction is Direction.ASCENDING)


SOURCES_OF_WAVES = (
    add_storms,
    add_whistlers,
    add_transmitters,
    add_power_lines,
    add_hiss,
    add_chorus,
    add_cones,
    add_lower_hybrid_noise,
    add_turbulence,
)


def empty_sky(rng, direction):
    """A sky with nothing but the quiet background."""
    track = fly(21000, direction, row_times(21000, direction, (65, 65)))
    return start_sky(rng, draw_plasma(rng, track), "z", np.zeros(len(track.times)))


@pytest.mark.parametrize("add_source", SOURCES_OF_WAVES, ids=lambda source: source.__name__[4:])
def test_each_source_adds_power_and_says_where(add_source):
    rng = np.random.default_rng(6)
    sky = empty_sky(rng, Direction.ASCENDING)
    before = sky.power.copy()
    add_source(rng, sky, 6.0)
    ratio = sky.power / before
    assert np.isfinite(ratio).all()
    assert ratio.min() >= 1
    assert ratio.max() > 1.2
    for emission in sky.confusers():
        assert emission.contrast_db >= 1
        assert ratio[0][emission.window][emission.outline()].min() > 1


def test_cones_begin_at_the_frequency_of_their_source():
    rng = np.random.default_rng(7)
    sky = empty_sky(rng, Direction.DESCENDING)
    add_cones(rng, sky, 10.0)
    assert len(sky.discrete) > 10
    for kind, _, bin_, _, _ in sky.discrete:
        assert kind == "resonance cone"
        assert HZ[bin_] > 0.3 * sky.plasma.lower_hybrid.min()


def test_every_nucleus_has_the_size_and_contrast_of_one(halves):
    for half in halves:
        assert half.nuclei
        for nucleus in half.nuclei:
            emission = nucleus.emission
            outline = emission.outline()
            assert LEAST_AREA <= outline.sum() <= MOST_AREA
            assert 3 <= emission.contrast_db <= 30.01
            level = max(0.3 * emission.contrast_db, 1.0)
            kept = emission.excess_db[: len(outline)] >= np.float32(level)
            np.testing.assert_array_equal(outline, kept)
            assert nucleus.mask.sum() >= LEAST_AREA
            assert 400 < HZ[emission.peak()[1]] < 15_600


def test_masks_show_in_what_is_observed(halves):
    """Inside its mask the power of a nucleus is above that around it."""
    gains = []
    for half in halves:
        power = np.where(valid_amplitude(half.amplitude["z"]), half.amplitude["z"], np.nan) ** 2
        for mask in half.masks():
            inside = np.rot90(mask, -1).astype(np.uint8)
            ring = cv2.dilate(inside, np.ones((41, 41))) - cv2.dilate(inside, np.ones((13, 13)))
            median = np.nanmedian(power[inside > 0]) / np.nanmedian(power[ring > 0])
            gains.append(10 * np.log10(median))
    assert np.median(gains) > 3
    assert np.mean(np.array(gains) > 1) > 0.8


def test_nuclei_are_apart_and_nothing_ignored_lies_in_them(halves):
    for half in halves:
        taken = np.zeros(half.ignored.shape, np.uint8)
        for mask in half.masks():
            upright = np.rot90(mask, -1)
            size = 2 * APART + 1
            assert not (half.ignored & upright).any()
            assert not (cv2.dilate(taken, np.ones((size, size))) * upright).any()
            taken |= upright.astype(np.uint8)
        assert half.ignored.mean() < 0.25


def test_nothing_else_knows_whether_there_is_a_nucleus():
    for number in range(21020, 21023):
        clear, full = drawn(number, prevalence=0.0), drawn(number, prevalence=1.0)
        assert not clear.nuclei
        assert full.nuclei
        for one, other in zip(clear.confusers, full.confusers, strict=True):
            np.testing.assert_array_equal(one.excess_db, other.excess_db)
        np.testing.assert_array_equal(clear.track.times, full.track.times)
        same = clear.amplitude["z"] == full.amplitude["z"]
        assert same.mean() > 0.8  # they differ around the nuclei only


def whole(rows=1000):
    """Surroundings of an empty pass from -65 to 65 degrees of which nothing is lost."""
    track = type("Pass", (), {"latitude": np.linspace(-65, 65, rows)})()
    nothing = np.zeros((rows, BINS), bool)
    return Surroundings(track, np.ones(rows, bool), nothing, np.ones((rows, BINS), np.float32), [])


def test_prevalence_is_met_and_one_in_eight_has_a_second_one():
    rng, where = np.random.default_rng(0), whole()
    placed = [place_nuclei(rng, where, 0.4, 0.5)[0] for _ in range(300)]
    counts = np.array([len(nuclei) for nuclei in placed])
    assert np.mean(counts > 0) == pytest.approx(0.4, abs=0.08)
    assert np.mean(counts[counts > 0] > 1) == pytest.approx(1 / 8, abs=0.08)
    assert {source for nuclei in placed for _, source in nuclei} == set(SOURCES)
    nuclei = [emission for nuclei in placed for emission, _ in nuclei]
    rows, bins = np.array([emission.peak() for emission in nuclei]).T
    assert 0.7 < np.mean(np.abs(where.track.latitude[rows]) >= 40) < 0.98
    assert 5e3 < np.median(HZ[bins]) < 7.5e3
    peaks = np.array([emission.contrast_db for emission in nuclei])
    assert np.mean((peaks >= 4) & (peaks <= 20)) > 0.75


def test_a_nucleus_is_one_area_that_fades_to_all_sides():
    rng = np.random.default_rng(3)
    found = [draw_nucleus(rng, 10.0, (500, 300), 1000) for _ in range(40)]
    found = [nucleus for nucleus, _ in filter(None, found)]
    assert len(found) > 25
    for nucleus in found:
        assert nucleus.peak() == (500, 300)
        excess = nucleus.excess_db
        assert max(excess[0].max(), excess[-1].max(), excess[:, 0].max(), excess[:, -1].max()) < 1
        assert cv2.connectedComponents(nucleus.outline().astype(np.uint8))[0] == 2
        assert 0.03 < (excess[nucleus.outline()] >= 7.0).mean() < 0.7


def first_nucleus(peak_db, centre):
    """The first nucleus that can be drawn."""
    tries = (draw_nucleus(np.random.default_rng(seed), peak_db, centre, 400) for seed in range(20))
    return next(filter(None, tries))


def test_a_nucleus_counts_only_where_it_falls_off_to_all_sides():
    """At the foot of a cliff of 12 dB nobody could tell a nucleus of 8 dB."""
    nucleus, _ = first_nucleus(8.0, (200, 300))
    level = np.ones((400, BINS), np.float32)
    assert stands_out(nucleus, level)
    cliff = level.copy()
    cliff[:, 310:] = 16.0
    assert not stands_out(nucleus, cliff)
    noisy = level * np.random.default_rng(1).gamma(2, 0.5, level.shape).astype(np.float32)
    assert stands_out(nucleus, noisy)


def test_the_level_around_is_not_raised_by_a_line():
    power = np.ones((400, BINS), np.float32)
    power[:, 300] = 1e6
    nucleus, _ = first_nucleus(10.0, (100, 300))
    assert level_around(power, nucleus).max() < 2


def bump(height, tall, wide, *, flat=False):
    """Decibels of a bump in the middle of nothing."""
    row, bin_ = np.mgrid[:ROWS, :BINS].astype(np.float32)
    t, f = (row - 200) / tall, (bin_ - 300) / wide
    if flat:
        return np.where((np.abs(t) < 1) & (np.abs(f) < 1), height, 0).astype(np.float32)
    return np.float32(height) * np.exp(-(t**2 + f**2) / 2)


@pytest.mark.parametrize(
    ("shape", "doubtful"),
    [
        (bump(8, 14, 14), True),
        (bump(4, 20, 14), True),
        (bump(20, 14, 14), True),
        (bump(1.5, 14, 14), False),
        (bump(8, 3, 3), False),
        (bump(8, 70, 70), False),
        (bump(8, 8, 80), False),
        (bump(8, 20, 20, flat=True), False),
        (-bump(8, 14, 14), False),
        (bump(8, 14, 14) * (np.arange(BINS) % 16 < 6), False),
    ],
    ids=["nucleus", "weak", "strong", "faint", "small", "large", "long", "plateau", "hole", "comb"],
)
def test_only_what_looks_like_a_nucleus_is_doubtful(shape, doubtful):
    slope = np.linspace(20, -20, BINS, dtype=np.float32)
    grain = 0.1 * np.random.default_rng(4).standard_normal(shape.shape, dtype=np.float32)
    found = look_alikes((10 ** ((shape + slope + grain) / 10 - 7)).astype(np.float32))
    assert found.any() == doubtful
    assert found[200, 300] == doubtful


@pytest.mark.parametrize("looks", [1, 2, 5, 8, 50])
def test_looks_keep_the_mean_and_have_their_variance(looks):
    noise = speckle(np.random.default_rng(5), looks, (ROWS, BINS))
    assert noise.mean() == pytest.approx(1, abs=0.01)
    assert noise.min() >= 0
    assert noise.var() * looks == pytest.approx(1, rel=0.3)
    neighbours = np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]
    assert neighbours == pytest.approx(0.44, abs=0.04)


def test_the_receiver_hides_what_it_says():
    power = np.full((ROWS, BINS), 1e-7, np.float32)
    some = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        receiver = draw_receiver(rng, rng, power)
        amplitude = observe(rng, power, receiver)
        np.testing.assert_array_equal(~valid_amplitude(amplitude), receiver.lost)
        hidden = receiver.hidden(power)
        assert hidden[receiver.lost].all()
        assert hidden[~receiver.kept].all()
        some.append((not receiver.kept.all(), receiver.lost.any()))
    assert 0.2 < np.mean([rows for rows, _ in some]) < 0.95
    assert any(lost for _, lost in some)


def test_other_components_leave_z_as_it_is(halves):
    half = drawn(21000, Direction.DESCENDING, prevalence=1.0, components="xyz")
    np.testing.assert_array_equal(half.amplitude["z"], halves[0].amplitude["z"])
    assert set(half.amplitude) == {"x", "y", "z"}


def test_it_goes_through_files(tmp_path):
    settings = OrbitSimulation(seed=4, sky="rays", components="z", prevalence=1.0, half_orbits=1)
    summary = simulate_orbits(tmp_path / "out", settings)
    assert summary.nuclei >= 1
    orbit = read_orbit(next((tmp_path / "out").glob("*.h5")))
    half = simulate_half_orbit(settings, orbit.orbit_number, Direction(orbit.direction))
    np.testing.assert_allclose(orbit.amplitude["z"], half.amplitude["z"], rtol=1e-6)
    stored = cv2.imread(str(next((tmp_path / "out" / "masks").glob("*.png"))), cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(stored == 255, np.any(half.masks(), axis=0))
    np.testing.assert_array_equal(stored == 128, np.rot90(half.ignored) & (stored != 255))
