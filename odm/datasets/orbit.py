"""A data set: ``dataset.yaml`` says which archive, which annotations, which images, which split."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator

from odm.archive.orbit.key import OrbitKey
from odm.archive.orbit.listing import OrbitListing, list_orbits
from odm.core.errors import InputError
from odm.core.files import is_uri, write_bytes
from odm.core.settings import Settings, check_keys, parse_config, read_yaml
from odm.datasets.labels.drawing import Mask, component_boxes
from odm.datasets.labels.regions import (
    LabelledOrbit,
    RegionLabels,
    annotations_digest,
    load_region_labels,
)
from odm.datasets.splits import PARTS, PURGED, Hemisphere, OrbitSplit
from odm.images.geometry import OrbitImageSettings, SpectrogramGeometry
from odm.images.masks import SHAPES, MaskKind
from odm.physics.coordinates import month_season

if TYPE_CHECKING:
    from odm.archive.orbit.reader import Orbit

_SEASONS = ("spring", "summer", "autumn", "winter")


def _image_settings(value: object) -> object:
    if isinstance(value, dict):
        check_keys(value, OrbitImageSettings.__dataclass_fields__)
    return value


class OrbitDatasetConfig(Settings):
    """The content of ``dataset.yaml``.

    Attributes:
        archive: folder or URI of half-orbits.
        annotations: folder that `odm label import` made, or a simulated archive.
        image: how a half-orbit becomes an image.
        mask: ``contour``, as drawn; ``ellipse`` or ``box`` around every drawn area.
        split: what is for training, validation and test.

    Relative paths are relative to the file.
    """

    version: Literal[1] = 1
    archive: str
    annotations: str
    image: Annotated[OrbitImageSettings, BeforeValidator(_image_settings)]
    mask: MaskKind = "contour"
    split: OrbitSplit = OrbitSplit()


@dataclass(frozen=True, slots=True)
class OrbitSample:
    """One labelled half-orbit of a data set; small, and safe to send to another process.

    Attributes:
        key: the half-orbit.
        path: its file.
        size: of the file, bytes.
        part: train, validation, test or purged.
        labelled: its annotation.
        mask_kind: shape of the mask's areas.
        hemisphere: the only geographic hemisphere that is shown; None for both.
    """

    key: OrbitKey
    path: str
    size: int
    part: str
    labelled: LabelledOrbit
    mask_kind: MaskKind = "contour"
    hemisphere: Hemisphere | None = None

    @property
    def has_nucleus(self) -> bool:
        """Whether anything was drawn in it, in the hemisphere that it shows.

        Raises:
            ArchiveError: the file has to be opened to know, and is bad.
        """
        if self.labelled.mask_path is None or self.hemisphere is None:
            return self.labelled.mask_path is not None
        return _nuclei(self) > 0


@dataclass(frozen=True, slots=True)
class PartCounts:
    """What one part of a data set holds.

    Attributes:
        part: train, validation, test or purged.
        half_orbits: labelled ones.
        with_nuclei: of them with something drawn, in the hemisphere that the part shows.
        nuclei: areas drawn.
        cycles: 5-day cycles.
        first, last: dates of the first and last start (UTC); empty where there is none.
        seasons: half-orbits by season (of the paper: by month, in both hemispheres).
    """

    part: str
    half_orbits: int
    with_nuclei: int
    nuclei: int
    cycles: int
    first: str
    last: str
    seasons: dict[str, int]


class OrbitDataset:
    """An opened data set.

    Args:
        config: its settings.
        base: folder that relative paths start from.

    Raises:
        InputError: the archive or the annotations are not there.
    """

    def __init__(self, config: OrbitDatasetConfig, base: str | Path = ".") -> None:
        self.config = config
        self.archive = placed(config.archive, base)
        self.listing: OrbitListing = list_orbits(self.archive)
        self.annotations: RegionLabels = load_region_labels(placed(config.annotations, base))

    @classmethod
    def load(cls, path: str | Path) -> OrbitDataset:
        """Read ``dataset.yaml``.

        Raises:
            InputError: a setting that cannot be, no archive or annotations there, or a data set
                of ionograms.
        """
        content = read_yaml(path)
        if isinstance(content, dict) and content.get("kind") == "ionograms":
            raise InputError(
                f"{path}: is a data set of ionograms; this needs one of half-orbits "
                "(odm dataset create)"
            )
        return cls(parse_config(content, OrbitDatasetConfig, path), Path(path).parent)

    @classmethod
    def create(cls, path: str | Path, config: OrbitDatasetConfig) -> OrbitDataset:
        """Check and write ``dataset.yaml``.

        Args:
            path: the file to write.
            config: with paths as seen from here; relative ones are rewritten as seen from the file.

        Raises:
            InputError: the archive or the annotations are not there or have no half-orbit in
                common, or the file cannot be written.
        """
        import yaml

        if not cls(config).all_samples:
            raise InputError(
                f"{config.annotations}: labels none of the half-orbits in {config.archive} "
                "(names must agree exactly)"
            )
        base = Path(path).expanduser().resolve().parent
        placed = config.model_copy(
            update={
                "archive": seen_from(config.archive, base),
                "annotations": seen_from(config.annotations, base),
            }
        )
        content = placed.model_dump(mode="json", exclude_none=True)
        head = "# A data set of labelled half-orbits; image limits in log10 of (mV/m)^2/Hz,\n"
        head += "# split lengths in cycles of 5 days. Relative paths are relative to this file.\n"
        write_bytes(path, (head + yaml.safe_dump(content, sort_keys=False)).encode())
        return cls.load(path)

    @property
    def settings(self) -> OrbitImageSettings:
        """How a half-orbit becomes an image."""
        return self.config.image

    @cached_property
    def all_samples(self) -> tuple[OrbitSample, ...]:
        """Every labelled half-orbit of the archive, purged ones included, sorted by start."""
        rule, labels = self.config.split, self.annotations.images
        samples = []
        for entry in self.listing.entries:
            labelled = labels.get(entry.key.stem)
            if labelled is None:
                continue
            part = rule.part_of(entry.key)
            samples.append(
                OrbitSample(
                    key=entry.key,
                    path=entry.path,
                    size=entry.size,
                    part=part,
                    labelled=labelled,
                    mask_kind=self.config.mask,
                    hemisphere=None if part == PURGED else rule.hemisphere_of(part),
                )
            )
        return tuple(samples)

    def samples(self, part: str) -> list[OrbitSample]:
        """The half-orbits of one part, sorted by start.

        Args:
            part: ``train``, ``validation`` or ``test``.

        Raises:
            InputError: no such part, it is empty, or nothing is drawn in what is for training.
        """
        if part not in PARTS:
            raise InputError(f"part {part!r} of a data set: give {', '.join(PARTS)}")
        chosen = [sample for sample in self.all_samples if sample.part == part]
        if not chosen:
            raise InputError(
                f"the data set has no labelled half-orbit for {part}; odm dataset show tells what "
                "each part holds"
            )
        if part == "train" and not any(sample.has_nucleus for sample in chosen):
            raise InputError("the data set has no nucleus for training: nothing is drawn in it")
        return chosen

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

    def table(self) -> list[PartCounts]:
        """What each part holds; ``purged`` last."""
        return [
            _counts(part, [sample for sample in self.all_samples if sample.part == part])
            for part in (*PARTS, PURGED)
        ]

    def warnings(self, table: list[PartCounts] | None = None) -> list[str]:
        """Sentences on what would surprise: empty parts, and labels without a half-orbit."""
        out = []
        for row in table or self.table():
            if row.part == PURGED or (self.config.split.part or row.part) != row.part:
                continue
            if row.half_orbits == 0:
                out.append(
                    f"{row.part} is empty: no labelled half-orbit lies in its cycles "
                    "(--offset moves the blocks, --by whole makes everything one part)"
                )
            elif row.with_nuclei == 0:
                out.append(f"{row.part} has no nucleus: nothing is drawn in its half-orbits")
        absent = len(self.annotations.images) - len(self.all_samples)
        if absent:
            out.append(f"{absent} labelled half-orbits are not in the archive (by exact name)")
        return out


def load_orbit_sample(
    sample: OrbitSample, settings: OrbitImageSettings
) -> tuple[NDArray[np.uint8], Mask, SpectrogramGeometry]:
    """Read one sample.

    Args:
        sample: of a data set.
        settings: the image.

    Returns:
        Image (H, W) uint8, 0 where invalid (a hemisphere that is not shown included); mask (H, W)
        uint8 of 0 and 1, 0 outside that hemisphere; geometry.

    Raises:
        ArchiveError: the half-orbit is bad.
        AnnotationError: the mask is of another size than the half-orbit.
    """
    from odm.images.spectrogram import geometry_of, read_spectrogram

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


def _counts(part: str, samples: list[OrbitSample]) -> PartCounts:
    nuclei = [_nuclei(sample) for sample in samples]
    starts = [sample.key.start for sample in samples]
    found = month_season(np.array(starts, dtype="datetime64[s]")) if starts else np.array([])
    return PartCounts(
        part=part,
        half_orbits=len(samples),
        with_nuclei=sum(number > 0 for number in nuclei),
        nuclei=sum(nuclei),
        cycles=len({sample.key.cycle for sample in samples}),
        first=f"{min(starts):%Y-%m-%d}" if starts else "",
        last=f"{max(starts):%Y-%m-%d}" if starts else "",
        seasons={name: n for name in _SEASONS if (n := int((found == name).sum()))},
    )


def _nuclei(sample: OrbitSample) -> int:
    """Drawn areas that the sample shows; only a hemisphere makes opening the file necessary."""
    if sample.labelled.mask_path is None:
        return 0
    if sample.hemisphere is None:
        return len(component_boxes(sample.labelled.mask()))
    from odm.archive.orbit.reader import read_orbit

    orbit = read_orbit(sample.path)
    mask = sample.labelled.mask((orbit.frequency.size, orbit.times.size))
    mask[:, ~shown_columns(_latitude(orbit), sample.hemisphere)] = 0
    return len(component_boxes(mask))


def _latitude(orbit: Orbit) -> NDArray[np.float64]:
    from odm.physics.coordinates import bridged

    return bridged(orbit.latitude, orbit.seconds)


def shown_columns(latitude: NDArray[np.float64], hemisphere: Hemisphere) -> NDArray[np.bool_]:
    """Which columns, given their latitudes, a hemisphere shows; the equator is of the north."""
    return latitude >= 0 if hemisphere == "north" else latitude < 0


def placed(path: str, base: str | Path) -> str:
    """Absolute, since samples travel to workers that run elsewhere."""
    return path if is_uri(path) else str(Path(base, Path(path).expanduser()).resolve())


def seen_from(path: str, base: Path) -> str:
    if is_uri(path) or Path(path).expanduser().is_absolute():
        return path if is_uri(path) else str(Path(path).expanduser())
    return os.path.relpath(Path(path).expanduser().resolve(), base)


def describe(dataset: OrbitDataset) -> dict[str, Any]:
    """The data set as plain values, for JSON."""
    table = dataset.table()
    return {
        "digest": dataset.digest,
        "archive": dataset.archive,
        "half_orbits": len(dataset.listing),
        "labelled": len(dataset.all_samples),
        "annotations_from": dataset.annotations.source,
        **dataset.config.model_dump(mode="json", include={"image", "mask", "split"}),
        "parts": [
            {name: getattr(row, name) for name in PartCounts.__dataclass_fields__} for row in table
        ],
        "warnings": dataset.warnings(table),
    }
