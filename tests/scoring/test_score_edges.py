"""Scores of leading edges on cases whose numbers are known by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from odm.images.layer_truth import KnownLayer
from odm.scoring.ionogram.edges import EdgeScores, pair_layers

FREQUENCY = np.arange(10.0, 14.0, 0.5) * 1e6


def known(layer: str, base: float, snr: float = 20.0, low: float = 10e6) -> KnownLayer:
    """A true layer with a level edge at eight frequencies, the last of which is too faint."""
    strength = np.full(8, snr)
    strength[7] = 5.9
    return KnownLayer(
        layer, (low, low + 4e6), (base, base + 200), FREQUENCY, np.full(8, base), strength
    )


def found(layer: str, base: float, off: list[float], sigma: float = 6.0) -> dict[str, Any]:
    """A row of the catalog whose edge is off by so many km at the first frequencies."""
    return {
        "layer": layer,
        "confidence": 0.9,
        "frequency_min": 10e6,
        "frequency_max": 14e6,
        "range_min": base,
        "range_max": base + 200,
        "edge_frequency": FREQUENCY[: len(off)].tolist(),
        "edge_group_range": [base + one for one in off],
        "edge_sigma": [sigma] * len(off),
        "edge_confidence": [1.0] * len(off),
        "edge_flags": [],
    }


def test_numbers_of_a_hand_made_case() -> None:
    scores = EdgeScores()
    off = [-2.0, 0.0, 2.0, 4.0, 10.0]
    scores.add([found("F", 1000, off), found("Es", 300, [1.0])], [known("F", 1000)], 5.0)
    es, f = scores.rows(("Es", "F"))
    # Seven of eight frequencies can be seen, and five have an edge.
    assert (f["edges"], f["points"], f["coverage"]) == (1, 7, round(5 / 7, 3))
    assert (f["signed_median_km"], f["median_km"], f["signed_mean_km"]) == (2.0, 2.0, 2.8)
    assert f["p95_km"] == round(np.percentile(np.abs(off), 95), 1) == 8.8
    assert (f["within_gate"], f["within_sigma"], f["false_edges"]) == (0.8, 0.8, 0)
    assert es == {"layer": "Es", "edges": 0, "points": 0, "false_edges": 1}


def test_a_layer_that_is_missed_counts_with_all_its_frequencies() -> None:
    scores = EdgeScores()
    truth = [known("F", 1000), known("Es", 400)]
    scores.add([found("F", 1000, [0.0] * 8)], truth, 5.0)
    scores.add([], truth[:1], 5.0)
    scores.add([], [], 5.0)
    es, f = scores.rows(("Es", "F"))
    assert (f["edges"], f["points"], f["coverage"], f["median_km"]) == (2, 14, 0.5, 0.0)
    assert (es["edges"], es["points"], es["coverage"]) == (1, 7, 0.0)
    assert "median_km" not in es


def test_layers_are_paired_by_class_and_overlap_each_once() -> None:
    rows = [found("F", 1050, []), found("F", 1010, []), found("Es", 1000, [])]
    truth = [known("F", 1000), known("F", 3000)]
    assert pair_layers(rows, truth) == {0: 1}
    assert pair_layers(rows, [known("F", 1000), known("F", 1040)]) == {0: 1, 1: 0}
    assert pair_layers([], truth) == {}
