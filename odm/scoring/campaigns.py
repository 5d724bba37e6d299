"""Score a campaign against what is true: what campaigns of all kinds of input have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from odm.catalog.campaign import Campaign
from odm.catalog.outcomes import QUARANTINED
from odm.core.errors import InputError
from odm.core.files import exists
from odm.core.kinds import KINDS
from odm.scoring.evaluation import Evaluation, Meter

TRUTH = "truth.parquet"
RESAMPLES = 1000


def score_campaign(
    campaign: Campaign, truth: str, resamples: int = RESAMPLES, meter: Meter | None = None
) -> Evaluation:
    """Score what a campaign found, at the thresholds it was run with.

    Inputs in quarantine, those that are pending, and those whose file has been superseded since,
    are not scored; the sheet says how many.

    Args:
        campaign: the campaign.
        truth: the `TRUTH` of a simulated archive, or a folder of labels.
        resamples: number of resamples for intervals of half-orbits; 0 for none.
        meter: shows progress.

    Raises:
        InputError: no truth there, or nothing that can be scored.
        ArchiveError: an input is bad.
    """
    score = KINDS.find(campaign.card.kind).load("score")
    evaluation: Evaluation = score(campaign, truth, resamples, meter)
    return evaluation


def truth_folder(truth: str) -> str:
    """Return the folder that a table of truth lies in, with the masks and tables beside it.

    Raises:
        InputError: there is no such table.
    """
    if not truth.endswith(".parquet"):
        return truth
    folder, slash, name = truth.rpartition("/")
    if name != TRUTH or not exists(truth):
        there = "" if exists(truth) else "is not there; "
        raise InputError(
            f"{truth}: {there}give the {TRUTH} of a simulated archive, or a folder of labels"
        )
    return folder if slash else "."


def about_campaign(campaign: Campaign, truth: str) -> dict[str, Any]:
    """Return what a sheet says of a campaign."""
    card = campaign.card
    return {
        "campaign": str(campaign.folder),
        "archive": card.archive,
        "truth": truth,
        "model": card.model["architecture"],
        "digest": card.model["digest"],
        "settings": dict(card.settings),
    }


def finished_inputs(
    campaign: Campaign, column: str, files: Mapping[str, str]
) -> tuple[list[Mapping[str, Any]], dict[str, int]]:
    """Return the outcomes that can be scored, and how many inputs cannot be, in words.

    Args:
        campaign: the campaign.
        column: of the outcomes, that tells one file of an input from another.
        files: that of each identity in the archive now.

    Raises:
        InputError: nothing is done of what the archive holds now.
    """
    inputs = KINDS.find(campaign.card.kind).inputs
    rows = campaign.outcomes([column, "findings"]).to_pylist()
    good = [row for row in rows if row["status"] != QUARANTINED]
    current = [row for row in good if row[column] == files.get(row["identity"])]
    if not current:
        raise InputError(f"{campaign.folder}: nothing is done yet of what the archive holds now")
    known = [row for row in good if row["identity"] in files]
    pending = files.keys() - {row["identity"] for row in rows}
    return current, {
        f"{inputs} in quarantine, not scored": len(rows) - len(good),
        f"{inputs} pending, not scored": len(pending),
        f"{inputs} whose file was superseded, not scored": len(known) - len(current),
    }
