"""Marks that a person made in the page, as annotations and as an estimate of precision and recall.

An input becomes an annotation when nothing in it is left open: each of its findings is marked right
or wrong, and it is said that nothing was missed, or what was missed is drawn. It then holds what is
right and what was drawn.

Precision and recall come from a stratified sample: what was reviewed counts as it is; for the rest
of each stratum the numbers are drawn from what its reviewed part allows (beta-binomial with
Jeffreys' prior, Brown, Cai & DasGupta 2001). So the intervals stay honest where nothing wrong or
nothing missed was seen, and shrink to a point when all of a campaign is reviewed. They hold for
this person's judgement, and for this archive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.catalog.bootstrap import interval
from odm.catalog.campaign import Campaign
from odm.catalog.compare import match
from odm.catalog.findings import finding_ids
from odm.catalog.kinds import kind_of
from odm.catalog.outcomes import QUARANTINED
from odm.core.errors import InputError, OdmError
from odm.core.files import exists
from odm.core.kinds import KINDS
from odm.report.review.marks import (
    OTHER,
    RIGHT,
    SOMETHING,
    UNSURE,
    WRONG,
    AnnotationWriter,
    JudgedInput,
    Marks,
    ReviewReport,
)
from odm.report.shared.texts import fingerprint

_DRAWS = 20_000
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


@dataclass
class Stratum:
    """What a campaign holds of one stratum, and what a person said of the reviewed part.

    Attributes:
        inputs: inputs of the campaign.
        findings: findings of the campaign.
        right: findings that are marked right.
        wrong: findings that are marked wrong.
        complete: inputs of which it is said whether something was missed.
        missed: number of findings missed in each of those where something was.
    """

    inputs: int
    findings: int
    right: int = 0
    wrong: int = 0
    complete: int = 0
    missed: list[int] = field(default_factory=list)


def estimate(
    strata: Mapping[str, Stratum],
    words: tuple[str, str] = ("finding", "input"),
    seed: int = 0,
) -> dict[str, Any]:
    """Return precision and recall with 95 % intervals.

    Args:
        strata: the strata by name.
        words: what a finding and an input are called.
        seed: seed of the draws.

    Returns:
        ``precision`` and ``recall``: each a ``value`` and an ``interval``, or None and ``why``:
        a stratum of which nothing was reviewed says nothing, so neither does the whole.
    """
    rng = np.random.default_rng(seed)
    # The first value is the estimate, the others are draws.
    right, wrong, missed = np.zeros((3, 1 + _DRAWS))
    no_precision, no_recall = [], []
    for name, stratum in strata.items():
        judged = stratum.right + stratum.wrong
        left = max(stratum.findings - judged, 0)
        if left and not judged:
            no_precision.append(name)
        share = stratum.right / judged if judged else 0.0
        drawn = rng.binomial(left, rng.beta(stratum.right + 0.5, stratum.wrong + 0.5, _DRAWS))
        right += stratum.right + np.append(left * share, drawn)
        wrong += stratum.wrong + np.append(left * (1 - share), left - drawn)
        unseen, lacking = max(stratum.inputs - stratum.complete, 0), len(stratum.missed)
        if unseen and not stratum.complete:
            no_recall.append(name)
        each = float(np.mean(stratum.missed)) if stratum.missed else 1.0
        share = lacking / stratum.complete if stratum.complete else 0.0
        odds = rng.beta(lacking + 0.5, max(stratum.complete - lacking, 0) + 0.5, _DRAWS)
        drawn = rng.binomial(unseen, odds)
        missed += sum(stratum.missed) + np.append(unseen * share * each, each * drawn)
    no_recall = sorted({*no_recall, *no_precision})
    return {
        "precision": _share(right, wrong, words, no_precision),
        "recall": _share(right, missed, (words[1], words[1]), no_recall),
    }


def _share(
    hits: NDArray[np.float64],
    misses: NDArray[np.float64],
    words: tuple[str, str],
    lacking: list[str],
) -> dict[str, Any]:
    """Return the share of hits, with the interval that its draws span."""
    if lacking:
        why = f"no {words[0]} was reviewed among the {' and the '.join(lacking)} {words[1]}s"
        return {"value": None, "interval": None, "why": why}
    if hits[0] + misses[0] == 0:
        return {"value": None, "interval": None, "why": "nothing was found, and nothing missed"}
    with np.errstate(invalid="ignore"):
        shares = hits / (hits + misses)
    value, ends = float(shares[0]), interval(shares[1:])
    if ends is not None:  # where the share is 0 or 1, so is one end
        ends = min(ends[0], value), max(ends[1], value)
    return {"value": value, "interval": ends, "why": ""}
