"""Recall at fixed rates of false regions, counted by hand."""

import math

import numpy as np
import pytest

from odm.catalog.bootstrap import block_weights
from odm.scoring.orbit.false_rates import RankedRegions, recall_at_false_rates
from odm.scoring.orbit.scorer import Scorer
from tests.scoring.helpers import box, finding, half_orbit

NONE = np.zeros((0, 1), np.int64)


def regions(
    true: list[float],
    alarms: list[float],
    *,
    clear: int,
    others: list[float] = (),  # type: ignore[assignment]
    ignored: list[float] = (),  # type: ignore[assignment]
    truths: int = 10,
) -> RankedRegions:
    """``others`` are false on half-orbits that are not clear."""
    kinds = [true, alarms, others, ignored]
    confidence = np.array([value for kind in kinds for value in kind], np.float64)
    number = np.repeat(np.arange(4), [len(kind) for kind in kinds])
    return RankedRegions(
        confidence=confidence,
        hit=number == 0,
        counted=number != 3,
        on_clear=(number == 1) | (number == 3),
        block=np.zeros(confidence.size, np.intp),
        truths=np.array([truths]),
        clear=np.array([clear]),
    )


def test_recall_at_rates_by_hand() -> None:
    true = [0.99, 0.95, 0.90, 0.85, 0.80, 0.60]
    alarms = [0.93, 0.88, 0.82, 0.81, 0.70, *[0.5] * 20]
    rows = recall_at_false_rates(regions(true, alarms, clear=100), NONE)
    assert [row["rate"] for row in rows] == [1, 3, 10]
    # One, three and ten may be false: the next false one stands at 0.88, 0.81 and 0.5.
    assert [row["recall"] for row in rows] == [0.3, 0.4, 0.6]
    assert [row["threshold"] for row in rows] == [0.90, 0.82, 0.60]
    assert rows[0]["precision"] == 3 / 4
    assert rows[0]["f1"] == pytest.approx(2 * 3 / (4 + 10))
    assert rows[0]["interval"] is None


def test_false_regions_beside_nuclei_cost_precision_only() -> None:
    rows = recall_at_false_rates(regions([0.9, 0.7], [0.8], others=[0.95] * 5, clear=100), NONE)
    assert rows[0]["recall"] == 0.2
    assert rows[0]["precision"] == 2 / 8


def test_ties_are_found_together_or_not_at_all() -> None:
    # Two false regions share the confidence of three true ones: one rate allows only one of them.
    rows = recall_at_false_rates(
        regions([0.99, 1.0, 1.0, 1.0], [1.0, 1.0], clear=100, truths=4), NONE
    )
    assert rows[0]["recall"] == 0
    assert math.isnan(rows[0]["threshold"])
    assert rows[1]["recall"] == 1
    assert rows[1]["threshold"] == 0.99


def test_ignored_regions_do_not_count() -> None:
    rows = recall_at_false_rates(regions([0.5], [], ignored=[0.9] * 50, clear=100), NONE)
    assert rows[0]["recall"] == 0.1
    assert rows[0]["precision"] == 1


def test_a_rate_needs_enough_clear_half_orbits() -> None:
    recall = [row["recall"] for row in recall_at_false_rates(regions([0.9], [], clear=34), NONE)]
    assert math.isnan(recall[0])
    assert recall[1:] == [0.1, 0.1]
    with_all = recall_at_false_rates(regions([0.9], [], clear=100), NONE)
    assert with_all[0]["recall"] == 0.1


def test_no_nuclei_have_no_recall() -> None:
    rows = recall_at_false_rates(regions([], [0.9], clear=100, truths=0), NONE)
    assert math.isnan(rows[0]["recall"])
    assert math.isnan(recall_at_false_rates(regions([], [], clear=100, truths=0), NONE)[0]["f1"])


def test_intervals_resample_whole_blocks_and_are_the_same_each_time() -> None:
    rng = np.random.default_rng(1)
    size, blocks = 400, 20
    block = rng.integers(0, blocks, size)
    hit = rng.random(size) < 0.5
    ranked = RankedRegions(
        confidence=np.where(hit, rng.beta(5, 2, size), rng.beta(2, 3, size)),
        hit=hit,
        counted=np.ones(size, bool),
        on_clear=~hit,
        block=block,
        truths=np.bincount(block[hit], minlength=blocks) + 1,
        clear=np.full(blocks, 25),
    )
    weights = block_weights(blocks, 300)
    rows, again = (recall_at_false_rates(ranked, weights) for _ in range(2))
    assert rows == again
    for row in rows:
        (low, high), (low_90, high_90) = row["interval"], row["interval_90"]
        assert low <= low_90 <= row["recall"] <= high_90 <= high
        assert low < high
    # By hand for one resampling: drawing every block twice changes nothing.
    twice = recall_at_false_rates(ranked, np.full((2, blocks), 2))
    assert twice[1]["interval"] == (rows[1]["recall"], rows[1]["recall"])


def test_a_sheet_shows_them() -> None:
    scorer = Scorer(0.5)
    for number in range(200):
        found = [finding(box(5, 40), 0.8)] if number < 2 else []
        scorer.add(half_orbit([], found))
    for confidence in (0.9, 0.7):
        scorer.add(half_orbit([finding(box(5, 5))], [finding(box(5, 5), confidence)]))
    sheet = scorer.sheet(resamples=0)
    first = sheet.at_false_rates["0.25"][0]
    assert (first["rate"], first["recall"], first["threshold"]) == (1, 1, 0.7)
    assert "at 1 false per 100 clear half-orbits, from confidence 0.7000" in sheet.to_text()
    assert sheet.card_scores()["at_false_rates"]["0.5"][0]["recall"] == 1
