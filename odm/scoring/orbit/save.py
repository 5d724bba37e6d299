"""Write what an evaluation found back into the model's folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from odm.core.errors import InputError
from odm.findings.regions import TEMPERATURE
from odm.scoring.orbit.evaluate import CALIBRATION, Evaluation
from odm.scoring.orbit.methods import Method
from odm.scoring.orbit.sheet import ScoreSheet, plain

if TYPE_CHECKING:
    from odm.models.card import ModelCard

SCORES = "scores"
"""Where `ModelCard.metrics` holds the entries of `score_entry`."""


def save_evaluation(
    method: Method, evaluations: Evaluation | Sequence[Evaluation], names: Sequence[str] = ()
) -> ModelCard:
    """Save a model again with the temperature and thresholds it was scored with, and the scores.

    The digest covers the thresholds, so it changes where they do; the weights stay what they were.

    Args:
        method: of a model folder.
        evaluations: of this method, all with one calibration. Earlier scores stay where they are
            of another part or data set and were made with the same temperature and thresholds.
        names: of what was scored, one for each, where the digest of a data set says too little: it
            covers names and labels, not what the files hold.

    Returns:
        The new card.

    Raises:
        InputError: the method has no folder, or is not calibrated.
    """
    from odm.models.folder import LoadedModel, save_again

    done = [evaluations] if isinstance(evaluations, Evaluation) else list(evaluations)
    card = method.card
    if method.folder is None or card is None:
        raise InputError(f"{method.name} has no model folder to save to")
    calibration = done[0].calibration
    if any(one.calibration != calibration for one in done):
        raise InputError("these evaluations are of different calibrations: save one of them")
    if not calibration.fitted_on:
        raise InputError(f"{method.name} was not calibrated: there is nothing to save")
    entries = [score_entry(one) for one in done]
    for entry, name in zip(entries, names, strict=False):
        entry["name"] = name
    new = {(entry["data"], entry["part"]) for entry in entries}
    thresholds = {**calibration.regions.to_dict(), TEMPERATURE: calibration.temperature}
    same = thresholds == dict(card.thresholds)
    kept = [
        entry
        for entry in card.metrics.get(SCORES, [])
        if same and (entry["data"], entry["part"]) not in new
    ]
    metrics: dict[str, Any] = {**card.metrics, SCORES: [*kept, *entries]}
    if calibration.facts:
        metrics[CALIBRATION] = plain(calibration.facts)
    loaded = LoadedModel(method.segmenter, card)
    return save_again(method.folder, loaded, thresholds=thresholds, metrics=metrics)


def score_entry(one: Evaluation) -> dict[str, Any]:
    """The scores that a model's card shows: plain values, with their data and seed."""
    sheet = one.sheet
    return plain(
        {
            "data": one.data,
            "part": one.part,
            "seed": one.seed,
            **{name: sheet.counts[name] for name in ("half_orbits", "nuclei")},
            "regions": {f"{row['overlap']:g}": _region(row) for row in _contours(sheet)},
            "pixels": next(
                (row["metrics"] for row in sheet.pixels if row["truth"] == "contour"), {}
            ),
            "false_per_100_clear": sheet.campaign["false_per_100_clear"],
            "ece": sheet.calibration["scaled"]["ece"],
            "statement": sheet.caveat,
        }
    )


def _contours(sheet: ScoreSheet) -> list[dict[str, Any]]:
    return [row for row in sheet.regions if row["truth"] == "contour"]


def _region(row: dict[str, Any]) -> dict[str, Any]:
    names = ("precision", "recall", "f1", "average_precision")
    intervals = {f"{name}_interval": row["intervals"][name] for name in names}
    return {**{name: row[name] for name in names}, **intervals}
