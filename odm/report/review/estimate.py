"""Precision and recall of a campaign from a person's review of a stratified sample.

What was reviewed counts as it is; for the rest of each stratum the numbers are drawn from what its
reviewed part allows (beta-binomial with Jeffreys' prior, Brown, Cai & DasGupta 2001). So the
intervals stay honest where nothing wrong or nothing missed was seen, and shrink to a point when all
of a campaign is reviewed. They hold for this person's judgement, and for this archive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from odm.catalog.bootstrap import interval

_DRAWS = 20_000


@dataclass
class Stratum:
    """What a campaign holds of one stratum, and what a person said of the reviewed part.

    Attributes:
        inputs, findings: in the campaign.
        right, wrong: findings, as marked.
        complete: inputs of which it is said whether something was missed.
        missed: number of findings missed in each of those where something was.
    """

    inputs: int
    findings: int
    right: int = 0
    wrong: int = 0
    complete: int = 0
    missed: list[int] = field(default_factory=list)


def estimate(
    strata: Mapping[str, Stratum],
    words: tuple[str, str] = ("region", "half-orbit"),
    seed: int = 0,
) -> dict[str, Any]:
    """Precision and recall with 95 % intervals.

    Args:
        strata: by name.
        words: what a finding and an input are called.
        seed: of the draws.

    Returns:
        ``precision`` and ``recall``: each a ``value`` and an ``interval``, or None and ``why``:
        a stratum of which nothing was reviewed says nothing, so neither does the whole.
    """
    rng = np.random.default_rng(seed)
    right, wrong = np.zeros(_DRAWS), np.zeros(_DRAWS)
    missed = np.zeros(_DRAWS)
    middle = {"right": 0.0, "wrong": 0.0, "missed": 0.0}
    no_precision, no_recall = [], []
    for name, one in strata.items():
        judged = one.right + one.wrong
        left = max(one.findings - judged, 0)
        if left and not judged:
            no_precision.append(name)
        more = rng.binomial(left, rng.beta(one.right + 0.5, one.wrong + 0.5, _DRAWS))
        right += one.right + more
        wrong += one.wrong + left - more
        share = one.right / judged if judged else 0.0
        middle["right"] += one.right + left * share
        middle["wrong"] += one.wrong + left * (1 - share)
        unseen = max(one.inputs - one.complete, 0)
        if unseen and not one.complete:
            no_recall.append(name)
        each = float(np.mean(one.missed)) if one.missed else 1.0
        odds = rng.beta(len(one.missed) + 0.5, max(one.complete - len(one.missed), 0) + 0.5, _DRAWS)
        missed += sum(one.missed) + each * rng.binomial(unseen, odds)
        seen = len(one.missed) / one.complete if one.complete else 0.0
        middle["missed"] += sum(one.missed) + unseen * seen * each
    no_recall = sorted({*no_recall, *no_precision})
    return {
        "precision": _answer(middle["right"], middle["wrong"], right, wrong, words, no_precision),
        "recall": _answer(
            middle["right"], middle["missed"], right, missed, (words[1], words[1]), no_recall
        ),
    }


def _answer(
    hits: float,
    others: float,
    drawn_hits: Any,
    drawn_others: Any,
    words: tuple[str, str],
    lacking: list[str],
) -> dict[str, Any]:
    if lacking:
        why = f"no {words[0]} was reviewed among the {' and the '.join(lacking)} {words[1]}s"
        return {"value": None, "interval": None, "why": why}
    if hits + others == 0:
        return {"value": None, "interval": None, "why": "nothing was found, and nothing missed"}
    with np.errstate(invalid="ignore"):
        drawn = drawn_hits / (drawn_hits + drawn_others)
    value, ends = hits / (hits + others), interval(drawn)
    if ends is not None:  # all or nothing: theirs, too, then reaches 1 or 0
        ends = min(ends[0], value), max(ends[1], value)
    return {"value": value, "interval": ends, "why": ""}
