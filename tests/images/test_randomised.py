"""The policy ``randomised``: seeds, validity, masks that say what the picture shows."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from scipy.special import polygamma

from odm.core.errors import InputError
from odm.images import added_nuclei, receiver
from odm.images.added_nuclei import add_nucleus, drawn_profile
from odm.images.augmentation import make_policy
from odm.images.masks import IGNORED
from odm.images.primitives import PRIMITIVES, draw_primitive
from odm.images.randomised import _ignore_sizes
from odm.images.relative import HEIGHT, WIDTH, compress
from odm.images.sky import (
    LARGEST,
    SMALLEST,
    Sky,
    in_decibels,
    looks_of,
    power,
    speckle_db,
    spread_noise_db,
    spread_of,
)

Pair = tuple[np.ndarray, np.ndarray]
COLUMNS = 250


def bump(peak: float = 12.0) -> np.ndarray:
    """The excess of a nucleus in the middle, (HEIGHT, COLUMNS) dB."""
    y, x = np.mgrid[:HEIGHT, :COLUMNS]
    return (peak * np.exp(-(((y - 80) / 9) ** 2) - ((x - 120) / 8) ** 2)).astype(np.float32)


def flat(noise_db: float = 0.3) -> Pair:
    """A flat sky with a nucleus of 12 dB in the middle, and its mask."""
    noise = np.random.default_rng(0).standard_normal((HEIGHT, COLUMNS))
    image = np.zeros((HEIGHT, WIDTH, 2), np.uint8)
    image[:, :COLUMNS, 0] = compress((bump() + noise_db * noise).astype(np.float32))
    image[:, :COLUMNS, 1] = compress(np.zeros((HEIGHT, COLUMNS), np.float32))
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:, :COLUMNS] = bump() >= 3.6
    return image, mask


def empty(peak: float = 0.0) -> Sky:
    """A flat sky without noise, with a nucleus where ``peak`` is above 0."""
    zeros = np.zeros((HEIGHT, COLUMNS), np.float32)
    mask = (bump() >= 3.6).astype(np.uint8) * np.uint8(peak > 0)
    return Sky(bump(peak), zeros.copy(), mask)


def test_a_seed_decides_everything_and_nothing_else_does() -> None:
    policy, scene = make_policy("randomised"), flat()
    given = [scene[0].copy(), scene[1].copy()]
    forward = [policy(*scene, seed, scene)[:2] for seed in range(8)]
    backward = [policy(*scene, seed, lambda: scene)[:2] for seed in reversed(range(8))][::-1]
    for (image, mask), (again, same) in zip(forward, backward, strict=True):
        np.testing.assert_array_equal(image, again)
        np.testing.assert_array_equal(mask, same)
    assert len({image.tobytes() for image, _ in forward}) == 8
    for before, after in zip(given, scene, strict=True):
        np.testing.assert_array_equal(before, after)


def test_strength_0_leaves_an_image_as_it_is() -> None:
    image, mask = flat()
    varied, same, _ = make_policy("randomised", 0)(image, mask, 5)
    np.testing.assert_array_equal(varied, image)
    np.testing.assert_array_equal(same, mask)


def test_what_is_invalid_is_invalid_in_both_channels_and_ends_are_cut_not_rolled() -> None:
    image, mask = flat()
    image[:, 40:44] = 0
    lengths = set()
    for seed in range(60):
        varied, new, valid = make_policy("randomised")(image, mask, seed)
        np.testing.assert_array_equal(varied[..., 0] == 0, varied[..., 1] == 0)
        assert set(np.unique(new)) <= {0, 1, IGNORED}
        columns = np.flatnonzero(valid.any(axis=0))
        lengths.add(int(columns[-1]) + 1)
        assert not new[:, int(columns[-1]) + 1 :].any()
        # Whole columns are lost, and nothing else.
        np.testing.assert_array_equal(valid.any(axis=0), valid.all(axis=0))
    assert len(lengths) > 15  # stretched and cut, at the left of the canvas


def test_an_added_nucleus_is_where_the_mask_says_with_its_peak() -> None:
    donor = flat(0.0)
    counted = 0
    for seed in range(200):
        sky = empty()
        add_nucleus(sky, np.random.default_rng(seed), donor)
        inside = sky.mask == 1
        if not inside.any():
            continue
        counted += 1
        peak = float(sky.decibels.max())
        assert 2.5 <= peak <= 31
        assert SMALLEST <= inside.sum() <= LARGEST
        assert inside[np.unravel_index(int(sky.decibels.argmax()), inside.shape)]
        # The speckle of 1000 looks is 0.03 dB; at an end of the pass the peak may be outside.
        assert sky.decibels[inside].min() >= 0.9
        assert not (sky.decibels[~inside] > max(0.3 * peak, 1.0) + 0.25 * peak).any()
    assert counted > 100


def test_a_drawn_nucleus_is_inside_its_outline_and_fades() -> None:
    areas = []
    for seed in range(60):
        profile = drawn_profile(np.random.default_rng(seed))
        assert profile is not None
        assert profile.max() == pytest.approx(1)
        border = np.concatenate([profile[0], profile[-1], profile[:, 0], profile[:, -1]])
        assert border.max() < 0.15
        areas.append(int((profile >= 0.3).sum()))
    assert np.quantile(areas, 0.9) > 3 * np.quantile(areas, 0.1)


def test_a_core_in_a_ring_is_added_as_one_nucleus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(added_nuclei, "_RINGS", 1.0)
    monkeypatch.setattr(added_nuclei, "cut_out", lambda rng, donor: None)
    hollow = rings = 0
    for seed in range(60):
        sky = empty()
        add_nucleus(sky, np.random.default_rng(seed), flat(0.0))
        inside = (sky.mask == 1).astype(np.uint8)
        if not inside.any():
            continue
        rings += 1
        assert cv2.connectedComponents(inside, connectivity=8)[0] == 2
        filled = np.pad(1 - inside, 1, constant_values=1)
        assert cv2.connectedComponents(filled, connectivity=4)[0] == 2  # no hole
        border = inside - cv2.erode(inside, np.ones((3, 3), np.uint8))
        level = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
        between = (level > 0.3 * level.max()) & (level < 0.6 * level.max())
        ring = sky.decibels[(border > 0) | ((level > 0) & (level < 0.3 * level.max()))]
        hollow += np.quantile(ring, 0.9) > np.median(sky.decibels[between])
    assert rings > 40
    assert hollow > 0.4 * rings  # of the others the ring is faint, or too close to the core


def test_the_spread_of_a_streak_is_that_of_its_block() -> None:
    values = np.ones(16, np.float32)
    values[:4] += 9.0
    exact = 10 * np.log10(values.mean()) - (10 * np.log10(values)).mean()
    assert spread_of(np.array([9.0], np.float32), 0.25)[0] == pytest.approx(exact, abs=1e-5)
    sky = empty()
    column = (slice(0, HEIGHT), slice(30, 31))
    sky.add(np.random.default_rng(0), column, np.full((HEIGHT, 1), 10, np.float32), 0.25)
    assert np.median(sky.spread[:, 30]) == pytest.approx(exact, abs=0.05)
    assert np.median(sky.decibels[:, 30]) == pytest.approx(10 * np.log10(values.mean()), abs=0.05)


@pytest.mark.parametrize("looks", [1.0, 6.0, 50.0])
def test_speckle_and_its_spread_are_those_of_blocks_of_gamma_variables(looks: float) -> None:
    rng = np.random.default_rng(1)
    pixels = rng.gamma(looks, 1 / looks, (40000, 16))
    mean = 10 * np.log10(pixels.mean(axis=1))
    spread = mean - (10 * np.log10(pixels)).mean(axis=1)
    drawn, within = speckle_db(rng, (200, 200), looks), spread_noise_db(rng, (200, 200), looks)
    for quantile in (0.01, 0.1, 0.5, 0.9, 0.99):
        expected = np.quantile(mean, quantile)
        assert np.quantile(drawn, quantile) == pytest.approx(expected, abs=0.08 * mean.std())
        expected = np.quantile(spread, quantile) - np.median(spread)
        assert np.quantile(within, quantile) == pytest.approx(expected, abs=0.12 * spread.std())
    exact = 10 / np.log(10) * np.sqrt(polygamma(1, looks) / 16 - polygamma(1, 16 * looks))
    assert within.std() == pytest.approx(exact, rel=0.03)
    assert looks_of(drawn) == pytest.approx(looks, rel=0.1)


def test_what_is_added_has_the_speckle_of_its_sky() -> None:
    rng, sky = np.random.default_rng(2), empty()
    sky.decibels += speckle_db(rng, sky.shape, 2.0)
    sky.looks = looks_of(sky.decibels)
    sky.put(rng, (slice(40, 120), slice(60, 140)), np.full((80, 80), 20, np.float32))
    inside, outside = sky.decibels[50:110, 70:130], sky.decibels[:, 150:]
    assert inside.std() == pytest.approx(outside.std(), rel=0.1)
    assert np.median(inside) == pytest.approx(20, abs=0.5)


def test_powers_add_and_what_is_hidden_is_ignored() -> None:
    window, box = (slice(40, 120), slice(80, 160)), np.full((80, 80), 1, np.float32)
    for level, hidden in ((10, False), (26, True)):
        sky = empty(12)
        sky.put(np.random.default_rng(0), window, box * level)
        assert bool((sky.mask == 1).any()) is not hidden
    base = float(sky.decibels[45, 85])
    assert base == pytest.approx(26, abs=0.5)
    both = float(in_decibels(power(np.float32(12)) + power(np.float32(26)) - 1))
    assert float(sky.decibels[80, 120]) == pytest.approx(both, abs=0.5)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_a_primitive_that_could_be_a_nucleus_is_ignored_and_most_could_not(name: str) -> None:
    rng = np.random.default_rng(3)
    drawn = ignored = 0
    for _ in range(60):
        primitive = draw_primitive(rng, (HEIGHT, COLUMNS), (name,))
        peak = float(primitive.excess_db.max())
        if peak < 3:
            continue
        sky = empty()
        sky.put(rng, *primitive)
        excess = np.zeros(sky.shape, np.float32)
        excess[primitive.window] = primitive.excess_db
        drawn += 1
        ignored += bool((sky.mask == IGNORED).any())
        _, labels = cv2.connectedComponents((excess >= max(0.3 * peak, 1)).astype(np.uint8))
        for number in range(1, int(labels.max()) + 1):
            own = labels == number
            if SMALLEST <= own.sum() <= LARGEST and not (sky.mask[own] == IGNORED).any():
                assert _is_sharp(excess, own) or _is_slender(own)
    assert ignored <= 0.3 * drawn


def _is_sharp(excess: np.ndarray, own: np.ndarray) -> bool:
    """Whether it changes over a pixel by twice what a Gaussian of its area and peak does."""
    near = cv2.dilate(own.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    both = [near[1:] & near[:-1], near[:, 1:] & near[:, :-1]]
    steepest = max(np.abs(np.diff(excess, axis=axis))[both[axis]].max() for axis in (0, 1))
    gaussian = excess[own].max() * 0.607 * np.sqrt(2 * np.log(1 / 0.3)) / np.sqrt(own.sum() / np.pi)
    return bool(steepest > 2 * gaussian)


def _is_slender(own: np.ndarray) -> bool:
    inside = cv2.distanceTransform(np.pad(own, 1).astype(np.uint8), cv2.DIST_L2, 3)
    return bool(own.sum() > 3.9 * np.pi * inside.max() ** 2)


@pytest.mark.parametrize("disturb", [receiver.smooth, receiver.bands])
def test_smooth_blobs_of_the_size_of_a_nucleus_are_ignored(disturb: receiver.Disturbance) -> None:
    fitting = decided = 0
    for seed in range(150):
        sky = empty()
        disturb(sky, np.random.default_rng(seed))
        for level in np.arange(1.0, 3.0, 0.25):
            above = (sky.decibels >= level).astype(np.uint8)
            _, labels, stats, _ = cv2.connectedComponentsWithStats(above)
            for number in range(1, len(stats)):
                own = labels == number
                sides = sorted(stats[number, 2:4])
                peak = float(sky.decibels[own].max())
                # Within what the level's steps allow, this is the outline at 30 % of the peak.
                outline = 0.3 * peak <= level <= 0.3 * peak + 0.25
                if 50 <= own.sum() <= 450 and peak >= 3.3 and outline and sides[1] < 3 * sides[0]:
                    fitting += 1
                    decided += not (sky.mask[own] == IGNORED).any()
    assert decided == 0
    assert fitting or disturb is receiver.bands


def test_a_nucleus_that_saturation_or_a_plateau_hides_is_ignored() -> None:
    sky = empty(12)
    sky.decibels[sky.mask == 0] += 6  # an even surrounding that is as strong as the ceiling
    before = sky.decibels.copy()
    sky.decibels = np.minimum(sky.decibels, 7)
    sky.ignore_faded(before)
    assert not (sky.mask == 1).any() and (sky.mask == IGNORED).any()
    sky = empty(12)
    before = sky.decibels.copy()
    sky.decibels = np.minimum(sky.decibels, 8)  # its top is flat, and it is a nucleus still
    sky.ignore_faded(before)
    assert (sky.mask == 1).any() and not (sky.mask == IGNORED).any()


@pytest.mark.parametrize("chance", receiver.DISTURBANCES)
def test_a_disturbance_keeps_what_is_invalid_and_loses_columns_only_as_gaps(
    chance: tuple[float, receiver.Disturbance],
) -> None:
    _, disturb = chance
    for seed in range(20):
        sky = empty(12)
        sky.decibels[:, 70:72] = np.nan
        disturb(sky, np.random.default_rng(seed))
        invalid = np.isnan(sky.decibels)
        assert invalid[:, 70:72].all()
        assert disturb is receiver.gaps or int(invalid.sum()) == 2 * HEIGHT
        assert np.isfinite(sky.spread[~invalid]).all()
        assert set(np.unique(sky.mask)) <= {0, 1, IGNORED}


def test_a_nucleus_that_shrank_below_its_size_is_ignored() -> None:
    mask = np.zeros((60, 60), np.uint8)
    mask[5:10, 5:10] = mask[20:30, 20:30] = 1
    _ignore_sizes(mask)
    assert (mask[5:10, 5:10] == IGNORED).all() and (mask[20:30, 20:30] == 1).all()


def test_images_of_one_channel_sizes_and_unknown_primitives_are_refused() -> None:
    with pytest.raises(InputError, match="relative"):
        make_policy("randomised")(np.ones((64, 64), np.uint8), np.zeros((64, 64), np.uint8), 1)
    with pytest.raises(InputError, match="streaks"):
        make_policy("randomised", without=("streak",))
    with pytest.raises(InputError, match="size"):
        make_policy("randomised", size=(80, 144))


def test_primitives_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from odm.images import randomised

    asked = []

    def spy(rng: np.random.Generator, shape: tuple[int, int], names: tuple[str, ...]) -> object:
        asked.append(names)
        return draw_primitive(rng, shape, names)

    monkeypatch.setattr(randomised, "draw_primitive", spy)
    for seed in range(10):
        make_policy("randomised", without=("streaks", "box"))(*flat(), seed)
    assert asked and not any({"streaks", "box"} & set(names) for names in asked)
    asked.clear()
    for seed in range(10):
        make_policy("randomised", without=tuple(PRIMITIVES))(*flat(), seed)
    assert not asked
