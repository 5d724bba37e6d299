"""Marks that a person made in the page, as annotations and as an estimate of precision and recall.

An input becomes an annotation when nothing in it is left open: each of its findings is marked right
or wrong, and it is said that nothing was missed, or what was missed is drawn. It then holds what is
right and what was drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from odm.catalog.campaign import Campaign
from odm.catalog.compare import match
from odm.catalog.findings import finding_ids
from odm.catalog.kinds import kind_of
from odm.catalog.outcomes import QUARANTINED
from odm.core.errors import InputError, OdmError
from odm.core.files import exists
from odm.core.kinds import KINDS
from odm.report.review.estimate import Stratum, estimate
from odm.report.review.judged import AnnotationWriter, JudgedInput, ReviewReport
from odm.report.review.marks import OTHER, RIGHT, SOMETHING, UNSURE, WRONG, Marks
from odm.report.shared.provenance import fingerprint

_COLUMNS = ("identity", "name", "source", "status", "findings", "digest")
NamedFinding = tuple[str, Mapping[str, Any]]
"""The id under which a finding is marked, and its row."""


@dataclass(frozen=True)
class _ShownInput:
    """An input as the page showed it.

    Attributes:
        outcome: its outcome in the campaign.
        own: findings of the campaign.
        others: findings that only the campaign beside it has.
    """

    outcome: Mapping[str, Any]
    own: Sequence[NamedFinding]
    others: Sequence[NamedFinding]


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
        campaign: the campaign that was reported on.
        marks: marks made on that report.
        out: folder for annotations, to make; None for the estimate alone.
        against: the campaign that it was compared with.
        archive: where the files are now; None for where the campaign read them.
        overwrite: replace an earlier import.

    Raises:
        InputError: the marks are of other outcomes, or the folder is in the way.
        OdmError: marks are complete, but no file can be read.
    """
    inputs = _shown_inputs(campaign, marks, against)
    kind = KINDS.find(campaign.card.kind)
    report = ReviewReport(marked=dict.fromkeys((RIGHT, WRONG, UNSURE), 0))
    for mark in marks.findings.values():
        report.marked[mark] += 1
    words = (kind.findings.removesuffix("s"), kind.input)
    report.estimate = estimate(_strata(inputs, marks), words)
    if out is not None:
        judged = _judged_inputs(inputs, marks, report)
        if not judged:
            raise OdmError(f"no {kind.input} can be annotated, since none is marked in full")
        place = archive or campaign.card.archive
        if not exists(place):
            raise InputError(f"{place}: the archive is not there; give --archive where it is now")
        campaigns = (campaign,) if against is None else (campaign, against)
        writer: AnnotationWriter[Any] = kind.load("annotations")(*campaigns)
        writer.write_all(judged, place, out, report, overwrite)
    return report


def _shown_inputs(
    campaign: Campaign, marks: Marks, against: Campaign | None
) -> dict[str, _ShownInput]:
    """Return what the page showed, by identity.

    Raises:
        InputError: the page showed other outcomes.
    """
    if marks.kind != campaign.card.kind:
        raise InputError(
            f"these marks are of {marks.kind}, and {campaign.folder} is a campaign of "
            f"{campaign.card.kind}: give the one that was reported on"
        )
    outcomes = campaign.outcomes(_COLUMNS)
    if fingerprint(outcomes) != marks.fingerprint:
        raise InputError(
            f"{campaign.folder}: these marks were made on other outcomes; give the campaign as it "
            "was when the report was written"
        )
    beside = _outcomes_beside(marks, against)
    kind = kind_of(campaign.card.kind)
    inputs = {}
    for outcome in outcomes.to_pylist():
        identity, findings = outcome["identity"], outcome["findings"]
        own = list(zip(finding_ids(identity, findings), findings, strict=True))
        outcome_b = beside.get(identity)
        others: list[NamedFinding] = []
        if outcome_b is not None and QUARANTINED not in (outcome["status"], outcome_b["status"]):
            findings_b = outcome_b["findings"]
            shared = {place for _, place in match(kind, findings, findings_b)}
            named = zip(finding_ids(identity, findings_b), findings_b, strict=True)
            others = [
                (OTHER + name, finding)
                for place, (name, finding) in enumerate(named)
                if place not in shared
            ]
        inputs[identity] = _ShownInput(outcome, own, others)
    return inputs


def _outcomes_beside(marks: Marks, against: Campaign | None) -> dict[str, Mapping[str, Any]]:
    """Return the outcomes of the campaign that was compared with, by identity; none without one.

    Raises:
        InputError: the page showed another one, or none.
    """
    if against is None:
        if marks.against:
            raise InputError("these marks compare two campaigns: give the other with --against")
        return {}
    if not marks.against:
        raise InputError("these marks are of one campaign alone: leave --against out")
    outcomes = against.outcomes(_COLUMNS)
    if fingerprint(outcomes) != marks.against:
        raise InputError(
            f"{against.folder}: these marks were not made beside these outcomes; give the "
            "campaign that the report was written against, as it was then"
        )
    return {outcome["identity"]: outcome for outcome in outcomes.to_pylist()}


def _strata(inputs: Mapping[str, _ShownInput], marks: Marks) -> dict[str, Stratum]:
    """Return counts per stratum; only inputs of the queue stand for others."""
    strata = {
        name: Stratum(numbers.get("inputs", 0), numbers.get("findings", 0))
        for name, numbers in marks.strata.items()
    }
    for identity, name in marks.queue.items():
        if name not in strata or identity not in inputs:
            raise InputError(f"the marks name {identity} in the stratum {name}, which is unknown")
        stratum, shown = strata[name], inputs[identity]
        given = [marks.findings.get(key) for key, _ in shown.own]
        stratum.right += given.count(RIGHT)
        stratum.wrong += given.count(WRONG)
        mark = marks.inputs.get(identity)
        if mark is None:
            continue
        stratum.complete += 1
        missed = len(marks.boxes.get(identity, [])) + sum(
            marks.findings.get(key) == RIGHT for key, _ in shown.others
        )
        if mark == SOMETHING or missed:
            stratum.missed.append(max(missed, 1))
    return strata


def _judged_inputs(
    inputs: Mapping[str, _ShownInput], marks: Marks, report: ReviewReport
) -> list[JudgedInput]:
    """Return inputs of which nothing is left open, and count the others."""
    judged = [
        _judge(inputs[identity], marks) if identity in inputs else None
        for identity in sorted(marks.inputs)
    ]
    report.open = judged.count(None)
    return [judged_input for judged_input in judged if judged_input is not None]


def _judge(shown: _ShownInput, marks: Marks) -> JudgedInput | None:
    rows = [*shown.own, *shown.others]
    given = [marks.findings.get(key) for key, _ in rows]
    if any(mark not in (RIGHT, WRONG) for mark in given):
        return None
    identity = shown.outcome["identity"]
    drawn = marks.boxes.get(identity, [])
    missed_and_found = RIGHT in given[len(shown.own) :]
    if marks.inputs[identity] == SOMETHING and not drawn and not missed_and_found:
        return None  # what was missed is not said
    right = [row for (_, row), mark in zip(rows, given, strict=True) if mark == RIGHT]
    return JudgedInput(shown.outcome["name"], shown.outcome["source"], right, drawn)
