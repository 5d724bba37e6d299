"""An order for half-orbits, from what a user gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from odm.catalog.selection import Wish
from odm.findings.regions import RegionSettings, read_thresholds
from odm.images.geometry import OrbitImageSettings
from odm.reprocess.driver import Order
from odm.reprocess.model import ModelSettings, Workers, find_model
from odm.reprocess.orders import make_order
from odm.reprocess.stages.orbit import OrbitStages


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
    folder, card = find_model(model, "segmenter", **how)
    _, temperature = read_thresholds(card.thresholds)
    stages = OrbitStages(
        image=OrbitImageSettings.from_dict(dict(card.image)),
        regions=_regions(card.thresholds, regions or {}),
        model=card.digest,
    )
    return make_order(
        archive,
        campaign,
        stages=stages,
        model=ModelSettings(folder, card.digest, temperature=temperature or 1.0, **how),
        card=card,
        settings={"regions": stages.regions.to_dict()},
        wish=wish,
        workers=workers,
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
