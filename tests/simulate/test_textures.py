"""Half-orbits made of spectra and textures."""

import ast
from pathlib import Path

import cv2
import numpy as np
import pytest

import odm.simulate.orbit
from odm.archive.orbit.key import Direction
from odm.archive.orbit.reader import read_orbit, valid_amplitude
from odm.simulate.orbit.archive import simulate_orbits
from odm.simulate.orbit.emission import BINS, DECIBEL
from odm.simulate.orbit.half_orbit import simulate_half_orbit
from odm.simulate.orbit.recipe import OrbitRecipe, OrbitSimulation
from odm.simulate.orbit.textures_doubts import doubtful_bumps
from odm.simulate.orbit.textures_fields import Weave, coarse_field
from odm.simulate.orbit.textures_layers import LAYERS
from odm.simulate.orbit.textures_nuclei import CONSTRUCTIONS, draw_nucleus
from odm.simulate.orbit.textures_places import Surroundings, place_nuclei
from odm.simulate.orbit.textures_receiver import Damage, draw_damage, received, speckle

ROWS = 400
MAKERS_OF_OTHER_SKIES = {
    "background", "confusers", "almost", "nuclei", "lines", "instrument", "regions", "places",
}  # fmt: skip


def drawn(number, **settings):
    recipe = OrbitRecipe(seed=4, sky="textures", **({"components": "z"} | settings))
    return simulate_half_orbit(recipe, number, list(Direction)[number % 2])


@pytest.fixture(scope="module")
def halves():
    """Half-orbits with a nucleus each."""
    return [drawn(number, prevalence=1.0) for number in range(21000, 21024)]


def test_nothing_is_taken_from_another_sky():
    folder = Path(odm.simulate.orbit.__file__).parent
    sources = sorted(folder.glob("textures*.py"))
    assert len(sources) >= 3
    for source in sources:
        imported = set()
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.ImportFrom):
                imported |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
            elif isinstance(node, ast.Import):
                imported |= {name.name for name in node.names}
        for name in MAKERS_OF_OTHER_SKIES:
            assert f"odm.simulate.orbit.{name}" not in imported, source.name


def test_the_same_arguments_give_the_same_arrays_and_others_do_not():
    first, again, other = drawn(21001), drawn(21001), drawn(21003)
    np.testing.assert_array_equal(first.amplitude["z"], again.amplitude["z"])
    np.testing.assert_array_equal(first.ignored, again.ignored)
    assert len(first.nuclei) == len(again.nuclei)
    assert first.amplitude["z"][:300].tobytes() != other.amplitude["z"][:300].tobytes()


def test_nuclei_have_the_size_the_contrast_and_the_mask_of_their_excess(halves):
    nuclei = [nucleus for half in halves for nucleus in half.nuclei]
    assert all(1 <= len(half.nuclei) <= 5 for half in halves)
    for nucleus in nuclei:
        excess = nucleus.emission.excess_db
        assert 3 <= excess.max() <= 30.5
        assert 500 <= nucleus.mask.sum() <= 8000
        outline = excess >= np.float32(max(0.3 * excess.max(), 1))
        lost = outline.sum() - nucleus.mask.sum()
        assert 0 <= lost <= 0.5 * outline.sum()
        if nucleus.mask.shape == outline.shape:
            np.testing.assert_array_equal(nucleus.mask, outline)
    contrast = [nucleus.emission.contrast_db for nucleus in nuclei]
    assert np.mean([4 <= value <= 20 for value in contrast]) > 0.6


def test_nuclei_are_brighter_than_what_surrounds_them(halves):
    gains = []
    for half in halves:
        power = half.amplitude["z"] ** 2
        power[~valid_amplitude(half.amplitude["z"])] = np.nan
        for nucleus in half.nuclei:
            mask = np.zeros(power.shape, np.uint8)
            mask[nucleus.rows, nucleus.bins] = nucleus.mask
            around = (cv2.dilate(mask, np.ones((41, 41))) - cv2.dilate(mask, np.ones((13, 13)))) > 0
            gains.append(10 * np.log10(np.nanmean(power[mask > 0]) / np.nanmedian(power[around])))
    assert np.median(gains) > 4
    assert np.mean(np.array(gains) > 1) > 0.85


def test_nothing_is_ignored_inside_a_nucleus_and_nuclei_are_apart(halves):
    for half in halves:
        taken = np.zeros(half.ignored.shape, np.uint8)
        for mask in half.masks():
            upright = np.rot90(mask, -1)
            assert not (half.ignored & upright).any()
            assert not (cv2.dilate(taken, np.ones((13, 13))) * upright).any()
            taken |= upright.astype(np.uint8)
        assert half.ignored.mean() < 0.25


def test_textures_and_damage_do_not_know_of_nuclei():
    """The sky with and without is the same but for the nuclei themselves."""
    for number in range(21030, 21036):
        clear, full = drawn(number, prevalence=0.0), drawn(number, prevalence=1.0)
        assert not clear.nuclei
        assert full.nuclei
        assert [e.kind for e in clear.confusers] == [e.kind for e in full.confusers]
        np.testing.assert_array_equal(clear.track.times, full.track.times)
        assert len(clear.track.times) == len(clear.ignored) == len(clear.amplitude["z"])


def test_prevalence_is_met_and_some_have_several():
    rng = np.random.default_rng(0)
    rows = 1000
    latitude = np.linspace(-65, 65, rows)
    track = type("Pass", (), {"times": np.arange(rows), "latitude": latitude})()
    nothing = np.zeros((rows, BINS), bool)
    whole = Damage(np.ones(rows, bool), nothing, np.full(nothing.shape, np.nan), nothing, latitude)
    where = Surroundings(track, whole, np.ones((rows, BINS), np.float32), [])
    placed = [place_nuclei(rng, where, 0.3, 0.5).nuclei for _ in range(300)]
    counts = np.array([len(nuclei) for nuclei in placed])
    assert np.mean(counts > 0) == pytest.approx(0.3, abs=0.09)
    assert 0.03 < np.mean(counts[counts > 0] > 1) < 0.4
    assert counts.max() <= 5
    peaks = [emission.peak() for nuclei in placed for emission, _ in nuclei]
    assert np.mean([40 <= abs(latitude[row]) <= 70 for row, _ in peaks]) > 0.75
    assert {family for nuclei in placed for _, family in nuclei} == set(CONSTRUCTIONS)


@pytest.mark.parametrize("kind", LAYERS)
def test_each_layer_stays_within_its_strength(kind):
    rng = np.random.default_rng(1)
    for _ in range(4):
        layer = LAYERS[kind](rng, ROWS, 10.0)
        assert layer.shape == (ROWS, BINS)
        assert layer.dtype == np.float32
        assert np.isfinite(layer).all()
        assert np.abs(layer).max() <= 50
    assert np.abs(layer).max() > 0


def test_a_field_has_the_spectrum_that_it_was_given():
    rng = np.random.default_rng(2)
    field = np.mean(
        [np.abs(np.fft.fft2(coarse_field(rng, (256, 256), Weave(40, 3.0)))) ** 2 for _ in range(8)],
        axis=0,
    )
    slope = np.polyfit(np.log(np.arange(8, 60)), np.log(field[0, 8:60]), 1)[0]
    assert slope == pytest.approx(-3.0, abs=0.3)
    along = coarse_field(rng, (256, 256), Weave(6, 5.0, stretch=9.0, angle=0.0))
    assert np.abs(np.diff(along, axis=0)).mean() < 0.5 * np.abs(np.diff(along, axis=1)).mean()


def test_a_nucleus_is_one_area_brightest_at_its_centre_and_dark_at_its_border():
    rng = np.random.default_rng(3)
    found = [draw_nucleus(rng, 10.0, (500, 300), 1000) for _ in range(40)]
    found = [nucleus for nucleus, _ in filter(None, found)]
    assert len(found) > 15
    for nucleus in found:
        assert nucleus.peak() == (500, 300)
        excess = nucleus.excess_db
        assert max(excess[0].max(), excess[-1].max(), excess[:, 0].max(), excess[:, -1].max()) < 2.5
        outline = nucleus.outline()
        assert cv2.connectedComponents(outline.astype(np.uint8))[0] == 2
        assert 0.03 < (excess[outline] >= 7.0).mean() < 0.7


def bump_db(height, tall, wide, *, flat=False):
    """A bump of 10 * height by so many pixels in the middle of nothing."""
    row, bin_ = np.mgrid[:ROWS, :BINS].astype(np.float32)
    t, f = (row - 200) / tall, (bin_ - 300) / wide
    if flat:
        return np.where((np.abs(t) < 1) & (np.abs(f) < 1), height, 0).astype(np.float32)
    return np.float32(height) * np.exp(-(t**2 + f**2))


@pytest.mark.parametrize(
    ("shape", "doubtful"),
    [
        (bump_db(8, 20, 20), True),
        (bump_db(2, 20, 20), False),
        (bump_db(8, 4, 4), False),
        (bump_db(8, 80, 80), False),
        (bump_db(8, 12, 90), False),
        (bump_db(8, 20, 20, flat=True), False),
        (-bump_db(8, 20, 20), False),
        (bump_db(8, 20, 20) * (np.arange(BINS) % 16 < 6), False),
    ],
    ids=["nucleus", "faint", "small", "large", "long", "plateau", "hole", "striped"],
)
def test_only_what_looks_like_a_nucleus_is_doubtful(shape, doubtful):
    rng = np.random.default_rng(4)
    slope = np.linspace(20, -20, BINS, dtype=np.float32)
    grain = 0.1 * rng.standard_normal(shape.shape, dtype=np.float32)
    found = doubtful_bumps(np.exp(DECIBEL * (shape + slope + grain - 70)))
    assert found.any() == doubtful
    assert found[200, 300] == doubtful


def test_speckle_keeps_the_mean_and_damage_hides_what_it_says():
    rng = np.random.default_rng(5)
    for _ in range(8):
        noise = speckle(np.random.default_rng(rng.integers(99)), rng, (ROWS, BINS))
        assert noise.mean() == pytest.approx(1, abs=0.02)
        assert noise.min() >= 0
    damages = [draw_damage(np.random.default_rng(seed), ROWS) for seed in range(60)]
    assert 0.2 < np.mean([not damage.kept.all() for damage in damages]) < 0.95
    assert any(damage.filled.any() for damage in damages)
    power = np.full((ROWS, BINS), 1e-7, np.float32)
    for damage in damages[:12]:
        amplitude = received(np.random.default_rng(0), power, np.ones_like(power), damage)
        np.testing.assert_array_equal(~valid_amplitude(amplitude), damage.filled)
        assert damage.hidden[damage.filled].all()
        assert damage.hidden[~damage.kept].all()


def test_other_components_leave_z_as_it_is(halves):
    half = drawn(21000, prevalence=1.0, components="xyz")
    np.testing.assert_array_equal(half.amplitude["z"], halves[0].amplitude["z"])
    assert set(half.amplitude) == {"x", "y", "z"}


def test_it_goes_through_files(tmp_path):
    settings = OrbitSimulation(
        seed=4, sky="textures", components="z", prevalence=1.0, half_orbits=1
    )
    summary = simulate_orbits(tmp_path / "out", settings)
    assert summary.nuclei >= 1
    orbit = read_orbit(next((tmp_path / "out").glob("*.h5")))
    half = simulate_half_orbit(settings, orbit.orbit_number, Direction(orbit.direction))
    np.testing.assert_allclose(orbit.amplitude["z"], half.amplitude["z"], rtol=1e-6)
    stored = cv2.imread(str(next((tmp_path / "out" / "masks").glob("*.png"))), cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(stored == 255, np.any(half.masks(), axis=0))
