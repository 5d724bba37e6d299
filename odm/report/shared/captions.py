"""What stands under every figure and on the page: of which campaign, by which model, and limits."""

from __future__ import annotations

from odm.catalog.campaign import Campaign
from odm.core.statement import SIMULATED_DATA

STATEMENT = f"Models of this package are {SIMULATED_DATA}."


def caption(
    campaign: Campaign, inputs: str, against: Campaign | None = None, remark: str = ""
) -> str:
    """One line on a campaign, and the statement.

    Args:
        campaign: whose findings are shown.
        inputs: how many of which inputs, in words.
        against: B, with which the campaign, A, is compared.
        remark: a sentence of the user's.
    """
    beside = ""
    if against is not None:
        beside = f" (A); B is {against.folder.resolve().name}, {_model(against)}"
    said = f"{remark.strip()} " if remark.strip() else ""
    return (
        f"Campaign {campaign.folder.resolve().name} over {inputs} of {campaign.card.archive}, "
        f"{_model(campaign)}{beside}. {said}{STATEMENT}"
    )


def _model(campaign: Campaign) -> str:
    model = campaign.card.model
    return f"model {model.get('architecture', '?')} {str(model.get('digest', '?'))[:12]}"
