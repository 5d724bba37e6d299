"""The policy ``randomised``: seeds, validity, masks that say what the picture shows."""

from __future__ import annotations

import numpy as np
import pytest

from odm.core.errors import InputError
from odm.images import randomised
from odm.images.augmentation import make_policy
from odm.images.masks import IGNORED
from odm.images.primitives import PRIMITIVES, draw_primitive
from odm.images.randomised import LARGEST, SMALLEST, spread_of
from odm.images.relative import HEIGHT, WIDTH, compress, expand

Pair = tuple[np.ndarray, np.ndarray]


def flat(noise_db: float = 0.3, columns: int = 250) -> Pair:
    """A flat sky of ``columns`` columns, with a nucleus of 12 dB in the middle."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, :columns]
    excess = 12 * np.exp(-(((y - 80) / 9) ** 2) - ((x - 120) / 8) ** 2)
    decibels = (excess + noise_db * rng.standard_normal(excess.shape)).astype(np.float32)
    image = np.zeros((HEIGHT, WIDTH, 2), np.uint8)
    image[:, :columns, 0] = compress(decibels)
    image[:, :columns, 1] = compress(np.zeros_like(decibels))
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:, :columns] = excess >= 3.6
    return image, mask


def test_a_seed_decides_everything_and_nothing_else_does() -> None:
    policy, scene = make_policy("randomised"), flat()
    forward = [policy(*scene, seed, scene)[:2] for seed in range(8)]
    backward = [policy(*scene, seed, scene)[:2] for seed in reversed(range(8))][::-1]
    for (image, mask), (again, same) in zip(forward, backward, strict=True):
        np.testing.assert_array_equal(image, again)
        np.testing.assert_array_equal(mask, same)
    assert len({image.tobytes() for image, _ in forward}) == 8


def test_strength_0_leaves_an_image_as_it_is() -> None:
    image, mask = flat()
    varied, same, _ = make_policy("randomised", 0)(image, mask, 5)
    assert np.abs(varied.astype(int) - image)[..., 0].max() <= 3  # polished once more
    np.testing.assert_array_equal(varied[..., 1], image[..., 1])
    np.testing.assert_array_equal(same, mask)


def test_what_is_invalid_is_invalid_in_both_channels_and_ends_are_cut_not_rolled() -> None:
    image, mask = flat()
    lengths = set()
    for seed in range(60):
        varied, new, valid = make_policy("randomised")(image, mask, seed)
        np.testing.assert_array_equal(varied[..., 0] == 0, varied[..., 1] == 0)
        assert set(np.unique(new)) <= {0, 1, IGNORED}
        columns = np.flatnonzero(valid.any(axis=0))
        lengths.add(int(columns[-1]) + 1)
        assert not new[:, int(columns[-1]) + 1 :].any()
    assert len(lengths) > 15  # stretched and cut, at the left of the canvas


def test_an_added_nucleus_is_where_the_mask_says_with_its_peak() -> None:
    image, mask = flat(0.0)
    counted = 0
    for seed in range(200):
        sky = randomised._Sky(
            np.zeros((HEIGHT, 250), np.float32),
            np.zeros((HEIGHT, 250), np.float32),
            np.zeros((HEIGHT, 250), np.uint8),
        )
        randomised._add_nucleus(sky, np.random.default_rng(seed), (image, mask))
        inside = sky.mask == 1
        if not inside.any():
            continue
        counted += 1
        peak = float(sky.decibels.max())
        assert 3 <= peak <= 30.1
        assert SMALLEST <= inside.sum() <= LARGEST
        assert inside[np.unravel_index(int(sky.decibels.argmax()), inside.shape)]
        outline = max(0.3 * peak, 1.0)
        assert sky.decibels[inside].min() >= outline - 0.05 * peak
        assert not (sky.decibels[~inside] > outline + 0.3 * peak).any()
    assert counted > 60


def test_the_spread_of_a_streak_is_that_of_its_block() -> None:
    power = np.ones(16, np.float32)
    power[:4] += 9.0
    exact = 10 * np.log10(power.mean()) - (10 * np.log10(power)).mean()
    assert spread_of(np.array([9.0], np.float32), 0.25)[0] == pytest.approx(exact, abs=1e-5)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_a_primitive_has_a_sharp_edge_or_is_no_region_of_nuclear_size(name: str) -> None:
    import cv2

    rng = np.random.default_rng(3)
    for _ in range(40):
        primitive = draw_primitive(rng, (HEIGHT, 250), (name,))
        excess = np.zeros((HEIGHT, 250), np.float32)
        excess[primitive.window] = primitive.excess_db
        peak = float(excess.max())
        if peak < 3:
            continue
        outline = (excess >= max(0.3 * peak, 1.0)).astype(np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(outline, connectivity=8)
        for number in range(1, count):
            if not SMALLEST <= stats[number, cv2.CC_STAT_AREA] <= LARGEST:
                continue
            ring = cv2.dilate((labels == number).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
            across = max(
                np.abs(np.diff(excess, axis=axis))[_both(ring, axis)].max() for axis in (0, 1)
            )
            narrow = 2.5 * cv2.distanceTransform((labels == number).astype(np.uint8), 2, 5).max()
            slender = narrow**2 < 0.5 * stats[number, cv2.CC_STAT_AREA]
            assert across > 0.3 * peak or slender


def _both(area: np.ndarray, axis: int) -> np.ndarray:
    first, second = (np.delete(area, i, axis=axis) for i in (0, -1))
    return first & second


def test_a_hidden_nucleus_is_ignored() -> None:
    image, mask = flat(0.0)
    sky = randomised._Sky(
        expand(image[:, :250, 0]), expand(image[:, :250, 1]), mask[:, :250].copy()
    )
    window = (slice(60, 100), slice(100, 140))
    box = np.full((40, 40), 28, np.float32)
    randomised._put(sky, randomised.Primitive(window, box, 1.0))
    assert not (sky.mask == 1).any() and (sky.mask == IGNORED).any()


def test_images_of_one_channel_and_unknown_primitives_are_refused() -> None:
    with pytest.raises(InputError, match="relative"):
        make_policy("randomised")(np.ones((64, 64), np.uint8), np.zeros((64, 64), np.uint8), 1)
    with pytest.raises(InputError, match="streaks"):
        make_policy("randomised", without=("streak",))


def test_primitives_can_be_left_out() -> None:
    everything = tuple(PRIMITIVES)
    image, mask = flat()
    with_all = make_policy("randomised")(image, mask, 11)[0]
    without = make_policy("randomised", without=everything)(image, mask, 11)[0]
    assert (with_all != without).any()
