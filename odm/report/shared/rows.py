"""What a page shows: findings as plain columns for the program in it, and a queue for review.

Every searched input belongs to one stratum; of each the queue holds all or a random sample, in
random order, by turns. So whenever the person stops, what was looked at stands for the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from odm.catalog.findings import CampaignTables
from odm.catalog.outcomes import CLEAR, DETECTED
from odm.report.shared.comparison import ONLY_B, Sides, codes

if TYPE_CHECKING:
    import pandas as pd

UNCERTAIN, DISAGREEMENT = "uncertain", "disagreement"


@dataclass(frozen=True)
class PageRows:
    """Findings of the page: those of the campaign, then those that only the other one has.

    Attributes:
        findings: a row each.
        owner: (findings,) the row in ``identities`` and ``sources`` that each is from.
        ids: name of each in its campaign.
        identities: identity of each input.
        sources: file of each input, relative to the archive.
        sides: index into `odm.report.shared.comparison.SIDES` of each finding; None where nothing
            is compared.
    """

    findings: pd.DataFrame
    owner: NDArray[np.intp]
    ids: list[str]
    identities: list[str]
    sources: list[str]
    sides: list[int] | None = None

    @cached_property
    def of_inputs(self) -> dict[int, list[int]]:
        """Rows of the page by input, for inputs that have one."""
        rows: dict[int, list[int]] = {}
        for row, number in enumerate(self.owner.tolist()):
            rows.setdefault(number, []).append(row)
        return rows


def page_rows(tables: CampaignTables, compared: tuple[CampaignTables, Sides] | None) -> PageRows:
    """Return the rows of a page.

    Args:
        tables: the campaign shown.
        compared: the campaign beside it, and which findings are in which; None without one.
    """
    import pandas as pd

    identities, sources = (tables.inputs[name].tolist() for name in ("identity", "source"))
    if compared is None:
        return PageRows(tables.findings, tables.owner, tables.ids, identities, sources)
    beside, sides = compared
    place = {identity: number for number, identity in enumerate(identities)}
    owner = [place[identity] for identity in beside.identities[sides.only_b]]
    ids, only_b = beside.ids, beside.findings.iloc[sides.only_b]
    return PageRows(
        findings=pd.concat([tables.findings, only_b], ignore_index=True),
        owner=np.concatenate([tables.owner, np.array(owner, dtype=np.intp)]),
        ids=[*tables.ids, *(ids[row] for row in sides.only_b)],
        identities=identities,
        sources=sources,
        sides=[*sides.of_a.tolist(), *[ONLY_B] * len(sides.only_b)],
    )


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
        (name, row)
        for turn in zip_longest(*drawn.values())
        for name, row in zip(drawn, turn, strict=True)
        if row is not None
    ]
    return ReviewQueue(
        inputs=[row for _, row in turns],
        strata=[name for name, _ in turns],
        population={
            name: {"inputs": len(rows), "findings": int(number[rows].sum())}
            for name, rows in members.items()
            if len(rows)
        },
    )


def category(label: str, column: pd.Series, values: Sequence[str]) -> dict[str, Any]:
    """Return a column of words as codes: the place in ``values``, or -1."""
    return {"label": label, "values": list(values), "codes": codes(column, values)}


def rounded(values: Any, digits: int) -> list[Any]:
    """Return numbers for JSON: None where unknown, whole numbers without a point."""
    numbers = np.asarray(values, dtype=float)
    kind = float if digits else int
    return [
        kind(value) if known else None
        for value, known in zip(np.round(numbers, digits), np.isfinite(numbers), strict=True)
    ]


def unix_seconds(times: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Return seconds since 1970 (UTC) to the millisecond, NaN where a time is unknown."""
    seconds = times.astype("datetime64[ms]").astype(np.int64) / 1000
    return np.where(np.isnat(times), np.nan, seconds)
