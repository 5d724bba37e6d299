"""Feeds: batches of samples in the order of `draws`, made ready by threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from odm.core.errors import InputError
from odm.training.draws import draw_epoch, share_of
from odm.training.ranks import Ranks
from odm.training.samples import ChangingSource, Source, at_epoch

Prepare = Callable[[Any, int | None], Any]
"""A raw sample and a seed (None: as it is) → what `Collate` takes."""
Collate = Callable[[list[Any]], Any]
"""Prepared samples → a batch."""


@dataclass
class _Feed:
    """What both feeds are given.

    Args:
        source: the samples.
        prepare, collate: the task's.
        batch_size: samples of a batch.
        threads: threads that prepare samples; 0 does it in the calling thread.
        prefetch: steps, or batches, prepared ahead.
    """

    source: Source
    prepare: Prepare
    collate: Collate
    batch_size: int
    threads: int = 0
    prefetch: int = 2


@dataclass
class ThreadFeed(_Feed):
    """Feeds training from a source. ``batch_size`` is that of a step, over all ranks and parts.

    What is left of an epoch beside whole steps is left out.

    Args:
        parts: a step's batches, computed one after the other.
        seed: seed of the training.
        positive_share: see `draw_epoch`.

    Raises:
        InputError: there are fewer samples than a batch takes.
    """

    parts: int = 1
    seed: int = 0
    positive_share: float | None = None

    def __post_init__(self) -> None:
        number = len(self.source.keys)
        if number < self.batch_size:
            raise InputError(
                f"a batch of {self.batch_size} needs as many samples for training, and there "
                f"are {number}: set data.batch_size={number} or less"
            )
        self.steps_per_epoch = number // self.batch_size

    def steps(self, epoch: int, first: int, ranks: Ranks) -> Iterator[list[Any]]:
        """This rank's batches of each step of an epoch from step ``first``, one per part."""
        part = self.batch_size // self.parts
        if part < ranks.world_size:
            raise InputError(
                f"{ranks.world_size} ranks cannot share {part} samples a step: set a larger "
                "data.batch_size or a smaller optimiser.accumulate"
            )
        source = at_epoch(self.source, epoch)
        draws = draw_epoch(
            source.keys,
            source.positive,
            seed=self.seed,
            epoch=epoch,
            positive_share=self.positive_share,
        )
        first_draw, last_draw = share_of(part, ranks.rank, ranks.world_size)
        plan = [
            [(draw.index, draw.seed) for draw in draws[at + first_draw : at + last_draw]]
            for step in range(first, self.steps_per_epoch)
            for at in range(step * self.batch_size, (step + 1) * self.batch_size, part)
        ]
        batches = _made_ready(self, source, plan, self.prefetch * self.parts)
        for _ in range(first, self.steps_per_epoch):
            yield [next(batches) for _ in range(self.parts)]


class WholeFeed(_Feed):
    """Feeds validation: every sample of a source once, as it is, in the source's order.

    ``batch_size`` is that of a batch on one rank.
    """

    def batches(self, ranks: Ranks) -> Iterator[Any]:
        """This rank's batches; every sample is on one rank only."""
        start, stop = share_of(len(self.source.keys), ranks.rank, ranks.world_size)
        plan: list[list[tuple[int, int | None]]] = [
            [(index, None) for index in range(at, min(at + self.batch_size, stop))]
            for at in range(start, stop, self.batch_size)
        ]
        return _made_ready(self, self.source, plan, self.prefetch)


def _made_ready(
    feed: _Feed, source: Source, plan: Sequence[Sequence[tuple[int, int | None]]], ahead: int
) -> Iterator[Any]:
    """The batches of a plan in its order, samples prepared by threads."""
    if isinstance(source, ChangingSource):
        source.expect([index for batch in plan for index, _ in batch])

    def make(index: int, seed: int | None) -> Any:
        return feed.prepare(source.load(index), seed)

    if feed.threads == 0:
        for batch in plan:
            yield feed.collate([make(*sample) for sample in batch])
        return
    pool = ThreadPoolExecutor(feed.threads, thread_name_prefix="feed")
    waiting: deque[list[Future[Any]]] = deque()
    try:
        for batch in plan:
            waiting.append([pool.submit(make, *sample) for sample in batch])
            if len(waiting) > ahead:
                yield feed.collate([future.result() for future in waiting.popleft()])
        while waiting:
            yield feed.collate([future.result() for future in waiting.popleft()])
    finally:
        # Also when the loop stops in the middle of an epoch.
        pool.shutdown(wait=True, cancel_futures=True)
