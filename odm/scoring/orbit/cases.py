"""Single half-orbits as cases for a picture: the best, the median and the worst of what was scored.

Masks are kept without what is empty around them, so that every half-orbit of a long archive can be
kept until all are ranked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from odm.findings.outlines import Mask, bounding_box
from odm.findings.regions import reaches
from odm.scoring.orbit.tally import ScoredOrbit

CASES = ("best", "median", "worst")


@dataclass(frozen=True, slots=True)
class Patch:
    """A mask (K, N) cut to the rows and columns that hold all of it."""

    rows: slice
    columns: slice
    inside: Mask

    @classmethod
    def of(cls, mask: Mask) -> Patch:
        """Return the patch of a mask."""
        rows, columns = bounding_box(mask)
        return cls(rows, columns, mask[rows, columns].copy())


@dataclass(frozen=True, slots=True)
class Example:
    """One half-orbit for a picture, with what is true and found in it at the threshold.

    Attributes:
        path: its file.
        lines: frequencies of the masks.
        truth, found: the regions.
        pairs: (true, found) that match.
        dice: 2 × shared / (true + found) pixels.
        wrong: pixels that are in one of them only.
        kind: which case it is a picture of; see `CASES`.
    """

    path: str
    lines: int
    truth: Sequence[Patch]
    found: Sequence[Patch]
    pairs: Sequence[tuple[int, int]]
    dice: float
    wrong: int
    kind: str = ""


def example_of(
    path: str, scored: ScoredOrbit, threshold: float, pairs: Sequence[tuple[int, int]]
) -> Example | None:
    """Return a scored half-orbit as an example; None where nothing is true and nothing was found.

    Args:
        path: its file.
        scored: as `Scorer.add` took it.
        threshold: of seeds.
        pairs: as `Scorer.add` gave them.
    """
    result = [n for n, region in enumerate(scored.found) if reaches(region.seed, threshold)]
    if not scored.truth and not result:
        return None
    true = np.zeros(scored.shape, dtype=bool)
    found = np.zeros(scored.shape, dtype=bool)
    for region in scored.truth:
        true |= region.mask
    for number in result:
        found |= scored.found[number].mask
    shared = np.count_nonzero(true & found)
    whole = np.count_nonzero(true) + np.count_nonzero(found)
    return Example(
        path=path,
        lines=scored.shape[0],
        truth=[Patch.of(region.mask) for region in scored.truth],
        found=[Patch.of(scored.found[number].mask) for number in result],
        pairs=[(true_region, result.index(number)) for true_region, number in pairs],
        dice=2 * shared / whole,
        wrong=int(whole - 2 * shared),
    )


def pick_cases(examples: Sequence[Example], each: int = 3) -> list[Example]:
    """Pick up to ``each`` best, median and worst, in this order, none of them twice.

    They are ranked by Dice, and of equal ones (many have 0) the fewer wrong pixels are the better.
    Where there are few, fewer are picked: what is worst is never shown as the median.
    """
    ranked = sorted(examples, key=lambda example: (-example.dice, example.wrong, example.path))
    each = min(each, max(1, len(ranked) // 3))
    last = max(each, len(ranked) - each)
    middle = max(each, (len(ranked) - each) // 2)
    parts = (ranked[:each], ranked[middle : min(middle + each, last)], ranked[last:])
    return [
        replace(example, kind=kind)
        for kind, part in zip(CASES, parts, strict=True)
        for example in part
    ]
