"""Two campaigns side by side: which findings both have, whatever the kind of their inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from odm.catalog.bins import bin_names, binned
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
    """Which findings are in which of two campaigns, a and b.

    A finding of one on an input that the other did not search is no disagreement: it is counted
    apart.

    Attributes:
        of_a: (findings of a,) `BOTH`, `ONLY_A` or `UNSEARCHED`.
        only_b: rows of b's findings that a has not, though it searched the same input.
        pairs: (N, 2) rows in a and in b of findings that both have.
        unsearched_b: number of findings of b on inputs that a did not search.
        disagreeing: identities of inputs in which one has a finding that the other has not.
        statuses: number of inputs by status in a and status in b.
    """

    of_a: NDArray[np.int8]
    only_b: NDArray[np.intp]
    pairs: NDArray[np.intp]
    unsearched_b: int
    disagreeing: frozenset[str]
    statuses: Counter[tuple[str, str]]


def sides_of(a: CampaignTables, b: CampaignTables) -> Sides:
    """Match the findings of two campaigns of one kind, input by input, as `odm diff` does."""
    status_a, status_b = (
        dict(zip(tables.inputs["identity"], tables.inputs["status"], strict=True))
        for tables in (a, b)
    )
    searched = {
        identity for identity in status_a.keys() & status_b.keys()
        if QUARANTINED not in (status_a[identity], status_b[identity])
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
    compared_a, alone_b = (
        np.array([identity in searched for identity in tables.identities], dtype=bool)
        for tables in (a, b)
    )
    unsearched_b = int((~alone_b).sum())
    of_a = np.where(compared_a, ONLY_A, UNSEARCHED).astype(np.int8)
    of_a[matched[:, 0]] = BOTH
    alone_b[matched[:, 1]] = False
    return Sides(
        of_a=of_a,
        only_b=np.flatnonzero(alone_b),
        pairs=matched,
        unsearched_b=unsearched_b,
        disagreeing=frozenset({*a.identities[of_a == ONLY_A], *b.identities[alone_b]}),
        statuses=Counter(
            (status_a.get(identity, ABSENT), status_b.get(identity, ABSENT))
            for identity in status_a.keys() | status_b.keys()
        ),
    )


@dataclass(frozen=True)
class CountedColumn:
    """A column by whose values or bins the findings of two campaigns are counted.

    Attributes:
        name: name of the table of counts.
        column: the column.
        values: the values to count, where the column holds words.
        edges: edges of the bins, where it holds numbers.
        unit: unit in which bins are named.
        scale: factor from the column's unit to that one.
    """

    name: str
    column: str
    values: Sequence[str] = ()
    edges: ArrayLike = ()
    unit: str = ""
    scale: float = 1.0

    def counts(self, tables: Sequence[pd.DataFrame]) -> list[dict[str, Any]]:
        """Return a row per value or bin, and one for what is in none: the number in each table."""
        columns = [table[self.column] for table in tables]
        if self.values:
            names = list(self.values)
            places = [np.array(codes(column, names)) for column in columns]
        else:
            edges = np.asarray(self.edges, dtype=float)
            names = bin_names(edges * self.scale, self.unit)
            places = [binned(column, edges) for column in columns]
        numbers = [[int((place == n).sum()) for place in places] for n in [*range(len(names)), -1]]
        sides = ("both", "only_a", "only_b")
        rows = [
            {"value": name, **dict(zip(sides, row, strict=True))}
            for name, row in zip([*names, OUTSIDE], numbers, strict=True)
        ]
        return rows if any(numbers[-1]) else rows[:-1]


def codes(column: Iterable[Any], values: Sequence[str]) -> list[int]:
    """Return the place of each word of a column in ``values``, or -1."""
    places = {name: number for number, name in enumerate(values)}
    return [places.get(value, -1) for value in column]


def _boxes(tables: CampaignTables) -> dict[str, list[tuple[int, dict[str, Any]]]]:
    """Return the number and the box of each finding, by identity of its input."""
    kind = tables.kind
    names = [*dict.fromkeys(n for low, high, _ in kind.box for n in (low, high)), *kind.same]
    boxes: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    rows = tables.findings[names].to_dict("records")
    for number, (identity, row) in enumerate(zip(tables.identities, rows, strict=True)):
        boxes.setdefault(identity, []).append((number, {str(key): row[key] for key in row}))
    return boxes
