"""From truth or an archive to pictures and drawings for people, and back."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from odm.archive.orbit.key import OrbitKey
from odm.archive.orbit.listing import list_orbits
from odm.core.errors import AnnotationError, InputError
from odm.datasets.labels.export import export_pictures, outlines, select_orbits, write_truth
from odm.datasets.labels.folder import ExportedImage, LabelFolder
from odm.datasets.labels.importing import import_annotations
from odm.datasets.labels.regions import (
    LabelledOrbit,
    RegionLabels,
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
)
from tests.lookalike import contents, renamed, write


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
    images = {STEM: LabelledOrbit(keys[0], path), EMPTY: LabelledOrbit(keys[1])}
    write_truth(tmp_path / "drawn", RegionLabels(tmp_path, "simulation", images, ("nucleus",)), [
        ExportedImage(key, HEIGHT, WIDTH) for key in keys
    ])  # fmt: skip
    boxes = [(0, 0, 8, 4), (7, 19, 30, 42), (30, 50, WIDTH, HEIGHT)]
    for source in ("voc", "yolo", "labelme"):
        out = tmp_path / source
        import_annotations(export, tmp_path / "drawn" / source, out, exact_edges=True)
        labels = load_region_labels(out)
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
        load_region_labels(tmp_path)
    (tmp_path / "masks" / f"{STEM}.png").write_bytes(png_bytes(BOX * np.uint8(255)))
    truth = load_region_labels(tmp_path)
    assert list(truth.images) == [STEM, EMPTY]
    np.testing.assert_array_equal(truth.images[STEM].mask((HEIGHT, WIDTH)), BOX)
    assert truth.images[EMPTY].mask((3, 4)).shape == (3, 4)
    with pytest.raises(AnnotationError, match="has 40 by 64 pixels, the half-orbit has 41 by 64"):
        truth.images[STEM].mask((HEIGHT, WIDTH + 1))
