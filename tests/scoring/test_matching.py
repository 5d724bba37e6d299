import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from odm.findings.outlines import bounding_box
from odm.scoring.matching import mask_overlaps, match_findings
from tests.scoring.helpers import box


def test_overlaps_are_those_of_the_masks() -> None:
    truth = [box(5, 5), box(20, 5)]
    found = [box(5, 10), box(5, 5), box(30, 40)]
    iou, shared = mask_overlaps(truth, found)
    assert shared.tolist() == [[50, 100, 0], [0, 0, 0]]
    assert iou.tolist() == [[50 / 150, 1, 0], [0, 0, 0]]


def test_no_regions_give_empty_matrices() -> None:
    assert mask_overlaps([], [box(1, 1)])[0].shape == (0, 1)
    assert mask_overlaps([box(1, 1)], [])[0].shape == (1, 0)
    assert match_findings(np.zeros((0, 1)), [1.0], 0.5).hits.tolist() == [False]
    assert match_findings(np.zeros((1, 0)), [], 0.5).pairs == ()


def test_an_overlap_at_the_limit_counts() -> None:
    assert match_findings(np.array([[0.5]]), [1.0], 0.5).pairs == ((0, 0),)
    assert match_findings(np.array([[0.49]]), [1.0], 0.5).pairs == ()


def test_a_sure_region_makes_room_for_a_less_sure_one() -> None:
    # Taking the best of what is left would pair 0 with 0 and leave region 1 without.
    iou = np.array([[0.6, 0.5], [0.5, 0.0]])
    match = match_findings(iou, [0.9, 0.8], 0.5)
    assert match.hits.tolist() == [True, True]
    assert match.pairs == ((1, 0), (0, 1))


def test_two_regions_on_one_nucleus_are_one_hit_and_the_surer_one_has_it() -> None:
    iou = np.array([[0.9, 0.6]])
    assert match_findings(iou, [0.5, 0.8], 0.5).hits.tolist() == [False, True]
    assert match_findings(iou, [0.5, 0.5], 0.5).hits.tolist() == [True, False]


@pytest.mark.parametrize("seed", range(30))
def test_any_threshold_reaches_the_largest_number_of_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    iou = rng.random(rng.integers(1, 7, 2)) * (rng.random() > 0.2)
    confidence = rng.random(iou.shape[1])
    whole = match_findings(iou, confidence, 0.5)
    for threshold in confidence:
        kept = confidence >= threshold
        part = match_findings(iou[:, kept], confidence[kept], 0.5)
        assert part.hits.tolist() == whole.hits[kept].tolist()
        rows, columns = linear_sum_assignment(iou[:, kept] >= 0.5, maximize=True)
        assert part.hits.sum() == (iou[:, kept] >= 0.5)[rows, columns].sum()
    assert len(whole.pairs) == whole.hits.sum()
    assert len({true for true, _ in whole.pairs}) == len(whole.pairs)
    assert all(iou[pair] >= 0.5 for pair in whole.pairs)


def test_bounding_box() -> None:
    assert bounding_box(box(5, 7, 3, 4)) == (slice(5, 8), slice(7, 11))
    assert bounding_box(np.zeros((4, 4), bool)) == (slice(0, 0), slice(0, 0))
