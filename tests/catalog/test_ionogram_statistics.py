"""Occurrence of layers in ionograms whose numbers are known beforehand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from odm.catalog.activity import Index
from odm.catalog.ionogram.statistics import edges_or_boxes, layer_statistics


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
    # Wilson's interval of 2 in 4, by hand: 0.5 -+ 1.96 sqrt(1/16 + 3.8416/64) / 1.9604
    assert sporadic["occurrence"]["interval"] == pytest.approx((0.150036, 0.849964), abs=1e-6)
    # ... and of 1 in 1: 1 / (1 + 3.8416) to 1
    assert upper["by_day"][1]["interval"] == pytest.approx((0.206543, 1), abs=1e-6)


def test_edges_where_there_are_none() -> None:
    """The box stands in, and it is said; rows stay where they are."""
    layers = pd.DataFrame({
        "ionogram_id": ["b", "a"], "link": "x", "layer": ["F", "Es"], "time": times(2, 1),
        "confidence": 0.9, "range_min": [900.0, 400.0], "frequency_max": [12e6, 9e6],
    })  # fmt: skip
    found = edges_or_boxes(layers)
    assert found["minimum_group_range"].tolist() == [900, 400]
    assert found["edge_frequency_max"].tolist() == [12e6, 9e6]
    assert not found["has_edge"].any() and found["has_edge"].dtype == bool
    found = edges_or_boxes(
        layers.assign(minimum_group_range=[950.0, None], edge_frequency_max=[11e6, None])
    )
    assert found["minimum_group_range"].tolist() == [950, 400]
    assert found["edge_frequency_max"].tolist() == [11e6, 9e6]
    assert found["has_edge"].tolist() == [True, False]


def test_by_activity_and_without_time() -> None:
    """Es in one of two ionograms of Kp 2, in none of Kp 5; one too late, one undated."""
    searched = pd.DataFrame({"ionogram_id": list("abcde"), "time": [*times(0, 2.9, 3, 30), pd.NaT]})
    layers = pd.DataFrame(
        {"ionogram_id": ["a", "d", "e"], "layer": "Es", "time": [*times(0, 30), pd.NaT]}
    )
    begins = np.array(["2021-11-01T00", "2021-11-01T03"], "datetime64[ns]")
    index = Index("kp", begins, np.array([2.333, 5.0]), np.timedelta64(3, "h"))
    sheet = layer_statistics(layers, searched, [index])
    assert (sheet["ionograms"], sheet["without_time"], sheet["without_kp"]) == (5, 1, 2)
    found = sheet["layers"]["Es"]
    by_kp = {row["value"]: (row["ionograms"], row["of"]) for row in found["by_kp"] if row["of"]}
    assert by_kp == {"2 to 3": (1, 2), "5 to 6": (0, 1)}
    assert (found["occurrence"]["ionograms"], found["occurrence"]["of"]) == (3, 5)
    assert sum(row["of"] for row in found["by_hour"]) == 4
    assert [(row["value"], row["of"]) for row in found["by_day"]] == [
        ("2021-11-01", 3), ("2021-11-02", 1),
    ]  # fmt: skip
    assert sheet["first"].startswith("2021-11-01T00") and sheet["last"].startswith("2021-11-02T06")


def test_no_ionogram() -> None:
    empty = pd.DataFrame({"ionogram_id": [], "layer": [], "time": pd.to_datetime([], utc=True)})
    sheet = layer_statistics(empty, empty)
    assert sheet["layers"]["F"]["occurrence"]["share"] is None
    assert sheet["layers"]["F"]["by_day"] == []
