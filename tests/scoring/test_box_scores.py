import numpy as np
import pytest

from odm.scoring.ionogram.boxes import STRICT, BoxCounts
from odm.scoring.matching import box_overlaps, match_boxes


def boxes(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float64).reshape(-1, 4)


def test_overlaps_by_hand() -> None:
    one = boxes((0, 0, 10, 10), (0, 0, 10, 0))
    other = boxes((0, 0, 10, 10), (5, 0, 15, 10), (20, 20, 30, 30))
    np.testing.assert_allclose(box_overlaps(one, other), [[1, 1 / 3, 0], [0, 0, 0]])
    assert box_overlaps(boxes(), other).shape == (0, 3)


def test_a_box_of_another_class_is_no_hit() -> None:
    overlaps = np.array([[0.9, 0.8, 0.4]])
    scores, found = np.array([0.5, 0.4, 0.9]), np.array([1, 0, 0])
    for at, expected in ((0.5, [False, True, False]), (0.25, [False, False, True])):
        match = match_boxes(overlaps, scores, np.array([0]), found, at)
        assert match.hits.tolist() == expected


def counted() -> BoxCounts:
    """Two images, class 0: three true boxes; hits at 0.9 and 0.5, false at 0.8 and 0.3."""
    counts = BoxCounts(2)
    true = boxes((0, 0, 10, 10), (50, 50, 60, 60))
    counts.add(
        true,
        np.array([0, 0]),
        boxes((0, 0, 10, 10), (50, 50, 60, 60), (80, 80, 90, 90)),
        np.array([0.9, 0.5, 0.8]),
        np.array([0, 0, 0]),
    )
    counts.add(
        boxes((0, 0, 10, 10)), np.array([0]), boxes((5, 0, 15, 10)), np.array([0.3]), np.array([0])
    )
    return counts


def test_average_precision_by_hand() -> None:
    counts = counted()
    # Precision 1 up to recall 1/3, then 2/3 up to 2/3, then nothing.
    assert counts.average_precision(0, 0.5) == pytest.approx(1 / 3 + 2 / 9)
    # At 0.25 the box of the second image is a hit as well, at precision 3/4.
    assert counts.average_precision(0, 0.25) == pytest.approx(1 / 3 + 1 / 4 + 1 / 4)
    assert np.isnan(counts.average_precision(1, 0.5))
    summary = counts.summary(("Es", "F"))
    assert summary["ap50"] == summary["ap50_Es"] == pytest.approx(5 / 9)
    assert np.isnan(summary["ap_F"])
    curve = counts.curve(0, 0.5)
    assert curve.threshold.tolist() == [0.9, 0.8, 0.5, 0.3]
    assert curve.true.tolist() == [1, 1, 2, 2] and curve.false.tolist() == [0, 1, 1, 2]


def test_near_to_what_others_compute() -> None:
    torch = pytest.importorskip("torch")
    detection = pytest.importorskip("torchmetrics.detection")
    rng = np.random.default_rng(4)
    counts, truths, found = BoxCounts(2), [], []
    for _ in range(40):
        number = int(rng.integers(0, 4))
        corner = rng.uniform(0, 100, (number, 2))
        true = np.hstack([corner, corner + rng.uniform(20, 60, (number, 2))])
        kinds = rng.integers(0, 2, number)
        edges = np.vstack([true + rng.normal(0, 4, true.shape), [[10, 10, 40, 40]]])
        classes = np.append(np.where(rng.random(number) < 0.8, kinds, 1 - kinds), 0)
        scores = np.round(rng.random(number + 1), 3)
        counts.add(true, kinds, edges, scores, classes)
        truths.append({"boxes": torch.tensor(true), "labels": torch.tensor(kinds)})
        found.append(
            {
                "boxes": torch.tensor(edges),
                "labels": torch.tensor(classes),
                "scores": torch.tensor(scores),
            }
        )
    metric = detection.MeanAveragePrecision(class_metrics=True)
    metric.update(found, truths)
    theirs = metric.compute()
    ours = counts.summary(("a", "b"))
    assert ours["ap50"] == pytest.approx(float(theirs["map_50"]), abs=0.015)
    assert ours["ap"] == pytest.approx(float(theirs["map"]), abs=0.015)
    each = [counts.average_precision(kind, *STRICT) for kind in (0, 1)]
    assert each == pytest.approx(theirs["map_per_class"].tolist(), abs=0.02)
