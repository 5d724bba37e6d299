import numpy as np
import pytest

from odm.scoring.calibration import (
    fit_level_temperature,
    fit_temperature,
    level_counts,
    level_probabilities,
    level_reliability,
    reliability,
)
from tests.scoring.helpers import temperature_table


def test_level_counts_by_hand() -> None:
    levels = np.array([[0, 255, 255, 7]], dtype=np.uint8)
    counts = level_counts(levels, np.array([[0, 1, 0, 9]]))
    assert counts.shape == (2, 256)
    assert counts[0, [0, 255, 7]].tolist() == [1, 1, 0]
    assert counts[1, [0, 255, 7]].tolist() == [0, 1, 1]
    assert level_counts(levels, levels, levels == 7).sum() == 1


def test_level_probabilities_lie_inside_and_rise() -> None:
    p = level_probabilities()
    assert p.min() > 0
    assert p.max() < 1
    assert (np.diff(p) > 0).all()
    assert p[51] == 0.2


@pytest.mark.parametrize("truth", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_found(truth: float) -> None:
    logits = np.linspace(-6, 6, 400)
    share = 1 / (1 + np.exp(-logits / truth))
    assert fit_temperature(logits, 1 - share, share) == pytest.approx(truth, rel=1e-4)


def test_quantised_maps_of_a_model_that_is_too_sure() -> None:
    rng = np.random.default_rng(0)
    logit = rng.normal(0, 1.2, 400_000)
    truth = rng.random(logit.size) < 1 / (1 + np.exp(-logit))
    too_sure = np.rint(255 / (1 + np.exp(-2 * logit))).astype(np.uint8)
    counts = level_counts(too_sure, truth)
    temperature = fit_level_temperature(counts)
    assert temperature == pytest.approx(2, abs=0.05)
    before, after = level_reliability(counts).ece, level_reliability(counts, temperature).ece
    assert before > 0.1
    assert after < 0.01
    # The table says the same of a map as the temperature does of its counts.
    table = temperature_table(temperature)
    assert level_reliability(level_counts(table[too_sure], truth)).ece < 0.012


def test_nothing_to_learn_from_leaves_the_map_as_it_is() -> None:
    assert fit_temperature(np.array([1.0, 2.0]), np.array([5, 5]), np.zeros(2)) == 1
    assert np.array_equal(temperature_table(1.0), np.arange(256))


def test_reliability_by_hand() -> None:
    diagram = reliability(np.array([0.1, 0.3, 0.9]), np.array([9, 5, 0]), np.array([1, 5, 10]), 2)
    assert diagram.count.tolist() == [20, 10]
    assert diagram.predicted.tolist() == [pytest.approx(0.2), pytest.approx(0.9)]
    assert diagram.observed.tolist() == [pytest.approx(0.3), 1.0]
    assert diagram.ece == pytest.approx((20 * 0.1 + 10 * 0.1) / 30)
    assert diagram.ece_above(0.5) == pytest.approx(0.1)


def test_probability_one_falls_in_the_last_bin_and_empty_bins_say_nothing() -> None:
    diagram = reliability(np.array([1.0]), np.array([0]), np.array([3]), 4)
    assert diagram.count.tolist() == [0, 0, 0, 3]
    assert np.isnan(diagram.observed[:3]).all()
    assert diagram.ece == 0
    assert np.isnan(reliability(np.zeros(0), np.zeros(0), np.zeros(0)).ece)
