"""Marks that a person made in the page, as annotations and as an estimate of precision and recall.

An input becomes an annotation when nothing in it is left open: each of its findings is marked right
or wrong, and it is said that nothing was missed, or what was missed is drawn. It then holds what is
right and what was drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from odm.catalog.campaign import Campaign
from odm.catalog.compare import match
from odm.catalog.findings import finding_ids
from odm.catalog.kinds import kind_of
from odm.catalog.outcomes import QUARANTINED
from odm.core.errors import InputError, OdmError
from odm.core.files import exists
from odm.report.review.estimate import Stratum, estimate
from odm.report.review.marks import OTHER, RIGHT, SOMETHING, UNSURE, WRONG, DrawnBox, Marks
from odm.report.shared.pages import SINGULAR
from odm.report.shared.provenance import fingerprint

_COLUMNS = ("identity", "name", "source", "status", "findings")


@dataclass(frozen=True)
class Judged:
    """An input of which nothing is left open.

    Attributes:
        name, source: of the file.
        right: findings that are right.
        drawn: what a person added.
    """

    name: str
    source: str
    right: Sequence[Mapping[str, Any]]
    drawn: Sequence[DrawnBox]


@dataclass
class ReviewReport:
    """What an import did.

    Attributes:
        marked: mark → findings.
        annotated, objects: inputs, and what lies in them.
        open: inputs that were looked at but not judged in full.
        problems: why others are left out.
        estimate: see `odm.report.review.estimate.estimate`.
        digest: of the annotations, where their kind has one.
    """

    marked: dict[str, int] = field(default_factory=dict)
    annotated: int = 0
    objects: int = 0
    open: int = 0
    problems: list[str] = field(default_factory=list)
    estimate: dict[str, Any] = field(default_factory=dict)
    digest: str = ""


Writer = Callable[[Sequence[Judged], str, str, ReviewReport, bool], None]
"""Writes annotations: what is judged, the archive, the folder, what is noted, ``overwrite``."""


@dataclass(frozen=True)
class _Looked:
    """An input as its outcomes have it, each finding with the id of its mark."""

    row: Mapping[str, Any]
    own: Sequence[tuple[str, Mapping[str, Any]]]
    others: Sequence[tuple[str, Mapping[str, Any]]]


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
        against: the campaign that it was compared with.
        archive: where the files are now; None for where the campaign read them.
        overwrite: replace an earlier import.

    Raises:
        InputError: the marks are of other outcomes, or the folder is in the way.
        OdmError: marks are complete, but no file can be read.
    """
    looked = _looked(campaign, marks, against)
    kind = kind_of(campaign.card.kind)
    report = ReviewReport(marked=dict.fromkeys((RIGHT, WRONG, UNSURE), 0))
    for mark in marks.findings.values():
        report.marked[mark] += 1
    words = (kind.findings.removesuffix("s"), SINGULAR[kind.inputs])
    report.estimate = estimate(_strata(looked, marks), words)
    if out is not None:
        judged = _judged(looked, marks, report)
        if not judged:
            raise OdmError(f"no {words[1]} can be annotated, since none is marked in full")
        place = archive or campaign.card.archive
        if not exists(place):
            raise InputError(f"{place}: the archive is not there; give --archive where it is now")
        _writer(campaign, against)(judged, place, out, report, overwrite)
    return report


def _looked(campaign: Campaign, marks: Marks, against: Campaign | None) -> dict[str, _Looked]:
    """Identity → what the page showed of it; refused where that was another one."""
    if marks.kind != campaign.card.kind:
        raise InputError(
            f"these marks are of {marks.kind}, and {campaign.folder} is a campaign of "
            f"{campaign.card.kind}: give the one that was reported on"
        )
    outcomes = campaign.outcomes([*_COLUMNS, "digest"])
    if fingerprint(outcomes) != marks.fingerprint:
        raise InputError(
            f"{campaign.folder}: these marks were made on other outcomes; give the campaign as it "
            "was when the report was written"
        )
    others: dict[str, Mapping[str, Any]] = {}
    if against is not None or marks.against:
        if against is None:
            raise InputError("these marks compare two campaigns: give the other with --against")
        if not marks.against:
            raise InputError("these marks are of one campaign alone: leave --against out")
        beside = against.outcomes([*_COLUMNS, "digest"])
        if fingerprint(beside) != marks.against:
            raise InputError(
                f"{against.folder}: these marks were not made beside these outcomes; give the "
                "campaign that the report was written against, as it was then"
            )
        others = {row["identity"]: row for row in beside.to_pylist()}
    kind = kind_of(campaign.card.kind)
    looked = {}
    for row in outcomes.to_pylist():
        identity, findings = row["identity"], row["findings"]
        own = list(zip(finding_ids(identity, findings), findings, strict=True))
        other = others.get(identity)
        more: list[tuple[str, Mapping[str, Any]]] = []
        if other is not None and QUARANTINED not in (row["status"], other["status"]):
            shared = {pair[1] for pair in match(kind, findings, other["findings"])}
            names = finding_ids(identity, other["findings"])
            more = [
                (OTHER + name, one)
                for place, (name, one) in enumerate(zip(names, other["findings"], strict=True))
                if place not in shared
            ]
        looked[identity] = _Looked(row, own, more)
    return looked


def _strata(looked: Mapping[str, _Looked], marks: Marks) -> dict[str, Stratum]:
    """Counts per stratum; only inputs of the queue stand for others."""
    strata = {
        name: Stratum(one.get("inputs", 0), one.get("findings", 0))
        for name, one in marks.strata.items()
    }
    for identity, name in marks.queue.items():
        if name not in strata or identity not in looked:
            raise InputError(f"the marks name {identity} in the stratum {name}, which is unknown")
        one, seen = strata[name], looked[identity]
        found = [marks.findings.get(key) for key, _ in seen.own]
        one.right += found.count(RIGHT)
        one.wrong += found.count(WRONG)
        mark = marks.inputs.get(identity)
        if mark is None:
            continue
        one.complete += 1
        missed = len(marks.boxes.get(identity, [])) + sum(
            marks.findings.get(key) == RIGHT for key, _ in seen.others
        )
        if mark == SOMETHING or missed:
            one.missed.append(max(missed, 1))
    return strata


def _judged(looked: Mapping[str, _Looked], marks: Marks, report: ReviewReport) -> list[Judged]:
    """Inputs of which nothing is left open; the others are counted."""
    found = []
    for identity in sorted(marks.inputs):
        seen = looked.get(identity)
        one = None if seen is None else _judge(seen, marks)
        if one is None:
            report.open += 1
        else:
            found.append(one)
    return found


def _judge(seen: _Looked, marks: Marks) -> Judged | None:
    rows = [*seen.own, *seen.others]
    given = [marks.findings.get(key) for key, _ in rows]
    if any(mark not in (RIGHT, WRONG) for mark in given):
        return None
    identity = seen.row["identity"]
    drawn = marks.boxes.get(identity, [])
    more = RIGHT in given[len(seen.own) :]
    if marks.inputs[identity] == SOMETHING and not drawn and not more:
        return None  # what was missed is not said
    right = [row for (_, row), mark in zip(rows, given, strict=True) if mark == RIGHT]
    return Judged(seen.row["name"], seen.row["source"], right, drawn)


def _writer(campaign: Campaign, against: Campaign | None) -> Writer:
    from odm.catalog.ionogram.inputs import IONOGRAMS
    from odm.catalog.ionogram.statistics import layer_names
    from odm.report.review.boxes import write_layers
    from odm.report.review.masks import write_masks

    if campaign.card.kind == IONOGRAMS.name:
        return partial(write_layers, layers=layer_names(campaign, against))
    return write_masks
