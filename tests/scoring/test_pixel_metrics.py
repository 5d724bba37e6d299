import numpy as np
import pytest

from odm.scoring.pixels import PIXEL_METRICS, confusion_matrix, pixel_metrics


def test_by_hand() -> None:
    truth = np.array([[0, 0, 0, 0, 1, 1, 1, 1]])
    predicted = np.array([[0, 0, 0, 1, 1, 1, 0, 0]])
    matrix = confusion_matrix(truth, predicted)
    assert matrix.tolist() == [[3, 1], [2, 2]]
    metrics = pixel_metrics(matrix)
    assert tuple(metrics) == PIXEL_METRICS
    assert metrics["foreground_iou"] == 2 / 5
    assert metrics["mean_iou"] == pytest.approx((3 / 6 + 2 / 5) / 2)
    assert metrics["dice"] == 4 / 7
    assert metrics["pixel_accuracy"] == 5 / 8
    assert metrics["macro_recall"] == pytest.approx((3 / 4 + 2 / 4) / 2)
    assert metrics["macro_precision"] == pytest.approx((3 / 5 + 2 / 3) / 2)


def test_three_classes() -> None:
    metrics = pixel_metrics(np.array([[50, 0, 0], [0, 20, 5], [5, 0, 20]]))
    assert metrics["mean_iou"] == pytest.approx((50 / 55 + 20 / 25 + 20 / 30) / 3)
    # Foreground is any class but 0: one taken for the other is no error there.
    assert metrics["foreground_iou"] == 45 / 50


def test_invalid_pixels_do_not_count() -> None:
    truth, predicted = np.ones((2, 2), bool), np.zeros((2, 2), bool)
    valid = np.array([[True, False], [False, False]])
    assert confusion_matrix(truth, predicted, valid).tolist() == [[0, 0], [1, 0]]


def test_a_class_that_nobody_knows_is_left_out() -> None:
    metrics = pixel_metrics(np.array([[10, 0], [0, 0]]))
    assert metrics["mean_iou"] == 1
    assert np.isnan(metrics["foreground_iou"])
    assert np.isnan(metrics["dice"])
    assert all(np.isnan(value) for value in pixel_metrics(np.zeros((2, 2))).values())


def test_a_class_that_only_one_of_them_knows_counts_as_nothing() -> None:
    never_predicted = pixel_metrics(np.array([[90, 0], [10, 0]]))
    assert never_predicted["macro_precision"] == pytest.approx(0.9 / 2)
    assert never_predicted["macro_recall"] == pytest.approx(1 / 2)
    never_true = pixel_metrics(np.array([[90, 10], [0, 0]]))
    assert never_true["macro_recall"] == pytest.approx(0.9 / 2)
    assert never_true["mean_iou"] == pytest.approx(0.9 / 2)


def test_what_is_invalid_may_hold_anything() -> None:
    truth = np.array([[0, 1, 255]], dtype=np.uint8)
    predicted = np.array([[0, 1, -1]])
    valid = np.array([[True, True, False]])
    assert confusion_matrix(truth, predicted, valid).tolist() == [[1, 0], [0, 1]]


def test_many_matrices_at_once() -> None:
    matrices = np.array([[[3, 1], [2, 2]], [[10, 0], [0, 0]]])
    together = pixel_metrics(matrices)
    for name in PIXEL_METRICS:
        singles = [pixel_metrics(matrix)[name] for matrix in matrices]
        np.testing.assert_array_equal(together[name], singles)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="shape"):
        confusion_matrix(np.zeros((2, 2), int), np.zeros((2, 3), int))
    with pytest.raises(ValueError, match="not one of 2"):
        confusion_matrix(np.array([0, 2]), np.array([0, 0]))
    with pytest.raises(ValueError, match="not one of 2"):
        confusion_matrix(np.array([0, 0]), np.array([0, 2]))
    with pytest.raises(ValueError, match="not one of 2"):
        confusion_matrix(np.array([0, -1]), np.array([0, 1]))
