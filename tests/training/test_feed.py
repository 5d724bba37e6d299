"""The order of samples and their variation: the same whoever feeds."""

import threading
from collections import Counter
from typing import Any

import numpy as np
import pytest

from odm.core.errors import InputError
from odm.models.networks.base import SegmentationModel
from odm.training.draws import Draw, draw_epoch
from odm.training.feed import ThreadFeed, WholeFeed
from odm.training.masks import MaskTask, crop
from odm.training.ranks import Ranks
from odm.training.settings import MaskDataSettings, SegmenterSettings
from tests.training.tiny import Blobs, TinyNet

KEYS = [f"orbit{number}" for number in range(20)]
POSITIVE = [number < 5 for number in range(20)]


def test_an_epoch_takes_every_sample_once_in_an_order_of_its_own() -> None:
    first = draw_epoch(KEYS, POSITIVE, seed=1, epoch=0)
    assert sorted(draw.index for draw in first) == list(range(20))
    assert first == draw_epoch(KEYS, POSITIVE, seed=1, epoch=0)
    for other in ({"seed": 1, "epoch": 1}, {"seed": 2, "epoch": 0}):
        again = draw_epoch(KEYS, POSITIVE, **other)
        assert [draw.index for draw in again] != [draw.index for draw in first]
        assert not {draw.seed for draw in again} & {draw.seed for draw in first}


def test_the_order_of_a_source_does_not_matter() -> None:
    def named(keys: list[str], positive: list[bool], share: float | None) -> list[Any]:
        draws = draw_epoch(keys, positive, seed=3, epoch=2, positive_share=share)
        return [(keys[draw.index], draw.seed) for draw in draws]

    for share in (None, 0.6):
        assert named(KEYS, POSITIVE, share) == named(KEYS[::-1], POSITIVE[::-1], share)


def test_known_draws() -> None:
    # Changes whenever a resumed training would see other samples than the one it goes on from.
    draws = draw_epoch(["a", "b", "c"], [True, False, False], seed=0, epoch=0)
    assert draws == [
        Draw(index=2, seed=8578762104410965405),
        Draw(index=1, seed=8010020332594200291),
        Draw(index=0, seed=7382358205314120738),
    ]


def test_a_share_of_positive_draws() -> None:
    draws = draw_epoch(KEYS, POSITIVE, seed=0, epoch=0, positive_share=0.6)
    counts = Counter(draw.index for draw in draws)
    assert len(draws) == 20
    assert sum(counts[index] for index in range(5)) == 12
    assert sorted(counts[index] for index in range(5)) == [2, 2, 2, 3, 3]
    assert max(counts[index] for index in range(5, 20)) == 1
    assert len({draw.seed for draw in draws}) == 20  # each turn is varied in another way
    left_out = set(range(20)) - set(counts)
    later = draw_epoch(KEYS, POSITIVE, seed=0, epoch=1, positive_share=0.6)
    assert left_out & {draw.index for draw in later}
    for only in (True, False):
        draws = draw_epoch(KEYS, [only] * 20, seed=0, epoch=0, positive_share=0.5)
        assert sorted(draw.index for draw in draws) == list(range(20))


def make_feed(source: Any, threads: int, parts: int = 1, **data: Any) -> ThreadFeed:
    task = MaskTask(TinyNet(), SegmenterSettings(data=MaskDataSettings(**data)))
    return ThreadFeed(
        source, task.prepare, task.collate, batch_size=6, parts=parts, seed=5, threads=threads
    )


def joined(feed: ThreadFeed, world_size: int, first: int = 0) -> list[np.ndarray]:
    """Images of all parts of all ranks, step by step."""
    ranks = [feed.steps(2, first, Ranks(rank, world_size)) for rank in range(world_size)]
    return [
        np.concatenate([rank[part].images.numpy() for part in range(feed.parts) for rank in step])
        for step in zip(*ranks, strict=True)
    ]


@pytest.mark.parametrize("policy", ["physical", "paper"])
def test_images_do_not_depend_on_threads_ranks_parts_or_start(policy: str) -> None:
    source = Blobs(20)
    options: dict[str, Any] = {"augmentation": policy, "crop": (32, 32)}
    alone = joined(make_feed(source, 0, **options), 1)
    assert len(alone) == 3 and alone[0].shape == (6, 1, 32, 32)
    for threads, world_size, parts in ((3, 1, 1), (0, 4, 1), (2, 2, 3), (1, 1, 2)):
        other = joined(make_feed(source, threads, parts, **options), world_size)
        for mine, theirs in zip(alone, other, strict=True):
            assert np.array_equal(mine, theirs)
    for mine, theirs in zip(alone[1:], joined(make_feed(source, 2, **options), 2, 1), strict=True):
        assert np.array_equal(mine, theirs)


def test_validation_shows_every_sample_once_as_it_is() -> None:
    source = Blobs(7)
    data = MaskDataSettings(augmentation="physical", crop=(32, 32))
    task = MaskTask(TinyNet(), SegmenterSettings(data=data))
    feed = WholeFeed(source, task.prepare, task.collate, 2, threads=2)
    for world_size in (1, 3):
        parts = [
            batch.images.numpy()
            for rank in range(world_size)
            for batch in feed.batches(Ranks(rank, world_size))
        ]
        images = np.concatenate(parts)[:, 0]
        assert np.array_equal(images, np.stack([source.load(i)[0] for i in range(7)]))


def test_a_bad_sample_stops_the_feed_and_its_threads() -> None:
    class Broken(Blobs):
        def load(self, index: int) -> Any:
            if index == 3:
                raise OSError("gone")
            return super().load(index)

    feed = make_feed(Broken(20), threads=2)
    with pytest.raises(OSError, match="gone"):
        list(feed.steps(0, 0, Ranks()))
    steps = make_feed(Blobs(20), threads=2).steps(0, 0, Ranks())
    next(steps)
    steps.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("feed")]


def test_batches_that_cannot_be() -> None:
    with pytest.raises(InputError, match=r"batch of 6 needs as many .* set data.batch_size=4"):
        make_feed(Blobs(4), 0)
    with pytest.raises(InputError, match="8 ranks cannot share 6 samples"):
        next(make_feed(Blobs(20), 0).steps(0, 0, Ranks(0, 8)))


def test_crops_lie_in_the_content_and_show_a_nucleus_as_often_as_asked() -> None:
    image = np.zeros((128, 160), np.uint8)
    image[:100, :120] = 7
    mask = np.zeros_like(image)
    mask[90:95, 10:15] = 1
    rng = np.random.default_rng(0)
    shown = 0
    for _ in range(200):
        part, labels = crop(image, mask, (64, 64), 1.0, rng)
        assert part.shape == labels.shape == (64, 64)
        assert part.all()
        shown += labels.any()
    assert shown == 200
    places = {crop(image, mask, (64, 64), 0.0, rng)[1].sum() for _ in range(100)}
    assert 0 in places and 25 in places
    # Content smaller than the crop, none at all, and a crop as large as the image.
    for empty in (np.zeros_like(image), image):
        whole, _ = crop(empty, mask, (128, 160), 1.0, rng)
        assert whole.shape == (128, 160)
    with pytest.raises(InputError, match=r"data.crop 160 x 64 is larger than the images, 128 x"):
        crop(image, mask, (160, 64), 0.5, rng)


def test_three_channels_see_the_paper_in_colour() -> None:
    class Rgb(SegmentationModel):
        def __init__(self) -> None:
            super().__init__("rgb", {}, in_channels=3, classes=2)

    task = MaskTask(Rgb(), SegmenterSettings(data=MaskDataSettings(augmentation="paper")))
    sample = Blobs(1).load(0)
    batch = task.collate([task.prepare(sample, seed) for seed in range(16)])
    assert batch.images.shape == (16, 3, 32, 32)
    assert batch.valid.shape == (16, 32, 32)
    assert (batch.images[:, 0] != batch.images[:, 2]).any()
    assert ((batch.images > 0).any(1) == batch.valid).all()
