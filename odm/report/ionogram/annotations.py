"""Ionograms that a person judged, as LabelImg's Pascal VOC for the next training of a detector.

One file per ionogram, boxes in pixels of the ionogram itself: a column per frequency, a row per
range, the longest range on top; as `odm dataset ionograms --drawn-on ionogram` reads them. A file
without an object says that the ionogram has no layer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from odm.archive.ionogram.key import IonogramKey
from odm.archive.ionogram.reader import open_ionogram
from odm.catalog.ionogram.statistics import layer_names
from odm.core.files import as_local, write_bytes
from odm.datasets.labels.drawing import AnnotatedObject
from odm.datasets.labels.export import objects_as_voc
from odm.datasets.labels.folder import new_folder
from odm.images.ionogram import cell_borders
from odm.report.review.marks import AnnotationWriter, JudgedInput, ReviewReport

MANIFEST = "review.json"
_KIND = "odm review of ionograms"


class BoxWriter(AnnotationWriter[bytes]):
    """Writes a folder of labels: boxes of what is right, and drawn boxes of known layers."""

    def name(self, judged: JudgedInput) -> str:
        """Return the name of the ionogram's XML file."""
        return f"{IonogramKey.parse(judged.source).stem}.xml"

    def annotate(self, judged: JudgedInput, path: str, report: ReviewReport) -> bytes:
        """Return boxes as XML, in pixels of the ionogram."""
        opened = open_ionogram(path)
        frequency, ranges = (opened[n].values.astype(float) for n in ("frequency", "group_range"))
        layers = layer_names(*self.campaigns)
        boxes = [
            (row["layer"], (row["frequency_min"], row["frequency_max"]),
             (row["range_min"], row["range_max"]))
            for row in judged.right
        ]  # fmt: skip
        boxes += [(box.layer, box.x, box.y) for box in judged.drawn]
        objects = []
        for layer, across, up in boxes:
            left, right = _pixels(frequency, *across)
            low, high = _pixels(ranges, *up)
            if layer not in layers or left == right or low == high:
                known = layer in layers
                why = "lies outside of it" if known else f"is no {' or '.join(layers)}"
                report.problems.append(f"{judged.source}: a box that {why} is left out")
                continue
            box = (left, ranges.size - high, right, ranges.size - low)
            objects.append(AnnotatedObject(layer, box))
        report.objects += len(objects)
        stem = self.name(judged).removesuffix(".xml")
        return objects_as_voc(stem, (ranges.size, frequency.size), objects)

    def write(self, annotations: Mapping[str, bytes], out: str, overwrite: bool) -> str:
        """Write the folder, and return the digest of its files."""
        digest = hashlib.sha256()
        for name, data in sorted(annotations.items()):
            digest.update(f"{name}\0{hashlib.sha256(data).hexdigest()}\n".encode())
        about = {"kind": _KIND, "version": 1, "classes": list(layer_names(*self.campaigns)),
                 "digest": digest.hexdigest(), "ionograms": sorted(annotations)}  # fmt: skip
        with new_folder(out, MANIFEST, _earlier_files(out), overwrite) as folder:
            for name, data in annotations.items():
                write_bytes(folder / name, data)
            write_bytes(folder / MANIFEST, json.dumps(about, indent=1).encode())
        return digest.hexdigest()


def _pixels(axis: NDArray[np.float64], low: float, high: float) -> tuple[int, int]:
    """Return the first and last border of the cells between two values, at least one cell.

    Both are 0 where all of it lies outside of the axis.
    """
    lower, upper = cell_borders(axis)
    if high <= lower[0] or low >= upper[-1]:
        return 0, 0
    borders = np.append(lower, upper[-1])
    first, last = np.rint(np.interp([low, high], borders, np.arange(axis.size + 1))).astype(int)
    first = min(int(first), axis.size - 1)
    return first, max(int(last), first + 1)


def _earlier_files(out: str) -> set[str]:
    """Return the files that an earlier import at a place wrote, so that they may be replaced."""
    path = Path(as_local(out)) / MANIFEST
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        return set(about["ionograms"]) if about["kind"] == _KIND else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()
