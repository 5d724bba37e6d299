"""Which samples make an epoch, in which order, with which randomness: by (seed, epoch, key).

Nothing here depends on who feeds: not on the number of ranks, threads or machines, nor on the order
in which a source lists its samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Draw:
    """One sample of an epoch.

    Attributes:
        index: its place in the source.
        seed: seed of the crop and the augmentation, 0 to 2^63 - 1.
    """

    index: int
    seed: int


def draw_epoch(
    keys: Sequence[str],
    positive: Sequence[bool],
    *,
    seed: int,
    epoch: int,
    positive_share: float | None = None,
) -> list[Draw]:
    """The samples of one epoch in their order.

    Args:
        keys: names of the samples, all different.
        positive: whether each of them has something to find.
        seed: seed of the training.
        epoch: number of the epoch, from 0.
        positive_share: share of positive draws; None takes every sample once. With a share an
            epoch is as long; of a kind with too few samples some are drawn several times, each
            time with another seed, and of one with too many some are left to other epochs. A kind
            of which there is none is replaced by the other.
    """
    if positive_share is None:
        counted = [(index, 0) for index in range(len(keys))]
    else:
        counted = []
        number = round(len(keys) * positive_share)
        if all(positive) or not any(positive):
            number = len(keys) if any(positive) else 0
        for draws_of_kind, kind in ((number, True), (len(keys) - number, False)):
            members = [index for index, is_positive in enumerate(positive) if is_positive == kind]
            counted += _take(members, draws_of_kind, keys, f"{seed}/{epoch}/take")
    draws = [
        (_hash(f"{seed}/{epoch}/order/{keys[index]}/{turn}"), index, turn)
        for index, turn in counted
    ]
    return [
        Draw(index, _hash(f"{seed}/{epoch}/vary/{keys[index]}/{turn}"))
        for _, index, turn in sorted(draws)
    ]


def _take(members: list[int], number: int, keys: Sequence[str], name: str) -> list[tuple[int, int]]:
    """So many of the members, each equally often up to one; with the number of its turn."""
    rounds, rest = divmod(number, max(1, len(members)))
    taken = [(index, turn) for turn in range(rounds) for index in members]
    chosen = sorted(members, key=lambda index: _hash(f"{name}/{keys[index]}"))[:rest]
    return taken + [(index, rounds) for index in chosen]


def step_seed(seed: int, step: int, rank: int) -> int:
    """Seed of what a network draws in one step (dropout): another on each rank."""
    return _hash(f"{seed}/step/{step}/{rank}")


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


def share_of(number: int, rank: int, world_size: int) -> tuple[int, int]:
    """Begin and end of the part of ``number`` samples that a rank takes; parts differ by one."""
    return rank * number // world_size, (rank + 1) * number // world_size
