"""Recall at fixed rates of false regions on clear half-orbits.

At the paper's prevalence 96 of 100 half-orbits are clear, so what a scientist can use is decided by
how many false regions those have. The rate is chosen first, and the threshold follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.catalog.bootstrap import interval
from odm.scoring.curves import Floats

FALSE_RATES = (1.0, 3.0, 10.0)
"""False regions per 100 clear half-orbits at which recall is read off."""
SHARES = {"interval": 0.95, "interval_90": 0.90}
"""Name of an interval and the share of resampled values inside it."""
_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class RankedRegions:
    """Found regions of many half-orbits, with what is needed to resample their blocks.

    Attributes:
        confidence: (F,) what ranks them.
        hit: (F,) bool, whether each is true.
        counted: (F,) bool, false for what is neither true nor false.
        on_clear: (F,) bool, whether nothing is true in its half-orbit.
        block: (F,) number of its block.
        truths, clear: (B,) number of true regions, and of clear half-orbits, in each block.
    """

    confidence: Floats
    hit: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    on_clear: NDArray[np.bool_]
    block: NDArray[np.intp]
    truths: NDArray[np.int64]
    clear: NDArray[np.int64]


def recall_at_false_rates(
    regions: RankedRegions, weights: NDArray[np.int64]
) -> list[dict[str, Any]]:
    """Return what is found at each of `FALSE_RATES`.

    The threshold is the smallest confidence at which no more false regions are found on clear
    half-orbits than the rate allows. Regions of one confidence cannot be told apart: either all of
    them are found or none. A rate that allows less than one false region on all clear half-orbits
    together is undefined.

    Args:
        regions: what was found.
        weights: (R, B) how often each block is drawn, for intervals.

    Returns:
        For each rate ``rate``, ``threshold``, ``recall``, ``precision``, ``f1``, and of the recall
        ``interval`` (95 %) and ``interval_90``; NaN is undefined. Where even the surest regions are
        too many the recall is 0 and the threshold undefined.
    """
    sweep = _Sweep(regions)
    whole = np.ones(regions.truths.size, np.int64)
    truths = int(regions.truths.sum())
    resampled = np.full((len(weights), len(FALSE_RATES)), np.nan)
    for number, weight in enumerate(weights):
        all_true = weight @ regions.truths
        resampled[number] = [_share(true, all_true) for _, true, _ in sweep.points(weight)]
    rows = []
    for number, (rate, point) in enumerate(zip(FALSE_RATES, sweep.points(whole), strict=True)):
        threshold, true, found = point
        rows.append(
            {
                "rate": rate,
                "threshold": threshold,
                "recall": _share(true, truths),
                "precision": _share(true, found),
                "f1": _share(2 * true, found + truths),
                **{name: interval(resampled[:, number], share) for name, share in SHARES.items()},
            }
        )
    return rows


class _Sweep:
    """Found regions by falling confidence, for one resampling after another."""

    def __init__(self, regions: RankedRegions) -> None:
        order = np.argsort(-regions.confidence, kind="stable")
        order = order[regions.counted[order]]
        self.confidence, self.block = regions.confidence[order], regions.block[order]
        self.hit = regions.hit[order]
        self.alarm = ~self.hit & regions.on_clear[order]
        self.last = np.flatnonzero(np.diff(self.confidence, append=-np.inf))
        self.clear = regions.clear

    def points(self, weight: NDArray[np.int64]) -> list[tuple[float, float, float]]:
        """Return threshold, true and all regions at every rate; (B,) how often a block counts."""
        each = weight[self.block]
        true, false, found = (
            np.cumsum(each * part)[self.last] for part in (self.hit, self.alarm, 1)
        )
        clear = int(weight @ self.clear)
        points = []
        for rate in FALSE_RATES:
            allowed = rate / 100 * clear + _ROUNDING
            place = int(np.searchsorted(false, allowed, side="right")) - 1
            if allowed < 1:
                points.append((np.nan, np.nan, np.nan))
            elif place < 0:
                points.append((np.nan, 0.0, 0.0))
            else:
                threshold = self.confidence[self.last[place]]
                points.append((float(threshold), float(true[place]), float(found[place])))
        return points


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")
