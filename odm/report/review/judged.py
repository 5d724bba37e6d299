"""Inputs that a person judged in full, and how a kind of inputs makes annotations of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from odm.catalog.campaign import Campaign
from odm.core.errors import InputError, OdmError
from odm.core.files import join
from odm.core.kinds import KINDS
from odm.report.review.marks import DrawnBox

Annotation = TypeVar("Annotation")


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
        estimate: see `odm.report.review.estimate.estimate`.
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
