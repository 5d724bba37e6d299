import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from odm.archive.ionogram.key import IonogramKey
from odm.archive.ionogram.matrix import write_matrix
from odm.core.errors import AnnotationError, InputError
from odm.datasets.ionogram import (
    IonogramDataset,
    IonogramDatasetConfig,
    IonogramSplit,
    load_ionogram_sample,
)
from odm.images.ionogram import IonogramImageSettings

STEM = "TEST_20220815_000000"
FREQUENCY = 6e6 + 1e5 * np.arange(240)
"""Cells from 5.95 to 29.95 MHz."""
RANGE = 5.0 + 10 * np.arange(300)
"""Cells from 0 to 3000 km."""
BOX = (8.95e6, 14.95e6, 600.0, 1200.0)
"""What all labels below say."""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    folder.mkdir()
    write_matrix(folder / f"{STEM}.npz", np.ones((240, 300), np.float32), FREQUENCY, RANGE)
    return folder


def labelled(kind: str, folder: Path) -> None:
    """One F layer: columns 30 to 90 of 240, rows 180 to 240 of 300 from the top."""
    if kind == "voc":
        box = "<xmin>30</xmin><ymin>180</ymin><xmax>90</xmax><ymax>240</ymax>"
        size = "<size><width>240</width><height>300</height></size>"
        text = f"<object><name>F</name><bndbox>{box}</bndbox></object>"
        (folder / f"{STEM}.xml").write_text(f"<annotation>{size}{text}</annotation>")
    elif kind == "yolo":
        (folder / "classes.txt").write_text("Es\nF\n")
        (folder / f"{STEM}.txt").write_text("1 0.25 0.7 0.25 0.2\n")
    else:  # drawn on a picture of twice the size
        content = {
            "images": [{"id": 7, "file_name": f"x/{STEM}.jpg", "width": 480, "height": 600}],
            "categories": [{"id": 3, "name": "F"}],
            "annotations": [{"image_id": 7, "category_id": 3, "bbox": [60, 360, 120, 120]}],
        }
        (folder / "all.json").write_text(json.dumps(content))


@pytest.mark.parametrize("kind", ["voc", "yolo", "coco"])
def test_labels_of_every_format_say_the_same(archive: Path, tmp_path: Path, kind: str) -> None:
    labels = tmp_path / "labels"
    labels.mkdir()
    labelled(kind, labels)
    image = IonogramImageSettings(height=320, width=256, range_max=4000.0)
    config = IonogramDatasetConfig(
        archive=str(archive),
        annotations=str(labels),
        image=image,
        split=IonogramSplit(by="whole", part="train"),
    )
    data = IonogramDataset.create(tmp_path / "dataset.yaml", config)
    assert data.annotations.source == kind
    (sample,) = data.samples("train")
    assert sample.has_object
    pixels, boxes = load_ionogram_sample(sample, data.settings)
    assert pixels.shape == (320, 256)
    (row,) = boxes.tolist()
    assert row[0] == 1
    low, high, near, far = image.box_to_physical(*row[1:])
    assert (low, high) == pytest.approx(BOX[:2], abs=2e4)
    assert (near, far) == pytest.approx(BOX[2:], abs=2)


def test_a_simulations_truth_covers_the_masks(tmp_path: Path) -> None:
    from odm.archive.ionogram.reader import open_ionogram
    from odm.datasets.labels.layers import boxes_on_image, load_layer_labels
    from odm.images.ionogram import mask_to_canvas
    from odm.images.layer_truth import read_mask
    from odm.simulate.ionogram.archive import simulate_ionograms
    from odm.simulate.ionogram.recipe import IonogramSimulation

    simulate_ionograms(tmp_path / "s", IonogramSimulation(count=2, seed=3, kind="mixed"))
    labels = load_layer_labels(tmp_path / "s")
    assert labels.source == "simulation" and len(labels.images) == 2
    settings = IonogramImageSettings(height=512, width=480)
    for stem, image in labels.images.items():
        ionogram = open_ionogram(tmp_path / "s" / f"{stem}.npz")
        boxes = boxes_on_image(image, ionogram, settings, ("Es", "F"))
        axes = ionogram["frequency"].values, ionogram["group_range"].values
        for number, (kind, left, top, right, bottom) in enumerate(boxes.tolist()):
            name = f"masks/{stem}_{number}_{('Es', 'F')[int(kind)]}.png"
            mask = mask_to_canvas(read_mask(tmp_path / "s" / name), *axes, settings)
            rows, columns = np.nonzero(mask)
            seen = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert np.abs(np.array(seen) - (left, top, right, bottom)).max() <= 1.5


def test_the_digest_covers_the_masks(tmp_path: Path) -> None:
    from odm.images.layer_truth import mask_png, read_mask
    from odm.simulate.ionogram.archive import simulate_ionograms
    from odm.simulate.ionogram.recipe import IonogramSimulation

    simulate_ionograms(tmp_path / "s", IonogramSimulation(count=2, seed=3, kind="mixed"))
    config = IonogramDatasetConfig(archive=str(tmp_path / "s"), annotations=str(tmp_path / "s"))
    before = IonogramDataset(config).digest
    path = sorted((tmp_path / "s" / "masks").glob("*.png"))[0]
    mask = read_mask(path)
    path.write_bytes(mask_png(mask))
    assert IonogramDataset(config).digest == before
    mask[tuple(np.argwhere(mask)[0])] = False
    path.write_bytes(mask_png(mask))
    assert IonogramDataset(config).digest != before


def test_what_a_window_hardly_shows_is_left_out(archive: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels"
    labels.mkdir()
    labelled("yolo", labels)
    for limit, number in ((1400.0, 1), (660.0, 0)):
        config = IonogramDatasetConfig(
            archive=str(archive),
            annotations=str(labels),
            image=IonogramImageSettings(height=64, width=64, range_max=limit),
            split=IonogramSplit(by="whole", part="train"),
        )
        (sample,) = IonogramDataset(config).samples("train")
        assert len(load_ionogram_sample(sample, config.image)[1]) == number


def keys(number: int, step_h: float = 0.25) -> list[IonogramKey]:
    begin = datetime(2022, 8, 1)
    times = [begin + timedelta(hours=step_h * index) for index in range(number)]
    return [IonogramKey("A", time, f"{index}.npz") for index, time in enumerate(times)]


def test_groups_stay_together_and_later_data_move_nothing() -> None:
    rule = IonogramSplit(group_hours=6)
    parts = [rule.part_of(key) for key in keys(4 * 24 * 60)]
    assert parts == [rule.part_of(key) for key in reversed(keys(4 * 24 * 60))][::-1]
    for group in range(0, len(parts), 24):
        assert len(set(parts[group : group + 24])) == 1
    shares = Counter(parts)
    assert 0.6 < shares["train"] / len(parts) < 0.8
    other = IonogramSplit(group_hours=6, seed=1)
    assert [other.part_of(key) for key in keys(4 * 24 * 60)] != parts
    single = Counter(IonogramSplit(group_hours=0).part_of(key) for key in keys(2000))
    assert 0.66 < single["train"] / 2000 < 0.74


def test_split_by_time() -> None:
    rule = IonogramSplit(
        by="time",
        validation_from=datetime(2022, 8, 3),
        test_from=datetime(2022, 8, 4),
        purge_hours=6,
    )
    parts = [rule.part_of(key) for key in keys(24 * 5, step_h=1)]
    assert Counter(parts) == {"train": 42, "purged": 12, "validation": 18, "test": 48}
    assert parts[41:43] == ["train", "purged"] and parts[48] == "validation"
    with pytest.raises(InputError, match="gives no time"):
        rule.part_of(IonogramKey("", None, "x.npz"))
    for wrong in ({"by": "time"}, {"by": "whole"}, {"train": 0, "validation": 0, "test": 0}):
        with pytest.raises(ValueError, match=r"needs|are 0"):
            IonogramSplit(**wrong)


def test_labels_that_cannot_be_meant(archive: Path, tmp_path: Path) -> None:
    def opened(annotations: Path) -> None:
        config = IonogramDatasetConfig(archive=str(archive), annotations=str(annotations))
        IonogramDataset.create(tmp_path / "dataset.yaml", config)

    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="no labels of ionograms"):
        opened(empty)
    other = empty / "OTHER.txt"
    other.write_text("")
    with pytest.raises(InputError, match="labels none of the ionograms"):
        opened(empty)
    other.write_text("4 0.5 0.5 0.1 0.1")
    with pytest.raises(AnnotationError, match="unknown class 4"):
        opened(empty)
    labelled("coco", tmp_path)
    path = tmp_path / "all.json"
    text = path.read_text()
    for old, new, sentence in (
        ('"name": "F"', '"name": "Fs"', "unknown class 'Fs'; did you mean F"),
        ('"image_id": 7', '"image_id": 8', "annotation 1: is of no image"),
        ('"category_id": 3', '"category_id": 1', "annotation 1: is of no category"),
        ("120, 120", "120, -1", "annotation 1: has no area"),
        ('"width": 480, ', "", "image 1: has no width"),
    ):
        path.write_text(text.replace(old, new))
        with pytest.raises(AnnotationError, match=sentence):
            opened(path)
