"""What a person marked in a report's page, and how a kind of inputs makes annotations of it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from odm.catalog.campaign import Campaign
from odm.core.errors import ArchiveError, InputError, OdmError
from odm.core.files import join, read_bytes
from odm.core.kinds import KINDS

KIND, VERSION = "odm review", 2
RIGHT, WRONG, UNSURE = "right", "wrong", "unsure"
NOTHING, SOMETHING = "nothing missed", "something missed"
Annotation = TypeVar("Annotation")
OTHER = "b:"
"""Prefix of the id of a finding that only the other campaign has."""


@dataclass(frozen=True, slots=True)
class DrawnBox:
    """A box that a person drew.

    Attributes:
        x: low and high: seconds since 1970 (half-orbits) or Hz (ionograms).
        y: low and high: Hz, or km.
        layer: name of the layer of an ionogram; empty on half-orbits.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    layer: str = ""


@dataclass(frozen=True)
class Marks:
    """What `odm report`'s page exported.

    Attributes:
        kind: kind of the campaign: ``orbits`` or ``ionograms``.
        fingerprint: fingerprint of the outcomes that were looked at.
        against: fingerprint of the outcomes of the campaign beside it; empty without one.
        findings: mark by id of a finding; `OTHER` stands before ids of the other campaign.
        inputs: mark by identity of an input.
        boxes: what was drawn, by identity.
        queue: stratum by identity.
        strata: numbers of ``inputs`` and ``findings`` of the campaign, by stratum.
    """

    kind: str
    fingerprint: str
    against: str
    findings: Mapping[str, str]
    inputs: Mapping[str, str]
    boxes: Mapping[str, list[DrawnBox]]
    queue: Mapping[str, str]
    strata: Mapping[str, Mapping[str, int]]


def read_marks(path: object) -> Marks:
    """Read a file that the page exported.

    Raises:
        InputError: no such file, or no export of marks.
    """
    try:
        content = json.loads(read_bytes(path).decode("utf-8"))
        if content["kind"] != KIND or content["version"] != VERSION:
            raise ValueError(f"is of kind {content['kind']!r}, version {content['version']!r}")
        inputs = content["inputs"]
        marks = Marks(
            kind=str(content["campaign"]),
            fingerprint=str(content["fingerprint"]),
            against=str(content["against"]),
            findings={str(entry["id"]): str(entry["mark"])
                      for entry in content["findings"] if entry.get("mark")},
            inputs={str(entry["identity"]): str(entry["mark"])
                    for entry in inputs if entry.get("mark")},
            boxes={str(entry["identity"]): [_box(box) for box in entry["boxes"]]
                   for entry in inputs if entry.get("boxes")},
            queue={str(entry["identity"]): str(entry["stratum"]) for entry in content["queue"]},
            strata={str(name): {key: int(number) for key, number in numbers.items()}
                    for name, numbers in content["strata"].items()},
        )  # fmt: skip
    except ArchiveError as error:
        raise InputError(str(error)) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: is no export of marks ({error})") from None
    strange = ({*marks.findings.values()} - {RIGHT, WRONG, UNSURE}) | (
        {*marks.inputs.values()} - {NOTHING, SOMETHING}
    )
    if strange:
        raise InputError(f"{path}: is no export of marks (has the mark {min(strange)!r})")
    return marks


def _box(values: Any) -> DrawnBox:
    first, last, low, high = (float(value) for value in values[:4])
    if not np.isfinite([first, last, low, high]).all() or first > last or low > high:
        raise ValueError("a box that is no box")
    return DrawnBox((first, last), (low, high), *map(str, values[4:5]))


@dataclass(frozen=True)
class JudgedInput:
    """An input of which nothing is left open.

    Attributes:
        name: name of the file.
        source: the file, relative to the archive.
        right: findings that are right.
        drawn: boxes that a person added.
    """

    name: str
    source: str
    right: Sequence[Mapping[str, Any]]
    drawn: Sequence[DrawnBox]


@dataclass
class ReviewReport:
    """What an import did.

    Attributes:
        marked: number of findings by mark.
        annotated: number of inputs that became annotations.
        objects: number of objects in these.
        open: inputs that were looked at but not judged in full.
        problems: sentences on what was left out.
        estimate: see `odm.report.review.importing.estimate`.
        digest: digest of the annotations.
    """

    marked: dict[str, int] = field(default_factory=dict)
    annotated: int = 0
    objects: int = 0
    open: int = 0
    problems: list[str] = field(default_factory=list)
    estimate: dict[str, Any] = field(default_factory=dict)
    digest: str = ""


class AnnotationWriter(ABC, Generic[Annotation]):
    """Makes annotations of judged inputs of one kind, which the registry names.

    Attributes:
        campaigns: the campaigns reviewed.
    """

    def __init__(self, *campaigns: Campaign) -> None:
        self.campaigns = campaigns

    @abstractmethod
    def name(self, judged: JudgedInput) -> str:
        """Return what the annotation of an input is called."""

    @abstractmethod
    def annotate(self, judged: JudgedInput, path: str, report: ReviewReport) -> Annotation:
        """Return the annotation of an input; count its objects, and note what is left out.

        Args:
            judged: the input.
            path: its file.
            report: what is counted and noted in.

        Raises:
            OdmError: the file cannot be read.
        """

    @abstractmethod
    def write(self, annotations: Mapping[str, Annotation], out: str, overwrite: bool) -> str:
        """Write annotations by name into a folder, and return their digest.

        Raises:
            InputError: the folder is in the way.
        """

    def write_all(
        self,
        inputs: Sequence[JudgedInput],
        archive: str,
        out: str,
        report: ReviewReport,
        overwrite: bool,
    ) -> None:
        """Annotate inputs and write a folder; inputs that cannot be read are left out, and noted.

        Args:
            inputs: inputs that are judged in full.
            archive: folder or URI of the archive.
            out: folder to make.
            report: what is counted and noted in.
            overwrite: replace an earlier import.

        Raises:
            InputError: the folder is in the way.
            OdmError: no input can be read.
        """
        word = KINDS.find(self.campaigns[0].card.kind).input
        annotations: dict[str, Annotation] = {}
        for judged in inputs:
            try:
                name = self.name(judged)
                if name in annotations:
                    raise InputError(f"{judged.source}: another {word} has the same name")
                annotations[name] = self.annotate(judged, join(archive, judged.source), report)
            except OdmError as error:
                report.problems.append(str(error))
        report.annotated = len(annotations)
        if not annotations:
            raise OdmError(f"no {word} can be annotated: {report.problems[0]}")
        report.digest = self.write(annotations, out, overwrite)
