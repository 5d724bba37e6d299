"""Data sets of half-orbits with labelled regions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from odm.archive.orbit.key import OrbitKey
from odm.archive.orbit.listing import OrbitFile
from odm.archive.orbit.reader import read_orbit
from odm.core.errors import InputError
from odm.core.kinds import ORBITS
from odm.datasets.base import Dataset, DatasetConfig, Sample, known_keys_of
from odm.datasets.labels.drawing import Mask, component_boxes
from odm.datasets.labels.regions import (
    LabelledOrbit,
    RegionLabels,
    annotations_digest,
    load_region_labels,
)
from odm.datasets.splits import PURGED, Hemisphere, OrbitSplit
from odm.images.geometry import OrbitImageSettings, SpectrogramGeometry
from odm.images.masks import SHAPES, MaskKind
from odm.images.spectrogram import estimate_limits, geometry_of, read_spectrogram
from odm.physics.coordinates import bridged, month_season

_SEASONS = ("spring", "summer", "autumn", "winter")


class OrbitDatasetConfig(DatasetConfig):
    """The content of ``dataset.yaml``; see `DatasetConfig` for what it shares with ionograms.

    Attributes:
        image: how a half-orbit becomes an image.
        mask: ``contour``, as drawn; ``ellipse`` or ``box`` around every drawn area.
        split: what is for training, validation and test.
    """

    kind: Literal["orbits"] | None = None
    image: Annotated[OrbitImageSettings, known_keys_of(OrbitImageSettings)]
    mask: MaskKind = "contour"
    split: OrbitSplit = OrbitSplit()


@dataclass(frozen=True, slots=True)
class OrbitSample(Sample[OrbitKey, LabelledOrbit]):
    """One labelled half-orbit of a data set; small, and safe to send to another process.

    Attributes:
        mask_kind: shape of the mask's areas.
        hemisphere: the only geographic hemisphere that is shown; None for both.
    """

    mask_kind: MaskKind = "contour"
    hemisphere: Hemisphere | None = None

    @property
    def has_object(self) -> bool:
        """Whether a nucleus was drawn in it, in the hemisphere that it shows.

        Raises:
            ArchiveError: the file has to be opened to know, and is bad.
        """
        if not self.labelled.has_nucleus or self.hemisphere is None:
            return self.labelled.has_nucleus
        return _nuclei(self) > 0


class OrbitDataset(Dataset[OrbitDatasetConfig, OrbitSample, RegionLabels]):
    """An opened data set of half-orbits."""

    kind = ORBITS
    config_type = OrbitDatasetConfig
    command = "odm dataset create"
    heading = (
        "# A data set of labelled half-orbits; image limits in log10 of (mV/m)^2/Hz,\n"
        "# split lengths in cycles of 5 days. Relative paths are relative to this file.\n"
    )

    @property
    def settings(self) -> OrbitImageSettings:
        """How a half-orbit becomes an image."""
        return self.config.image

    def estimated_limits(self) -> tuple[tuple[float, float], bool]:
        """Estimate image limits from the half-orbits for training; see `estimate_limits`.

        Returns:
            The limits, and whether nothing is for training, so that they are from the whole
            archive.

        Raises:
            InputError: no file could be read.
        """
        paths = [sample.path for sample in self.all_samples if sample.part == "train"]
        whole = not paths
        if whole:
            paths = [entry.path for entry in self.listing.entries]
        return estimate_limits(paths, self.settings.component), whole

    def samples(self, part: str) -> list[OrbitSample]:
        """Return the half-orbits of one part, sorted by start.

        Raises:
            InputError: no such part, it is empty, or nothing is drawn in what is for training.
        """
        samples = super().samples(part)
        if part == "train" and not any(sample.has_object for sample in samples):
            raise InputError("the data set has no nucleus for training: nothing is drawn in it")
        return samples

    @cached_property
    def digest(self) -> str:
        """SHA-256 that names the data set: image settings, mask kind, split rule, and the names,
        sizes and masks of the labelled half-orbits; not where they lie or when they were written.
        """
        rule = {
            "image": self.settings.to_dict(),
            "mask": self.config.mask,
            "split": self.config.split.model_dump(),
        }
        digest = hashlib.sha256(json.dumps(rule, sort_keys=True).encode())
        masks: dict[str, str] = {}
        for sample in sorted(self.all_samples, key=lambda sample: sample.key.stem):
            digest.update(f"\n{sample.key.name} {sample.size}".encode())
            masks[sample.key.stem] = sample.labelled.digest()
        digest.update(annotations_digest(masks, self.annotations.classes).encode())
        return digest.hexdigest()

    def _load_labels(self, place: str) -> RegionLabels:
        return load_region_labels(place)

    def _sample(self, entry: OrbitFile, label: LabelledOrbit) -> OrbitSample:
        split = self.config.split
        part = split.part_of(entry.key)
        hemisphere = None if part == PURGED else split.hemisphere_of(part)
        where = (entry.key, entry.path, entry.size, part)
        return OrbitSample(*where, label, self.config.mask, hemisphere)

    def _counts(self, samples: Sequence[OrbitSample]) -> dict[str, Any]:
        nuclei = [_nuclei(sample) for sample in samples]
        starts = np.array([sample.key.start for sample in samples], dtype="datetime64[s]")
        seasons = month_season(starts) if samples else np.array([])
        return {
            "half_orbits": len(samples),
            "with_nuclei": sum(number > 0 for number in nuclei),
            "nuclei": sum(nuclei),
            "cycles": len({sample.key.cycle for sample in samples}),
            "first": str(starts.min())[:10] if samples else "",
            "last": str(starts.max())[:10] if samples else "",
            "seasons": {name: n for name in _SEASONS if (n := int((seasons == name).sum()))},
        }

    def _part_warnings(self) -> list[str]:
        sentences = []
        for counts in self.parts:
            part = counts["part"]
            if part == PURGED or (self.config.split.part or part) != part:
                continue
            if not counts["half_orbits"]:
                sentences.append(
                    f"{part} is empty: no labelled half-orbit lies in its cycles "
                    "(--offset moves the blocks, --by whole makes everything one part)"
                )
            elif not counts["with_nuclei"]:
                sentences.append(f"{part} has no nucleus: nothing is drawn in its half-orbits")
        return sentences

    @property
    def settings_text(self) -> str:
        """A line on images, masks and split for people."""
        image = self.settings
        if image.mode == "relative":
            levels = f"{image.channels} channels of dB above the background"
        else:
            minimum, maximum = image.limits
            levels = f"log10 PSD {minimum:g} to {maximum:g}"
        return (
            f"image {image.mode} {image.height} x {image.width}, component {image.component}, "
            f"{levels}; mask {self.config.mask}; split by {self.config.split.by}"
        )

    def _described_settings(self) -> dict[str, Any]:
        return self.config.model_dump(mode="json", include={"image", "mask", "split"})


def load_orbit_sample(
    sample: OrbitSample, settings: OrbitImageSettings
) -> tuple[NDArray[np.uint8], Mask, SpectrogramGeometry]:
    """Read a sample with its mask.

    Returns:
        Image (H, W) or (H, W, C) uint8, 0 where invalid (a hemisphere that is not shown included);
        mask (H, W) uint8 of 0, 1 and `odm.images.masks.IGNORED`, 0 outside that hemisphere;
        geometry.

    Raises:
        ArchiveError: the half-orbit is bad.
        AnnotationError: the mask is of another size than the half-orbit.
    """
    image, orbit = read_spectrogram(sample.path, settings)
    geometry = geometry_of(orbit, settings)
    native = SHAPES[sample.mask_kind](sample.labelled.mask(geometry.native_shape))
    mask = geometry.mask_from_native(native)
    if sample.hemisphere is not None:
        columns = np.arange(geometry.shape[1])
        hidden = ~shown_columns(geometry.to_physical(columns, 0)[1], sample.hemisphere)
        image[:, hidden] = 0
        mask[:, hidden] = 0
    return image, mask, geometry


def _nuclei(sample: OrbitSample) -> int:
    """Number of drawn areas that a sample shows; only for a hemisphere is its file opened."""
    if not sample.labelled.has_nucleus:
        return 0
    if sample.hemisphere is None:
        return len(component_boxes(sample.labelled.mask()))
    orbit = read_orbit(sample.path)
    mask = sample.labelled.mask((orbit.frequency.size, orbit.times.size))
    mask[:, ~shown_columns(bridged(orbit.latitude, orbit.seconds), sample.hemisphere)] = 0
    return len(component_boxes(mask))


def shown_columns(latitude: NDArray[np.float64], hemisphere: Hemisphere) -> NDArray[np.bool_]:
    """Return which columns, given their latitudes (degrees), a hemisphere shows; the equator
    belongs to the north."""
    return latitude >= 0 if hemisphere == "north" else latitude < 0
