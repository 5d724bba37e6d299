"""What stands under every figure and on the page: of which campaign, by which model, and limits."""

from __future__ import annotations

from odm.catalog.campaign import Campaign
from odm.statement import SIMULATED_DATA

STATEMENT = f"Models of this package are {SIMULATED_DATA}."


def caption(campaign: Campaign, inputs: str) -> str:
    """One line on a campaign, and the statement.

    Args:
        campaign: whose findings are shown.
        inputs: how many of which inputs, in words.
    """
    card = campaign.card
    return (
        f"Campaign {campaign.folder.resolve().name} over {inputs} of {card.archive}, model "
        f"{card.model.get('architecture', '?')} {str(card.model.get('digest', '?'))[:12]}. "
        f"{STATEMENT}"
    )
