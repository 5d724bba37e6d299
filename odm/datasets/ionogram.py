"""Data sets of ionograms with labelled layers: ``dataset.yaml`` with ``kind: ionograms``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from odm.archive.ionogram.base import LAYERS
from odm.archive.ionogram.key import IonogramKey
from odm.archive.ionogram.listing import IonogramFile
from odm.archive.ionogram.reader import open_ionogram
from odm.core.errors import ArchiveError
from odm.core.kinds import IONOGRAMS
from odm.datasets.base import Dataset, DatasetConfig, Sample, known_keys_of
from odm.datasets.labels.layers import (
    DrawnOn,
    LabelledIonogram,
    LayerLabels,
    boxes_on_image,
    load_layer_labels,
)
from odm.datasets.labels.regions import mask_digest
from odm.datasets.splits import PARTS, IonogramSplit
from odm.images.ionogram import IonogramImageSettings, ionogram_image, mask_to_canvas
from odm.images.layer_truth import read_mask


class IonogramDatasetConfig(DatasetConfig):
    """The content of ``dataset.yaml``; see `DatasetConfig` for what it shares with half-orbits.

    Attributes:
        image: how an ionogram becomes an image.
        classes: layers that are labelled.
        drawn_on: what people's boxes were drawn on: the ``ionogram`` or this image's ``window``.
        split: what is for training, validation and test.
    """

    kind: Literal["ionograms"] = "ionograms"
    image: Annotated[IonogramImageSettings, known_keys_of(IonogramImageSettings)] = (
        IonogramImageSettings()
    )
    classes: tuple[str, ...] = LAYERS
    drawn_on: DrawnOn = "ionogram"
    split: IonogramSplit = IonogramSplit()


@dataclass(frozen=True, slots=True)
class IonogramSample(Sample[IonogramKey, LabelledIonogram]):
    """One labelled ionogram of a data set; small, and safe to send to another process.

    Attributes:
        classes: names of the classes, in the order of their indices.
        drawn_on: see `IonogramDatasetConfig`.
    """

    classes: tuple[str, ...] = LAYERS
    drawn_on: DrawnOn = "ionogram"

    @property
    def has_object(self) -> bool:
        """Whether a layer was drawn in it."""
        return bool(self.labelled.layers)


class IonogramDataset(Dataset[IonogramDatasetConfig, IonogramSample, LayerLabels]):
    """An opened data set of ionograms."""

    kind = IONOGRAMS
    config_type = IonogramDatasetConfig
    command = "odm dataset ionograms"
    heading = (
        "# A data set of labelled ionograms; image limits in dB, Hz and km.\n"
        "# Relative paths are relative to this file.\n"
    )

    @property
    def settings(self) -> IonogramImageSettings:
        """How an ionogram becomes an image."""
        return self.config.image

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

    def _load_labels(self, place: str) -> LayerLabels:
        return load_layer_labels(place, self.config.classes)

    def _sample(self, entry: IonogramFile, label: LabelledIonogram) -> IonogramSample:
        part, config = self.config.split.part_of(entry.key), self.config
        where = (entry.key, entry.path, entry.size, part)
        return IonogramSample(*where, label, config.classes, config.drawn_on)

    def _counts(self, samples: Sequence[IonogramSample]) -> dict[str, Any]:
        layers = [name for sample in samples for name in sample.labelled.layers]
        return {
            "ionograms": len(samples),
            "without_layers": sum(not sample.has_object for sample in samples),
            **{name: layers.count(name) for name in self.config.classes},
        }

    def _part_warnings(self) -> list[str]:
        empty = self.config.split.asked_parts - {sample.part for sample in self.all_samples}
        return [
            f"nothing is for {part}{self.config.split.remedy}" for part in PARTS if part in empty
        ]


def load_ionogram_sample(
    sample: IonogramSample, settings: IonogramImageSettings
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Read a sample with its boxes.

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
    """Read a sample with the mask of its layers.

    Returns:
        Image (H, W) uint8, 0 where invalid; mask (H, W) uint8: 0 for background, else 1 plus the
        class's place in ``sample.classes``. Where two layers lie upon each other it is the smaller.

    Raises:
        ArchiveError: the ionogram is bad, or its masks are.
    """
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
