"""Two campaigns side by side: which regions both have, and where and what the others are."""

from __future__ import annotations

from collections import Counter as Tally
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from odm.catalog.campaign import Campaign
from odm.catalog.compare import ABSENT, match
from odm.catalog.counting import Counter, bin_names, binned
from odm.catalog.flown import Flown
from odm.catalog.orbit_kind import ORBITS
from odm.catalog.statistics import HEMISPHERES, LATITUDE_EDGES, SEASONS
from odm.images.figure import new_figure
from odm.report.page_data import SIDES
from odm.report.worldmap import draw_world, miller

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

BOTH, ONLY_A, ONLY_B = range(3)
_FREQUENCY_EDGES = np.arange(0, 25_001, 2500.0)
_BOX = ("time_start", "time_end", "frequency_min", "frequency_max")
_STYLE = {BOTH: ("0.6", "o"), ONLY_A: ("#0072B2", "^"), ONLY_B: ("#E69F00", "s")}


@dataclass(frozen=True)
class Sides:
    """Which regions are in which campaign.

    Attributes:
        of_a: `BOTH` or `ONLY_A` per region of a.
        only_b: rows of b's regions that a has not.
        disagreeing: identities of half-orbits in which one has a region that the other has not.
        statuses: (status in a, status in b) → half-orbits.
    """

    of_a: NDArray[np.int8]
    only_b: NDArray[np.intp]
    disagreeing: frozenset[str]
    statuses: Tally[tuple[str, str]]


def sides_of(a: Flown, b: Flown) -> Sides:
    """Match the regions of two campaigns, half-orbit by half-orbit, as `odm diff` does."""
    rows_a, rows_b = _boxes(a), _boxes(b)
    of_a = np.full(len(a.regions), ONLY_A, dtype=np.int8)
    matched_b = np.zeros(len(b.regions), dtype=bool)
    for identity in rows_a.keys() & rows_b.keys():
        mine, others = rows_a[identity], rows_b[identity]
        for i, j in match(ORBITS, [row for _, row in mine], [row for _, row in others]):
            of_a[mine[i][0]] = BOTH
            matched_b[others[j][0]] = True
    only_b = np.flatnonzero(~matched_b)
    differing = set(_identities(a)[of_a == ONLY_A]) | set(_identities(b)[only_b])
    status_a = dict(zip(a.orbits["identity"], a.orbits["status"], strict=True))
    status_b = dict(zip(b.orbits["identity"], b.orbits["status"], strict=True))
    statuses = Tally(
        (status_a.get(one, ABSENT), status_b.get(one, ABSENT))
        for one in status_a.keys() | status_b.keys()
    )
    return Sides(of_a, only_b, frozenset(differing), statuses)


def comparison_sheet(
    a: Campaign, b: Campaign, flown: tuple[Flown, Flown], sides: Sides, resamples: int
) -> dict[str, Any]:
    """What changed from a to b, and where."""
    counter = Counter(flown[0], resamples)
    known = np.ones(len(sides.of_a), dtype=bool)
    both, only_b = int((sides.of_a == BOTH).sum()), len(sides.only_b)
    total = len(sides.of_a) + only_b
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
        "regions": {
            "both": both,
            "only_a": len(sides.of_a) - both,
            "only_b": only_b,
            "agreement": both / total if total else 1.0,
            "share_of_a_in_b": counter.share(sides.of_a == BOTH, known),
        },
        "where": _where(flown, sides),
    }


def _where(flown: tuple[Flown, Flown], sides: Sides) -> dict[str, list[dict[str, Any]]]:
    """Regions of each side by season, hemisphere, frequency and latitude."""
    tables = [
        flown[0].regions[sides.of_a == BOTH],
        flown[0].regions[sides.of_a == ONLY_A],
        flown[1].regions.iloc[sides.only_b],
    ]
    latitudes = bin_names(LATITUDE_EDGES, "degrees")
    kilohertz = bin_names(_FREQUENCY_EDGES / 1e3, "kHz")

    def by(column: str, values: Any) -> list[dict[str, Any]]:
        counts = [table[column].value_counts() for table in tables]
        return [_row(value, [int(count.get(value, 0)) for count in counts]) for value in values]

    def by_bin(column: str, edges: Any, names: list[str]) -> list[dict[str, Any]]:
        codes = [binned(table[column], edges) for table in tables]
        return [
            _row(name, [int((code == number).sum()) for code in codes])
            for number, name in enumerate(names)
        ]

    return {
        "month_season": by("month_season", SEASONS),
        "hemisphere": by("hemisphere", HEMISPHERES),
        "frequency": by_bin("frequency_peak", _FREQUENCY_EDGES, kilohertz),
        "latitude": by_bin("latitude", LATITUDE_EDGES, latitudes),
    }


def comparison_figure(flown: tuple[Flown, Flown], sides: Sides) -> Figure:
    """Where the regions of both, of only A and of only B lie."""
    figure = new_figure(7.5, 5.2)
    axes = figure.add_subplot()
    draw_world(axes)
    tables: list[tuple[int, pd.DataFrame]] = [
        (BOTH, flown[0].regions[sides.of_a == BOTH]),
        (ONLY_A, flown[0].regions[sides.of_a == ONLY_A]),
        (ONLY_B, flown[1].regions.iloc[sides.only_b]),
    ]
    for side, table in tables:
        colour, marker = _STYLE[side]
        latitude = np.clip(table["latitude"].to_numpy(float), -85, 85)
        axes.scatter(
            table["longitude"], miller(latitude), s=10, c=colour, marker=marker, lw=0.25,
            edgecolors="0.15", label=f"{SIDES[side]} ({len(table)})", zorder=3 + side,
        )  # fmt: skip
    axes.legend(ncols=3, frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.08))
    axes.set_title("Regions that both campaigns have, and that one has", fontsize=9, loc="left")
    return figure


def _boxes(flown: Flown) -> dict[str, list[tuple[int, dict[str, Any]]]]:
    found: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    rows = flown.regions[list(_BOX)].to_dict("records")
    for number, (identity, row) in enumerate(zip(_identities(flown), rows, strict=True)):
        found.setdefault(identity, []).append((number, {str(key): row[key] for key in row}))
    return found


def _identities(flown: Flown) -> NDArray[Any]:
    names = flown.orbits["identity"].to_numpy(dtype=object)
    return np.asarray(names[flown.regions["orbit"].to_numpy(dtype=np.intp)], dtype=object)


def _row(value: Any, numbers: list[int]) -> dict[str, Any]:
    return {"value": value, **dict(zip(("both", "only_a", "only_b"), numbers, strict=True))}


def _name(campaign: Campaign) -> dict[str, Any]:
    return {"campaign": campaign.folder.resolve().name, "model": dict(campaign.card.model)}
