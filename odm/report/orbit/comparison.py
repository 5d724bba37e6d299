"""Two campaigns of half-orbits side by side: what changed, and where on the world."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from odm.catalog.campaign import Campaign
from odm.catalog.orbit.counting import Counter
from odm.catalog.orbit.flown import Flown
from odm.catalog.orbit.statistics import HEMISPHERES, LATITUDE_EDGES, SEASONS
from odm.images.pictures.figure import new_figure
from odm.report.orbit.worldmap import draw_world, miller
from odm.report.shared.sides import (
    BOTH,
    ONLY_A,
    ONLY_B,
    SIDES,
    Sides,
    Where,
    by_side,
    comparison_sheet,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WHERE = (
    Where("month_season", "month_season", SEASONS),
    Where("hemisphere", "hemisphere", HEMISPHERES),
    Where("frequency", "frequency_peak", edges=np.arange(0, 25_001, 2500.0), unit="kHz",
          scale=1e-3),
    Where("latitude", "latitude", edges=LATITUDE_EDGES, unit="degrees"),
)  # fmt: skip
STYLE = {BOTH: ("0.6", "o"), ONLY_A: ("#0072B2", "^"), ONLY_B: ("#E69F00", "s")}
"""Colour and marker of each side."""


def orbit_comparison(
    campaigns: tuple[Campaign, Campaign],
    flown: tuple[Flown, Flown],
    sides: Sides,
    resamples: int,
) -> dict[str, Any]:
    """What changed from a to b, and where; see `odm.report.shared.sides.comparison_sheet`."""
    counter = Counter(flown[0], resamples)
    compared = (sides.of_a == BOTH) | (sides.of_a == ONLY_A)
    more = {"share_of_a_in_b": counter.share(sides.of_a == BOTH, compared)}
    found = (flown[0].tables, flown[1].tables)
    return comparison_sheet(campaigns, found, sides, _WHERE, more)


def comparison_figure(flown: tuple[Flown, Flown], sides: Sides) -> Figure:
    """Where the regions of both, of only A and of only B lie."""
    figure = new_figure(7.5, 5.2)
    axes = figure.add_subplot()
    draw_world(axes)
    for side, table in enumerate(by_side((flown[0].tables, flown[1].tables), sides)):
        colour, marker = STYLE[side]
        latitude = np.clip(table["latitude"].to_numpy(float), -85, 85)
        axes.scatter(
            table["longitude"], miller(latitude), s=10, c=colour, marker=marker, lw=0.25,
            edgecolors="0.15", label=f"{SIDES[side]} ({len(table)})", zorder=3 + side,
        )  # fmt: skip
    axes.legend(ncols=3, frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.08))
    axes.set_title("Regions that both campaigns have, and that one has", fontsize=9, loc="left")
    return figure
