"""Augmentation: image, mask and validity move together, and the seed alone decides."""

from __future__ import annotations

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from odm.core.errors import InputError
from odm.images import augmentation as augment
from odm.images.augmentation import make_policy

SHAPE = (96, 128)


GREY = ("none", "paper", "physical")
"""Policies of images of one channel; `test_randomised` holds the one of two."""


def scene(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Speckle with a bright square, a gap of columns and a padded right side; and the mask."""
    rng = np.random.default_rng(seed)
    image = rng.normal(70, 6, SHAPE).clip(1, 255).astype(np.uint8)
    mask = np.zeros(SHAPE, np.uint8)
    image[30:62, 40:72] = 230
    mask[30:62, 40:72] = 1
    image[:, 84:88] = 0
    image[:, 110:] = 0
    return image, mask


@pytest.mark.parametrize("name", GREY)
def test_zero_is_reserved_for_invalid(name: str) -> None:
    policy = make_policy(name)
    image, mask = scene()
    kept = image.copy(), mask.copy()
    for seed in range(30):
        varied, moved, valid = policy(image, mask, seed)
        assert varied.shape == moved.shape == valid.shape == SHAPE
        assert (varied.dtype, moved.dtype, valid.dtype) == (np.uint8, np.uint8, np.bool_)
        np.testing.assert_array_equal(varied > 0, valid)
        assert set(np.unique(moved)) <= {0, 1}
        assert 0.4 < valid.mean() < 1
    np.testing.assert_array_equal(image, kept[0])
    np.testing.assert_array_equal(mask, kept[1])


@pytest.mark.parametrize("name", ["paper", "physical"])
def test_the_square_stays_under_its_mask(name: str) -> None:
    policy = make_policy(name)
    image, mask = scene()
    image[(image > 0) & (mask == 0)] = 70  # sharpened speckle is as bright as the square
    moved_somewhere = 0
    for seed in range(40):
        varied, moved, valid = policy(image, mask, seed)
        moved_somewhere += bool((moved != mask).any())
        inside, outside = varied[valid & (moved > 0)], varied[valid & (moved == 0)]
        threshold = (int(np.median(inside)) + int(np.median(outside))) / 2
        assert np.median(inside) > np.median(outside) + 30
        bright = valid & (varied > threshold)
        overlap = (bright & (moved > 0)).sum() / (bright | (valid & (moved > 0))).sum()
        assert overlap > 0.75  # blurs eat the outline
    assert moved_somewhere > 10


@pytest.mark.parametrize("name", GREY)
def test_the_seed_alone_decides(name: str) -> None:
    policy = make_policy(name)
    image, mask = scene()
    forward = [policy(image, mask, seed) for seed in range(12)]
    backward = [policy(image, mask, seed) for seed in reversed(range(12))][::-1]
    again = pickle.loads(pickle.dumps(policy))
    with ThreadPoolExecutor(4) as pool:
        threads = list(pool.map(lambda seed: again(image, mask, seed), range(12)))
    for one, two, three in zip(forward, backward, threads, strict=True):
        for a, b, c in zip(one, two, three, strict=True):
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(a, c)
    different = {forward[seed][0].tobytes() for seed in range(12)}
    assert len(different) == (1 if name == "none" else 12)


def test_another_process_gives_the_same() -> None:
    code = (
        "import hashlib; from tests.images.test_augment import scene;"
        "from odm.images.augmentation import make_policy;"
        "print(*[hashlib.sha256(make_policy(n)(*scene(), 5)[0].tobytes()).hexdigest()"
        " for n in ('paper', 'physical')])"
    )
    import hashlib

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = [
        hashlib.sha256(make_policy(name)(*scene(), 5)[0].tobytes()).hexdigest()
        for name in ("paper", "physical")
    ]
    assert out.stdout.split() == here


def test_none_changes_nothing() -> None:
    image, mask = scene()
    varied, moved, valid = make_policy("none")(image, mask, 3)
    np.testing.assert_array_equal(varied, image)
    np.testing.assert_array_equal(moved, mask)
    np.testing.assert_array_equal(valid, image > 0)
    assert not np.shares_memory(varied, image)


def test_table_1_is_literal() -> None:
    compose = augment._table_1(96, 128, 1.0)
    assert [(type(step).__name__, step.p) for step in compose.transforms] == [
        ("Resize", 1),
        ("HorizontalFlip", 0.4),
        ("Affine", 0.4),
        ("GaussNoise", 0.2),
        ("CLAHE", 0.5),
        ("RandomBrightnessContrast", 0.7),
        ("RandomGamma", 0.7),
        ("Sharpen", 0.7),
        ("Blur", 0.7),
        ("MotionBlur", 0.7),
        ("HueSaturationValue", 0.7),
    ]
    affine, noise = compose.transforms[2], compose.transforms[3]
    assert affine.scale == {"x": (0.9, 1.1), "y": (0.9, 1.1)}
    assert affine.translate_percent == {"x": (-0.0625, 0.0625), "y": (-0.0625, 0.0625)}
    assert affine.rotate == (-45, 45)
    assert noise.std_range == (0.0124, 0.0277)


def test_methods_are_applied_independently() -> None:
    # With one seed for every method, the five of probability 0.7 would always go together.
    import random

    compose = augment._table_1(96, 128, 1.0)
    seven = compose.transforms[5:11]
    together = []
    for seed in range(60):
        compose.set_random_state(np.random.default_rng(seed), random.Random(seed))
        together.append(sum(step.should_apply() for step in seven))
    assert len(set(together)) > 3
    assert 0.55 < np.mean(together) / 6 < 0.85


def test_paper_can_work_in_colour_and_at_another_size() -> None:
    image, mask = scene()
    varied, moved, valid = make_policy("paper", size=(64, 160), rgb=True)(image, mask, 4)
    assert varied.shape == (64, 160, 3)
    assert moved.shape == valid.shape == (64, 160)
    assert (varied.min(axis=2) > 0)[valid].all()
    assert not varied[~valid].any()


@pytest.mark.parametrize("name", ["none", "physical"])
def test_other_policies_resize_too(name: str) -> None:
    image, mask = scene()
    varied, moved, valid = make_policy(name, size=(48, 64), rgb=True)(image, mask, 4)
    assert varied.shape == (48, 64, 3)
    assert moved.shape == valid.shape == (48, 64)
    if name == "none":
        assert moved.sum() == mask.sum() / 4
        assert moved[15:31, 20:36].all()


def test_physical_keeps_frequency_and_the_order_of_time() -> None:
    image, mask = scene()
    image[:] = 0
    image[10:20, 20:100] = 100
    mask[:] = 0
    mask[10:20, 50:60] = 1
    shifts = set()
    for seed in range(50):
        varied, moved, _ = make_policy("physical")(image, mask, seed)
        assert not varied[:10].any()
        assert not varied[20:].any()
        rows, columns = np.nonzero(moved)
        assert (rows.min(), rows.max()) == (10, 19)
        shifts.add(int(columns.min()) - 50)
    assert min(shifts) < -8
    assert max(shifts) > 8
    assert min(shifts) >= -augment.SHIFT_COLUMNS
    assert max(shifts) <= augment.SHIFT_COLUMNS


def test_no_strength_is_no_change() -> None:
    image, mask = scene()
    for name in ("physical", "paper"):
        varied, moved, _ = make_policy(name, strength=0)(image, mask, 9)
        np.testing.assert_array_equal(varied, image)
        np.testing.assert_array_equal(moved, mask)


def test_nothing_valid_stays_nothing() -> None:
    nothing = np.zeros(SHAPE, np.uint8)
    for name in GREY:
        varied, _, valid = make_policy(name)(nothing, nothing, 1)
        assert not varied.any()
        assert not valid.any()


def test_wrong_use() -> None:
    with pytest.raises(InputError, match="give none, paper, physical"):
        make_policy("strong")
    with pytest.raises(InputError, match="strength -1"):
        make_policy("physical", strength=-1)
    with pytest.raises(InputError, match="one shape"):
        make_policy("none")(np.zeros((3, 4), np.uint8), np.zeros((4, 3), np.uint8), 0)


def test_images_of_two_channels_are_varied_by_those_that_can() -> None:
    image, mask = scene()
    both = np.stack([image, image[:, ::-1]], axis=-1)
    varied, moved, valid = make_policy("none")(both, mask, 0)
    assert np.array_equal(varied, both) and np.array_equal(moved, mask)
    assert np.array_equal(valid, (image > 0) & (image[:, ::-1] > 0))
    smaller = make_policy("none", size=(32, 48))(both, mask, 0)[0]
    assert np.array_equal(smaller[..., 0], make_policy("none", size=(32, 48))(image, mask, 0)[0])
    for name in augment.OF_ONE_CHANNEL:
        with pytest.raises(InputError, match="one channel, and these have 2"):
            make_policy(name)(both, mask, 0)


def test_albumentations_is_imported_late() -> None:
    code = (
        "import sys, odm.images.augmentation as a; a.make_policy('physical');"
        "sys.exit('albumentations' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
