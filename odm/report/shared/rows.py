"""The findings that a page shows, as plain columns for the program in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from odm.catalog.findings import CampaignTables
from odm.report.shared.comparison import ONLY_B, Sides

if TYPE_CHECKING:
    import pandas as pd


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
class PageColumns:
    """Columns of a page, and how it shows them.

    Attributes:
        digits: digits after the point of each numeric column.
        flags: names of the flags that a finding may have.
        shown: the histograms, the columns of the table and the rest that the program reads.
    """

    digits: Mapping[str, int]
    flags: Sequence[str]
    shown: Mapping[str, Any]

    def data(
        self,
        rows: PageRows,
        numbers: Mapping[str, list[Any]],
        categories: Mapping[str, dict[str, Any]],
    ) -> dict[str, Any]:
        """Return the columns as the program reads them.

        Args:
            rows: the rows of the page.
            numbers: numeric columns beside those of the findings.
            categories: columns of words; see `category`.
        """
        findings = rows.findings
        own = {name: rounded(findings[name], digits) for name, digits in self.digits.items()}
        bits = {name: 1 << number for number, name in enumerate(self.flags)}
        return {
            "numbers": {**own, **numbers},
            "categories": dict(categories),
            "flags": {
                "names": list(self.flags),
                "bits": [
                    sum(bits.get(flag, 0) for flag in (() if flags is None else flags))
                    for flags in findings["flags"]
                ],
            },
            "shown": self.shown,
        }


def category(label: str, column: pd.Series, values: Sequence[str]) -> dict[str, Any]:
    """Return a column of words as codes: the place in ``values``, or -1."""
    place = {name: number for number, name in enumerate(values)}
    return {
        "label": label,
        "values": list(values),
        "codes": [place.get(value, -1) for value in column],
    }


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
