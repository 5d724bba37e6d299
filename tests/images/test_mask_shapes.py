"""Ellipses and boxes around drawn areas."""

from __future__ import annotations

import cv2
import numpy as np

from odm.images.masks import IGNORED, SHAPES, contour_to_box, contour_to_ellipse, mask_png


def test_boxes_fill_the_extent_of_each_area() -> None:
    mask = np.zeros((20, 30), np.uint8)
    mask[3, 2:6] = 1
    mask[3:9, 2] = 1
    mask[9, 3] = 1  # joined over a corner
    mask[15:17, 20:22] = 1
    wanted = np.zeros_like(mask)
    wanted[3:10, 2:6] = 1
    wanted[15:17, 20:22] = 1
    np.testing.assert_array_equal(contour_to_box(mask), wanted)


def test_an_ellipse_stays_what_it_is() -> None:
    rows, columns = np.ogrid[:120, :160]
    dy, dx = rows - 60.0, columns - 80.0
    along, across = 0.8 * dx + 0.6 * dy, -0.6 * dx + 0.8 * dy
    mask = ((along / 50) ** 2 + (across / 20) ** 2 <= 1).astype(np.uint8)
    found = contour_to_ellipse(mask)
    assert (found & mask).sum() / (found | mask).sum() > 0.97


def test_areas_of_one_pixel_or_one_line_do_not_vanish() -> None:
    mask = np.zeros((9, 40), np.uint8)
    mask[4, 4] = 1
    mask[4, 10:30] = 1
    found = contour_to_ellipse(mask)
    assert found[4, 4] == 1
    assert found[:, :8].sum() == 1
    assert found[4, 10:30].all()
    assert not found[:3].any()
    assert not found[6:].any()


def test_an_area_at_the_edge_stays_inside() -> None:
    mask = np.zeros((16, 16), np.uint8)
    mask[0:5, 12:] = 1
    found = contour_to_ellipse(mask)
    assert found[0:5, 13:].all()
    assert not contour_to_ellipse(np.zeros((4, 4), np.uint8)).any()


def test_what_is_ignored_is_no_object_in_any_shape() -> None:
    mask = np.zeros((30, 40), np.uint8)
    mask[3:9, 2:8] = 1
    mask[3:5, 7:12] = IGNORED  # touches the object
    mask[20:25, 20:30] = IGNORED
    for shape in SHAPES.values():
        found = shape(mask)
        assert found.dtype == np.uint8
        assert set(np.unique(found)) == {0, 1, IGNORED}
        assert (found[20:25, 20:30] == IGNORED).all()
        assert (found[3:5, 9:12] == IGNORED).all()
    np.testing.assert_array_equal(SHAPES["contour"](mask), mask)
    assert (contour_to_box(mask) == 1).sum() == 36


def test_the_picture_of_a_mask_tells_objects_from_what_is_ignored() -> None:
    mask = np.array([[0, 1, IGNORED]], np.uint8)
    pixels = cv2.imdecode(np.frombuffer(mask_png(mask), np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(pixels, [[0, 255, 128]])
