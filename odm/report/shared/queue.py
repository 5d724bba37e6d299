"""Which inputs a person is asked to look at, so that precision and recall can be estimated.

Every searched input belongs to one stratum; of each the queue holds all or a random sample, in
random order, by turns. So whenever the person stops, what was looked at stands for the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.catalog.findings import CampaignTables
from odm.catalog.outcomes import CLEAR, DETECTED

UNCERTAIN, DISAGREEMENT = "uncertain", "disagreement"
STRATA = (UNCERTAIN, DISAGREEMENT, DETECTED, CLEAR)


@dataclass(frozen=True)
class Queue:
    """What to look at.

    Attributes:
        inputs: rows of `CampaignTables.inputs`, in the order to look at them.
        strata: the stratum of each.
        population: stratum → ``inputs`` and ``findings`` in it, in the campaign.
    """

    inputs: list[int]
    strata: list[str]
    population: Mapping[str, Mapping[str, int]]


def review_queue(
    found: CampaignTables, disagreeing: Collection[int] = (), each: int = 15, seed: int = 0
) -> Queue:
    """Draw a queue.

    Args:
        found: the campaign.
        disagreeing: rows of ``inputs`` in which another campaign found something else.
        each: inputs of each stratum.
        seed: the same seed gives the same queue.
    """
    rng = np.random.default_rng(seed)
    status = found.inputs["status"].to_numpy()
    detected, clear = np.flatnonzero(status == DETECTED), np.flatnonzero(status == CLEAR)
    confidence = np.full(len(status), np.inf)
    np.minimum.at(confidence, found.owner, found.findings["confidence"].to_numpy(float))
    uncertain = detected[np.argsort(confidence[detected], kind="stable")][:each]
    differ = np.setdiff1d(np.array(sorted(disagreeing), dtype=np.intp), uncertain)
    differ = differ[np.isin(status[differ], (DETECTED, CLEAR))]
    taken = np.union1d(uncertain, differ)
    members: dict[str, NDArray[Any]] = {
        UNCERTAIN: uncertain,
        DISAGREEMENT: differ,
        DETECTED: np.setdiff1d(detected, taken),
        CLEAR: np.setdiff1d(clear, taken),
    }
    number = found.number
    drawn = {name: rng.permutation(rows)[:each].tolist() for name, rows in members.items()}
    turns = [
        (place, name, row) for name, rows in drawn.items() for place, row in enumerate(rows)
    ]  # fmt: skip
    turns.sort(key=lambda turn: (turn[0], STRATA.index(turn[1])))
    return Queue(
        inputs=[row for _, _, row in turns],
        strata=[name for _, name, _ in turns],
        population={
            name: {"inputs": len(rows), "findings": int(number[rows].sum())}
            for name, rows in members.items()
            if len(rows)
        },
    )
