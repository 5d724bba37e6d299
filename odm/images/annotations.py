"""Labelled half-orbits: import what people drew, and load it (or a simulator's truth) again.

An imported folder holds ``annotations.json``, which lists every labelled half-orbit, those without
a nucleus included, and ``masks/<half-orbit>.png`` for those with one: 0 and 255, one pixel per
value of the half-orbit, top = highest frequency, left = first row of the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.archive.errors import AnnotationError, InputError
from odm.archive.files import write_bytes
from odm.archive.keys import OrbitKey
from odm.images.annotation_formats import FORMATS
from odm.images.drawing import AnnotatedObject, Drawing, Mask, Picture, count, load_mask
from odm.images.label_folder import CLASSES, LABELS, LabelFolder, new_folder, png_bytes

MANIFEST = "annotations.json"
SIMULATION = "simulation.json"
MASKS = "masks"

_NOT_ANNOTATIONS = frozenset({LABELS, MANIFEST, "classes.txt", "predefined_classes.txt"})


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """A half-orbit that somebody has looked at.

    Attributes:
        key: the half-orbit.
        mask_path: its mask; None where nothing was found in it.
        shape: rows (frequency) and columns (time) of the mask; None where only a mask would say.
        objects: the drawn objects with their boxes; empty for simulated truth, which has masks.
    """

    key: OrbitKey
    mask_path: Path | None = None
    shape: tuple[int, int] | None = None
    objects: tuple[AnnotatedObject, ...] = ()

    def mask(self, shape: tuple[int, int] | None = None) -> Mask:
        """The mask, (K, N) uint8 of 0 and 1.

        Args:
            shape: what the half-orbit needs; for checking, and for those without a mask file.

        Raises:
            AnnotationError: no size is known, or the mask is of another one.
        """
        wanted = shape or self.shape
        if self.mask_path is None:
            if wanted is None:
                raise AnnotationError(self.key, "", "its size is unknown, so no mask can be made")
            return np.zeros(wanted, np.uint8)
        mask = load_mask(self.mask_path)
        if wanted is not None and mask.shape != wanted:
            reason = f"has {mask.shape[1]} by {mask.shape[0]} pixels, the half-orbit has "
            raise AnnotationError(self.mask_path, "mask", f"{reason}{wanted[1]} by {wanted[0]}")
        return mask


@dataclass(frozen=True)
class Annotations:
    """A folder of labelled half-orbits.

    Attributes:
        folder: where it lies.
        source: the format that it was imported from, or ``simulation``.
        images: by `OrbitKey.stem`, sorted by start.
        classes: a class's index in a mask is its place here plus 1.
    """

    folder: Path
    source: str
    images: Mapping[str, LabelledImage]
    classes: tuple[str, ...] = CLASSES

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the classes, the labelled half-orbits and the pixels of their masks."""
        masks = {
            stem: None if image.mask_path is None else image.mask()
            for stem, image in self.images.items()
        }
        return masks_digest(masks, self.classes)

    def region_masks(self, stem: str) -> list[NDArray[np.bool_]] | None:
        """The 8-connected areas drawn in one half-orbit, each (K, N); None if it is not labelled.

        Args:
            stem: `OrbitKey.stem`.
        """
        image = self.images.get(stem)
        if image is None:
            return None
        return [] if image.mask_path is None else list(regions_of(image.mask()))


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did: numbers of half-orbits, and of objects drawn in them."""

    out: str
    source: str
    labelled: int
    with_objects: int
    unlabelled: int
    objects: int
    digest: str


def is_annotated_folder(folder: str | Path) -> bool:
    """Whether `load_annotations` would find a list of labelled half-orbits there."""
    return any((Path(folder) / name).is_file() for name in (MANIFEST, SIMULATION))


def regions_of(mask: Mask) -> Iterator[NDArray[np.bool_]]:
    """The 8-connected areas of a mask (H, W), each as a mask of its own."""
    from scipy import ndimage

    labels, number = ndimage.label(mask, structure=np.ones((3, 3)))
    for label in range(1, number + 1):
        yield labels == label


def masks_digest(masks: Mapping[str, Mask | None], classes: Sequence[str] = CLASSES) -> str:
    """SHA-256 over names and mask pixels; the same however and wherever the masks are stored."""
    digest = hashlib.sha256(json.dumps(list(classes)).encode())
    for stem, mask in sorted(masks.items()):
        digest.update(f"\n{stem}".encode())
        if mask is not None and mask.any():
            digest.update(f" {mask.shape}".encode())
            digest.update(np.packbits(mask != 0).tobytes())
    return digest.hexdigest()


def import_annotations(
    export: str | Path,
    annotations: str | Path,
    out: str | Path,
    source: str = "auto",
    unlabelled: str = "skip",
    exact_edges: bool = False,
    overwrite: bool = False,
) -> ImportReport:
    """Turn what people drew on exported pictures into masks and boxes.

    Every file is read before anything is written. An annotation file that holds no object says that
    the half-orbit has no nucleus; a picture without a file was not labelled.

    Args:
        export: folder that `odm label export` made.
        annotations: folder with one annotation file per labelled picture, of the same name.
        out: folder to make.
        source: ``voc``, ``yolo``, ``labelme``, ``mask``, or ``auto``: by what lies in the folder.
        unlabelled: ``skip`` leaves pictures without an annotation file out of the data set,
            ``empty`` takes them as having no nucleus.
        exact_edges: take edges literally; see `odm.images.annotation_formats`.
        overwrite: replace an earlier import at ``out``.

    Raises:
        InputError: a folder is missing, of another kind, or in the way.
        AnnotationError: the first annotation that cannot be, and how many more files have one.
    """
    if unlabelled not in ("skip", "empty"):
        raise InputError(f"unlabelled {unlabelled!r}: give skip or empty")
    pictures = LabelFolder.load(export)
    files, source = _annotation_files(Path(annotations), pictures, source)
    drawings = _read_all(files, pictures, source, exact_edges)
    missing = [stem for stem in pictures.images if stem not in drawings]
    if unlabelled == "empty":
        for stem in missing:
            picture = pictures.images[stem]
            drawings[stem] = Drawing(np.zeros((picture.height, picture.width), np.uint8), ())
    digest = masks_digest({stem: drawing.mask for stem, drawing in drawings.items()})
    with new_folder(out, frozenset({MANIFEST, MASKS}), overwrite) as folder:
        rows = []
        for stem in sorted(drawings, key=lambda stem: pictures.images[stem].key.start):
            rows.append(_write_image(folder, pictures.images[stem].key, drawings[stem]))
        manifest = {
            "kind": "odm annotations",
            "version": 1,
            "source": source,
            "classes": list(pictures.classes),
            "digest": digest,
            "picture_settings": pictures.settings,
            "images": rows,
        }
        write_bytes(folder / MANIFEST, json.dumps(manifest, indent=1).encode())
    return ImportReport(
        out=str(out),
        source=source,
        labelled=len(drawings),
        with_objects=sum(bool(drawing.objects) for drawing in drawings.values()),
        unlabelled=0 if unlabelled == "empty" else len(missing),
        objects=sum(len(drawing.objects) for drawing in drawings.values()),
        digest=digest,
    )


def load_annotations(folder: str | Path) -> Annotations:
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


def _annotation_files(
    folder: Path, pictures: LabelFolder, source: str
) -> tuple[dict[str, Path], str]:
    """Annotation files by the stem of their picture, and their format."""
    if source not in (*FORMATS, "auto"):
        raise InputError(f"format {source!r}: give auto, {', '.join(FORMATS)}")
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    found = {
        name: sorted(
            path
            for path in folder.iterdir()
            if path.suffix.lower() == suffix
            and path.name not in _NOT_ANNOTATIONS
            and not path.name.startswith(".")
        )
        for name, (suffix, _) in FORMATS.items()
    }
    if source == "auto":
        # People may save beside the pictures, which are then no masks.
        present = [name for name in FORMATS if found[name] and name != "mask"]
        if not present and found["mask"] and not pictures.holds(folder):
            present = ["mask"]
        if not present:
            raise InputError(f"{folder}: no annotation file ({', '.join(FORMATS)}) in this folder")
        if len(present) > 1:
            raise InputError(
                f"{folder}: holds files of {' and '.join(present)}; choose one with --format"
            )
        source = present[0]
    elif source == "mask" and pictures.holds(folder):
        raise InputError(f"{folder}: these are the exported pictures, not masks")
    if not found[source]:
        raise InputError(f"{folder}: no {source} file (*{FORMATS[source][0]}) in this folder")
    return {path.stem: path for path in found[source]}, source


def _read_all(
    files: Mapping[str, Path], pictures: LabelFolder, source: str, exact_edges: bool
) -> dict[str, Drawing]:
    reader = FORMATS[source][1]
    drawings: dict[str, Drawing] = {}
    problems: list[AnnotationError] = []
    for stem, path in files.items():
        image = pictures.images.get(stem)
        try:
            if image is None:
                raise AnnotationError(path, "", f"the export has no picture {stem}.png")
            picture = Picture(stem, image.height, image.width, pictures.classes, exact_edges)
            drawings[stem] = reader(path, picture)
        except AnnotationError as error:
            problems.append(error)
    if problems:
        first, more = problems[0], len(problems) - 1
        rest = f"; {count(more, 'more file')} cannot be used either" if more else ""
        raise AnnotationError(first.path, first.subject, first.reason + rest)
    return drawings


def _write_image(folder: Path, key: OrbitKey, drawing: Drawing) -> dict[str, Any]:
    name = None
    if drawing.mask.any():
        name = f"{MASKS}/{key.stem}.png"
        write_bytes(folder / name, png_bytes(drawing.mask * np.uint8(255)))
    return {
        "key": key.name,
        "height": drawing.mask.shape[0],
        "width": drawing.mask.shape[1],
        "mask": name,
        "objects": [{"class": item.label, "box": list(item.box)} for item in drawing.objects],
    }


def _load_imported(folder: Path) -> Annotations:
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        images = [
            LabelledImage(
                key=OrbitKey.parse(row["key"]),
                mask_path=folder / row["mask"] if row["mask"] else None,
                shape=(int(row["height"]), int(row["width"])),
                objects=tuple(
                    AnnotatedObject(str(item["class"]), tuple(item["box"]))
                    for item in row["objects"]
                ),
            )
            for row in content["images"]
        ]
        return Annotations(folder, content["source"], _by_stem(images), tuple(content["classes"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a list of annotations ({error!r})") from None


def _load_simulated(folder: Path) -> Annotations:
    """Every half-orbit of a simulated archive is labelled: its truth is known."""
    path = folder / SIMULATION
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["keys"]
        keys = [OrbitKey.parse(name) for name in names]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not the list of a simulated archive ({error!r})") from None
    masks = {path.stem: path for path in (folder / MASKS).glob("*.png")}
    images = [LabelledImage(key, masks.get(key.stem)) for key in keys]
    return Annotations(folder, "simulation", _by_stem(images))


def _by_stem(images: Sequence[LabelledImage]) -> dict[str, LabelledImage]:
    ordered = sorted(images, key=lambda image: (image.key.start, image.key.stem))
    return {image.key.stem: image for image in ordered}
