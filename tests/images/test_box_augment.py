import numpy as np
import pytest

from odm.images.box_augmentation import (
    BoxPolicy,
    Labelled,
    clipped,
    colour,
    fitted,
    flip,
    mixup,
    mosaic,
    zoom,
)


def sample(value: int = 200, kind: int = 1) -> Labelled:
    """A bright box on grey."""
    image = np.full((64, 96), 50, np.uint8)
    image[10:30, 20:60] = value
    return image, np.array([[kind, 20, 10, 60, 30]], np.float32)


def bright(image: np.ndarray, value: int = 200) -> list[int]:
    rows, columns = np.nonzero(image >= value - 20)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_a_flip_takes_the_box_along() -> None:
    image, boxes = flip(sample())
    assert boxes.tolist() == [[1, 36, 10, 76, 30]]
    assert bright(image) == [36, 10, 76, 30]


def test_another_size() -> None:
    image, boxes = fitted(sample(), (32, 192))
    assert image.shape == (32, 192)
    assert boxes.tolist() == [[1, 40, 5, 120, 15]]


def test_colour_keeps_what_is_invalid() -> None:
    image, _ = sample()
    image[:, 0] = 0
    changed = colour(image, np.random.default_rng(1))
    assert (changed[:, 0] == 0).all() and (changed[:, 1:] > 0).all()
    assert (changed != image).any()


def test_mixup_shows_both() -> None:
    image, boxes = mixup(sample(), flip(sample(kind=0)))
    assert boxes[:, 0].tolist() == [1, 0]
    assert image[20, 25] == 125 and image[20, 50] == 200 and image[50, 50] == 50


@pytest.mark.parametrize("seed", range(8))
def test_zoom_and_mosaic_move_boxes_with_their_pixels(seed: int) -> None:
    for image, boxes in (
        zoom(sample(), np.random.default_rng(seed)),
        mosaic([sample(200), sample(50, 0), sample(50, 0), sample(50, 0)],
               np.random.default_rng(seed)),
    ):  # fmt: skip
        assert image.shape == (64, 96)
        assert (boxes[:, 1:] >= 0).all()
        assert (boxes[:, 3] <= 96).all() and (boxes[:, 4] <= 64).all()
        mine = boxes[boxes[:, 0] == 1]
        if len(mine):
            assert np.abs(mine[0, 1:] - bright(image, 190)).max() <= 2


def test_little_of_a_box_is_nothing() -> None:
    boxes = np.array([[0, 0, 0, 10, 10], [1, 9, 0, 19, 10], [1, 8.5, 0, 9.5, 50]], np.float32)
    cut = clipped(boxes, (0, 0, 20, 10))
    assert cut.tolist() == [[0, 0, 0, 10, 10]]
    assert clipped(np.zeros((0, 5), np.float32), (0, 0, 9, 9)).shape == (0, 5)


def test_the_seed_decides() -> None:
    policy = BoxPolicy(flip=0.5, mosaic=0.5, mixup=0.5, colour=0.5, zoom=0.5)
    first, again, other = (
        policy(sample(), seed, lambda rng: sample(int(rng.integers(100, 200))))
        for seed in (3, 3, 4)
    )
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])
    plain = BoxPolicy()(sample(), 3, lambda rng: sample())
    assert np.array_equal(plain[0], sample()[0])
