"""A data set of ionograms: ``dataset.yaml`` with ``kind: ionograms`` says which archive, which
labels, which images and which split."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from odm.archive.ionogram.key import IonogramKey
from odm.archive.ionogram.listing import IonogramListing, list_ionograms
from odm.archive.ionogram.reader import open_ionogram
from odm.core.errors import InputError
from odm.core.files import write_bytes
from odm.core.settings import Settings, check_keys, parse_config, read_yaml
from odm.datasets.labels.layers import (
    LAYERS,
    DrawnOn,
    LabelledIonogram,
    LayerLabels,
    boxes_on_image,
    load_layer_labels,
)
from odm.datasets.labels.regions import mask_digest
from odm.datasets.orbit import placed, seen_from
from odm.datasets.splits import PARTS, PURGED, Part
from odm.images.ionogram import IonogramImageSettings, ionogram_image, mask_to_canvas
from odm.images.layer_truth import read_mask

KIND = "ionograms"


class IonogramSplit(Settings):
    """How an archive of ionograms is divided: by its own name and time alone, so that data that
    come later move nothing.

    Attributes:
        by: ``groups``: those of one link and one stretch of ``group_hours`` stay together, and
            chance decides for what they are. ``time``: what comes before ``validation_from`` is for
            training, before ``test_from`` for validation, the rest for test. ``whole``:
            everything is one part.
        train, validation, test: of ``groups``: shares, in any unit.
        group_hours: ionograms that are taken after one another are alike. 0: each is a group.
        seed: of the chance.
        validation_from, test_from: of ``time``, UTC.
        purge_hours: of ``time``: left out before each of them.
        part: what ``whole`` makes of everything.
    """

    by: Literal["groups", "time", "whole"] = "groups"
    train: float = Field(default=0.7, ge=0)
    validation: float = Field(default=0.15, ge=0)
    test: float = Field(default=0.15, ge=0)
    group_hours: float = Field(default=24, ge=0)
    seed: int = Field(default=0, ge=0)
    validation_from: datetime | None = None
    test_from: datetime | None = None
    purge_hours: float = Field(default=6, ge=0)
    part: Part | None = None

    @model_validator(mode="after")
    def _consistent(self) -> IonogramSplit:
        if self.by == "groups" and not self.train + self.validation + self.test:
            raise ValueError("all shares are 0: give train, validation or test one")
        if self.by == "time" and (self.validation_from is None or self.test_from is None):
            raise ValueError("by time needs validation_from and test_from")
        if self.by == "whole" and self.part is None:
            raise ValueError("by whole needs a part: train, validation or test")
        return self

    def part_of(self, key: IonogramKey) -> str:
        """train, validation, test or purged.

        Raises:
            InputError: by time, of an ionogram whose name gives none.
        """
        if self.by == "whole":
            return str(self.part)
        return self._by_time(key) if self.by == "time" else self._by_group(key)

    def _by_group(self, key: IonogramKey) -> str:
        group = key.identity
        if key.time is not None and self.group_hours:
            hours = (key.time - datetime(2000, 1, 1)).total_seconds() / 3600
            group = f"{key.link}/{int(hours // self.group_hours)}"
        digest = hashlib.blake2b(f"{self.seed}/{group}".encode(), digest_size=8).digest()
        place = int.from_bytes(digest) / 2**64 * (self.train + self.validation + self.test)
        if place < self.train:
            return "train"
        return "validation" if place < self.train + self.validation else "test"

    def _by_time(self, key: IonogramKey) -> str:
        assert self.validation_from is not None and self.test_from is not None
        if key.time is None:
            raise InputError(f"{key}: its name gives no time, so it cannot be split by time")
        names = ("train", "validation")
        for name, begin in zip(names, (self.validation_from, self.test_from), strict=True):
            left = (begin.replace(tzinfo=None) - key.time).total_seconds() / 3600
            if left > self.purge_hours:
                return name
            if left > 0:
                return PURGED
        return "test"


def _image_settings(value: object) -> object:
    if isinstance(value, dict):
        check_keys(value, IonogramImageSettings.__dataclass_fields__)
    return value


class IonogramDatasetConfig(Settings):
    """The content of ``dataset.yaml``.

    Attributes:
        archive: folder or URI of ionograms.
        annotations: folder of labels (see `odm.datasets.labels.layers`), or the simulated archive.
        image: how an ionogram becomes an image.
        classes: layers that are labelled.
        drawn_on: what people's boxes were drawn on: the ``ionogram`` or this image's ``window``.
        split: what is for training, validation and test.

    Relative paths are relative to the file.
    """

    version: Literal[1] = 1
    kind: Literal["ionograms"] = "ionograms"
    archive: str
    annotations: str
    image: Annotated[IonogramImageSettings, BeforeValidator(_image_settings)] = (
        IonogramImageSettings()
    )
    classes: tuple[str, ...] = LAYERS
    drawn_on: DrawnOn = "ionogram"
    split: IonogramSplit = IonogramSplit()


@dataclass(frozen=True, slots=True)
class IonogramSample:
    """One labelled ionogram of a data set; small, and safe to send to another process.

    Attributes:
        key: the ionogram.
        path: its file.
        size: of the file, bytes.
        part: train, validation, test or purged.
        labelled: its boxes.
        classes: names of the classes, in the order of their indices.
        drawn_on: see `IonogramDatasetConfig`.
    """

    key: IonogramKey
    path: str
    size: int
    part: str
    labelled: LabelledIonogram
    classes: tuple[str, ...] = LAYERS
    drawn_on: DrawnOn = "ionogram"

    @property
    def has_layer(self) -> bool:
        """Whether anything was drawn in it."""
        return bool(self.labelled.layers)


class IonogramDataset:
    """An opened data set of ionograms.

    Args:
        config: its settings.
        base: folder that relative paths start from.

    Raises:
        InputError: the archive or the labels are not there.
    """

    def __init__(self, config: IonogramDatasetConfig, base: str | Path = ".") -> None:
        self.config = config
        self.archive = placed(config.archive, base)
        self.listing: IonogramListing = list_ionograms(self.archive)
        self.annotations: LayerLabels = load_layer_labels(
            placed(config.annotations, base), config.classes
        )

    @classmethod
    def load(cls, path: str | Path) -> IonogramDataset:
        """Read ``dataset.yaml``.

        Raises:
            InputError: a setting that cannot be, no archive or labels there, or a data set of
                half-orbits.
        """
        if not is_ionogram_dataset(path):
            raise InputError(
                f"{path}: is a data set of half-orbits; one of ionograms says kind: {KIND}"
            )
        return cls(parse_config(read_yaml(path), IonogramDatasetConfig, path), Path(path).parent)

    @classmethod
    def create(cls, path: str | Path, config: IonogramDatasetConfig) -> IonogramDataset:
        """Check and write ``dataset.yaml``.

        Args:
            path: the file to write.
            config: with paths as seen from here; relative ones are rewritten as seen from the file.

        Raises:
            InputError: the archive or the labels are not there or have no ionogram in common.
        """
        import yaml

        if not cls(config).all_samples:
            raise InputError(
                f"{config.annotations}: labels none of the ionograms in {config.archive} "
                "(names must agree)"
            )
        base = Path(path).expanduser().resolve().parent
        found = {
            name: seen_from(getattr(config, name), base) for name in ("archive", "annotations")
        }
        content = config.model_copy(update=found).model_dump(mode="json", exclude_none=True)
        content["image"] = asdict(config.image)
        head = "# A data set of labelled ionograms; image limits in dB, Hz and km.\n"
        head += "# Relative paths are relative to this file.\n"
        write_bytes(path, (head + yaml.safe_dump(content, sort_keys=False)).encode())
        return cls.load(path)

    @property
    def settings(self) -> IonogramImageSettings:
        """How an ionogram becomes an image."""
        return self.config.image

    @cached_property
    def all_samples(self) -> tuple[IonogramSample, ...]:
        """Every labelled ionogram of the archive, purged ones included, sorted by time."""
        labels, config = self.annotations.images, self.config
        return tuple(
            IonogramSample(
                key=entry.key,
                path=entry.path,
                size=entry.size,
                part=config.split.part_of(entry.key),
                labelled=labels[entry.key.stem],
                classes=config.classes,
                drawn_on=config.drawn_on,
            )
            for entry in self.listing.entries
            if entry.key.stem in labels
        )

    def samples(self, part: str) -> list[IonogramSample]:
        """The ionograms of one part, sorted by time.

        Raises:
            InputError: no such part, or it is empty.
        """
        if part not in PARTS:
            raise InputError(f"part {part!r} of a data set: give {', '.join(PARTS)}")
        chosen = [sample for sample in self.all_samples if sample.part == part]
        if not chosen:
            raise InputError(f"the data set has no labelled ionogram for {part}{self._remedy()}")
        return chosen

    def _remedy(self) -> str:
        """What may fill an empty part."""
        split = self.config.split
        if split.by != "groups":
            return ""
        hint = ": give another --seed"
        if split.group_hours:
            hint += f", or groups shorter than {split.group_hours:g} hours (--group-hours)"
        return f"{hint}, to odm dataset ionograms"

    def warnings(self) -> list[str]:
        """What a person should know before training on it."""
        split = self.config.split
        wanted: set[str | None] = set(PARTS)
        if split.by == "groups":
            wanted = {name for name in PARTS if getattr(split, name)}
        elif split.by == "whole":
            wanted = {split.part}
        there = {sample.part for sample in self.all_samples}
        found = [
            f"nothing is for {part}{self._remedy()}"
            for part in PARTS
            if part in wanted and part not in there
        ]
        absent = len(self.annotations.images) - len(self.all_samples)
        if absent:
            found.append(f"{absent} labelled ionograms are not in the archive (by exact name)")
        return found

    @cached_property
    def digest(self) -> str:
        """SHA-256 that names the data set: settings, and names, sizes, boxes and masks of the
        labelled ionograms; not where they lie or when they were written.

        Raises:
            ArchiveError: a mask is gone.
        """
        rule = self.config.model_dump(mode="json", exclude={"archive", "annotations"})
        digest = hashlib.sha256(json.dumps(rule, sort_keys=True).encode())
        for sample in sorted(self.all_samples, key=lambda sample: sample.key.identity):
            boxes = json.dumps([sample.labelled.shares, sample.labelled.centres])
            digest.update(f"\n{sample.key.identity} {sample.size} {boxes}".encode())
            for name, path in sample.labelled.masks:  # people's boxes have none
                mask = read_mask(path).astype(np.uint8)
                digest.update(f" {name} {mask_digest(mask)}".encode())
        return digest.hexdigest()

    def table(self) -> list[dict[str, Any]]:
        """What each part holds: ionograms, those without a layer, and layers by class."""
        rows = []
        for part in (*PARTS, PURGED):
            chosen = [sample for sample in self.all_samples if sample.part == part]
            layers = [name for sample in chosen for name in sample.labelled.layers]
            rows.append(
                {
                    "part": part,
                    "ionograms": len(chosen),
                    "without_layers": sum(not sample.has_layer for sample in chosen),
                    **{name: layers.count(name) for name in self.config.classes},
                }
            )
        return rows


def load_ionogram_sample(
    sample: IonogramSample, settings: IonogramImageSettings
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Read one sample.

    Returns:
        Image (H, W) uint8, 0 where invalid; boxes (N, 5): class, left, top, right, bottom in
        pixels.

    Raises:
        ArchiveError: the ionogram is bad.
    """
    ionogram = open_ionogram(sample.path)
    boxes = boxes_on_image(sample.labelled, ionogram, settings, sample.classes, sample.drawn_on)
    return ionogram_image(ionogram, settings), boxes


def load_segmented_ionogram(
    sample: IonogramSample, settings: IonogramImageSettings
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read one sample for a segmentation.

    Returns:
        Image (H, W) uint8, 0 where invalid; mask (H, W) uint8: 0 for background, else 1 plus the
        class's place in ``sample.classes``. Where two layers lie upon each other it is the smaller.

    Raises:
        ArchiveError: the ionogram is bad, or its masks are.
    """
    from odm.core.errors import ArchiveError

    ionogram = open_ionogram(sample.path)
    axes = (ionogram["frequency"].values, ionogram["group_range"].values)
    classes = np.zeros(ionogram["snr"].shape, dtype=np.uint8)
    shapes = [(name, read_mask(path)) for name, path in sample.labelled.masks]
    for name, shape in sorted(shapes, key=lambda pair: -int(pair[1].sum())):
        if shape.shape != classes.shape:
            raise ArchiveError(sample.path, f"its mask is {shape.shape}, it is {classes.shape}")
        classes[shape] = sample.classes.index(name) + 1
    mask = np.zeros((settings.height, settings.width), dtype=np.uint8)
    for number in range(1, len(sample.classes) + 1):
        mask[mask_to_canvas(classes == number, *axes, settings) > 0] = number
    return ionogram_image(ionogram, settings), mask


def is_ionogram_dataset(path: str | Path) -> bool:
    """Whether a ``dataset.yaml`` says that it is of ionograms."""
    content = read_yaml(path)
    return isinstance(content, dict) and content.get("kind") == KIND
