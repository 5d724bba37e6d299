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
class ReviewQueue:
    """Inputs to look at.

    Attributes:
        inputs: rows of `CampaignTables.inputs`, in the order to look at them.
        strata: the stratum of each.
        population: numbers of ``inputs`` and ``findings`` of the campaign, by stratum.
    """

    inputs: list[int]
    strata: list[str]
    population: Mapping[str, Mapping[str, int]]


def review_queue(
    tables: CampaignTables, disagreeing: Collection[str] = (), size: int = 15, seed: int = 0
) -> ReviewQueue:
    """Draw a queue.

    Args:
        tables: the campaign.
        disagreeing: identities of inputs in which another campaign found something else.
        size: largest number of inputs of each stratum.
        seed: the same seed gives the same queue.
    """
    rng = np.random.default_rng(seed)
    status = tables.inputs["status"].to_numpy()
    detected, clear = np.flatnonzero(status == DETECTED), np.flatnonzero(status == CLEAR)
    confidence = np.full(len(status), np.inf)
    np.minimum.at(confidence, tables.owner, tables.findings["confidence"].to_numpy(float))
    uncertain = detected[np.argsort(confidence[detected], kind="stable")][:size]
    differing = np.flatnonzero(tables.inputs["identity"].isin(disagreeing))
    differing = np.setdiff1d(differing, uncertain)
    differing = differing[np.isin(status[differing], (DETECTED, CLEAR))]
    taken = np.union1d(uncertain, differing)
    members: dict[str, NDArray[Any]] = {
        UNCERTAIN: uncertain,
        DISAGREEMENT: differing,
        DETECTED: np.setdiff1d(detected, taken),
        CLEAR: np.setdiff1d(clear, taken),
    }
    number = tables.number
    drawn = {name: rng.permutation(rows)[:size].tolist() for name, rows in members.items()}
    turns = [
        (turn, name, row) for name, rows in drawn.items() for turn, row in enumerate(rows)
    ]  # fmt: skip
    turns.sort(key=lambda entry: (entry[0], STRATA.index(entry[1])))
    return ReviewQueue(
        inputs=[row for _, _, row in turns],
        strata=[name for _, name, _ in turns],
        population={
            name: {"inputs": len(rows), "findings": int(number[rows].sum())}
            for name, rows in members.items()
            if len(rows)
        },
    )
