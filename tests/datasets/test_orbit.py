"""Data sets: who is for what, and that nothing else decides it."""

from __future__ import annotations

import json
import pickle
import shutil
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from odm.archive.orbit.key import Direction, OrbitKey
from odm.core.errors import AnnotationError, InputError
from odm.core.settings import parse_config
from odm.datasets.orbit import (
    OrbitDataset,
    OrbitDatasetConfig,
    load_orbit_sample,
)
from odm.datasets.splits import OrbitSplit
from odm.images.geometry import OrbitImageSettings
from odm.images.masks import IGNORED, png_bytes
from tests.lookalike import contents, renamed, write

ROWS, COLUMNS = 40, 64
SETTINGS = OrbitImageSettings(-9.0, -4.0, height=64, width=64)
RULE = {"train": 2, "validation": 1, "test": 1, "offset": 230}
# Cycles: 230, 231 train, 232 purged, 233 validation, 234 purged, 235 test, 236 purged.
FIRST = 230 * 76


def key(orbit_number: int, direction: Direction = Direction.ASCENDING) -> OrbitKey:
    """A half-orbit at the time that belongs to its number (cycle 230 begins on 2021-03-28)."""
    start = datetime(2021, 4, 1, 1, 21, 58) + (orbit_number - 17538) * timedelta(days=5) / 76
    end = start + timedelta(minutes=34, seconds=44)
    return OrbitKey("CSES_01", "EFD_3", "L02", "A1", orbit_number, direction, start, end)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A simulated archive with one half-orbit in each of seven cycles, two of them with nuclei."""
    folder = tmp_path / "archive"
    (folder / "masks").mkdir(parents=True)
    for cycle in range(7):
        add(folder, FIRST + 76 * cycle + 3, nuclei=cycle in (0, 5))
    return folder


def add(folder: Path, orbit_number: int, nuclei: bool = False) -> None:
    name = renamed(orbit_number)
    write(folder, contents(ROWS, COLUMNS, seed=orbit_number), name)
    if nuclei:
        mask = np.zeros((COLUMNS, ROWS), np.uint8)
        mask[5:9, 2:6] = 255  # south: latitude rises from -65 to 65
        mask[20:30, 30:36] = 255  # north
        (folder / "masks" / f"{name[:-3]}.png").write_bytes(png_bytes(mask))
    names = sorted(path.name for path in folder.glob("*.h5"))
    (folder / "simulation.json").write_text(json.dumps({"keys": names}))
    write_truth(folder)


def write_truth(folder: Path) -> None:
    """The one column that says which masks there are."""
    masks = [f"masks/{path.name}" for path in (folder / "masks").glob("*.png")]
    pq.write_table(pa.table({"mask": pa.array(masks, pa.string())}), folder / "truth.parquet")


def config(archive: Path | str, **changes: object) -> OrbitDatasetConfig:
    content = {
        "archive": str(archive),
        "annotations": str(archive),
        "image": SETTINGS.to_dict(),
        "split": RULE,
    }
    return parse_config(content | changes, OrbitDatasetConfig, "test")


# -- the split rule ----------------------------------------------------------------------------

RULES = {
    "default": OrbitSplit(),
    "short": OrbitSplit(train=1, validation=1, test=1),
    "purge 2": OrbitSplit(train=3, validation=2, test=1, purge=2, offset=5),
    "no validation": OrbitSplit(train=4, validation=0, test=2),
    "season": OrbitSplit(by="season", season="winter", train=3),
    "hemisphere": OrbitSplit(by="hemisphere", hemisphere="north"),
}


@pytest.mark.parametrize("name", list(RULES), ids=list(RULES))
def test_parts_are_whole_cycles_with_a_purged_one_between(name: str) -> None:
    rule = RULES[name]
    parts: dict[int, set[str]] = {}
    for number in range(100 * 76, 260 * 76, 5):
        for direction in Direction:
            one = key(number, direction)
            parts.setdefault(one.cycle, set()).add(rule.part_of(one))
    assert all(len(found) == 1 for found in parts.values())
    cycles = [(cycle, next(iter(found))) for cycle, found in sorted(parts.items())]
    used = [(cycle, part) for cycle, part in cycles if part != "purged"]
    for (cycle, part), (later, other) in pairwise(used):
        assert part == other or later - cycle >= 1 + rule.purge
    wanted = {"train", "test"} | ({"validation"} if rule.validation else set())
    assert {part for _, part in used} == wanted


def test_the_default_pattern_repeats_after_eleven_cycles() -> None:
    letters = "".join(OrbitSplit().part_of(key(cycle * 76 + 9))[0] for cycle in range(110, 132))
    assert letters == "ttttttpvptp" * 2
    assert [OrbitSplit().part_of(key(cycle * 76)) for cycle in (110, 117, 119)] == [
        "train",
        "validation",
        "test",
    ]
    moved = OrbitSplit(offset=4)
    assert [moved.part_of(key(cycle * 76)) for cycle in (113, 114, 121, 123)] == [
        "purged",
        "train",
        "validation",
        "test",
    ]


def test_a_season_is_held_out_whole() -> None:
    rule = RULES["season"]
    for number in range(FIRST - 150 * 76, FIRST + 76, 19):
        one = key(number)
        winter = one.start.month in (12, 1, 2)
        part = rule.part_of(one)
        assert part in (("test", "purged") if winter else ("train", "validation", "purged"))
    middle = key(17538 + round((datetime(2021, 1, 15) - datetime(2021, 4, 1)).days / 5 * 76))
    assert rule.part_of(middle) == "test"


def test_whole_makes_one_part_of_everything() -> None:
    rule = OrbitSplit(by="whole", part="test")
    assert {rule.part_of(key(number)) for number in range(17000, 19000, 76)} == {"test"}


def test_an_impossible_rule_is_refused() -> None:
    for values, reason in (
        ({"by": "season"}, "a split by season needs a season"),
        ({"season": "winter"}, "a split by cycles has no season"),
        ({"by": "whole"}, "a split by whole needs a part"),
        ({"train": 0, "validation": 0, "test": 0}, "at least one cycle"),
        ({"purge": 0}, "purge: input should be greater than or equal to 1, not 0"),
    ):
        with pytest.raises(InputError, match=reason):
            parse_config(values, OrbitSplit, "test")


# -- the file ----------------------------------------------------------------------------------


def test_an_unknown_key_names_the_nearest() -> None:
    for changes, reason in (
        ({"archiv": "a"}, "unknown key 'archiv'; did you mean archive"),
        ({"split": {"trian": 3}}, "unknown key 'trian' in split; did you mean train"),
        ({"image": SETTINGS.to_dict() | {"hight": 3}}, "image: unknown key 'hight'; did you mean"),
        ({"image": SETTINGS.to_dict() | {"height": 33}}, "image height 33: give a multiple of 32"),
        ({"image": {"maximum": 3}}, "image: image minimum is missing"),
        ({"mask": "square"}, "mask: input should be 'contour', 'ellipse' or 'box', not 'square'"),
    ):
        with pytest.raises(InputError, match=reason):
            config("archive", **changes)


def test_a_file_that_is_no_yaml(tmp_path: Path) -> None:
    path = tmp_path / "dataset.yaml"
    with pytest.raises(InputError, match="no such file"):
        OrbitDataset.load(path)
    path.write_text("archive: [a")
    with pytest.raises(InputError, match="not valid YAML"):
        OrbitDataset.load(path)
    path.write_text("")
    with pytest.raises(InputError, match="holds no settings, but nothing"):
        OrbitDataset.load(path)
    path.write_text("archive: !!python/object/apply:os.getcwd []")
    with pytest.raises(InputError, match="not valid YAML"):
        OrbitDataset.load(path)


def test_created_paths_are_relative_to_the_file(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = OrbitDataset.create("sets/one.yaml", config("archive"))
    content = yaml.safe_load(Path("sets/one.yaml").read_text())
    assert (content["archive"], content["annotations"]) == ("../archive", "../archive")
    monkeypatch.chdir("/")
    loaded = OrbitDataset.load(tmp_path / "sets" / "one.yaml")
    assert loaded.digest == made.digest
    assert loaded.settings == SETTINGS
    assert len(loaded.samples("train")) == 2
    with pytest.raises(InputError, match="no such folder"):
        OrbitDataset.create(tmp_path / "sets" / "two.yaml", config("nowhere"))
    assert not (tmp_path / "sets" / "two.yaml").exists()


# -- samples -----------------------------------------------------------------------------------


def test_the_table_counts_what_each_part_holds(archive: Path) -> None:
    dataset = OrbitDataset(config(archive))
    rows = {row["part"]: row for row in dataset.parts}
    assert [tuple(row.values())[:4] for row in dataset.parts] == [
        ("train", 2, 1, 2),
        ("validation", 1, 0, 0),
        ("test", 1, 1, 2),
        ("purged", 3, 0, 0),
    ]
    assert rows["train"]["cycles"] == 2
    assert (rows["train"]["first"], rows["train"]["last"]) == ("2021-03-28", "2021-04-02")
    assert rows["train"]["seasons"] == {"spring": 2}
    assert dataset.warnings == [
        "validation has no nucleus: nothing is drawn in its half-orbits",
    ]
    json.dumps(dataset.describe())


def test_an_empty_part_is_a_warning_until_it_is_used(archive: Path) -> None:
    dataset = OrbitDataset(config(archive, split=RULE | {"test": 0, "validation": 0, "train": 9}))
    validation, test = dataset.warnings
    assert validation.startswith("validation is empty: no labelled half-orbit lies in its cycles")
    assert test.startswith("test is empty: no labelled half-orbit lies in its cycles")
    with pytest.raises(InputError, match="no labelled half-orbit for test"):
        dataset.samples("test")
    with pytest.raises(InputError, match="give train, validation, test"):
        dataset.samples("dev")


def test_training_without_a_nucleus_is_refused(archive: Path) -> None:
    for mask in (archive / "masks").iterdir():
        mask.unlink()
    write_truth(archive)
    with pytest.raises(InputError, match="no nucleus for training"):
        OrbitDataset(config(archive)).samples("train")


def test_only_labelled_half_orbits_of_the_archive_count(archive: Path) -> None:
    names = sorted(path.name for path in archive.glob("*.h5"))
    (archive / "simulation.json").write_text(json.dumps({"keys": [*names[1:], renamed(1)]}))
    dataset = OrbitDataset(config(archive))
    assert [sample.key.name for sample in dataset.all_samples] == names[1:]
    assert "1 labelled half-orbits are not in the archive (by exact name)" in dataset.warnings


def test_added_data_move_nothing(archive: Path) -> None:
    before = {s.key.stem: s.part for s in OrbitDataset(config(archive)).all_samples}
    for number in (FIRST - 40, FIRST + 4, FIRST + 76 * 3 + 70, FIRST + 76 * 40):
        add(archive, number, nuclei=True)
    after = {s.key.stem: s.part for s in OrbitDataset(config(archive)).all_samples}
    assert len(after) == len(before) + 4
    assert {stem: after[stem] for stem in before} == before


def test_the_digest_names_the_content(archive: Path, tmp_path: Path) -> None:
    digest = OrbitDataset(config(archive)).digest
    shutil.copytree(archive, tmp_path / "copy")
    assert OrbitDataset(config(tmp_path / "copy")).digest == digest
    for changes in (
        {"mask": "box"},
        {"split": RULE | {"offset": 231}},
        {"image": SETTINGS.to_dict() | {"maximum": -4.1}},
    ):
        assert OrbitDataset(config(archive, **changes)).digest != digest
    mask = archive / "masks" / f"{renamed(FIRST + 3)[:-3]}.png"
    pixels = np.zeros((COLUMNS, ROWS), np.uint8)
    pixels[5:9, 2:6] = 1
    pixels[20:30, 30:36] = 1
    mask.write_bytes(png_bytes(pixels))  # the same mask in other bytes
    assert OrbitDataset(config(archive)).digest == digest
    pixels[5, 2] = 0
    mask.write_bytes(png_bytes(pixels))
    assert OrbitDataset(config(archive)).digest != digest


def test_a_sample_is_image_mask_and_geometry(archive: Path) -> None:
    dataset = OrbitDataset(config(archive))
    sample = pickle.loads(pickle.dumps(dataset.samples("train")[0]))
    image, mask, geometry = load_orbit_sample(sample, dataset.settings)
    assert image.shape == mask.shape == geometry.shape == (64, 64)
    assert (image[:, :ROWS] > 0).all()
    assert not image[:, ROWS:].any()
    wanted = np.zeros((64, 64), np.uint8)
    wanted[5:9, 2:6] = 1
    wanted[20:30, 30:36] = 1
    np.testing.assert_array_equal(mask, wanted)
    empty = load_orbit_sample(dataset.samples("validation")[0], dataset.settings)[1]
    assert not empty.any()


def test_an_archive_may_be_a_uri(archive: Path) -> None:
    dataset = OrbitDataset(config(f"file://{archive}", annotations=str(archive)))
    assert dataset.digest == OrbitDataset(config(archive)).digest
    assert load_orbit_sample(dataset.samples("test")[0], dataset.settings)[1].sum() == 76


def test_mask_kinds_and_resizing(archive: Path) -> None:
    mask = archive / "masks" / f"{renamed(FIRST + 3)[:-3]}.png"
    pixels = np.zeros((COLUMNS, ROWS), np.uint8)
    pixels[10, 4:24] = 255
    pixels[10:50, 4] = 255  # an L
    mask.write_bytes(png_bytes(pixels))
    large = OrbitImageSettings(-9.0, -4.0, mode="resized", height=128, width=160)
    sizes = {}
    for kind in ("contour", "ellipse", "box"):
        dataset = OrbitDataset(config(archive, mask=kind))
        sample = dataset.samples("train")[0]
        sizes[kind] = int(load_orbit_sample(sample, SETTINGS)[1].sum())
        scaled = load_orbit_sample(sample, large)[1]
        assert scaled.sum() == sizes[kind] * 2 * 4
    assert sizes["contour"] == 59
    assert sizes["box"] == 20 * 40
    assert 59 < sizes["ellipse"] < 800


def test_hemispheres_are_shown_to_one_part_only(archive: Path) -> None:
    rule = RULE | {"by": "hemisphere", "hemisphere": "north"}
    dataset = OrbitDataset(config(archive, split=rule))
    rows = {row["part"]: row for row in dataset.parts}
    assert (rows["train"]["nuclei"], rows["test"]["nuclei"]) == (1, 1)
    south = np.linspace(-65, 65, ROWS) < 0
    for part, hidden in (("train", south), ("test", ~south)):
        image, mask, _ = load_orbit_sample(dataset.samples(part)[0], dataset.settings)
        assert not image[:, :ROWS][:, hidden].any()
        assert (image[:, :ROWS][:, ~hidden] > 0).all()
        assert int(mask.sum()) == (60 if part == "train" else 16)


def test_what_a_hemisphere_hides_is_no_nucleus_of_the_sample(archive: Path) -> None:
    rule = RULE | {"by": "hemisphere", "hemisphere": "north"}
    dataset = OrbitDataset(config(archive, split=rule))
    shown, hidden = dataset.samples("train")[0], dataset.samples("test")[0]
    assert shown.has_object and hidden.has_object
    for sample in (shown, hidden):
        mask = np.zeros((COLUMNS, ROWS), np.uint8)
        mask[20:30, 30:36] = 255  # north
        assert sample.labelled.mask_path is not None
        sample.labelled.mask_path.write_bytes(png_bytes(mask))
    assert shown.has_object and not hidden.has_object


def test_a_mask_of_another_size_is_an_error(archive: Path) -> None:
    mask = archive / "masks" / f"{renamed(FIRST + 3)[:-3]}.png"
    mask.write_bytes(png_bytes(np.zeros((COLUMNS, ROWS + 1), np.uint8)))
    dataset = OrbitDataset(config(archive))
    with pytest.raises(AnnotationError, match="has 41 by 64 pixels, the half-orbit has 40 by 64"):
        load_orbit_sample(dataset.samples("train")[0], dataset.settings)


def test_a_mask_says_where_nobody_can_say(archive: Path) -> None:
    digest = OrbitDataset(config(archive)).digest
    mask = archive / "masks" / f"{renamed(FIRST + 3)[:-3]}.png"
    pixels = np.zeros((COLUMNS, ROWS), np.uint8)
    pixels[5:9, 2:6] = 255
    pixels[20:30, 30:36] = 255
    pixels[40:50, 10:20] = 128
    mask.write_bytes(png_bytes(pixels))
    dataset = OrbitDataset(config(archive))
    assert dataset.digest != digest
    sample = dataset.samples("train")[0]
    loaded = load_orbit_sample(sample, dataset.settings)[1]
    assert (loaded[40:50, 10:20] == IGNORED).all()
    assert np.bincount(loaded.ravel(), minlength=256)[[1, IGNORED]].tolist() == [76, 100]
    (train,) = (row for row in dataset.parts if row["part"] == "train")
    assert train["nuclei"] == 2
    pixels[40, 10] = 0
    mask.write_bytes(png_bytes(pixels))
    assert OrbitDataset(config(archive)).digest != dataset.digest


def test_a_mask_of_ignored_pixels_alone_has_no_nucleus(archive: Path) -> None:
    before = OrbitDataset(config(archive))
    empty = before.samples("validation")[0]
    assert not empty.has_object
    pixels = np.full((COLUMNS, ROWS), 128, np.uint8)
    (archive / "masks" / f"{empty.key.stem}.png").write_bytes(png_bytes(pixels))
    after = OrbitDataset(config(archive))
    sample = after.samples("validation")[0]
    assert sample.labelled.mask_path is not None
    assert not sample.has_object
    assert after.parts == before.parts
    assert after.digest != before.digest
