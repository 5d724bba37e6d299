"""An order of any kind: a campaign made or opened, with what is to be done in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from odm.catalog.campaign import CampaignCard, absolute_archive, open_campaign
from odm.catalog.kinds import list_inputs
from odm.catalog.selection import Wish
from odm.core.cache import EXPORTS, user_cache
from odm.core.errors import InputError
from odm.models.card import ModelCard
from odm.reprocess.driver import Order
from odm.reprocess.model import ModelSettings, Workers
from odm.reprocess.stages.orbit import Stages


def make_order(
    archive: str,
    campaign: str,
    *,
    stages: Stages,
    model: ModelSettings,
    card: ModelCard,
    settings: Mapping[str, Any],
    wish: Wish | None = None,
    workers: Workers | None = None,
    max_quarantined: float = 0.05,
    take_over: bool = False,
) -> Order:
    """Make or go on with a campaign.

    Args:
        archive: folder or URI.
        campaign: local folder.
        stages, model: for the runner.
        card: of the model.
        settings: what decides an outcome, besides `ModelSettings.deciding`.
        wish, workers, max_quarantined, take_over: see `Order`.

    Raises:
        InputError: an empty archive, a folder of another campaign, or a share that cannot be.
    """
    if not 0 <= max_quarantined <= 1:
        raise InputError(f"max-quarantined {max_quarantined}: give a share from 0 to 1")
    model = replace(model, exports=str(user_cache(EXPORTS)))
    where = absolute_archive(archive)
    listing = list_inputs(stages.kind.name, where)  # before a folder is made for nothing
    wanted = CampaignCard(
        kind=stages.kind.name,
        archive=where,
        model={"digest": card.digest, "architecture": str(card.architecture["name"])},
        settings={**settings, **model.deciding()},
    )
    return Order(
        campaign=open_campaign(campaign, wanted),
        listing=listing,
        stages=stages,
        model=model,
        workers=workers or Workers(),
        wish=wish or Wish(),
        max_quarantined=max_quarantined,
        take_over=take_over,
    )
