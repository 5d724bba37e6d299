"""A request made ready: the campaign made or opened, the model found, the archive listed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from odm.catalog.campaign import (
    CARD,
    Campaign,
    CampaignCard,
    absolute_archive,
    load_campaign,
    open_campaign,
)
from odm.catalog.kinds import list_inputs
from odm.catalog.selection import Listing
from odm.core.cache import EXPORTS, user_cache
from odm.core.files import as_local, exists, join
from odm.core.kinds import KINDS
from odm.reprocess.inference import Inference
from odm.reprocess.request import ModelOptions, ReprocessRequest
from odm.reprocess.stages import Stages

AnyStages = TypeVar("AnyStages", bound=Stages, covariant=True)


@dataclass(frozen=True)
class Preparation(Generic[AnyStages]):
    """What a model and options mean for one kind of input.

    Attributes:
        stages: how inputs are read and finished.
        inference: how the model is run.
        architecture: name of the model's architecture.
        settings: what decides an outcome, besides `Inference.deciding`.
    """

    stages: AnyStages
    inference: Inference
    architecture: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Order:
    """A request, ready to be run.

    Attributes:
        request: what was asked for.
        campaign: the open campaign.
        listing: what its archive holds.
        stages, inference: what a runner runs.
    """

    request: ReprocessRequest
    campaign: Campaign
    listing: Listing
    stages: Stages
    inference: Inference


def open_order(request: ReprocessRequest) -> Order:
    """Make the campaign of a request, or go on with the one that is there.

    Where no model is named, one that is there goes on with its own, if that comes with the package:
    another version may have become the default since.

    Raises:
        InputError: no model, an empty archive, a folder of another campaign, or an option that
            cannot be meant.
    """
    prepare = KINDS.find(request.kind).load("prepare")
    prepared: Preparation[Stages] = prepare(_model_of(request), request.findings)
    inference = replace(prepared.inference, exports=str(user_cache(EXPORTS)))
    archive = absolute_archive(request.archive)
    listing = list_inputs(request.kind, archive)  # before a folder is made for nothing
    card = CampaignCard(
        kind=request.kind,
        archive=archive,
        model={"digest": inference.digest, "architecture": prepared.architecture},
        settings={**prepared.settings, **inference.deciding()},
    )
    campaign = open_campaign(request.campaign, card)
    return Order(request, campaign, listing, prepared.stages, inference)


def _model_of(request: ReprocessRequest) -> ModelOptions:
    """Return which model is meant."""
    from odm.models.shipped import shipped_with

    model = request.model
    if model.folder is not None or not exists(join(as_local(request.campaign), CARD)):
        return model
    campaign = load_campaign(request.campaign)
    folder = shipped_with(campaign.card.model.get("digest", ""))
    return model if folder is None else model.model_copy(update={"folder": folder})
