"""Turn what people drew on exported pictures into masks and boxes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from odm.archive.orbit.key import OrbitKey
from odm.core.errors import AnnotationError, InputError
from odm.core.faults import first_line
from odm.core.files import write_bytes
from odm.datasets.labels.drawing import AnnotatedObject, Drawing, Picture, count
from odm.datasets.labels.folder import LABELS, LabelFolder, new_folder
from odm.datasets.labels.formats import FORMATS
from odm.datasets.labels.regions import MANIFEST, MASKS, annotations_digest, mask_digest
from odm.images.masks import mask_png

_NOT_ANNOTATIONS = frozenset({LABELS, MANIFEST, "classes.txt", "predefined_classes.txt"})


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
        exact_edges: take edges literally; see `odm.datasets.labels.formats`.
        overwrite: replace an earlier import at ``out``.

    Raises:
        InputError: a folder is missing, of another kind, or in the way.
        AnnotationError: the first annotation that cannot be, and how many more files have one.
    """
    if unlabelled not in ("skip", "empty"):
        raise InputError(f"unlabelled {unlabelled!r}: give skip or empty")
    if Path(annotations).resolve().is_relative_to(Path(out).resolve()):
        raise InputError(f"{out}: holds the annotations themselves; choose another folder")
    pictures = LabelFolder.load(export)
    files, source = _annotation_files(Path(annotations), pictures, source)
    drawn = _read_all(files, pictures, source, exact_edges)
    missing = [stem for stem in pictures.images if stem not in drawn]
    if unlabelled == "empty":
        for stem in missing:
            picture = pictures.images[stem]
            drawn[stem] = DrawnImage(picture.key, b"", (picture.height, picture.width), (), "")
    with new_folder(out, MANIFEST, {MASKS}, overwrite) as folder:
        digest = write_annotations(folder, source, pictures.classes, drawn, pictures.settings)
    return ImportReport(
        out=str(out),
        source=source,
        labelled=len(drawn),
        with_objects=sum(bool(read.objects) for read in drawn.values()),
        unlabelled=0 if unlabelled == "empty" else len(missing),
        objects=sum(len(read.objects) for read in drawn.values()),
        digest=digest,
    )


def _annotation_files(
    folder: Path, pictures: LabelFolder, source: str
) -> tuple[dict[str, Path], str]:
    """Annotation files by the stem of their picture, and their format."""
    if source not in (*FORMATS, "auto"):
        raise InputError(f"format {source!r}: give auto, {', '.join(FORMATS)}")
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    files = {
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
        present = [name for name in FORMATS if files[name] and name != "mask"]
        if not present and files["mask"] and not pictures.holds(folder):
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
    if not files[source]:
        raise InputError(f"{folder}: no {source} file (*{FORMATS[source][0]}) in this folder")
    by_stem = {path.stem: path for path in files[source]}
    for path in files[source]:
        if (last := by_stem[path.stem]) != path:
            raise AnnotationError(path, "", f"{last.name} is there for the same picture")
    return by_stem, source


@dataclass(frozen=True, slots=True)
class DrawnImage:
    """One labelled half-orbit as it will be stored: thousands of them are held at once."""

    key: OrbitKey
    mask_png: bytes
    shape: tuple[int, int]
    objects: tuple[AnnotatedObject, ...]
    digest: str

    @classmethod
    def of(cls, key: OrbitKey, drawing: Drawing) -> DrawnImage:
        """Pack what was drawn on a half-orbit."""
        mask, digest = drawing.mask, mask_digest(drawing.mask)
        png = mask_png(mask) if digest else b""
        return cls(key, png, (mask.shape[0], mask.shape[1]), drawing.objects, digest)


def _read_all(
    files: Mapping[str, Path], pictures: LabelFolder, source: str, exact_edges: bool
) -> dict[str, DrawnImage]:
    reader = FORMATS[source][1]
    drawn: dict[str, DrawnImage] = {}
    problems: list[AnnotationError] = []
    for stem, path in files.items():
        image = pictures.images.get(stem)
        try:
            if image is None:
                raise AnnotationError(path, "", f"the export has no picture {stem}.png")
            picture = Picture(stem, image.height, image.width, pictures.classes, exact_edges)
            drawn[stem] = DrawnImage.of(image.key, reader(path, picture))
        except AnnotationError as error:
            problems.append(error)
        except OSError as error:
            problems.append(AnnotationError(path, "", f"cannot be read ({first_line(error)})"))
        except (RecursionError, OverflowError, ValueError):
            problems.append(AnnotationError(path, "", "holds numbers or nesting beyond all bounds"))
    if problems:
        first, more = problems[0], len(problems) - 1
        rest = f"; {count(more, 'more file')} cannot be used either" if more else ""
        raise AnnotationError(first.path, first.subject, first.reason + rest)
    return drawn


def write_annotations(
    folder: Path,
    source: str,
    classes: Sequence[str],
    drawn: Mapping[str, DrawnImage],
    settings: Mapping[str, Any],
) -> str:
    """Write masks and ``annotations.json`` into an empty folder.

    Args:
        folder: there already.
        source: how it was drawn.
        classes: what may be drawn.
        drawn: by `OrbitKey.stem`.
        settings: of the pictures that people drew on.

    Returns:
        The digest of the annotations.
    """
    digest = annotations_digest({stem: image.digest for stem, image in drawn.items()}, classes)
    rows = []
    for image in sorted(drawn.values(), key=lambda image: image.key.start):
        mask = f"{MASKS}/{image.key.stem}.png" if image.mask_png else None
        if mask:
            write_bytes(folder / mask, image.mask_png)
        size = dict(zip(("height", "width"), image.shape, strict=True))
        objects = [{"class": item.label, "box": list(item.box)} for item in image.objects]
        rows.append({"key": image.key.name, **size, "mask": mask, "objects": objects})
    manifest = {
        "kind": "odm annotations",
        "version": 1,
        "source": source,
        "classes": list(classes),
        "digest": digest,
        "picture_settings": dict(settings),
        "images": rows,
    }
    write_bytes(folder / MANIFEST, json.dumps(manifest, indent=1).encode())
    return digest
