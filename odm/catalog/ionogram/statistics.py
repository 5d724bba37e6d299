"""What a campaign of ionograms says: when the layers are there, how near, and how their edge moves.

Works on any table with the catalog's columns of layers and one of the ionograms that were searched:
an ionogram without a layer counts as searched. Intervals of shares are Wilson's, which takes
ionograms as independent: those that follow each other within minutes are not, so they are narrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from odm.archive.ionogram.base import LAYERS
from odm.catalog.activity import EDGES, Index, utc
from odm.catalog.bins import bin_names, binned
from odm.catalog.bootstrap import wilson
from odm.catalog.campaign import Campaign

if TYPE_CHECKING:
    import pandas as pd

EDGE_VALUES = ("minimum_group_range", "edge_frequency_max")
"""Columns of a leading edge: smallest group path (km) and highest frequency (Hz)."""
_OF_BOX = {"minimum_group_range": "range_min", "edge_frequency_max": "frequency_max"}
"""Column of a box that stands in for each of `EDGE_VALUES`."""


def layer_names(*campaigns: Campaign | None) -> tuple[str, ...]:
    """Name the layers that campaigns look for."""
    classes = [
        campaign.card.settings.get("classes") or LAYERS
        for campaign in campaigns
        if campaign is not None
    ]
    return tuple(dict.fromkeys(name for names in classes for name in names))


def layer_statistics(
    layers: pd.DataFrame,
    searched: pd.DataFrame,
    indices: Sequence[Index] = (),
    names: Sequence[str] = LAYERS,
) -> dict[str, Any]:
    """Count each layer by hour, day and activity, and describe how its edge moves.

    Args:
        layers: a row per layer: ``ionogram_id``, ``layer``, ``time`` (UTC), and the columns of
            edges where there are some.
        searched: a row per ionogram that was searched: ``ionogram_id`` and ``time``.
        indices: indices of geomagnetic activity.
        names: names of the layers.

    Returns:
        ``ionograms``, how many of them are ``without_time``, the ``first`` and ``last`` time, and
        per layer ``occurrence``: ionograms that have it, of how many, share and Wilson's interval;
        the same in ``by_hour`` (UTC), ``by_day`` and ``by_`` each index; and ``edges``: see
        `_edges`. An ionogram with two layers of a kind counts once; one without a time counts in
        no hour, day or activity, and is in ``without`` each index, as are those it does not cover.
    """
    times = utc(searched["time"])
    known = ~np.isnat(times)
    facts: dict[str, Any] = {
        "ionograms": len(searched),
        "without_time": int((~known).sum()),
        "first": str(times[known].min()) if known.any() else None,
        "last": str(times[known].max()) if known.any() else None,
        "layers": {},
    }
    hours = times.astype("datetime64[h]").astype(np.int64) % 24
    days = times.astype("datetime64[D]").astype(str)
    activity = {index.name: binned(index.at(times), EDGES[index.name]) for index in indices}
    for name, codes in activity.items():
        facts[f"without_{name}"] = int((codes < 0).sum())
    for layer in names:
        chosen = layers[layers["layer"] == layer]
        found = searched["ionogram_id"].isin(set(chosen["ionogram_id"])).to_numpy(dtype=bool)
        facts["layers"][layer] = {
            "occurrence": _share("all", found),
            "by_hour": [_share(hour, found[known & (hours == hour)]) for hour in range(24)],
            "by_day": [_share(day, found[days == day]) for day in sorted(set(days[known]))],
            **{
                f"by_{name}": [
                    _share(bin_name, found[codes == number])
                    for number, bin_name in enumerate(bin_names(EDGES[name]))
                ]
                for name, codes in activity.items()
            },
            "edges": _edges(chosen),
        }
    return facts


def _edges(layers: pd.DataFrame) -> dict[str, Any]:
    """Compute quartiles of least group range and highest frequency of edges, all and by UTC hour.

    Only layers with an edge count: a box is not one. ``layers`` says how many have none.
    """
    table = layers.reindex(columns=["time", *EDGE_VALUES])
    has = table["minimum_group_range"].notna().to_numpy(dtype=bool)
    times = utc(table["time"])
    hours = np.where(np.isnat(times), -1, times.astype("datetime64[h]").astype(np.int64) % 24)

    def row(value: Any, chosen: Any) -> dict[str, Any]:
        numbers = {name: table[name].to_numpy(dtype=float)[chosen] for name in EDGE_VALUES}
        return {"value": value, "edges": int(chosen.sum()),
                **{name: _quartiles(found) for name, found in numbers.items()}}  # fmt: skip

    return {
        "layers": len(table),
        **row("all", has),
        "by_hour": [row(hour, has & (hours == hour)) for hour in range(24)],
    }


def edges_or_boxes(layers: pd.DataFrame) -> pd.DataFrame:
    """Give layers a value for each of `EDGE_VALUES`, that of the box where no edge was found.

    Args:
        layers: layers with the catalog's columns; those of edges may be missing.

    Returns:
        The same rows, and ``has_edge``.
    """
    table = layers.reindex(columns=[*dict.fromkeys([*layers.columns, *EDGE_VALUES])])
    table["has_edge"] = table["minimum_group_range"].notna()
    for name, of_box in _OF_BOX.items():
        table[name] = table[name].where(table["has_edge"], table[of_box])
    return table


def _quartiles(values: Any) -> list[float] | None:
    known = values[np.isfinite(values)]
    return np.percentile(known, (25, 50, 75)).tolist() if known.size else None


def _share(value: Any, found: Any) -> dict[str, Any]:
    hits, total = int(found.sum()), len(found)
    return {
        "value": value,
        "ionograms": hits,
        "of": total,
        "share": hits / total if total else None,
        "interval": wilson(hits, total),
    }
