"""When a trial is stopped early: functions of the curves in the study, and of nothing else.

So a sweep that was killed and goes on, and one without Ray, stop the same trials. A curve is the
best value so far by epoch; more is better.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from odm.core.checks import check_least
from odm.core.errors import InputError

Curve = Mapping[int, float]
RULES = ("asha", "median", "none")


@dataclass(frozen=True)
class Rule:
    """How trials are stopped.

    Attributes:
        name: ``asha``: asynchronous successive halving (Li et al. 2020): at the epochs ``grace``,
            ``grace * reduction``, ... a trial goes on if it is among the best 1 / ``reduction`` of
            those that came so far before it. ``median`` (Golovin et al. 2017): a trial ends whose
            best value is below the median of the others' means up to that epoch. ``none``.
        grace: epochs that every trial has.
        reduction: one trial in so many goes on, with ``asha``.
        least: other trials that must have come so far, with ``median``.
    """

    name: str = "asha"
    grace: int = 1
    reduction: int = 3
    least: int = 3

    def __post_init__(self) -> None:
        if self.name not in RULES:
            raise InputError(f"--scheduler {self.name}: give {', '.join(RULES)}")
        check_least("--grace", self.grace, 1)
        check_least("--reduction", self.reduction, 2)

    def stops(self, curve: Curve, others: Iterable[Curve]) -> bool:
        """Whether a trial ends at the last epoch of its curve.

        Args:
            curve: curve of the trial.
            others: curves of all that have begun, finished or not.
        """
        epoch = max(curve)
        if self.name == "none" or epoch < self.grace or math.isnan(curve[epoch]):
            return False
        if self.name == "median":
            return self._below_median(curve, list(others), epoch)
        return self._left_behind(curve, list(others), epoch)

    def _left_behind(self, curve: Curve, others: list[Curve], epoch: int) -> bool:
        rung = self.grace
        while rung * self.reduction <= epoch:
            rung *= self.reduction
        before = [earlier for earlier in curve if earlier < epoch]
        if before and max(before) >= rung:  # it has passed this one already
            return False
        there = [value for other in others if (value := _at(other, rung)) is not None]
        if not there:
            return False
        return curve[epoch] < float(np.quantile(there, 1 - 1 / self.reduction))

    def _below_median(self, curve: Curve, others: list[Curve], epoch: int) -> bool:
        means = []
        for other in others:
            known = {at: value for at, value in other.items() if not math.isnan(value)}
            if known and max(known) >= epoch:
                means.append(statistics.fmean(v for at, v in known.items() if at <= epoch))
        best = max(value for value in curve.values() if not math.isnan(value))
        return len(means) >= self.least and best < statistics.median(means)


def _at(curve: Curve, epoch: int) -> float | None:
    """The value at an epoch, or at the first one after it; None where it never came so far."""
    later = [at for at, value in curve.items() if at >= epoch and not math.isnan(value)]
    return curve[min(later)] if later else None
