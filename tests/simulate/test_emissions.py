"""Half-orbits of the sky `emissions`, and that those of `classic` are what they were."""

import hashlib
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from odm.archive.orbit.key import Direction
from odm.images.masks import IGNORED_GREY, OBJECT_GREY
from odm.simulate.orbit import groundtrack
from odm.simulate.orbit.archive import simulate_orbits
from odm.simulate.orbit.emission import BINS, DECIBEL, FREQUENCY, Emission
from odm.simulate.orbit.emissions_doubts import smooth_blobs
from odm.simulate.orbit.emissions_nuclei import (
    DrawnNucleus,
    draw_nucleus,
    draw_peak_db,
    height_over_width,
)
from odm.simulate.orbit.emissions_places import Surroundings, is_seen, place_almost
from odm.simulate.orbit.emissions_receiver import (
    Receiver,
    draw_gaps,
    draw_receiver,
    draw_steps,
    draw_terminator,
    observe,
    speckle,
)
from odm.simulate.orbit.emissions_streaks import STREAKS
from odm.simulate.orbit.emissions_waves import ROW_S, WAVES
from odm.simulate.orbit.half_orbit import simulate_half_orbit
from odm.simulate.orbit.nuclei import SHAPES
from odm.simulate.orbit.recipe import (
    FAMILIES,
    OPTIONAL_FAMILIES,
    OrbitRecipe,
    OrbitSimulation,
    choose_families,
)

ROWS = 400
FIRST_VERSION = {
    (7, 20791, 0): (
        {"prevalence": 1.0},
        "5beb0d5f2f40e2bb158f937ab1a75870b84793269468a4bb25c64e93eb4da135",
    ),
    (3, 21044, 1): (
        {"prevalence": 0.0, "components": "z"},
        "7e70fdbbc9d005ff32a6176d9d9e91964b3ff885ece0af9b622a10be81a16b86",
    ),
    (5, 22010, 1): (
        {
            "prevalence": 1.0,
            "difficulty": 0.8,
            "components": "xz",
            "burst": 1.0,
            "burst_rows": (2, 2),
        },
        "55b1342ea8d9c5f38b102ff7e3a812811b1dc424f12ccfb0280adb9fe172300a",
    ),
}
"""Seed, orbit and direction of half-orbits as they were drawn when there was one sky."""


def drawn(number, **settings):
    recipe = OrbitRecipe(seed=6, sky="emissions", **({"components": "z"} | settings))
    return simulate_half_orbit(recipe, number, list(Direction)[number % 2])


@pytest.fixture(scope="module")
def halves():
    """Half-orbits with a nucleus each."""
    return [drawn(20100 + 23 * turn, prevalence=1.0) for turn in range(30)]


@pytest.fixture(scope="module")
def tracks():
    found = []
    for turn in range(12):
        identity = 20000 + 37 * turn, list(Direction)[turn % 2]
        times = groundtrack.row_times(*identity, (65.3, 66.0))
        found.append(groundtrack.fly(*identity, times))
    return found


@pytest.mark.parametrize("identity", FIRST_VERSION, ids=str)
def test_the_first_sky_is_drawn_as_it_was(identity):
    seed, number, digit = identity
    settings, expected = FIRST_VERSION[identity]
    half = simulate_half_orbit(
        OrbitRecipe(seed=seed, **settings), number, Direction.from_digit(digit)
    )
    digest = hashlib.sha256()
    arrays = (*half.amplitude.values(), half.track.times, half.work_mode)
    for array in (*arrays, *half.masks(), *half.waveform.values()):
        digest.update(np.ascontiguousarray(array).tobytes())
    for confuser in half.confusers:
        digest.update(confuser.kind.encode())
        digest.update(np.ascontiguousarray(confuser.excess_db).tobytes())
    assert digest.hexdigest() == expected
    assert not half.ignored.any()


def test_the_same_arguments_give_the_same_arrays_and_other_components_leave_z_alone():
    first, again = drawn(21001), drawn(21001)
    np.testing.assert_array_equal(first.amplitude["z"], again.amplitude["z"])
    np.testing.assert_array_equal(first.ignored, again.ignored)
    for components in ("xyz", "xy"):
        other = drawn(21001, components=components)
        assert tuple(other.amplitude) == tuple(components)
        np.testing.assert_array_equal(other.ignored, first.ignored)
        if "z" in components:
            np.testing.assert_allclose(other.amplitude["z"], first.amplitude["z"], rtol=1e-6)


def test_nothing_but_nuclei_depends_on_the_prevalence():
    """With and without nuclei, a half-orbit has the same emissions, gaps, steps and speckle."""
    for number in range(21030, 21036):
        clear, full = drawn(number, prevalence=0.0), drawn(number, prevalence=1.0)
        assert not clear.nuclei
        assert full.nuclei
        assert len(clear.confusers) == len(full.confusers)
        for one, other in zip(clear.confusers, full.confusers, strict=True):
            assert (one.kind, one.almost) == (other.kind, other.almost)
            np.testing.assert_array_equal(one.excess_db, other.excess_db)
        np.testing.assert_array_equal(clear.track.times, full.track.times)
        differ = clear.amplitude["z"] != full.amplitude["z"]
        assert differ.mean() < 0.15  # around nuclei, counted or not


def test_almost_nuclei_are_about_four_with_a_wide_spread(tracks):
    recipe = OrbitRecipe(sky="emissions", prevalence=0.0)
    kept = np.ones(len(tracks[0].times), bool)
    counts = [
        len(place_almost(np.random.default_rng(seed), tracks[0], kept, recipe))
        for seed in range(60)
    ]
    assert np.mean(counts) == pytest.approx(4, abs=1.0)
    assert min(counts) == 0
    assert 9 <= max(counts) <= 12


def test_strengths_are_between_3_and_30_db_most_between_4_and_20():
    rng = np.random.default_rng(0)
    peaks = np.array([draw_peak_db(rng, 0.5) for _ in range(2000)])
    assert 3 <= peaks.min() < 3.5
    assert 27 < peaks.max() <= 30
    assert 0.7 < np.mean((peaks > 4) & (peaks < 20)) < 0.9
    easy, hard = (np.median([draw_peak_db(rng, d) for _ in range(500)]) for d in (0.0, 1.0))
    assert easy > np.median(peaks) > hard


def test_nuclei_have_their_size_strength_and_mask(halves):
    for half in halves:
        assert 1 <= len(half.nuclei) <= 5
        for nucleus in half.nuclei:
            assert 3 <= nucleus.emission.contrast_db <= 30
            assert 500 <= nucleus.mask.sum() <= 8000
            assert FREQUENCY[nucleus.emission.peak()[1]] < 16e3


def test_nuclei_are_brighter_than_what_surrounds_them(halves):
    gains = []
    for half in halves:
        amplitude = half.amplitude["z"]
        power = np.where(amplitude > 0, amplitude, np.nan) ** 2
        for nucleus in half.nuclei:
            mask = np.zeros(power.shape, np.uint8)
            mask[nucleus.rows, nucleus.bins] = nucleus.mask
            around = (cv2.dilate(mask, np.ones((41, 41))) - cv2.dilate(mask, np.ones((13, 13)))) > 0
            gains.append(10 * np.log10(np.nanmean(power[mask > 0]) / np.nanmedian(power[around])))
    assert np.median(gains) > 3
    assert np.mean(np.array(gains) > 1) > 0.85


def test_nuclei_do_not_touch_each_other_and_are_never_ignored(halves):
    several = 0
    for half in halves:
        taken = np.zeros(half.ignored.shape, np.uint8)
        for mask in half.masks():
            upright = np.rot90(mask, -1)
            assert not (half.ignored & upright).any()
            assert not (cv2.dilate(taken, np.ones((5, 5))) * upright).any()
            taken |= upright.astype(np.uint8)
        several += len(half.nuclei) > 1
        assert half.ignored.mean() < 0.3
    assert several >= 1


def test_nuclei_touch_confusers_gaps_and_the_ends_of_the_pass(halves):
    crossed, at_end, at_gap = 0, 0, 0
    for half in halves:
        covered = np.zeros((len(half.full_track.times), BINS), bool)
        for confuser in half.confusers:
            covered[confuser.window] |= confuser.outline()
        kept = np.isin(half.full_track.times, half.track.times)
        for nucleus in half.nuclei:
            rows, _ = nucleus.emission.window
            outline = nucleus.emission.outline()
            crossed += (covered[nucleus.emission.window] & outline).any()
            own = np.flatnonzero(outline.any(axis=1)) + rows.start
            at_end += own[0] == 0 or own[-1] == len(kept) - 1
            at_gap += not kept[own].all()
    assert crossed > 8
    assert at_end >= 1
    assert at_gap >= 1


@pytest.mark.parametrize("family", SHAPES)
def test_each_shape_is_one_area_that_fades(family):
    rng = np.random.default_rng(3)
    shapes = [draw_nucleus(rng, family, 10.0, (500, 300), 1000) for _ in range(30)]
    shapes = [shape for shape in shapes if shape is not None]
    assert len(shapes) > 12
    aspects = []
    for shape in shapes:
        excess, outline = shape.emission.excess_db, shape.emission.outline()
        assert shape.emission.peak() == (500, 300)
        assert excess.max() == pytest.approx(10)
        assert shape.area == outline.sum()
        assert cv2.connectedComponents(outline.astype(np.uint8), connectivity=8)[0] == 2
        border = (excess[0], excess[-1], excess[:, 0], excess[:, -1])
        assert max(side.max() for side in border) < 3
        aspects.append(height_over_width(outline))
    assert 0.4 <= min(aspects) < 0.75
    assert 1.3 < max(aspects) <= 2.5


def together(draw, tracks, seeds=60):
    """All that is drawn with many seeds, each with its track."""
    return [
        (emission, track)
        for seed in range(seeds)
        for track in [tracks[seed % len(tracks)]]
        for emission in draw(np.random.default_rng(seed), track, 1.0)
    ]


def extent(emission):
    """Lowest and highest kHz of an outline, and its seconds."""
    outline = emission.outline()
    bins = emission.bin + np.flatnonzero(outline.any(axis=0))
    rows = np.flatnonzero(outline.any(axis=1))
    return FREQUENCY[bins[0]] / 1e3, FREQUENCY[bins[-1]] / 1e3, (rows[-1] - rows[0] + 1) * ROW_S


def test_funnels_have_a_lower_edge_that_follows_the_latitude(tracks):
    found = together(WAVES["lower_hybrid_funnel"], tracks)
    assert len(found) > 15
    rises = []
    for emission, track in found:
        low, high, _ = extent(emission)
        assert 1.8 < low < 9
        assert high > low + 0.5
        assert 2.9 < emission.contrast_db < 15.1
        outline = emission.outline()
        rows = np.flatnonzero(outline.any(axis=1))
        edge = FREQUENCY[emission.bin + outline[rows].argmax(axis=1)] / 1e3
        latitude = np.abs(track.latitude[emission.row + rows])
        lowest = latitude[np.argmin(edge)]
        away = np.abs(latitude - lowest)
        rises.append(np.corrcoef(away, edge)[0, 1])
    assert np.median(rises) > 0.7


def test_quasi_periodic_emissions_repeat_within_their_band(tracks):
    found = together(WAVES["quasi_periodic"], tracks)
    assert len(found) > 10
    periods = []
    for emission, _ in found:
        low, high, _ = extent(emission)
        assert low >= 0.49
        assert high <= 4.01
        course = emission.excess_db.mean(axis=1)
        course = course - course.mean()
        power = np.abs(np.fft.rfft(course, 4096)) ** 2
        periods.append(4096 / (3 + int(np.argmax(power[3:]))) * ROW_S)
    assert np.quantile(periods, 0.2) < 60
    assert min(periods) > 9
    assert max(periods) < 900


def test_elf_hiss_begins_at_an_edge_below_1_khz(tracks):
    found = together(WAVES["elf_hiss"], tracks)
    assert len(found) > 20
    for emission, _ in found:
        low, high, _ = extent(emission)
        assert 0.15 < low < 0.85
        assert high < 4
        assert 3.9 < emission.contrast_db < 16.1


def test_turbulence_is_low_in_frequency_and_rises_towards_the_dip_equator(tracks):
    found = together(WAVES["equatorial_turbulence"], tracks)
    assert len(found) > 12
    nearer = []
    for emission, track in found:
        low, high, _ = extent(emission)
        assert low < 0.3
        assert high < 4.5
        assert emission.contrast_db <= 25
        dip = np.abs(track.dip[emission.window[0]])
        strength = emission.excess_db[:, :20].mean(axis=1)
        nearer.append(np.corrcoef(dip, strength)[0, 1])
    assert np.median(nearer) < -0.5
    by_night = [track.night for _, track in found]
    assert np.mean(by_night) > 0.6


def test_transmitters_are_broadened_by_a_fifth_to_one_khz(tracks):
    found = together(STREAKS["broadened_transmitter"], tracks)
    known = np.array([11.905, 12.649, 14.881, 19.8, 21.4, 23.4, 24.0])
    alpha = 0
    for emission, _ in found:
        low, high, _ = extent(emission)
        assert np.abs(known - (low + high) / 2).min() < 0.1
        assert 0.1 < high - low < 1.1
        assert 2.9 < emission.contrast_db < 20.1
        alpha += high < 15.6
    assert alpha > 8


def test_bursts_last_up_to_a_minute_and_span_many_frequencies(tracks):
    found = together(STREAKS["broadband_burst"], tracks)
    assert len(found) > 25
    for emission, _ in found:
        low, high, _ = extent(emission)
        assert low < 1.2
        assert high > 3
        rows = emission.excess_db.shape[0]
        assert rows * ROW_S <= 62
    assert np.median([emission.excess_db.shape[0] * ROW_S for emission, _ in found]) > 15


def test_combs_have_several_lines_that_drift_together(tracks):
    found = together(STREAKS["drifting_comb"], tracks)
    assert len(found) > 8
    drifts = []
    for emission, _ in found:
        outline = emission.outline()
        assert np.max(outline[:, 1:].astype(int) - outline[:, :-1] > 0) == 1
        rows = np.flatnonzero(outline.any(axis=1))
        first = outline[rows].argmax(axis=1)
        drifts.append(np.ptp(first) * FREQUENCY[1])
        assert emission.contrast_db < 12.1
    assert np.median(drifts) > 200
    assert max(drifts) < 12e3


def test_a_kind_of_emission_that_is_held_out_does_not_occur():
    kinds = OPTIONAL_FAMILIES["emission"]
    assert set(kinds) == {*WAVES, *STREAKS, "gain_step", "terminator", "saturation"}
    for number in range(21100, 21103):
        none = drawn(number, families={"emission": ()})
        assert not {e.kind for e in none.confusers} & set(kinds)
        only = drawn(number, families={"emission": ("elf_hiss",)})
        every = drawn(number)
        assert {e.kind for e in only.confusers} & set(kinds) <= {"elf_hiss"}
        hiss = [[e for e in half.confusers if e.kind == "elf_hiss"] for half in (only, every)]
        assert len(hiss[0]) == len(hiss[1])
        for one, other in zip(*hiss, strict=True):
            np.testing.assert_array_equal(one.excess_db, other.excess_db)


def test_the_optional_family_is_named_only_where_it_is_given():
    assert choose_families({}) == FAMILIES
    assert "emission" not in OrbitRecipe().families
    chosen = choose_families({}, held_out={"emission": ["saturation"]})
    assert "saturation" not in chosen["emission"]
    assert len(chosen["emission"]) == len(OPTIONAL_FAMILIES["emission"]) - 1


def test_steps_reach_10_db_and_take_their_time(tracks):
    rng = np.random.default_rng(0)
    steps = [draw_steps(rng, ROWS, np.array([100])) for _ in range(200)]
    largest = np.array([np.abs(step).max() for step in steps])
    assert 0.25 < np.mean(largest > 0) < 0.55
    assert 8 < largest.max() <= 10
    fastest = np.array([np.abs(np.diff(step[:, 0])).max() for step in steps])
    assert np.mean(fastest[largest > 0] > 0.9 * largest[largest > 0]) > 0.2
    terminators = [draw_terminator(rng, tracks[0]) for _ in range(80)]
    heights = [np.abs(one).max() for one in terminators]
    assert 8 < max(heights) <= 10.01
    assert {one.shape[1] for one in terminators} == {1, BINS}
    for one in terminators:
        start = int(np.argmax(np.abs(one).max(axis=1) > 0.5 * np.abs(one).max()))
        assert abs(tracks[0].latitude[start]) > 18


def test_receivers_differ_in_looks_gaps_and_saturation(tracks):
    ambient = np.full((len(tracks[0].times), BINS), 1e-7, np.float32)
    ambient *= np.linspace(3, 1, BINS, dtype=np.float32)
    kinds = OPTIONAL_FAMILIES["emission"]
    receivers = [
        draw_receiver(np.random.default_rng(seed), tracks[0], ambient, kinds) for seed in range(60)
    ]
    looks = np.array([sum(one.looks) for one in receivers])
    assert looks.min() == 1
    assert 30 < looks.max() <= 50
    saturated = [one for one in receivers if one.ceiling is not None or one.full is not None]
    assert 12 < len(saturated) < 36
    assert any(one.full is not None for one in saturated)
    ceilings = [one.ceiling for one in saturated if one.ceiling is not None]
    assert any(np.isfinite(one).all() for one in ceilings)
    assert any(0 < np.isfinite(one).all(axis=1).mean() < 0.2 for one in ceilings)
    assert any(0 < np.isfinite(one).all(axis=0).mean() < 0.2 for one in ceilings)
    for one in receivers[:12]:
        amplitude = observe(one, ambient, None, np.random.default_rng(0))
        if one.ceiling is not None:
            assert (amplitude <= 1.0001 * np.sqrt(one.ceiling)).all()
        if one.full is not None:
            assert np.unique(amplitude[one.full]).size == 1
    plain = draw_receiver(np.random.default_rng(1), tracks[0], ambient, ())
    assert plain.ceiling is None
    assert plain.full is None
    assert np.abs(np.log(plain.gain)).max() <= 3.01 * DECIBEL
    np.testing.assert_array_equal(plain.kept, receivers[1].kept)
    gaps = [draw_gaps(np.random.default_rng(seed), ROWS) for seed in range(100)]
    assert 0.3 < np.mean([kept.all() for kept in gaps]) < 0.6
    assert all(kept[:8].all() and kept[-8:].all() for kept in gaps)


def test_speckle_has_the_mean_and_the_variance_of_its_looks():
    for looks in (1, 7, 50):
        noise = speckle(np.random.default_rng(0), looks, (300, 300))
        assert noise.mean() == pytest.approx(looks, rel=0.02)
        assert noise.var() == pytest.approx(looks, rel=0.05)


@pytest.fixture(scope="module")
def plain():
    """A level sky and receiver, and a nucleus in the middle."""
    ambient = np.full((ROWS, BINS), 1e-7, np.float32)
    nothing = np.ones((ROWS, 1), np.float32)
    receiver = Receiver(np.ones(ROWS, bool), nothing, None, None, 1.0, (0, 4))
    drawn = None
    rng = np.random.default_rng(5)
    while drawn is None or drawn.area < 1500:
        drawn = draw_nucleus(rng, "compact", 10.0, (200, 250), ROWS)
    return Surroundings(None, receiver, ambient, ambient, []), drawn


def test_a_nucleus_on_a_level_sky_is_counted(plain):
    assert is_seen(plain[1], plain[0])


def changed(where, **settings):
    return replace(where, receiver=replace(where.receiver, **settings))


def test_what_is_mostly_lost_is_not_counted(plain):
    where, nucleus = plain
    kept = np.ones(ROWS, bool)
    kept[200:260] = False
    few = kept.copy()
    few[150:260] = False
    assert not is_seen(nucleus, changed(where, kept=few))
    full = np.zeros((ROWS, BINS), bool)
    full[nucleus.emission.window] = True
    assert not is_seen(nucleus, changed(where, full=full, full_power=1e-5))


def test_what_a_ceiling_takes_the_contrast_of_is_not_counted(plain):
    where, nucleus = plain
    ceiling = np.full((ROWS, BINS), 1e-7 * 10**0.25, np.float32)  # 2.5 dB above the sky
    assert not is_seen(nucleus, changed(where, ceiling=ceiling))
    assert is_seen(nucleus, changed(where, ceiling=4 * ceiling))


def test_what_stronger_emissions_cover_is_not_counted(plain):
    where, nucleus = plain
    there = where.there.copy()
    there[nucleus.emission.window] *= 1e3
    assert not is_seen(nucleus, replace(where, there=there))
    there = where.there.copy()
    there[::40] *= 1e3  # a few streaks across it
    assert is_seen(nucleus, replace(where, there=there))


def test_what_does_not_stand_out_of_its_surroundings_is_not_counted(plain):
    """Something as strong all around a nucleus hides it, and a slope of the spectrum does not."""
    where, nucleus = plain
    one = nucleus.emission
    inside = np.zeros(where.there.shape, bool)
    inside[one.window] = one.outline()
    around = cv2.dilate(inside.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    hollow = where.there.copy()
    hollow[around & ~inside] *= 10**0.8
    assert not is_seen(nucleus, replace(where, there=hollow))
    beside = where.there.copy()
    beside[:, : one.bin + one.excess_db.shape[1] // 2][
        (around & ~inside)[:, : one.bin + one.excess_db.shape[1] // 2]
    ] *= 10**0.2
    assert is_seen(nucleus, replace(where, there=beside))
    slope = (where.there * 10 ** (np.arange(BINS, dtype=np.float32) / 50)).astype(np.float32)
    assert is_seen(nucleus, replace(where, there=slope, ambient=slope))


def test_what_is_faint_or_cut_by_the_end_of_the_pass_is_not_counted(plain):
    where, nucleus = plain
    one = nucleus.emission
    faint = replace(one, excess_db=one.excess_db * np.float32(0.28))
    assert not is_seen(replace(nucleus, emission=faint), where)
    before = np.cumsum(one.outline().sum(axis=1)) / nucleus.area
    cut = int(np.searchsorted(before, 0.6))
    end = Emission("nucleus", 0, one.bin, one.excess_db[cut:], one.strength)
    assert not is_seen(DrawnNucleus(end, "compact", nucleus.area), where)


def test_what_lies_in_mottle_of_its_own_height_is_not_counted(plain):
    where, nucleus = plain
    rng = np.random.default_rng(2)
    mottle = cv2.GaussianBlur(rng.standard_normal((ROWS, BINS)), (0, 0), 6)
    mottle = (6 * mottle / mottle.std()).astype(np.float32)
    ambient = where.ambient * np.exp(DECIBEL * mottle)
    assert not is_seen(nucleus, replace(where, ambient=ambient, there=ambient))


def bump_db(height, tall, wide, *, flat=False):
    row, bin_ = np.mgrid[:ROWS, :BINS].astype(np.float32)
    t, f = (row - 200) / tall, (bin_ - 300) / wide
    if flat:
        return np.where((np.abs(t) < 1) & (np.abs(f) < 1), height, 0).astype(np.float32)
    return np.float32(height) * np.exp(-(t**2 + f**2))


@pytest.mark.parametrize(
    ("shape", "doubtful"),
    [
        (bump_db(8, 20, 20), True),
        (bump_db(4, 30, 24), True),
        (bump_db(1.5, 20, 20), False),
        (bump_db(8, 5, 5), False),
        (bump_db(8, 150, 150), False),
        (bump_db(8, 10, 90), False),
        (bump_db(8, 20, 20, flat=True), False),
        (-bump_db(8, 20, 20), False),
    ],
    ids=["nucleus", "weak", "faint", "small", "large", "long", "plateau", "hole"],
)
def test_only_smooth_closed_blobs_of_nuclear_size_are_doubtful(shape, doubtful):
    slope = np.linspace(20, -20, BINS, dtype=np.float32)
    found = smooth_blobs(np.exp(DECIBEL * (shape + slope - 70)))
    assert found.any() == doubtful
    assert found[200, 300] == doubtful


def test_an_archive_says_what_is_ignored_and_names_its_sky(tmp_path):
    import pyarrow.parquet as pq

    settings = OrbitSimulation(
        seed=6, sky="emissions", components="z", prevalence=1.0, half_orbits=3, every=31
    )
    out = tmp_path / "archive"
    simulate_orbits(out, settings)
    manifest = json.loads((out / "simulation.json").read_text())
    assert manifest["settings"]["sky"] == "emissions"
    rows = pq.read_table(out / "ignored.parquet").to_pylist()
    assert rows
    pixels = dict.fromkeys(manifest["keys"], 0)
    for path in (out / "masks").glob("*.png"):
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert set(np.unique(mask)) <= {0, OBJECT_GREY, IGNORED_GREY}
        pixels[f"{path.stem}.h5"] = int((mask == IGNORED_GREY).sum())
    for row in rows:
        assert row["frequency_min"] < row["frequency_max"] < 16.1e3
        assert row["time_start"] <= row["time_end"]
        pixels[row["source"]] -= row["area_pixels"]
    assert not any(pixels.values())


def test_an_archive_of_the_first_sky_names_none(tmp_path):
    simulate_orbits(tmp_path / "a", OrbitSimulation(seed=1, components="z", half_orbits=1))
    settings = json.loads((tmp_path / "a" / "simulation.json").read_text())["settings"]
    assert "sky" not in settings
    assert set(settings["families"]) == set(FAMILIES)
    assert not (tmp_path / "a" / "ignored.parquet").exists()
