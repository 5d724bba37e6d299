"""Occurrence of layers in ionograms whose numbers are known beforehand."""

from __future__ import annotations

import pandas as pd
import pytest

from odm.catalog.ionogram_statistics import edge_series, layer_statistics


def times(*hours: float) -> list[pd.Timestamp]:
    return [pd.Timestamp("2021-11-01", tz="UTC") + pd.Timedelta(hours=hour) for hour in hours]


def test_occurrence_by_hour_and_day() -> None:
    """Es in two of three ionograms of hour 3, once twice; F on the second day only."""
    searched = pd.DataFrame({"ionogram_id": list("abcd"), "time": times(3, 3.2, 3.9, 27)})
    layers = pd.DataFrame({
        "ionogram_id": ["a", "a", "b", "d"], "layer": ["Es", "Es", "Es", "F"],
        "time": times(3, 3, 3.2, 27),
    })  # fmt: skip
    sheet = layer_statistics(layers, searched)
    assert sheet["ionograms"] == 4
    sporadic, upper = sheet["layers"]["Es"], sheet["layers"]["F"]
    assert sporadic["occurrence"]["share"] == pytest.approx(2 / 4)
    assert (sporadic["by_hour"][3]["ionograms"], sporadic["by_hour"][3]["of"]) == (2, 4)
    assert sporadic["by_hour"][4]["share"] is None
    assert [row["share"] for row in upper["by_day"]] == [0, 1]
    low, high = sporadic["occurrence"]["interval"]
    assert 0 < low < 0.5 < high < 1


def test_edges_where_there_are_none() -> None:
    """The box stands in, and it is said."""
    layers = pd.DataFrame({
        "ionogram_id": ["b", "a"], "link": "x", "layer": ["F", "Es"], "time": times(2, 1),
        "confidence": 0.9, "range_min": [900.0, 400.0], "frequency_max": [12e6, 9e6],
    })  # fmt: skip
    series = edge_series(layers)
    assert series["minimum_group_range"].tolist() == [400, 900]
    assert not series["has_edge"].any()
    series = edge_series(layers.assign(minimum_group_range=[950.0, None], edge_frequency_max=11e6))
    assert series["minimum_group_range"].tolist() == [400, 950]
    assert series["has_edge"].tolist() == [False, True]


def test_no_ionogram() -> None:
    empty = pd.DataFrame({"ionogram_id": [], "layer": [], "time": pd.to_datetime([], utc=True)})
    sheet = layer_statistics(empty, empty)
    assert sheet["layers"]["F"]["occurrence"]["share"] is None
    assert sheet["layers"]["F"]["by_day"] == []
