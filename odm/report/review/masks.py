"""Half-orbits that a person judged, as masks for the next training of a segmenter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from odm.archive.orbit.key import OrbitKey
from odm.archive.orbit.reader import Orbit, read_orbit
from odm.core.errors import OdmError
from odm.core.files import join
from odm.datasets.labels.drawing import AnnotatedObject, Drawing, component_boxes
from odm.datasets.labels.folder import CLASSES, new_folder
from odm.datasets.labels.importing import DrawnImage, write_annotations
from odm.datasets.labels.regions import MANIFEST, MASKS
from odm.findings.outlines import outline_mask
from odm.report.review.importing import Judged, ReviewReport
from odm.report.review.marks import DrawnBox

SOURCE = "review"


def write_masks(
    judged: Sequence[Judged], archive: str, out: str, report: ReviewReport, overwrite: bool
) -> None:
    """Write a folder as `odm label import` does: outlines of what is right, and drawn boxes.

    Raises:
        InputError: the folder is in the way.
        OdmError: no half-orbit can be read.
    """
    drawn: dict[str, DrawnImage] = {}
    for one in judged:
        try:
            orbit = read_orbit(join(archive, one.source), "z")
            key = OrbitKey.parse(one.name)
        except OdmError as error:
            report.problems.append(str(error))
            continue
        drawing = _drawing(orbit, one, report)
        report.objects += len(drawing.objects)
        drawn[key.stem] = DrawnImage.of(key, drawing)
    report.annotated = len(drawn)
    if not drawn:
        raise OdmError(f"no half-orbit can be annotated: {report.problems[0]}")
    with new_folder(out, MANIFEST, {MASKS}, overwrite) as folder:
        report.digest = write_annotations(folder, SOURCE, CLASSES, drawn, {})


def _drawing(orbit: Orbit, one: Judged, report: ReviewReport) -> Drawing:
    """Outlines and boxes as a mask on the axes of the file."""
    mask = np.zeros((orbit.frequency.size, orbit.times.size), np.uint8)
    objects: list[AnnotatedObject] = []
    since_1970 = orbit.times.astype("datetime64[ns]").astype(np.int64)
    seconds: NDArray[np.float64] = (since_1970 * 1e-9).astype(np.float64)
    outlines = [outline_mask(row["outline"], orbit.times, orbit.frequency) for row in one.right]
    boxes = [_box_mask(box, seconds, orbit.frequency) for box in one.drawn]
    for area in [*outlines, *boxes]:
        if area is None or not area.any():
            report.problems.append(f"{one.source}: a region that lies outside of it is left out")
            continue
        mask[area] = 1
        objects += [AnnotatedObject(CLASSES[0], box) for box in component_boxes(area.astype("u1"))]
    return Drawing(mask, tuple(objects))


def _box_mask(
    box: DrawnBox, seconds: NDArray[np.float64], frequency: NDArray[np.float64]
) -> NDArray[np.bool_]:
    columns = (seconds >= box.x[0]) & (seconds <= box.x[1])
    lines = (frequency >= box.y[0]) & (frequency <= box.y[1])
    return np.asarray(lines[::-1, None] & columns[None, :])
