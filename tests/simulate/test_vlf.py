"""Half-orbits, nuclei and almost-nuclei in memory."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from odm.archive.orbit.key import Direction
from odm.images.masks import IGNORED
from odm.simulate.orbit import groundtrack
from odm.simulate.orbit.almost import ALMOST_NUCLEI, almost_nucleus
from odm.simulate.orbit.emission import FREQUENCY
from odm.simulate.orbit.half_orbit import name_half_orbit, simulate_half_orbit
from odm.simulate.orbit.instrument import SAMPLE_RATE_HZ, waveforms
from odm.simulate.orbit.nuclei import SHAPES, draw_contrast, nucleus
from odm.simulate.orbit.recipe import OrbitRecipe
from odm.simulate.orbit.truth import mask_of

ROWS = 1017


@pytest.fixture(scope="module")
def halves():
    """A dozen half-orbits with a nucleus each, spread over places and seasons."""
    recipe = OrbitRecipe(seed=11, prevalence=1.0, difficulty=0.3)
    chosen = islice(groundtrack.following(20791, Direction.DESCENDING, 77), 12)
    return [simulate_half_orbit(recipe, *identity) for identity in chosen]


def dilated(mask, reach):
    import cv2

    return cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), np.uint8)).astype(bool)


def test_every_half_orbit_has_its_nucleus_of_the_right_size(halves):
    for half in halves:
        assert 1 <= len(half.nuclei) <= 2
        for one in half.nuclei:
            assert 500 <= one.mask.sum() <= 8000
            assert one.mask.shape == (
                one.rows.stop - one.rows.start,
                one.bins.stop - one.bins.start,
            )


def test_nuclei_are_brighter_than_their_surroundings_and_brightest_inside_in_z(halves):
    """Median over all, as whistlers and hiss cross some of them."""
    gains = {name: [] for name in "xyz"}
    core_gains = []
    for half in halves:
        for one, mask in zip(half.nuclei, half.masks(), strict=True):
            upright = np.rot90(mask, -1)
            around = dilated(upright, 25) & ~dilated(upright, 9)
            for name, amplitude in half.amplitude.items():
                level = np.where(amplitude > 0, 20 * np.log10(np.maximum(amplitude, 1e-9)), np.nan)
                gains[name].append(np.nanmedian(level[upright]) - np.nanmedian(level[around]))
            core = one.emission.excess_db >= 0.7 * one.emission.contrast_db
            edge = one.emission.outline() & ~core
            core_gains.append(
                one.emission.excess_db[core].mean() - one.emission.excess_db[edge].mean()
            )
    assert np.median(gains["z"]) > 2.0
    assert np.median(gains["z"]) > np.median(gains["x"]) + 0.5
    assert np.median(gains["z"]) > np.median(gains["y"]) + 0.5
    assert min(core_gains) > 0.3


def test_components_are_correlated(halves):
    amplitude = halves[0].amplitude
    part = (slice(300, 600), slice(600, 800))
    x, y, z = (np.log(np.abs(amplitude[name][part])).ravel() for name in "xyz")
    assert 0.1 < np.corrcoef(x, z)[0, 1] < 0.9
    assert 0.1 < np.corrcoef(x, y)[0, 1] < 0.9


def test_masks_lie_in_image_orientation_and_apart(halves):
    for half in halves:
        masks = half.masks()
        rows = len(half.track.times)
        for one, mask in zip(half.nuclei, masks, strict=True):
            assert mask.shape == (1024, rows)
            row, bin_ = one.emission.peak()
            kept = np.searchsorted(half.track.times, half.full_track.times[row])
            near = mask[1023 - bin_ - 8 : 1023 - bin_ + 9, max(0, kept - 8) : kept + 9]
            assert near.any()
        if len(masks) == 2:
            assert not (dilated(masks[0], 9) & masks[1]).any()


def test_almost_nuclei_do_not_touch_nuclei(halves):
    for half in halves:
        for one in half.nuclei:
            occupied = np.zeros((len(half.full_track.times), 1024), dtype=bool)
            occupied[one.emission.window] |= one.emission.outline()
            for other in half.confusers:
                if other.almost:
                    assert not occupied[other.window][other.outline()].any()


def test_there_are_three_to_ten_almost_nuclei_for_each_nucleus(halves):
    almost = sum(emission.almost for half in halves for emission in half.confusers)
    nuclei = sum(len(half.nuclei) for half in halves)
    assert 3 <= almost / nuclei <= 10
    assert {e.kind for half in halves for e in half.confusers if e.almost} == set(ALMOST_NUCLEI)


def test_every_other_confuser_occurs(halves):
    kinds = {emission.kind for half in halves for emission in half.confusers}
    assert kinds >= {
        "auroral_hiss", "cutoff_band", "plasmaspheric_hiss", "chorus", "whistler", "small_saucer",
        "transmitter", "platform_line", "power_line",
    }  # fmt: skip


def test_transmitter_lines_lie_at_their_frequencies(halves):
    known = np.array([11.905, 12.649, 14.881, 19.8, 21.4, 23.4, 24.0]) * 1e3
    for half in halves:
        for emission in half.confusers:
            if emission.kind == "transmitter":
                assert np.abs(known - FREQUENCY[emission.peak()[1]]).min() <= 13


def test_the_outline_is_where_the_documented_excess_is(halves):
    for half in halves:
        for one in half.nuclei:
            excess = one.emission.excess_db
            level = max(0.3 * one.emission.contrast_db, 1.0)
            np.testing.assert_array_equal(one.emission.outline(), excess >= np.float32(level))


@pytest.mark.parametrize("family", SHAPES)
def test_each_shape_has_the_size_and_fades_outward(family):
    rng = np.random.default_rng(3)
    for _ in range(6):
        found = nucleus(rng, family, (500, 250), 8.0, ROWS)
        assert 400 <= found.outline().sum() <= 9000
        assert found.contrast_db == pytest.approx(8.0, rel=1e-5)
        border = np.concatenate(
            [found.excess_db[0], found.excess_db[-1], found.excess_db[:, 0], found.excess_db[:, -1]]
        )
        assert border.max() < 1.0


@pytest.mark.parametrize("kind", ALMOST_NUCLEI)
def test_each_almost_nucleus_has_about_the_size_of_a_nucleus(kind):
    rng = np.random.default_rng(4)
    for _ in range(6):
        found = almost_nucleus(rng, kind, (500, 250), 0.5, ROWS)
        assert found.almost
        assert 250 <= found.outline().sum() <= 9000


def test_difficulty_lowers_contrast():
    rng = np.random.default_rng(0)
    easy, hard = (np.median([draw_contrast(rng, d) for _ in range(300)]) for d in (0.0, 1.0))
    assert easy == pytest.approx(10, abs=1)
    assert hard == pytest.approx(4, abs=0.5)


def test_purposes_do_not_disturb_each_other():
    """Burst mode and fewer components leave the nuclei and Z as they are."""
    identity = (20791, Direction.ASCENDING)
    plain = simulate_half_orbit(OrbitRecipe(seed=2, prevalence=1.0), *identity)
    other = simulate_half_orbit(
        OrbitRecipe(seed=2, prevalence=1.0, burst=1.0, burst_rows=(3, 3), components="z"), *identity
    )
    for first, second in zip(plain.masks(), other.masks(), strict=True):
        np.testing.assert_array_equal(first, second)
    survey = other.work_mode == 1
    level = [20 * np.log10(np.abs(half.amplitude["z"][survey])) for half in (plain, other)]
    # Platform lines step where the mode changes; all else is the same.
    assert np.mean(np.abs(level[0] - level[1]) < 1e-4) > 0.99
    assert other.waveform["z"].shape == (3 * 25, 2048)


def test_waveforms_have_the_spectrum_of_their_row():
    power = np.full((8, 1024), 2e-6, dtype=np.float32)
    power[:, 300:] = 2e-8
    wave = waveforms(np.random.default_rng(0), power).reshape(-1, 2048)
    spectrum = 2 * np.abs(np.fft.rfft(wave)) ** 2 / (SAMPLE_RATE_HZ * 2048)
    assert spectrum[:, 50:290].mean() == pytest.approx(2e-6, rel=0.02)
    assert spectrum[:, 310:1000].mean() == pytest.approx(2e-8, rel=0.02)


@pytest.mark.parametrize("direction", list(Direction))
def test_held_out_families_never_appear(direction):
    kept = {"background": ("quiet",), "shape": ("ring",), "confuser": ("saucer",)}
    recipe = OrbitRecipe(seed=9, prevalence=1.0, families=kept)
    for number in range(21000, 21003):
        half = simulate_half_orbit(recipe, number, direction)
        assert half.background == "quiet"
        assert {one.family for one in half.nuclei} <= {"ring"}
        assert {e.kind for e in half.confusers if e.almost} <= {"saucer"}


def test_names_begin_at_most_95_seconds_early():
    recipe = OrbitRecipe(seed=1, prevalence=0.0)
    early = []
    for number in range(20000, 20300):
        key, times = name_half_orbit(recipe, number, Direction.ASCENDING)
        early.append((times[0] - np.datetime64(key.start, "ms")).astype(int) / 1e3)
        assert np.datetime64(key.end, "ms") >= times[-1]
    assert min(early) >= 0
    assert 20 < max(early) <= 97
    assert np.median(early) < 5


def test_the_mask_of_a_half_orbit_says_what_is_ignored(halves):
    half = next(half for half in halves if half.nuclei)
    ignored = np.zeros_like(half.ignored)
    ignored[:200, :300] = True
    row, bin_ = half.nuclei[0].rows.start, half.nuclei[0].bins.start
    ignored[row : row + 40, bin_ : bin_ + 40] = True
    mask = mask_of(replace(half, ignored=ignored))
    true = np.any(half.masks(), axis=0)
    np.testing.assert_array_equal(mask == 1, true)
    np.testing.assert_array_equal(np.rot90(mask == IGNORED, -1), ignored & ~np.rot90(true, -1))
