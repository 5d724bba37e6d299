"""What people draw becomes the mask they meant."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from odm.core.errors import AnnotationError, InputError
from odm.datasets.labels.importing import import_annotations
from odm.datasets.labels.regions import (
    has_region_labels,
    load_region_labels,
)
from odm.images.masks import png_bytes
from tests.datasets.drawn import (
    BOX,
    EMPTY,
    HEIGHT,
    LAST,
    STEM,
    WIDTH,
    digest,
    imported,
    labelme,
    polygon,
    voc,
    yolo,
)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (f"{STEM}.xml", voc((10, 20, 30, 50))),
        (f"{STEM}.txt", yolo((10, 20, 30, 50))),
        (f"{STEM}.json", labelme(polygon((10, 20), (30, 20), (30, 50), (10, 50)))),
        (f"{STEM}.json", labelme(polygon((30, 50), (10, 20), shape_type="rectangle"))),
        (f"{STEM}.png", png_bytes(BOX)),
        (f"{STEM}.png", png_bytes(BOX * np.uint8(255))),
        (f"{STEM}.png", png_bytes(np.dstack([BOX * 0, BOX * 0, BOX * np.uint8(128)]))),
    ],
    ids=["voc", "yolo", "polygon", "rectangle", "mask 1", "mask 255", "mask of one colour"],
)
def test_the_same_box_is_the_same_mask(export: Path, name: str, content: str | bytes) -> None:
    labels = imported(export, {name: content})
    image = labels.images[STEM]
    np.testing.assert_array_equal(image.mask(), BOX)
    assert [(item.label, item.box) for item in image.objects] == [("nucleus", (10, 20, 30, 50))]
    stored = cv2.imread(str(image.mask_path), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(stored, BOX * 255)
    assert list(labels.images) == [STEM]  # the others were not labelled


def test_labelimg_cannot_write_an_edge_at_zero(export: Path) -> None:
    corner = np.zeros_like(BOX)
    corner[:6, :5] = 1
    for name, content in ((f"{STEM}.xml", voc((1, 1, 5, 6))), (f"{STEM}.txt", yolo((1, 1, 5, 6)))):
        labels = imported(export, {name: content}, overwrite=True)
        np.testing.assert_array_equal(labels.images[STEM].mask(), corner)
        exact = imported(export, {name: content}, overwrite=True, exact_edges=True)
        assert exact.images[STEM].objects[0].box == (1, 1, 5, 6)
        (export.parent / "drawn" / name).unlink()


def test_labelme_cannot_write_the_far_border(export: Path) -> None:
    shape = polygon((30, 60), (WIDTH - 1, HEIGHT - 1), shape_type="rectangle")
    files = {f"{STEM}.json": labelme(shape)}
    assert imported(export, files).images[STEM].objects[0].box == (30, 60, WIDTH, HEIGHT)
    exact = imported(export, files, overwrite=True, exact_edges=True)
    assert exact.images[STEM].objects[0].box == (30, 60, WIDTH - 1, HEIGHT - 1)


def test_a_pixel_is_in_when_its_centre_is(export: Path) -> None:
    files = {f"{STEM}.xml": voc((10.4, 20.6, 30.4, 50.6))}
    assert imported(export, files).images[STEM].objects[0].box == (10, 21, 30, 51)


def test_a_triangle_covers_the_centres_inside_it(export: Path) -> None:
    files = {f"{STEM}.json": labelme(polygon((10.1, 10), (14.1, 10), (10.1, 14)))}
    mask = imported(export, files).images[STEM].mask()
    rows = ["".join(map(str, row)) for row in mask[10:14, 10:14]]
    assert rows == ["1111", "1110", "1100", "1000"]


def test_a_circle_and_the_parts_of_a_group(export: Path) -> None:
    circle = {"points": [[20, 30], [20, 32]], "shape_type": "circle"}
    mask = imported(export, {f"{STEM}.json": labelme(circle)}).images[STEM].mask()
    rows = ["".join(map(str, row)) for row in mask[28:32, 18:22]]
    assert rows == ["0110", "1111", "1111", "0110"]
    assert mask.sum() == 12
    parts = [
        polygon((2, 2), (6, 4), shape_type="rectangle", group_id=7),
        polygon((9, 5), (12, 8), shape_type="rectangle", group_id=7),
        polygon((20, 20), (22, 22), shape_type="rectangle"),
    ]
    labels = imported(export, {f"{STEM}.json": labelme(*parts)}, overwrite=True)
    assert [item.box for item in labels.images[STEM].objects] == [(2, 2, 12, 8), (20, 20, 22, 22)]


def test_an_empty_file_says_no_nucleus_and_no_file_says_nothing(export: Path) -> None:
    files = {f"{STEM}.xml": voc((10, 20, 30, 50)), f"{EMPTY}.xml": voc(filename=f"{EMPTY}.png")}
    labels = imported(export, files)
    assert list(labels.images) == [STEM, EMPTY]
    assert labels.images[EMPTY].mask_path is None
    assert labels.images[EMPTY].mask().shape == (HEIGHT, WIDTH)
    assert not labels.images[EMPTY].mask().any()
    whole = imported(export, files, unlabelled="empty", overwrite=True)
    assert list(whole.images) == [STEM, EMPTY, LAST]
    assert digest(whole) != digest(labels)


def test_an_empty_yolo_file_says_no_nucleus(export: Path) -> None:
    labels = imported(export, {f"{STEM}.txt": ""})
    assert list(labels.images) == [STEM]
    assert labels.images[STEM].objects == ()


def test_the_report_counts(export: Path, tmp_path: Path) -> None:
    drawn = tmp_path / "drawn"
    drawn.mkdir()
    (drawn / f"{STEM}.txt").write_text(yolo((2, 2, 5, 5), (10, 20, 30, 50)))
    (drawn / f"{EMPTY}.txt").write_text("")
    (drawn / "classes.txt").write_text("nucleus\n")
    report = import_annotations(export, drawn, tmp_path / "out")
    assert (report.source, report.labelled, report.with_objects) == ("yolo", 2, 1)
    assert (report.unlabelled, report.objects) == (1, 2)
    assert report.digest == digest(load_region_labels(tmp_path / "out"))
    assert has_region_labels(tmp_path / "out")
    assert not has_region_labels(drawn)


def test_yolo_classes_are_found_by_name(export: Path) -> None:
    files = {f"{STEM}.txt": yolo((10, 20, 30, 50), index=2), "classes.txt": "dog\ncat\nnucleus\n"}
    np.testing.assert_array_equal(imported(export, files).images[STEM].mask(), BOX)
    error = refused_again(export, {f"{STEM}.txt": yolo((10, 20, 30, 50), index=1)})
    assert (error.subject, error.reason[:19]) == ("object 1 (cat)", "unknown class 'cat'")
    error = refused_again(export, {f"{STEM}.txt": yolo((10, 20, 30, 50), index=3)})
    assert error.reason.startswith("unknown class 3")


def refused_again(export: Path, files: dict[str, str | bytes]) -> AnnotationError:
    """As `refused`, where an earlier import stays as it was."""
    before = digest(load_region_labels(export.parent / "out"))
    with pytest.raises(AnnotationError) as caught:
        imported(export, files, overwrite=True)
    assert digest(load_region_labels(export.parent / "out")) == before
    return caught.value


def test_files_saved_beside_the_pictures_are_found(export: Path, tmp_path: Path) -> None:
    pictures = export / "images"
    (pictures / f"{STEM}.xml").write_text(voc((10, 20, 30, 50)))
    assert import_annotations(export, pictures, tmp_path / "out").source == "voc"
    with pytest.raises(InputError, match="exported pictures"):
        import_annotations(export, pictures, tmp_path / "other", source="mask")


def test_two_formats_in_one_folder_need_a_choice(export: Path) -> None:
    files = {f"{STEM}.xml": voc((10, 20, 30, 50)), f"{STEM}.txt": yolo((1, 2, 3, 4))}
    with pytest.raises(InputError, match="voc and yolo; choose one with --format"):
        imported(export, files)
    assert imported(export, files, source="voc").images[STEM].objects[0].box == (10, 20, 30, 50)


def test_wrong_use_is_said_plainly(export: Path, tmp_path: Path) -> None:
    (tmp_path / "drawn").mkdir()
    with pytest.raises(InputError, match="no annotation file"):
        import_annotations(export, tmp_path / "drawn", tmp_path / "out")
    with pytest.raises(InputError, match="no such folder"):
        import_annotations(export, tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(InputError, match=r"no labels\.json here"):
        import_annotations(tmp_path, tmp_path / "drawn", tmp_path / "out")
    with pytest.raises(InputError, match="give auto, voc, yolo, labelme, mask"):
        import_annotations(export, tmp_path / "drawn", tmp_path / "out", source="coco")
    with pytest.raises(InputError, match="give skip or empty"):
        import_annotations(export, tmp_path / "drawn", tmp_path / "out", unlabelled="ask")
    with pytest.raises(InputError, match="holds neither"):
        load_region_labels(tmp_path)


def test_an_import_replaces_only_an_import(export: Path, tmp_path: Path) -> None:
    files = {f"{STEM}.xml": voc((10, 20, 30, 50))}
    imported(export, files)
    with pytest.raises(InputError, match="--overwrite"):
        imported(export, files)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        imported(export, files, overwrite=True)
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"
