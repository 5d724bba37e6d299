"""What people draw becomes the mask they meant, or an error that names file and object."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from odm.archive.errors import AnnotationError, InputError
from odm.archive.keys import OrbitKey
from odm.archive.listing import list_orbits
from odm.images.annotations import (
    Annotations,
    LabelledImage,
    is_annotated_folder,
    load_annotations,
)
from odm.images.label_export import export_pictures, outlines, select_orbits, write_truth
from odm.images.label_folder import ExportedImage, LabelFolder, png_bytes
from odm.images.label_import import import_annotations
from tests.lookalike import contents, renamed, write

HEIGHT, WIDTH = 64, 40
STEM = renamed(17538).removesuffix(".h5")
EMPTY = renamed(17539).removesuffix(".h5")
LAST = renamed(17540).removesuffix(".h5")

BOX = np.zeros((HEIGHT, WIDTH), np.uint8)
BOX[20:50, 10:30] = 1


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """An export of three half-orbits, 64 frequencies by 40 rows, without their archive."""
    folder = tmp_path / "export"
    keys = [OrbitKey.parse(f"{stem}.h5") for stem in (STEM, EMPTY, LAST)]
    images = {key.stem: ExportedImage(key, HEIGHT, WIDTH) for key in keys}
    settings = {"minimum": -9.0, "maximum": -4.0, "component": "z"}
    (folder / "images").mkdir(parents=True)
    (folder / "labels.json").write_bytes(LabelFolder(folder, images, settings).to_json())
    for stem in images:
        (folder / "images" / f"{stem}.png").write_bytes(png_bytes(np.full_like(BOX, 100)))
    return folder


def voc(
    *boxes: tuple[object, ...],
    size: tuple[int, int] = (WIDTH, HEIGHT),
    name: str = "nucleus",
    filename: str = f"{STEM}.png",
) -> str:
    """A file as LabelImg writes it."""
    objects = "".join(
        f"<object><name>{name}</name><pose>Unspecified</pose><truncated>0</truncated>"
        f"<difficult>0</difficult><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax>"
        f"<ymax>{y1}</ymax></bndbox></object>"
        for x0, y0, x1, y1 in boxes
    )
    return (
        f"<annotation><folder>images</folder><filename>{filename}</filename>"
        f"<path>C:\\data\\{filename}</path><source><database>Unknown</database></source>"
        f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>1</depth></size>"
        f"<segmented>0</segmented>{objects}</annotation>"
    )


def yolo(*boxes: tuple[int, int, int, int], index: int = 0) -> str:
    """A file as LabelImg writes it: centre and size as shares, six decimals."""
    return "".join(
        f"{index} {(x0 + x1) / 2 / WIDTH:.6f} {(y0 + y1) / 2 / HEIGHT:.6f} "
        f"{(x1 - x0) / WIDTH:.6f} {(y1 - y0) / HEIGHT:.6f}\n"
        for x0, y0, x1, y1 in boxes
    )


def labelme(*shapes: dict[str, object], **changes: object) -> str:
    content = {
        "version": "5.5.0",
        "flags": {},
        "shapes": [{"label": "nucleus", "group_id": None, "flags": {}} | s for s in shapes],
        "imagePath": f"..\\images\\{STEM}.png",
        "imageData": None,
        "imageHeight": HEIGHT,
        "imageWidth": WIDTH,
    }
    return json.dumps(content | changes)


def polygon(*points: tuple[float, float], **more: object) -> dict[str, object]:
    return {"points": [list(point) for point in points], "shape_type": "polygon"} | more


def imported(export: Path, files: dict[str, str | bytes], **options: object) -> Annotations:
    drawn, out = export.parent / "drawn", export.parent / "out"
    drawn.mkdir(exist_ok=True)
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        (drawn / name).write_bytes(data)
    import_annotations(export, drawn, out, **options)  # type: ignore[arg-type]
    return load_annotations(out)


def refused(export: Path, files: dict[str, str | bytes], **options: object) -> AnnotationError:
    with pytest.raises(AnnotationError) as caught:
        imported(export, files, **options)
    assert not (export.parent / "out").exists()
    assert not list(export.parent.glob(".out*"))
    return caught.value


# -- one box, every format ---------------------------------------------------------------------


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


# -- empty, unlabelled, formats ----------------------------------------------------------------


def test_an_empty_file_says_no_nucleus_and_no_file_says_nothing(export: Path) -> None:
    files = {f"{STEM}.xml": voc((10, 20, 30, 50)), f"{EMPTY}.xml": voc(filename=f"{EMPTY}.png")}
    labels = imported(export, files)
    assert list(labels.images) == [STEM, EMPTY]
    assert labels.images[EMPTY].mask_path is None
    assert labels.images[EMPTY].mask().shape == (HEIGHT, WIDTH)
    assert not labels.images[EMPTY].mask().any()
    whole = imported(export, files, unlabelled="empty", overwrite=True)
    assert list(whole.images) == [STEM, EMPTY, LAST]
    assert whole.digest != labels.digest


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
    assert report.digest == load_annotations(tmp_path / "out").digest
    assert is_annotated_folder(tmp_path / "out")
    assert not is_annotated_folder(drawn)


def test_yolo_classes_are_found_by_name(export: Path) -> None:
    files = {f"{STEM}.txt": yolo((10, 20, 30, 50), index=2), "classes.txt": "dog\ncat\nnucleus\n"}
    np.testing.assert_array_equal(imported(export, files).images[STEM].mask(), BOX)
    error = refused_again(export, {f"{STEM}.txt": yolo((10, 20, 30, 50), index=1)})
    assert (error.subject, error.reason[:17]) == ("object 1 (cat)", "unknown class cat")
    error = refused_again(export, {f"{STEM}.txt": yolo((10, 20, 30, 50), index=3)})
    assert error.reason.startswith("unknown class 3")


def refused_again(export: Path, files: dict[str, str | bytes]) -> AnnotationError:
    """As `refused`, where an earlier import stays as it was."""
    before = load_annotations(export.parent / "out").digest
    with pytest.raises(AnnotationError) as caught:
        imported(export, files, overwrite=True)
    assert load_annotations(export.parent / "out").digest == before
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
        load_annotations(tmp_path)


def test_an_import_replaces_only_an_import(export: Path, tmp_path: Path) -> None:
    files = {f"{STEM}.xml": voc((10, 20, 30, 50))}
    imported(export, files)
    with pytest.raises(InputError, match="--overwrite"):
        imported(export, files)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        imported(export, files, overwrite=True)
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


# -- what cannot be ----------------------------------------------------------------------------

OTHER = "CSES_01_EFD_3_L02_A1_000011_20180801_000000_20180801_003000_000"

BAD: dict[str, tuple[str, str | bytes, str, str]] = {
    "no width": (f"{STEM}.xml", voc((3, 3, 5, 5), (7, 20, 7, 50)), "object 2 (nucleus)", "no area"),
    "reversed": (f"{STEM}.xml", voc((30, 20, 10, 50)), "object 1 (nucleus)", "has no area"),
    "outside": (
        f"{STEM}.xml",
        voc((10, 20, WIDTH + 1, 50)),
        "object 1 (nucleus)",
        "outside the image: 10..41 by 20..50 in 40 by 64 pixels",
    ),
    "negative": (f"{STEM}.xml", voc((-3, 20, 10, 50)), "object 1 (nucleus)", "outside the image"),
    "class": (
        f"{STEM}.xml",
        voc((10, 20, 30, 50), name="nucleos"),
        "object 1 (nucleos)",
        "unknown class nucleos; did you mean nucleus?",
    ),
    "no class": (f"{STEM}.xml", voc((10, 20, 30, 50), name=""), "object 1", "unknown class (none)"),
    "no picture": (f"{OTHER}.xml", voc((1, 2, 3, 4)), "", f"the export has no picture {OTHER}.png"),
    "another picture": (
        f"{STEM}.xml",
        voc((1, 2, 3, 4), filename=f"{EMPTY}.png"),
        "",
        f"its name says {STEM}, its content {EMPTY}",
    ),
    "voc size": (
        f"{STEM}.xml",
        voc((1, 2, 3, 4), size=(1024, 768)),
        "",
        "an image of 1024 by 768 pixels; the exported one has 40 by 64",
    ),
    "not xml": (f"{STEM}.xml", "<annotation><object>", "", "not a readable XML file"),
    "no bytes": (f"{STEM}.xml", "", "", "not a readable XML file"),
    "xml bomb": (
        f"{STEM}.xml",
        '<!DOCTYPE a [<!ENTITY b "b">]><annotation>&b;</annotation>',
        "",
        "not a readable XML file",
    ),
    "another xml": (f"{STEM}.xml", "<html/>", "", "its root is <html>"),
    "no box": (
        f"{STEM}.xml",
        "<annotation><object><name>nucleus</name></object></annotation>",
        "object 1 (nucleus)",
        "has no <xmin>",
    ),
    "no number": (
        f"{STEM}.xml",
        voc((10, "left", 30, 50)),
        "object 1 (nucleus)",
        "ymin is 'left', not a number",
    ),
    "nan": (f"{STEM}.xml", voc((10, "nan", 30, 50)), "object 1 (nucleus)", "not a number"),
    "yolo fields": (f"{STEM}.txt", "0 0.5 0.5 0.1\n", "object 1", "has 4 values, not the 5"),
    "yolo pixels": (f"{STEM}.txt", "0 20 35 20 30\n", "object 1 (nucleus)", "outside the image"),
    "yolo class": (f"{STEM}.txt", "x 0.5 0.5 0.1 0.1\n", "object 1", "unknown class x"),
    "yolo no area": (f"{STEM}.txt", "0 0.5 0.5 0 0.1\n", "object 1 (nucleus)", "has no area"),
    "not json": (f"{STEM}.json", "{", "", "not a readable JSON file"),
    "another json": (f"{STEM}.json", "[]", "", "not a LabelMe file"),
    "labelme size": (
        f"{STEM}.json",
        labelme(imageWidth=512),
        "",
        "an image of 512 by 64 pixels; the exported one has 40 by 64",
    ),
    "two points": (
        f"{STEM}.json",
        labelme(polygon((1, 2), (3, 4))),
        "object 1 (nucleus)",
        "is a polygon of 2 points; an area needs 3",
    ),
    "flat polygon": (
        f"{STEM}.json",
        labelme(polygon((1, 2), (5, 2), (9, 2))),
        "object 1 (nucleus)",
        "has no area",
    ),
    "polygon outside": (
        f"{STEM}.json",
        labelme(polygon((1, 2), (50, 2), (9, 9))),
        "object 1 (nucleus)",
        "outside the image",
    ),
    "line": (
        f"{STEM}.json",
        labelme(polygon((1, 2), (5, 2), shape_type="line")),
        "object 1 (nucleus)",
        "is a line; polygons, rectangles and circles have an area",
    ),
    "point": (
        f"{STEM}.json",
        labelme({"points": [[1, 2], [3]], "shape_type": "polygon"}),
        "object 1 (nucleus)",
        "point 2 is not a pair of numbers",
    ),
    "circle outside": (
        f"{STEM}.json",
        labelme({"points": [[50, 2], [50, 4]], "shape_type": "circle"}),
        "object 1 (nucleus)",
        "centre (50, 2) outside",
    ),
    "mask size": (
        f"{STEM}.png",
        png_bytes(np.zeros((32, 32), np.uint8)),
        "",
        "an image of 32 by 32 pixels; the exported one has 40 by 64",
    ),
    "mask class": (f"{STEM}.png", png_bytes(BOX * np.uint8(7)), "", "unknown class 7"),
    "smooth mask": (
        f"{STEM}.png",
        png_bytes(np.where(BOX, 255, np.arange(WIDTH)).astype(np.uint8)),
        "",
        "values beside 0",
    ),
    "no mask": (f"{STEM}.png", b"nothing", "", "not a readable picture"),
}


@pytest.mark.parametrize("case", list(BAD), ids=list(BAD))
def test_what_cannot_be_names_file_and_object(export: Path, case: str) -> None:
    name, content, subject, reason = BAD[case]
    error = refused(export, {name: content})
    assert Path(error.path).name == name
    assert error.subject == subject
    assert reason in error.reason
    assert str(error).startswith(error.path)


def test_all_files_are_read_before_the_first_error_is_reported(export: Path) -> None:
    files = {f"{stem}.xml": voc((3, 3, 3, 3), filename=f"{stem}.png") for stem in (STEM, EMPTY)}
    files[f"{LAST}.xml"] = voc((3, 3, 9, 9), filename=f"{LAST}.png")
    error = refused(export, files)
    assert Path(error.path).name == f"{STEM}.xml"
    assert error.reason.endswith("; 1 more file cannot be used either")


# -- round trips -------------------------------------------------------------------------------


def ring() -> np.ndarray:
    """A mask with a hole, a corner contact, and pixels on every border."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    radius = np.hypot(rows - 30, columns - 18)
    mask[(radius < 12) & (radius > 5)] = 1
    mask[0:4, 0:3] = 1
    mask[1, 3:7] = 1
    mask[2, 7] = 1
    mask[50:, 30:] = 1
    mask[55, 38] = 0
    mask[57:59, 33:36] = 0
    return mask


def test_outlines_cover_exactly_the_area() -> None:
    from skimage.draw import polygon2mask

    rng = np.random.default_rng(3)
    for area in (ring() > 0, rng.random((30, 25)) > 0.4, np.ones((3, 4), bool)):
        covered = np.zeros(area.shape, bool)
        for points in outlines(area):
            inside = polygon2mask(area.shape, np.array(points)[:, ::-1] - 0.5)
            assert not (covered & inside).any()
            covered |= inside
        np.testing.assert_array_equal(covered, area)


def test_truth_written_as_people_would_comes_back(export: Path, tmp_path: Path) -> None:
    mask = ring()
    path = tmp_path / "truth.png"
    path.write_bytes(png_bytes(mask * np.uint8(255)))
    keys = [OrbitKey.parse(f"{stem}.h5") for stem in (STEM, EMPTY)]
    images = {STEM: LabelledImage(keys[0], path), EMPTY: LabelledImage(keys[1])}
    write_truth(tmp_path / "drawn", Annotations(tmp_path, "simulation", images), [
        ExportedImage(key, HEIGHT, WIDTH) for key in keys
    ])  # fmt: skip
    boxes = [(0, 0, 8, 4), (7, 19, 30, 42), (30, 50, WIDTH, HEIGHT)]
    for source in ("voc", "yolo", "labelme"):
        out = tmp_path / source
        import_annotations(export, tmp_path / "drawn" / source, out, exact_edges=True)
        labels = load_annotations(out)
        assert list(labels.images) == [STEM, EMPTY]
        assert [item.box for item in labels.images[STEM].objects] == boxes
        wanted = np.zeros_like(mask)
        for x0, y0, x1, y1 in boxes:
            wanted[y0:y1, x0:x1] = 1
        if source == "labelme":
            wanted = mask
        np.testing.assert_array_equal(labels.images[STEM].mask(), wanted)


def test_export_writes_native_pictures_and_remembers_them(tmp_path: Path) -> None:
    archive, data = tmp_path / "archive", contents(rows=40, columns=64)
    archive.mkdir()
    data["A133_P"][:] = 1e-3  # log10 PSD -6
    data["A133_P"][7, 60] = 1e-2  # -4: above the upper limit
    data["A133_P"][8, 0] = -9999
    for number in (17538, 17539, 17540):
        write(archive, data, renamed(number))
    (archive / renamed(17541)).write_bytes(b"not HDF5")
    entries = list_orbits(archive).entries
    report = export_pictures(entries, tmp_path / "out", limits=(-8, -4.5))
    assert report.pictures == 3
    assert [Path(error.path).name for error in report.bad] == [renamed(17541)]
    picture = cv2.imread(str(tmp_path / "out" / "images" / f"{STEM}.png"), cv2.IMREAD_UNCHANGED)
    assert picture.shape == (64, 40)
    assert picture[3, 7] == 255  # frequency 60 of 64 is line 3 from the top
    assert picture[63, 8] == 0
    assert picture[0, 0] == 1 + round(254 * 2 / 3.5)
    assert (tmp_path / "out" / "classes.txt").read_text() == "nucleus\n"
    folder = LabelFolder.load(tmp_path / "out")
    assert list(folder.images) == [STEM, EMPTY, LAST]
    assert (folder.images[STEM].height, folder.images[STEM].width) == (64, 40)
    assert folder.settings == {"minimum": -8, "maximum": -4.5, "component": "z"}
    with pytest.raises(InputError, match="is not empty"):
        export_pictures(entries, tmp_path / "out")


def test_export_chooses_half_orbits(tmp_path: Path) -> None:
    archive, data = tmp_path / "archive", contents(rows=20, columns=32)
    archive.mkdir()
    for number in (17538, 17539, 17540):
        write(archive, data, renamed(number))
    start = OrbitKey.parse(renamed(17539)).start

    def stems(name: str, **choice: object) -> list[str]:
        entries = select_orbits(list_orbits(archive).entries, **choice)  # type: ignore[arg-type]
        export_pictures(entries, tmp_path / name)
        return list(LabelFolder.load(tmp_path / name).images)

    assert stems("a", since=start) == [EMPTY, LAST]
    assert stems("b", until=start) == [STEM]
    assert stems("c", limit=2) == [STEM, EMPTY]
    assert stems("d", names=[renamed(17540), "CSES_01_EFD_3_175381"]) == [STEM, LAST]
    with pytest.raises(InputError, match="no such half-orbit"):
        stems("e", names=["CSES_01_EFD_3_000011"])
    with pytest.raises(InputError, match="no half-orbit of the archive is left"):
        stems("e", until=start, names=[renamed(17540)])
    assert not (tmp_path / "e").exists()


def test_simulated_truth_lists_every_half_orbit(tmp_path: Path) -> None:
    (tmp_path / "simulation.json").write_text(json.dumps({"keys": [f"{EMPTY}.h5", f"{STEM}.h5"]}))
    pq.write_table(pa.table({"mask": [f"masks/{STEM}.png"]}), tmp_path / "truth.parquet")
    (tmp_path / "masks").mkdir()
    with pytest.raises(InputError, match=f"1 mask of its truth missing in masks/, such as {STEM}"):
        load_annotations(tmp_path)
    (tmp_path / "masks" / f"{STEM}.png").write_bytes(png_bytes(BOX * np.uint8(255)))
    truth = load_annotations(tmp_path)
    assert list(truth.images) == [STEM, EMPTY]
    np.testing.assert_array_equal(truth.images[STEM].mask((HEIGHT, WIDTH)), BOX)
    assert truth.images[EMPTY].mask((3, 4)).shape == (3, 4)
    with pytest.raises(AnnotationError, match="has 40 by 64 pixels, the half-orbit has 41 by 64"):
        truth.images[STEM].mask((HEIGHT, WIDTH + 1))
