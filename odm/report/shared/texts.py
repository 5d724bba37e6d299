"""Captions, CSV and JSON as every report writes them."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from odm.catalog.campaign import Campaign
from odm.core.statement import SIMULATED_DATA

STATEMENT = f"Models of this package are {SIMULATED_DATA}."


def caption(
    campaign: Campaign, inputs: str, against: Campaign | None = None, remark: str = ""
) -> str:
    """Return the line under every figure and on the page: campaign, model and statement.

    Args:
        campaign: the campaign whose findings are shown.
        inputs: number and kind of the inputs that were searched, such as ``24 half-orbits``.
        against: campaign B, with which the campaign, A, is compared.
        remark: a sentence that the user adds.
    """
    beside = ""
    if against is not None:
        beside = f" (A); B is {against.folder.resolve().name}, {_model(against)}"
    remark = f"{remark.strip()} " if remark.strip() else ""
    return (
        f"Campaign {campaign.folder.resolve().name} over {inputs} of {campaign.card.archive}, "
        f"{_model(campaign)}{beside}. {remark}{STATEMENT}"
    )


def to_csv(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return lines of CSV; an unknown value is empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return buffer.getvalue()


def interval_ends(row: Mapping[str, Any], name: str = "interval") -> tuple[Any, Any]:
    """Return the ends of an interval in a row of statistics, None and None where it has none."""
    low, high = row.get(name) or (None, None)
    return low, high


def to_json(value: Any) -> str:
    """Return JSON that every reader takes: unknown numbers are null."""
    return json.dumps(_plain(value), indent=1, allow_nan=False) + "\n"


def _model(campaign: Campaign) -> str:
    model = campaign.card.model
    return f"model {model.get('architecture', '?')} {str(model.get('digest', '?'))[:12]}"


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if value != value else f"{value:.6g}"
    return "" if value is None else value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
