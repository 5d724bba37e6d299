"""Marks that a person made in the page, as annotations and as an estimate of precision and recall.

A half-orbit becomes an annotation when nothing in it is left open: each of its regions is marked
right or wrong, and it is said that nothing was missed, or what was missed is drawn. Its mask is
then the outlines of what is right and the boxes that were drawn.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.archive.errors import ArchiveError, InputError, OdmError
from odm.archive.files import join, read_bytes
from odm.archive.keys import OrbitKey
from odm.archive.orbits import Orbit, read_orbit
from odm.catalog.campaign import Campaign
from odm.findings.score_rows import outline_mask
from odm.images.annotations import MANIFEST, MASKS
from odm.images.drawing import AnnotatedObject, Drawing, component_boxes
from odm.images.label_folder import CLASSES, new_folder
from odm.images.label_import import DrawnImage, write_annotations
from odm.report.estimate import Stratum, estimate
from odm.report.provenance import fingerprint

KIND, SOURCE = "odm review", "review"
RIGHT, WRONG, UNSURE = "right", "wrong", "unsure"
NOTHING, SOMETHING = "nothing missed", "something missed"
OTHER = "b:"
"""Before the id of a region that only the other campaign has."""


@dataclass(frozen=True)
class Marks:
    """What `odm report`'s page exported.

    Attributes:
        fingerprint: of the outcomes that were looked at.
        against: whether another campaign was beside it.
        regions: region id → mark; `OTHER` before those of the other campaign.
        half_orbits: identity → mark.
        boxes: identity → boxes drawn: seconds since 1970 and Hz, low and high.
        queue: identity → stratum.
        strata: stratum → ``half_orbits`` and ``regions`` in the campaign.
    """

    fingerprint: str
    against: bool
    regions: Mapping[str, str]
    half_orbits: Mapping[str, str]
    boxes: Mapping[str, list[tuple[float, float, float, float]]]
    queue: Mapping[str, str]
    strata: Mapping[str, Mapping[str, int]]


@dataclass
class ReviewReport:
    """What an import did."""

    marked: dict[str, int] = field(default_factory=dict)
    annotated: int = 0
    objects: int = 0
    open: int = 0
    problems: list[str] = field(default_factory=list)
    estimate: dict[str, Any] = field(default_factory=dict)
    digest: str = ""


def read_marks(path: object) -> Marks:
    """Read an exported file.

    Raises:
        InputError: no such file, or not one of these.
    """
    try:
        content = json.loads(read_bytes(path).decode("utf-8"))
        if content["kind"] != KIND or content["version"] != 1:
            raise ValueError(f"is of kind {content['kind']!r}, version {content['version']!r}")
        orbits = content["half_orbits"]
        marks = Marks(
            fingerprint=str(content["fingerprint"]),
            against=bool(content["against"]),
            regions={str(one["region_id"]): str(one["mark"])
                     for one in content["regions"] if one.get("mark")},
            half_orbits={str(one["identity"]): str(one["mark"])
                         for one in orbits if one.get("mark")},
            boxes={str(one["identity"]): [_box(box) for box in one["boxes"]]
                   for one in orbits if one.get("boxes")},
            queue={str(one["identity"]): str(one["stratum"]) for one in content["queue"]},
            strata={str(name): {key: int(number) for key, number in one.items()}
                    for name, one in content["strata"].items()},
        )  # fmt: skip
    except ArchiveError as error:
        raise InputError(str(error)) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: is no export of marks ({error})") from None
    strange = ({*marks.regions.values()} - {RIGHT, WRONG, UNSURE}) | (
        {*marks.half_orbits.values()} - {NOTHING, SOMETHING}
    )
    if strange:
        raise InputError(f"{path}: is no export of marks (has the mark {min(strange)!r})")
    return marks


def import_review(
    campaign: Campaign,
    marks: Marks,
    out: str | None,
    *,
    against: Campaign | None = None,
    archive: str | None = None,
    overwrite: bool = False,
) -> ReviewReport:
    """Turn marks into annotations and an estimate.

    Args:
        campaign: that was reported on.
        marks: made on that report.
        out: folder for annotations, to make; None for the estimate alone.
        against: the campaign it was compared with, for the regions that only that one has.
        archive: where the half-orbits are now; None for where the campaign read them.
        overwrite: replace an earlier import.

    Raises:
        InputError: the marks are of other outcomes, or the folder is in the way.
        OdmError: marks are complete, but no half-orbit can be read.
    """
    outcomes = campaign.outcomes(["identity", "name", "source", "findings"])
    if fingerprint(outcomes) != marks.fingerprint:
        raise InputError(
            f"{campaign.folder}: these marks were made on other outcomes; give the campaign as it "
            "was when the report was written"
        )
    rows = {row["identity"]: row for row in outcomes.to_pylist()}
    others = _regions_of(against) if against else {}
    report = ReviewReport(marked=dict.fromkeys((RIGHT, WRONG, UNSURE), 0))
    for mark in marks.regions.values():
        report.marked[mark] += 1
    report.estimate = estimate(_strata(rows, marks, others))
    if out is not None:
        root = archive or campaign.card.archive
        _annotate(rows, marks, others, out, root, report, overwrite)
    return report


def _strata(
    rows: Mapping[str, Any], marks: Marks, others: Mapping[str, list[Any]]
) -> dict[str, Stratum]:
    """Counts per stratum; only half-orbits of the queue stand for others."""
    strata = {
        name: Stratum(one.get("half_orbits", 0), one.get("regions", 0))
        for name, one in marks.strata.items()
    }
    for identity, name in marks.queue.items():
        if name not in strata or identity not in rows:
            raise InputError(f"the marks name {identity} in the stratum {name}, which is unknown")
        one = strata[name]
        found = [marks.regions.get(row["region_id"]) for row in rows[identity]["findings"]]
        one.right += found.count(RIGHT)
        one.wrong += found.count(WRONG)
        mark = marks.half_orbits.get(identity)
        if mark is None:
            continue
        one.complete += 1
        missed = len(marks.boxes.get(identity, [])) + sum(
            marks.regions.get(OTHER + row["region_id"]) == RIGHT
            for row in others.get(identity, [])
        )  # fmt: skip
        if mark == SOMETHING or missed:
            one.missed.append(max(missed, 1))
    return strata


def _annotate(
    rows: Mapping[str, Any],
    marks: Marks,
    others: Mapping[str, list[Any]],
    out: str,
    archive: str,
    report: ReviewReport,
    overwrite: bool,
) -> None:
    drawn: dict[str, DrawnImage] = {}
    for identity in sorted(marks.half_orbits):
        row = rows.get(identity)
        wanted = None if row is None else _wanted(row, marks, others.get(identity, []))
        if row is None or wanted is None:
            report.open += 1
            continue
        try:
            orbit = read_orbit(join(archive, row["source"]), "z")
            key = OrbitKey.parse(row["name"])
        except OdmError as error:
            report.problems.append(str(error))
            continue
        drawing = _drawing(orbit, wanted, marks.boxes.get(identity, []))
        report.objects += len(drawing.objects)
        drawn[key.stem] = DrawnImage.of(key, drawing)
    report.annotated = len(drawn)
    if not drawn:
        why = f": {report.problems[0]}" if report.problems else ", since none is marked in full"
        raise OdmError(f"no half-orbit can be annotated{why}")
    with new_folder(out, MANIFEST, {MASKS}, overwrite) as folder:
        report.digest = write_annotations(folder, SOURCE, CLASSES, drawn, {})


def _wanted(row: Mapping[str, Any], marks: Marks, others: Sequence[Any]) -> list[Any] | None:
    """Outlines of what is right; None where something is left open."""
    found = [marks.regions.get(one["region_id"]) for one in row["findings"]]
    extra = [marks.regions.get(OTHER + one["region_id"]) for one in others]
    if any(mark not in (RIGHT, WRONG) for mark in found) or UNSURE in extra:
        return None
    right = [one["outline"] for one, mark in zip(row["findings"], found, strict=True)
             if mark == RIGHT]  # fmt: skip
    right += [one["outline"] for one, mark in zip(others, extra, strict=True) if mark == RIGHT]
    some = marks.half_orbits[row["identity"]] == SOMETHING
    is_drawn = row["identity"] in marks.boxes or RIGHT in extra
    return None if some and not is_drawn else right


def _drawing(
    orbit: Orbit, outlines: Sequence[Any], boxes: Sequence[tuple[float, float, float, float]]
) -> Drawing:
    """Outlines and boxes as a mask on the axes of the file."""
    mask = np.zeros((orbit.frequency.size, orbit.times.size), np.uint8)
    objects: list[AnnotatedObject] = []
    seconds = orbit.times.astype("datetime64[ns]").astype(np.int64) * 1e-9
    for one in [*(outline_mask(line, orbit.times, orbit.frequency) for line in outlines),
                *(_box_mask(box, seconds, orbit.frequency) for box in boxes)]:  # fmt: skip
        if one is None or not one.any():
            continue
        mask[one] = 1
        objects += [AnnotatedObject(CLASSES[0], box) for box in component_boxes(one.astype("u1"))]
    return Drawing(mask, tuple(objects))


def _box_mask(
    box: tuple[float, float, float, float], seconds: Any, frequency: NDArray[np.float64]
) -> NDArray[np.bool_]:
    columns = (seconds >= box[0]) & (seconds <= box[1])
    lines = (frequency >= box[2]) & (frequency <= box[3])
    return np.asarray(lines[::-1, None] & columns[None, :])


def _box(values: Any) -> tuple[float, float, float, float]:
    first, last, low, high = (float(value) for value in values)
    if not np.isfinite([first, last, low, high]).all():
        raise ValueError("a box that is no box")
    return first, last, low, high


def _regions_of(campaign: Campaign) -> dict[str, list[Any]]:
    table = campaign.outcomes(["identity", "findings"])
    return {row["identity"]: row["findings"] for row in table.to_pylist()}
