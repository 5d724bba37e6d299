"""Two campaigns side by side: which findings both have, whatever the kind of their inputs."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from odm.catalog.bins import bin_names, binned
from odm.catalog.campaign import Campaign
from odm.catalog.compare import ABSENT, match
from odm.catalog.findings import CampaignTables
from odm.catalog.outcomes import QUARANTINED

if TYPE_CHECKING:
    import pandas as pd

BOTH, ONLY_A, ONLY_B, UNSEARCHED = range(4)
SIDES = ("both", "only A", "only B", "not searched by B")
OUTSIDE = "unknown or outside"


@dataclass(frozen=True)
class Sides:
    """Which findings are in which campaign.

    What one found where the other had nothing to look at is no disagreement: it stands apart.

    Attributes:
        of_a: `BOTH`, `ONLY_A` or `UNSEARCHED` per finding of a.
        only_b: rows of b's findings that a has not, though it searched the same input.
        pairs: (N, 2) rows in a and in b of findings that both have.
        unsearched_b: how many findings of b are on inputs that a did not search.
        disagreeing: identities of inputs in which one has a finding that the other has not.
        statuses: (status in a, status in b) → inputs.
    """

    of_a: NDArray[np.int8]
    only_b: NDArray[np.intp]
    pairs: NDArray[np.intp]
    unsearched_b: int
    disagreeing: frozenset[str]
    statuses: Tally[tuple[str, str]]


def sides_of(a: CampaignTables, b: CampaignTables) -> Sides:
    """Match the findings of two campaigns of one kind, input by input, as `odm diff` does."""
    status_a, status_b = (
        dict(zip(one.inputs["identity"], one.inputs["status"], strict=True)) for one in (a, b)
    )
    searched = {
        one for one in status_a.keys() & status_b.keys()
        if QUARANTINED not in (status_a[one], status_b[one])
    }  # fmt: skip
    rows_a, rows_b = _boxes(a), _boxes(b)
    pairs = [
        (rows_a[identity][i][0], rows_b[identity][j][0])
        for identity in sorted(rows_a.keys() & rows_b.keys() & searched)
        for i, j in match(
            a.kind, [row for _, row in rows_a[identity]], [row for _, row in rows_b[identity]]
        )
    ]
    matched = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    compared_a, compared_b = (
        np.array([name in searched for name in one.identities], dtype=bool) for one in (a, b)
    )
    of_a = np.where(compared_a, ONLY_A, UNSEARCHED).astype(np.int8)
    of_a[matched[:, 0]] = BOTH
    alone_b = compared_b.copy()
    alone_b[matched[:, 1]] = False
    differing = {*a.identities[of_a == ONLY_A], *b.identities[alone_b]}
    return Sides(
        of_a=of_a,
        only_b=np.flatnonzero(alone_b),
        pairs=matched,
        unsearched_b=int((~compared_b).sum()),
        disagreeing=frozenset(differing),
        statuses=Tally(
            (status_a.get(one, ABSENT), status_b.get(one, ABSENT))
            for one in status_a.keys() | status_b.keys()
        ),
    )


@dataclass(frozen=True)
class Where:
    """A column by which findings are counted: its values, or the edges of bins."""

    name: str
    column: str
    values: Sequence[str] = ()
    edges: ArrayLike = ()
    unit: str = ""
    scale: float = 1.0

    def counts(self, tables: Sequence[pd.DataFrame]) -> list[dict[str, Any]]:
        """A row per value or bin, and one for what is in none: how many of each table."""
        if self.values:
            names = list(self.values)
            found = [table[self.column].value_counts() for table in tables]
            numbers = [[int(one.get(name, 0)) for one in found] for name in names]
        else:
            edges = np.asarray(self.edges, dtype=float)
            names = bin_names(edges * self.scale, self.unit)
            codes = [binned(table[self.column], edges) for table in tables]
            numbers = [[int((one == n).sum()) for one in codes] for n in range(len(names))]
        inside = [sum(row[side] for row in numbers) for side in range(len(tables))]
        rest = [len(table) - many for table, many in zip(tables, inside, strict=True)]
        if any(rest):
            names, numbers = [*names, OUTSIDE], [*numbers, rest]
        sides = ("both", "only_a", "only_b")
        return [
            {"value": name, **dict(zip(sides, row, strict=True))}
            for name, row in zip(names, numbers, strict=True)
        ]


def by_side(found: tuple[CampaignTables, CampaignTables], sides: Sides) -> tuple[Any, Any, Any]:
    """Findings of both (as a has them), of only a, and of only b."""
    a, b = found[0].findings, found[1].findings
    return a[sides.of_a == BOTH], a[sides.of_a == ONLY_A], b.iloc[sides.only_b]


def comparison_sheet(
    campaigns: tuple[Campaign, Campaign],
    found: tuple[CampaignTables, CampaignTables],
    sides: Sides,
    where: Sequence[Where],
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """What changed from a to b, and where.

    Args:
        campaigns: a and b.
        found: what they found.
        sides: what they share.
        where: by what findings are counted.
        more: facts about those findings, beside their numbers.
    """
    a, b = campaigns
    tables = by_side(found, sides)
    both, only_a, only_b = (len(table) for table in tables)
    total = both + only_a + only_b
    return {
        "a": _name(a),
        "b": _name(b),
        "settings": [
            one.replace(" there and ", " in A and ").replace(" here", " in B")
            for one in a.card.differences(b.card)
        ],
        "inputs": [
            {"a": one, "b": other, "inputs": many}
            for (one, other), many in sorted(sides.statuses.items())
        ],
        found[0].kind.findings: {
            "both": both,
            "only_a": only_a,
            "only_b": only_b,
            "agreement": both / total if total else 1.0,
            "not_searched_by_b": int((sides.of_a == UNSEARCHED).sum()),
            "not_searched_by_a": sides.unsearched_b,
            **more,
        },
        "where": {one.name: one.counts(tables) for one in where},
    }


def _boxes(found: CampaignTables) -> dict[str, list[tuple[int, dict[str, Any]]]]:
    kind = found.kind
    names = [*dict.fromkeys(n for low, high, _ in kind.box for n in (low, high)), *kind.same]
    boxes: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    rows = found.findings[names].to_dict("records")
    for number, (identity, row) in enumerate(zip(found.identities, rows, strict=True)):
        boxes.setdefault(identity, []).append((number, {str(key): row[key] for key in row}))
    return boxes


def _name(campaign: Campaign) -> dict[str, Any]:
    return {"campaign": campaign.folder.resolve().name, "model": dict(campaign.card.model)}
