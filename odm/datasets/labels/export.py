"""Pictures of half-orbits for people to label, and known truth in the formats that they would use.

The pictures are at native size without padding: one pixel per value, K rows of frequency (top =
highest) by N columns of time, grey from 1 to 255 between the limits and 0 where nothing was
measured. So a label needs no more than the picture's name to find its place.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np
from numpy.typing import NDArray

from odm.archive.orbit.listing import OrbitFile
from odm.archive.orbit.reader import check_component, read_orbit
from odm.core.errors import ArchiveError, InputError
from odm.core.files import write_bytes
from odm.core.progress import Advance, unheard
from odm.datasets.labels.drawing import AnnotatedObject, Mask, component_boxes
from odm.datasets.labels.folder import (
    CLASSES,
    LABELS,
    PICTURES,
    ExportedImage,
    LabelFolder,
    new_folder,
    usable_folder,
)
from odm.datasets.labels.formats import EXACT_SOURCE
from odm.datasets.labels.regions import RegionLabels
from odm.images.geometry import OrbitImageSettings
from odm.images.masks import is_drawn, number_areas, png_bytes
from odm.images.spectrogram import estimate_limits, grey_levels

TRUTH = "truth"


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What an export did. ``limits``: log10 of (mV/m)^2/Hz; ``bad``: files that cannot be read."""

    out: str
    pictures: int
    limits: tuple[float, float]
    bad: tuple[ArchiveError, ...] = ()


def select_orbits(
    entries: Sequence[OrbitFile],
    since: datetime | None = None,
    until: datetime | None = None,
    names: Collection[str] = (),
    limit: int | None = None,
) -> tuple[OrbitFile, ...]:
    """Choose half-orbits of a listing.

    Args:
        entries: sorted by start.
        since, until: start at or after the one (UTC) and before the other.
        names: file names, with or without ``.h5``, or identities (``CSES_01_EFD_3_175381``).
        limit: the first this many of what is left.

    Raises:
        InputError: a name that is not in the archive, or nothing is left.
    """
    if names:
        by_name = {
            name: entry
            for entry in entries
            for name in (entry.key.name, entry.key.stem, entry.key.identity)
        }
        for name in names:
            if name not in by_name:
                raise InputError(f"{name}: no such half-orbit in the archive")
        stems = {by_name[name].key.stem for name in names}
        entries = [entry for entry in entries if entry.key.stem in stems]
    chosen = [
        entry
        for entry in entries
        if (since is None or entry.key.start >= since)
        and (until is None or entry.key.start < until)
    ][:limit]
    if not chosen:
        raise InputError("no half-orbit of the archive is left by since, until, keys and limit")
    return tuple(chosen)


def export_pictures(
    entries: Sequence[OrbitFile],
    out: str | Path,
    limits: tuple[float, float] | None = None,
    component: str = "z",
    truth: RegionLabels | None = None,
    advance: Advance = unheard,
) -> ExportReport:
    """Write pictures that LabelImg and LabelMe open, and ``labels.json`` that says what they are.

    Args:
        entries: the half-orbits; see `select_orbits`.
        out: folder to make: ``images/``, ``classes.txt``, ``labels.json``, and with ``truth`` its
            annotations as ``truth/voc``, ``truth/yolo`` and ``truth/labelme``.
        limits: log10 of the PSD in (mV/m)^2/Hz shown black and white; by default from percentiles
            of the half-orbits.
        component: x, y or z.
        truth: known annotations to write as people's programs would.
        advance: called after every half-orbit.

    Raises:
        InputError: impossible limits or component, or ``out`` is in the way.
        ArchiveError: not one of the half-orbits can be read.
    """
    component = check_component(component)
    usable_folder(out)
    if limits is None:
        limits = estimate_limits([entry.path for entry in entries], component)
    settings = OrbitImageSettings(limits[0], limits[1], component=component)  # type: ignore[arg-type]
    images: dict[str, ExportedImage] = {}
    bad: list[ArchiveError] = []
    with new_folder(out) as folder:
        for entry in entries:
            try:
                spectrum = read_orbit(entry.path, component).amplitude[component]
            except ArchiveError as error:
                bad.append(error)
            else:
                picture = np.ascontiguousarray(np.rot90(grey_levels(spectrum, settings)))
                write_bytes(folder / PICTURES / f"{entry.key.stem}.png", png_bytes(picture))
                height, width = picture.shape
                images[entry.key.stem] = ExportedImage(entry.key, height, width)
            advance()
        if not images:
            raise bad[0]
        if truth is not None:
            write_truth(folder / TRUTH, truth, images.values())
        shown = {"minimum": limits[0], "maximum": limits[1], "component": component}
        write_bytes(folder / "classes.txt", _lines(CLASSES))
        write_bytes(folder / LABELS, LabelFolder(folder, images, shown).to_json())
    return ExportReport(str(out), len(images), limits, tuple(bad))


def write_truth(folder: Path, truth: RegionLabels, images: Collection[ExportedImage]) -> None:
    """Write annotations as LabelImg (VOC and YOLO boxes) and LabelMe (polygons) would.

    Unlike LabelImg and LabelMe, this writes edges at the image's borders as they are, so a round
    trip is exact with ``odm label import --exact-edges``, and of VOC, which says whose it is,
    without. A nucleus with a hole becomes several
    polygons of one ``group_id``. What is ignored has no place in these formats, and is left out.

    Args:
        folder: ``voc``, ``yolo`` and ``labelme`` are made in it.
        truth: the annotations; half-orbits that it does not list get no file.
        images: which half-orbits, and their sizes.
    """
    for image in images:
        labelled = truth.images.get(image.key.stem)
        if labelled is None:
            continue
        height, width, stem = image.height, image.width, image.key.stem
        mask = labelled.mask((height, width))
        boxes = component_boxes(mask)
        nuclei = [AnnotatedObject(CLASSES[0], box) for box in boxes]
        shares = (
            f"0 {(x0 + x1) / 2 / width:.6f} {(y0 + y1) / 2 / height:.6f}"
            f" {(x1 - x0) / width:.6f} {(y1 - y0) / height:.6f}"
            for x0, y0, x1, y1 in boxes
        )
        write_bytes(folder / "voc" / f"{stem}.xml", objects_as_voc(stem, mask.shape, nuclei))
        write_bytes(folder / "yolo" / f"{stem}.txt", _lines(shares))
        write_bytes(folder / "labelme" / f"{stem}.json", labelme_bytes(stem, mask))
    write_bytes(folder / "yolo" / "classes.txt", _lines(CLASSES))


def objects_as_voc(stem: str, shape: tuple[int, ...], objects: Iterable[AnnotatedObject]) -> bytes:
    """A Pascal-VOC file with a box per object of a picture (height, width)."""
    height, width = shape
    root = Element("annotation")
    _add_texts(root, folder=PICTURES, filename=f"{stem}.png")
    _add_texts(SubElement(root, "source"), database=EXACT_SOURCE)
    _add_texts(SubElement(root, "size"), width=width, height=height, depth=1)
    _add_texts(root, segmented=0)
    for drawn in objects:
        item = SubElement(root, "object")
        _add_texts(item, name=drawn.label, pose="Unspecified", truncated=0, difficult=0)
        left, top, right, bottom = drawn.box
        _add_texts(SubElement(item, "bndbox"), xmin=left, ymin=top, xmax=right, ymax=bottom)
    indent(root)
    return bytes(tostring(root, encoding="utf-8"))


def _add_texts(parent: Element, **texts: object) -> None:
    for name, text in texts.items():
        SubElement(parent, name).text = str(text)


def labelme_bytes(stem: str, mask: Mask) -> bytes:
    """A LabelMe file with the outlines of the 8-connected areas of a mask (H, W)."""
    labels, number = number_areas(is_drawn(mask))
    shapes = [
        {
            "label": CLASSES[0],
            "points": points,
            "group_id": group,
            "description": "",
            "shape_type": "polygon",
            "flags": {},
        }
        for group in range(1, number + 1)
        for points in outlines(labels == group)
    ]
    content = {
        "version": "5.5.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": f"../../{PICTURES}/{stem}.png",
        "imageData": None,
        "imageHeight": mask.shape[0],
        "imageWidth": mask.shape[1],
    }
    return json.dumps(content, indent=1).encode()


def outlines(area: NDArray[np.bool_]) -> list[list[list[float]]]:
    """Polygons [[x, y], …] in pixel edges that together cover exactly the pixels of an area.

    A polygon cannot have a hole, so an area with one is cut in two through it.
    """
    from skimage.measure import approximate_polygon, find_contours

    polygons = []
    for piece in _without_holes(area):
        # Padded, so that an outline along the image's border is closed too; the outline passes
        # half a pixel outside the centres of the area, here at +0.5 in edge coordinates.
        (contour,) = find_contours(np.pad(piece, 1).astype(float), 0.5, fully_connected="high")
        corners = approximate_polygon(contour, 0)[:-1]
        polygons.append([[float(x) - 0.5, float(y) - 0.5] for y, x in corners])
    return polygons


def _without_holes(area: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
    from scipy import ndimage

    labels, number = number_areas(area)
    for label in range(1, number + 1):
        piece = labels == label
        # An area is connected over corners, so a hole is not: it is closed by corners too.
        holes = ndimage.binary_fill_holes(piece) & ~piece
        if not holes.any():
            yield piece
            continue
        cut = int(np.flatnonzero(holes.any(axis=0))[0])
        for left_of_cut in (True, False):
            part = piece.copy()
            part[:, cut:] &= not left_of_cut
            part[:, :cut] &= left_of_cut
            yield from _without_holes(part)


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
