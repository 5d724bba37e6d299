import numpy as np
import pytest

from odm.scoring.curves import curve, fit_recall, recall_by_bin


def test_average_precision_by_hand() -> None:
    one = curve(np.array([0.7, 0.9, 0.8]), np.array([True, True, False]), 3, 10)
    assert one.threshold.tolist() == [0.9, 0.8, 0.7]
    assert one.recall.tolist() == [1 / 3, 1 / 3, 2 / 3]
    assert one.precision.tolist() == [1, 1 / 2, 2 / 3]
    assert one.false_per_half_orbit.tolist() == [0, 0.1, 0.1]
    # Made to fall from the right: 1, 2/3, 2/3.
    assert one.average_precision() == pytest.approx(1 / 3 + 1 / 3 * 2 / 3)
    assert one.best_threshold() == (0.7, pytest.approx(2 * 2 / (2 + 1 + 3)))


def test_equal_confidences_are_one_point() -> None:
    one = curve(np.array([0.5, 0.5, 0.5]), np.array([True, False, True]), 2, 1)
    assert one.recall.tolist() == [1]
    assert one.precision.tolist() == [2 / 3]


def test_recall_at_a_rate_of_false_regions() -> None:
    one = curve(np.array([0.9, 0.8, 0.7, 0.6]), np.array([1, 0, 1, 0], bool), 4, 10)
    assert one.recall_at(0.0) == 0.25
    assert one.recall_at(0.1) == 0.5
    assert one.recall_at(5) == 0.5
    assert curve(np.array([0.9]), np.array([False]), 4, 10).recall_at(0.01) == 0
    assert np.isnan(curve(np.array([0.9]), np.array([False]), 0, 10).recall_at(0.3))


def test_weights_are_the_same_as_repeating() -> None:
    rng = np.random.default_rng(0)
    confidence, hits = rng.random(50).round(1), rng.random(50) < 0.5
    weights = rng.integers(0, 3, 50)
    again = np.repeat(np.arange(50), weights)
    one = curve(confidence, hits, 40, 10, weights)
    other = curve(confidence[again], hits[again], 40, 10)
    np.testing.assert_array_equal(one.true, other.true)
    np.testing.assert_array_equal(one.false, other.false)
    assert one.average_precision() == pytest.approx(other.average_precision())


def test_nothing_found_and_nothing_there() -> None:
    none = curve(np.zeros(0), np.zeros(0, bool), 3, 1)
    assert none.average_precision() == 0
    assert np.isnan(none.best_threshold()[0])
    assert np.isnan(curve(np.array([0.5]), np.array([False]), 0, 1).average_precision())


def test_the_half_of_a_known_logistic_is_found() -> None:
    rng = np.random.default_rng(3)
    contrast = rng.uniform(2, 12, 4000)
    found = rng.random(4000) < 1 / (1 + np.exp(-1.5 * (contrast - 6)))
    fit = fit_recall(contrast, found)
    assert fit.half == pytest.approx(6, abs=0.15)
    assert fit.slope == pytest.approx(1.5, abs=0.2)
    assert fit.recall(np.array([fit.half]))[0] == pytest.approx(0.5)


def test_separated_data_have_a_half_between_them() -> None:
    contrast = np.array([3.0, 4, 5, 6, 7, 8])
    fit = fit_recall(contrast, contrast > 5.5)
    assert fit.half == pytest.approx(5.5, abs=0.1)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([True] * 8, "all found"),
        ([False] * 8, "none found"),
        ([True, True, True, True, False, False, False, False], "range"),
    ],
)
def test_no_half_where_the_data_do_not_say(found: list[bool], words: str) -> None:
    fit = fit_recall(np.arange(8.0), np.array(found))
    assert fit.half is None
    assert words in fit.note
    assert np.isnan(fit.recall(np.zeros(2))).all()


def test_unknown_contrast_is_left_out() -> None:
    x = np.array([np.nan, np.nan, np.nan, np.nan, 1.0])
    assert "fewer" in fit_recall(x, np.ones(5, bool)).note


def test_recall_in_bins() -> None:
    rows = recall_by_bin(
        np.array([1.0, 2, 2, 9]), np.array([True, False, True, True]), np.array([0, 2, 5, 9])
    )
    assert [(row["lower"], row["nuclei"], row["recall"]) for row in rows] == [
        (0, 1, 1.0),
        (2, 2, 0.5),
    ]
