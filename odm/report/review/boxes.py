"""Ionograms that a person judged, as LabelImg's Pascal VOC for the next training of a detector.

One file per ionogram, boxes in pixels of the ionogram itself: a column per frequency, a row per
range, the longest range on top; as `odm dataset ionograms --drawn-on ionogram` reads them. A file
without an object says that the ionogram has no layer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from odm.archive.ionogram.key import IonogramKey
from odm.archive.ionogram.reader import open_ionogram
from odm.core.errors import InputError, OdmError
from odm.core.files import as_local, join, write_bytes
from odm.datasets.labels.drawing import AnnotatedObject
from odm.datasets.labels.export import objects_as_voc
from odm.datasets.labels.folder import new_folder
from odm.datasets.labels.layers import LAYERS
from odm.images.ionogram import cell_borders
from odm.report.review.importing import Judged, ReviewReport

MANIFEST = "review.json"
_KIND = "odm review of ionograms"


def write_layers(
    judged: Sequence[Judged],
    archive: str,
    out: str,
    report: ReviewReport,
    overwrite: bool,
    *,
    layers: Sequence[str] = LAYERS,
) -> None:
    """Write a folder of labels: boxes of what is right, and drawn boxes of known ``layers``.

    Raises:
        InputError: the folder is in the way.
        OdmError: no ionogram can be read.
    """
    files: dict[str, bytes] = {}
    for one in judged:
        stem = IonogramKey.parse(one.source).stem
        try:
            if f"{stem}.xml" in files:
                raise InputError(f"{one.source}: another ionogram has the same name")
            opened = open_ionogram(join(archive, one.source))
        except OdmError as error:
            report.problems.append(str(error))
            continue
        frequency, ranges = (opened[n].values.astype(float) for n in ("frequency", "group_range"))
        objects = _objects(one, frequency, ranges, layers, report)
        report.objects += len(objects)
        files[f"{stem}.xml"] = objects_as_voc(stem, (ranges.size, frequency.size), objects)
    report.annotated = len(files)
    if not files:
        raise OdmError(f"no ionogram can be annotated: {report.problems[0]}")
    report.digest = _digest(files)
    about = {"kind": _KIND, "version": 1, "classes": list(layers), "digest": report.digest,
             "ionograms": sorted(files)}  # fmt: skip
    with new_folder(out, MANIFEST, _earlier(out), overwrite) as folder:
        for name, data in files.items():
            write_bytes(folder / name, data)
        write_bytes(folder / MANIFEST, json.dumps(about, indent=1).encode())


def _objects(
    one: Judged,
    frequency: NDArray[np.float64],
    ranges: NDArray[np.float64],
    layers: Sequence[str],
    report: ReviewReport,
) -> list[AnnotatedObject]:
    boxes = [
        (row["layer"], (row["frequency_min"], row["frequency_max"]),
         (row["range_min"], row["range_max"]))
        for row in one.right
    ]  # fmt: skip
    boxes += [(box.layer, box.x, box.y) for box in one.drawn]
    found = []
    for layer, across, up in boxes:
        left, right = _pixels(frequency, *across)
        low, high = _pixels(ranges, *up)
        if layer not in layers or left == right or low == high:
            what = f"is no {' or '.join(layers)}" if layer not in layers else "lies outside of it"
            report.problems.append(f"{one.source}: a box that {what} is left out")
            continue
        box = (left, ranges.size - high, right, ranges.size - low)
        found.append(AnnotatedObject(layer, box))
    return found


def _pixels(axis: NDArray[np.float64], low: float, high: float) -> tuple[int, int]:
    """First and last border of the cells that lie between two values, at least one cell."""
    lower, upper = cell_borders(axis)
    if high <= lower[0] or low >= upper[-1]:
        return 0, 0
    borders = np.append(lower, upper[-1])
    first, last = np.rint(np.interp([low, high], borders, np.arange(axis.size + 1))).astype(int)
    first = min(int(first), axis.size - 1)
    return first, max(int(last), first + 1)


def _digest(files: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{hashlib.sha256(files[name]).hexdigest()}\n".encode())
    return digest.hexdigest()


def _earlier(out: str) -> set[str]:
    """What an earlier import at a place wrote, so that it may be replaced."""
    path = Path(as_local(out)) / MANIFEST
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        return set(about["ionograms"]) if about["kind"] == _KIND else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()
