"""Agreement of two people, by hand on small masks."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from odm.archive.orbit.key import OrbitKey
from odm.core.errors import AnnotationError, InputError
from odm.datasets.labels.agreement import boundary_offsets, cohen_kappa, compare, region_overlaps
from odm.datasets.labels.regions import LabelledOrbit, RegionLabels
from odm.images.masks import png_bytes
from tests.lookalike import renamed


def labels(folder: Path, masks: dict[int, np.ndarray | None]) -> RegionLabels:
    """One person's labels, by orbit number; None is labelled as empty (10 by 10)."""
    folder.mkdir(parents=True)
    images = {}
    for number, mask in masks.items():
        key = OrbitKey.parse(renamed(number))
        path = None
        if mask is not None:
            path = folder / f"{key.stem}.png"
            path.write_bytes(png_bytes(mask.astype(np.uint8) * np.uint8(255)))
        shape = (10, 10) if mask is None else (mask.shape[0], mask.shape[1])
        images[key.stem] = LabelledOrbit(key, path, shape)
    return RegionLabels(folder, "voc", images, ("nucleus",))


def box(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros((10, 10), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_shifted_boxes_by_hand(tmp_path: Path) -> None:
    # Columns 2-5 against 4-7, both rows 1-4: 16 pixels each, 8 shared, of 200 in two images.
    a = labels(tmp_path / "a", {17538: box(2, 1, 6, 5), 17539: None, 17540: None})
    b = labels(tmp_path / "b", {17538: box(4, 1, 8, 5), 17539: None, 17541: None})
    result = compare(a, b)
    assert (result.images, result.only_first, result.only_second) == (2, 1, 1)
    assert result.drawn == (1, 1, 1)
    assert result.pixels == (8, 8, 8, 176)
    assert result.iou == pytest.approx(8 / 24)
    assert result.dice == pytest.approx(16 / 32)
    observed, chance = 184 / 200, (16 * 16 + 184 * 184) / 200**2
    assert result.kappa == pytest.approx((observed - chance) / (1 - chance))
    assert result.image_kappa == 1.0
    assert result.regions == (1, 1)
    assert result.region_f1 == {"0.25": 1.0, "0.5": 0.0}
    # Outline of a 4 by 4 box: 12 pixels. Of the first's, the left column is 2 from the second's
    # left column, its middle columns 3: 1 (inner rows have none), its right column lies inside.
    assert result.boundary_pixels is not None
    assert result.boundary_khz is not None
    assert result.boundary_s is not None
    # Column 2 (4 pixels): 2 away. Column 3 (2 pixels): 1. Columns 4, 5 top and bottom: 0.
    # Column 5, rows 2 and 3: up or down 1 to the second's top or bottom, or left 1 to column 4.
    assert result.boundary_pixels.mean == pytest.approx((4 * 2 + 2 * 1 + 2 * 1) / 12)
    assert result.boundary_pixels.hausdorff_95 == 2.0
    assert result.boundary_khz.mean + result.boundary_s.mean > 0
    json.dumps(asdict(result))
    assert ("pixel IoU", "0.333") in result.rows()
    assert "ceiling" in result.note


def test_a_shift_in_frequency_alone_is_told_in_khz(tmp_path: Path) -> None:
    a = labels(tmp_path / "a", {17538: box(0, 2, 10, 3)})
    b = labels(tmp_path / "b", {17538: box(0, 6, 10, 7)})
    result = compare(a, b)
    assert result.boundary_khz is not None
    assert result.boundary_khz.mean == pytest.approx(4 * 50 / 2048)
    assert result.boundary_s is not None
    assert result.boundary_s.mean == 0.0
    turned = compare(
        labels(tmp_path / "c", {17538: box(2, 0, 3, 10)}),
        labels(tmp_path / "d", {17538: box(6, 0, 7, 10)}),
    )
    assert turned.boundary_s is not None
    assert turned.boundary_s.hausdorff_95 == pytest.approx(4 * 2.048)
    assert turned.boundary_khz is not None
    assert turned.boundary_khz.mean == 0.0


def test_perfect_and_empty(tmp_path: Path) -> None:
    a = labels(tmp_path / "a", {17538: box(2, 1, 6, 5), 17539: None})
    same = compare(a, a)
    assert (same.iou, same.dice, same.kappa, same.image_kappa) == (1, 1, 1, 1)
    assert same.region_f1 == {"0.25": 1, "0.5": 1}
    assert same.boundary_pixels is not None
    assert (same.boundary_pixels.mean, same.boundary_pixels.hausdorff_95) == (0, 0)
    nothing = labels(tmp_path / "b", {17538: None})
    none = compare(nothing, nothing)
    assert (none.iou, none.dice, none.kappa, none.image_kappa) == (None,) * 4
    assert none.region_f1 == {"0.25": None, "0.5": None}
    assert none.boundary_pixels is None
    assert ("pixel kappa", "undefined") in none.rows()
    half = compare(a, nothing)
    assert (half.iou, half.kappa, half.boundary_pixels) == (0, 0, None)
    assert half.drawn == (1, 0, 0)


def test_kappa_of_a_published_table() -> None:
    # The textbook example: 20 yes-yes, 5 and 10 split, 15 no-no: kappa 0.4.
    assert cohen_kappa(np.array([20, 5, 10, 15])) == pytest.approx(0.4)
    assert cohen_kappa(np.array([0, 0, 0, 0])) is None


def test_regions_are_paired_one_to_one(tmp_path: Path) -> None:
    # One long region against its two halves: only one of them can be its match.
    a = labels(tmp_path / "a", {17538: box(0, 0, 10, 2)})
    b = labels(tmp_path / "b", {17538: box(0, 0, 5, 2) | box(6, 0, 10, 2)})
    np.testing.assert_allclose(region_overlaps(box(0, 0, 10, 2), box(0, 0, 5, 2)), [[0.5]])
    result = compare(a, b)
    assert result.regions == (1, 2)
    assert result.region_f1["0.25"] == pytest.approx(2 / 3)
    assert result.region_f1["0.5"] == pytest.approx(2 / 3)


def test_a_greedy_pairing_would_lose_one() -> None:
    from odm.datasets.labels.agreement import match_regions

    # The first fits both, the second only the one that the first fits best.
    assert match_regions(np.array([[0.3, 0.9], [0.0, 0.4]]), 0.25) == 2
    assert match_regions(np.array([[0.3, 0.9], [0.0, 0.4]]), 0.5) == 1
    assert match_regions(np.zeros((0, 3)), 0.25) == 0


def test_offsets_are_rows_then_columns() -> None:
    a, b = box(2, 2, 3, 3), box(5, 3, 6, 4)
    np.testing.assert_array_equal(boundary_offsets(a, b), [[-1, -3], [1, 3]])
    assert boundary_offsets(a, box(0, 0, 0, 0)).shape == (0, 2)


def test_nothing_in_common_and_other_sizes(tmp_path: Path) -> None:
    a = labels(tmp_path / "a", {17538: box(2, 1, 6, 5)})
    with pytest.raises(InputError, match="no labelled half-orbit in common"):
        compare(a, labels(tmp_path / "b", {17539: None}))
    wide = labels(tmp_path / "c", {17538: np.ones((10, 12), bool)})
    with pytest.raises(AnnotationError, match="12 by 10 pixels, the half-orbit has 10 by 10"):
        compare(a, wide)
