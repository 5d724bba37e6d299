"""An order for half-orbits, from what a user gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from odm.archive.cache import EXPORTS, user_cache
from odm.archive.errors import InputError
from odm.catalog.campaign import CampaignCard, absolute_archive, open_campaign
from odm.catalog.orbit_kind import ORBITS, list_orbit_inputs
from odm.catalog.selection import Wish
from odm.findings.regions import RegionSettings, read_thresholds
from odm.images.geometry import ImageSettings
from odm.reprocess.drive import Order
from odm.reprocess.model import Workers, model_settings_of
from odm.reprocess.stages import OrbitStages


def orbit_order(
    archive: str,
    campaign: str,
    *,
    model: str | None = None,
    regions: Mapping[str, Any] | None = None,
    wish: Wish | None = None,
    workers: Workers | None = None,
    max_quarantined: float = 0.05,
    take_over: bool = False,
    **how: Any,
) -> Order:
    """Make or go on with a campaign of half-orbits.

    Args:
        archive: folder or URI.
        campaign: local folder.
        model: folder of a segmenter; None for the one of the package.
        regions: what differs from the model's own thresholds, by the names of `RegionSettings`.
        wish, workers, max_quarantined, take_over: see `Order`.
        how: ``flip``, ``precision``, ``batch``, ``engine`` and ``device`` of `ModelSettings`.

    Raises:
        InputError: no model, an empty archive, a folder of another campaign, or a setting that
            cannot be meant.
    """
    if not 0 <= max_quarantined <= 1:
        raise InputError(f"max-quarantined {max_quarantined}: give a share from 0 to 1")
    settings, card = model_settings_of(model, **how)
    settings = replace(settings, exports=str(user_cache(EXPORTS)))
    stages = OrbitStages(
        image=ImageSettings.from_dict(dict(card.image)),
        regions=_regions(card.thresholds, regions or {}),
        model=card.digest,
    )
    where = absolute_archive(archive)
    listing = list_orbit_inputs(where)  # before a folder is made for nothing
    wanted = CampaignCard(
        kind=ORBITS.name,
        archive=where,
        model={"digest": card.digest, "architecture": str(card.architecture["name"])},
        settings={"regions": stages.regions.to_dict(), **settings.deciding()},
    )
    return Order(
        campaign=open_campaign(campaign, wanted),
        listing=listing,
        stages=stages,
        model=settings,
        workers=workers or Workers(),
        wish=wish or Wish(),
        max_quarantined=max_quarantined,
        take_over=take_over,
    )


def _regions(card: Mapping[str, Any], given: Mapping[str, Any]) -> RegionSettings:
    """The model's thresholds, with what is given instead."""
    regions, _ = read_thresholds(card)
    values = {name: value for name, value in given.items() if value is not None}
    if values.get("threshold", 1) < regions.low_threshold:
        values.setdefault("low_threshold", values["threshold"])  # it cannot stay above
    return replace(regions, **values)
