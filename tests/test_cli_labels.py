"""From an archive to a data set by commands alone, and back from every format."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.lookalike import contents, renamed, write
from tests.test_cli import fails, run

CYCLE = 76
BOX = (300, 10, 380, 30)  # top, left, bottom, right: in pixels of the exported picture


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Half-orbits of eleven consecutive cycles, one each."""
    folder = tmp_path / "archive"
    folder.mkdir()
    for cycle in range(220, 231):
        write(folder, contents(seed=cycle), name=renamed(cycle * CYCLE))
    return folder


def box_files(folder: Path, stems: list[str]) -> None:
    """The same box in every picture, as LabelImg saves it."""
    folder.mkdir()
    top, left, bottom, right = BOX
    for stem in stems:
        (folder / f"{stem}.xml").write_text(
            f"<annotation><filename>{stem}.png</filename>"
            "<size><width>60</width><height>1024</height><depth>1</depth></size>"
            f"<object><name>nucleus</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin>"
            f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object></annotation>"
        )


def test_from_archive_to_data_set(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, _ = run(capsys, "label", "export", archive, tmp_path / "out")
    assert code == 0
    stems = sorted(path.stem for path in (tmp_path / "out" / "images").iterdir())
    assert stems == sorted(path.stem for path in archive.iterdir())
    picture = cv2.imread(str(tmp_path / "out" / "images" / f"{stems[0]}.png"), -1)
    assert picture.shape == (1024, 60)

    box_files(tmp_path / "drawn", stems[:-1])
    arguments = ("label", "import", tmp_path / "out", tmp_path / "drawn", tmp_path / "labels")
    code, out, _ = run(capsys, *arguments, "--json")
    assert code == 0
    report = json.loads(out)
    assert (report["labelled"], report["objects"], report["unlabelled"]) == (10, 10, 1)
    mask = cv2.imread(str(tmp_path / "labels" / "masks" / f"{stems[0]}.png"), -1)
    expected = np.zeros((1024, 60), np.uint8)
    expected[BOX[0] : BOX[2], BOX[1] : BOX[3]] = 255
    np.testing.assert_array_equal(mask, expected)

    yaml = tmp_path / "dataset.yaml"
    create = ("dataset", "create", archive, "--annotations", tmp_path / "labels", "--out", yaml)
    assert run(capsys, *create)[0] == 0
    code, out, _ = run(capsys, "dataset", "show", yaml, "--json")
    parts = {row["part"]: row["half_orbits"] for row in json.loads(out)["parts"]}
    # Period of the pattern: 6 train, purge, validation, purge, test, purge. One of the eleven
    # cycles is not labelled.
    assert code == 0
    assert sum(parts.values()) == 10
    assert parts["train"] in (5, 6)
    assert parts["purged"] in (2, 3)

    code, out, _ = run(capsys, "label", "agreement", tmp_path / "labels", tmp_path / "labels")
    assert code == 0
    assert "1.000" in out
    code, out, _ = run(
        capsys, "inspect", archive / f"{stems[0]}.h5", "--annotations", tmp_path / "labels",
        "--picture", tmp_path / "p.png", "--json",
    )  # fmt: skip
    assert json.loads(out)["annotated_pixels"] == (BOX[2] - BOX[0]) * (BOX[3] - BOX[1])


def test_a_wrong_annotation_names_file_and_object_and_nothing_is_written(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "label", "export", archive, tmp_path / "out")
    stem = min(archive.iterdir()).stem
    box_files(tmp_path / "drawn", [stem])
    path = tmp_path / "drawn" / f"{stem}.xml"
    good = path.read_text()
    arguments = ("label", "import", tmp_path / "out", tmp_path / "drawn", tmp_path / "labels")
    for old, new, reason in [
        ("<xmax>30", "<xmax>10", "area"),
        ("<xmax>30", "<xmax>99", "outside"),
        ("nucleus", "cat", "class"),
        ("<width>60", "<width>61", "61"),
        ("</object>", "", "XML"),
    ]:
        path.write_text(good.replace(old, new))
        fails(capsys, 1, *arguments, says=reason)
    path.write_text(good)
    path.rename(path.with_name(f"{renamed(1)[:-3]}.xml"))
    fails(capsys, 1, *arguments, says=renamed(1)[:-3])
    assert not (tmp_path / "labels").exists()


def test_a_data_set_with_an_unknown_key_names_the_nearest(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dataset.yaml").write_text("archiv: x\nannotations: y\n")
    fails(capsys, 2, "dataset", "show", tmp_path / "dataset.yaml", says="archive")
    fails(capsys, 2, "dataset", "show", tmp_path / "none.yaml", says="none.yaml")
