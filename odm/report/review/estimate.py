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
from numpy.typing import NDArray

from odm.catalog.bootstrap import interval

_DRAWS = 20_000


@dataclass
class Stratum:
    """What a campaign holds of one stratum, and what a person said of the reviewed part.

    Attributes:
        inputs: inputs of the campaign.
        findings: findings of the campaign.
        right: findings that are marked right.
        wrong: findings that are marked wrong.
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
    words: tuple[str, str] = ("finding", "input"),
    seed: int = 0,
) -> dict[str, Any]:
    """Return precision and recall with 95 % intervals.

    Args:
        strata: the strata by name.
        words: what a finding and an input are called.
        seed: seed of the draws.

    Returns:
        ``precision`` and ``recall``: each a ``value`` and an ``interval``, or None and ``why``:
        a stratum of which nothing was reviewed says nothing, so neither does the whole.
    """
    rng = np.random.default_rng(seed)
    # The first value is the estimate, the others are draws.
    right, wrong, missed = np.zeros((3, 1 + _DRAWS))
    no_precision, no_recall = [], []
    for name, stratum in strata.items():
        judged = stratum.right + stratum.wrong
        left = max(stratum.findings - judged, 0)
        if left and not judged:
            no_precision.append(name)
        share = stratum.right / judged if judged else 0.0
        drawn = rng.binomial(left, rng.beta(stratum.right + 0.5, stratum.wrong + 0.5, _DRAWS))
        right += stratum.right + np.append(left * share, drawn)
        wrong += stratum.wrong + np.append(left * (1 - share), left - drawn)
        unseen, lacking = max(stratum.inputs - stratum.complete, 0), len(stratum.missed)
        if unseen and not stratum.complete:
            no_recall.append(name)
        each = float(np.mean(stratum.missed)) if stratum.missed else 1.0
        share = lacking / stratum.complete if stratum.complete else 0.0
        odds = rng.beta(lacking + 0.5, max(stratum.complete - lacking, 0) + 0.5, _DRAWS)
        drawn = rng.binomial(unseen, odds)
        missed += sum(stratum.missed) + np.append(unseen * share * each, each * drawn)
    no_recall = sorted({*no_recall, *no_precision})
    return {
        "precision": _share(right, wrong, words, no_precision),
        "recall": _share(right, missed, (words[1], words[1]), no_recall),
    }


def _share(
    hits: NDArray[np.float64],
    misses: NDArray[np.float64],
    words: tuple[str, str],
    lacking: list[str],
) -> dict[str, Any]:
    """Return the share of hits, with the interval that its draws span."""
    if lacking:
        why = f"no {words[0]} was reviewed among the {' and the '.join(lacking)} {words[1]}s"
        return {"value": None, "interval": None, "why": why}
    if hits[0] + misses[0] == 0:
        return {"value": None, "interval": None, "why": "nothing was found, and nothing missed"}
    with np.errstate(invalid="ignore"):
        shares = hits / (hits + misses)
    value, ends = float(shares[0]), interval(shares[1:])
    if ends is not None:  # where the share is 0 or 1, so is one end
        ends = min(ends[0], value), max(ends[1], value)
    return {"value": value, "interval": ends, "why": ""}
