"""Half-orbits that a person judged, as masks for the next training of a segmenter."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from odm.archive.orbit.key import OrbitKey
from odm.archive.orbit.reader import read_orbit
from odm.datasets.labels.drawing import AnnotatedObject, Drawing, component_boxes
from odm.datasets.labels.folder import CLASSES, new_folder
from odm.datasets.labels.importing import DrawnImage, write_annotations
from odm.datasets.labels.regions import MANIFEST, MASKS
from odm.findings.outlines import outline_mask
from odm.report.orbit.pictures import row_seconds
from odm.report.review.marks import AnnotationWriter, DrawnBox, JudgedInput, ReviewReport

SOURCE = "review"


class MaskWriter(AnnotationWriter[DrawnImage]):
    """Writes a folder as `odm label import` does: outlines of what is right, and drawn boxes."""

    def name(self, judged: JudgedInput) -> str:
        """Return the stem of the half-orbit's key."""
        return OrbitKey.parse(judged.name).stem

    def annotate(self, judged: JudgedInput, path: str, report: ReviewReport) -> DrawnImage:
        """Return outlines and boxes as a mask on the axes of the file."""
        orbit = read_orbit(path, "z")
        mask = np.zeros((orbit.frequency.size, orbit.times.size), np.uint8)
        objects: list[AnnotatedObject] = []
        outlines = [
            outline_mask(region["outline"], orbit.times, orbit.frequency) for region in judged.right
        ]
        seconds = row_seconds(orbit)
        boxes = [_box_mask(box, seconds, orbit.frequency) for box in judged.drawn]
        for area in [*outlines, *boxes]:
            if area is None or not area.any():
                report.problems.append(
                    f"{judged.source}: a region that lies outside of it is left out"
                )
                continue
            mask[area] = 1
            boxes_of_area = component_boxes(area.astype("u1"))
            objects += [AnnotatedObject(CLASSES[0], box) for box in boxes_of_area]
        report.objects += len(objects)
        return DrawnImage.of(OrbitKey.parse(judged.name), Drawing(mask, tuple(objects)))

    def write(self, annotations: Mapping[str, DrawnImage], out: str, overwrite: bool) -> str:
        """Write the folder, and return the digest of the annotations."""
        with new_folder(out, MANIFEST, {MASKS}, overwrite) as folder:
            return write_annotations(folder, SOURCE, CLASSES, dict(annotations), {})


def _box_mask(
    box: DrawnBox, seconds: NDArray[np.float64], frequency: NDArray[np.float64]
) -> NDArray[np.bool_]:
    columns = (seconds >= box.x[0]) & (seconds <= box.x[1])
    lines = (frequency >= box.y[0]) & (frequency <= box.y[1])
    return np.asarray(lines[::-1, None] & columns[None, :])
