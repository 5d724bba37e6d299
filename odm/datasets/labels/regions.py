"""Labelled half-orbits: what people drew, once imported, or a simulator's truth.

An imported folder holds ``annotations.json``, which lists every labelled half-orbit, those without
a nucleus included, and ``masks/<half-orbit>.png`` for those with one: 0 and 255, one pixel per
value of the half-orbit, top = highest frequency, left = first row of the file. Where nobody can say
whether there is a nucleus the picture is 128; in memory such pixels are `odm.images.masks.IGNORED`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from odm.archive.orbit.key import OrbitKey
from odm.core.errors import AnnotationError, InputError
from odm.datasets.labels.drawing import AnnotatedObject, Mask, count, load_mask
from odm.datasets.labels.folder import CLASSES, Labels
from odm.images.masks import IGNORED

MANIFEST = "annotations.json"
SIMULATION = "simulation.json"
TRUTH = "truth.parquet"
SIMULATED = "simulation"
"""`RegionLabels.source` of what a simulator knows."""
MASKS = "masks"


@dataclass(frozen=True, slots=True)
class LabelledOrbit:
    """A half-orbit that somebody has looked at.

    Attributes:
        key: the half-orbit.
        mask_path: its mask; None where nothing was found in it, nor is anything ignored.
        shape: rows (frequency) and columns (time) of the mask; None where only a mask would say.
        objects: the drawn objects with their boxes; empty for simulated truth, which has masks.
        only_ignored: whether its mask holds no nucleus, but pixels that are ignored.
    """

    key: OrbitKey
    mask_path: Path | None = None
    shape: tuple[int, int] | None = None
    objects: tuple[AnnotatedObject, ...] = ()
    only_ignored: bool = False

    @property
    def has_nucleus(self) -> bool:
        """Whether a nucleus is drawn in it."""
        return self.mask_path is not None and not self.only_ignored

    def digest(self) -> str:
        """`mask_digest` of its mask."""
        return "" if self.mask_path is None else mask_digest(load_mask(self.mask_path))

    def mask(self, shape: tuple[int, int] | None = None) -> Mask:
        """The mask, (K, N) uint8 of 0, 1 and `IGNORED`.

        Args:
            shape: what the half-orbit needs; for checking, and for those without a mask file.

        Raises:
            AnnotationError: no size is known, or the mask is of another one.
        """
        expected = shape or self.shape
        if self.mask_path is None:
            if expected is None:
                raise AnnotationError(self.key, "", "its size is unknown, so no mask can be made")
            return np.zeros(expected, np.uint8)
        mask = load_mask(self.mask_path)
        if expected is not None and mask.shape != expected:
            reason = f"has {mask.shape[1]} by {mask.shape[0]} pixels, the half-orbit has "
            raise AnnotationError(self.mask_path, "mask", f"{reason}{expected[1]} by {expected[0]}")
        return mask


RegionLabels = Labels[LabelledOrbit]
"""Labelled half-orbits, sorted by start."""


def has_region_labels(folder: str | Path) -> bool:
    """Whether `load_region_labels` would find a list of labelled half-orbits there."""
    return any((Path(folder) / name).is_file() for name in (MANIFEST, SIMULATION))


def mask_digest(mask: Mask) -> str:
    """SHA-256 of a mask's shape and pixels, however it is stored; empty where nothing is drawn."""
    if not mask.any():
        return ""
    digest = hashlib.sha256(str(mask.shape).encode())
    digest.update(np.packbits(mask != 0).tobytes())
    ignored = mask == IGNORED
    if ignored.any():  # a mask without such pixels keeps the digest that it always had
        digest.update(b"ignored" + np.packbits(ignored).tobytes())
    return digest.hexdigest()


def annotations_digest(masks: Mapping[str, str], classes: Sequence[str]) -> str:
    """SHA-256 over the classes, and over names and `mask_digest` of labelled half-orbits."""
    return hashlib.sha256(json.dumps([list(classes), sorted(masks.items())]).encode()).hexdigest()


def load_region_labels(folder: str | Path) -> RegionLabels:
    """Load an imported folder, or the truth beside a simulated archive.

    Raises:
        InputError: the folder is neither, or its list cannot be read.
    """
    folder = Path(folder)
    if (folder / MANIFEST).is_file():
        return _load_imported(folder)
    if (folder / SIMULATION).is_file():
        return _load_simulated(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    raise InputError(
        f"{folder}: holds neither {MANIFEST} (of odm label import) nor {SIMULATION} "
        "(of odm simulate orbits)"
    )


def _load_imported(folder: Path) -> RegionLabels:
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        images = [
            LabelledOrbit(
                key=OrbitKey.parse(row["key"]),
                mask_path=folder / row["mask"] if row["mask"] else None,
                shape=(int(row["height"]), int(row["width"])),
                objects=tuple(
                    AnnotatedObject(str(item["class"]), tuple(item["box"]))
                    for item in row["objects"]
                ),
                only_ignored=bool(row["mask"]) and not row["objects"],
            )
            for row in content["images"]
        ]
        return RegionLabels(folder, content["source"], _by_stem(images), tuple(content["classes"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a list of annotations ({error!r})") from None


def _load_simulated(folder: Path) -> RegionLabels:
    """Every half-orbit of a simulated archive is labelled: its truth is known."""
    path = folder / SIMULATION
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["keys"]
        keys = [OrbitKey.parse(name) for name in names]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not the list of a simulated archive ({error!r})") from None
    masks = {path.stem: path for path in (folder / MASKS).glob("*.png")}
    drawn = _masks_of_truth(folder)
    lost = drawn - set(masks)
    if lost:
        # Without this, a copy that lacks its masks would say that nothing is anywhere.
        raise InputError(
            f"{folder}: {count(len(lost), 'mask')} of its truth missing in {MASKS}/, such as "
            f"{min(lost)}.png"
        )
    images = [
        LabelledOrbit(
            key, masks.get(key.stem), only_ignored=key.stem in masks and key.stem not in drawn
        )
        for key in keys
    ]
    return RegionLabels(folder, SIMULATED, _by_stem(images), CLASSES)


def _masks_of_truth(folder: Path) -> set[str]:
    """Stems of the half-orbits in which the simulator drew a nucleus."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / TRUTH
    try:
        column = pq.read_table(path, columns=["mask"])["mask"]
    except (OSError, pa.ArrowException, KeyError):
        raise InputError(f"{path}: the truth of this simulated archive cannot be read") from None
    return {Path(mask).stem for mask in column.to_pylist() if mask}


def _by_stem(images: Sequence[LabelledOrbit]) -> dict[str, LabelledOrbit]:
    ordered = sorted(images, key=lambda image: (image.key.start, image.key.stem))
    return {image.key.stem: image for image in ordered}
