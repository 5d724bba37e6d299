"""An order for ionograms, from what a user gives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from odm.catalog.selection import Wish
from odm.images.ionogram import IonogramImageSettings
from odm.reprocess.drive import Order
from odm.reprocess.ionogram_stages import IonogramStages
from odm.reprocess.model import ModelSettings, Workers, find_model
from odm.reprocess.orders import make_order


def ionogram_order(
    archive: str,
    campaign: str,
    *,
    model: str | None = None,
    threshold: float | None = None,
    wish: Wish | None = None,
    workers: Workers | None = None,
    max_quarantined: float = 0.05,
    take_over: bool = False,
    **how: Any,
) -> Order:
    """Make or go on with a campaign of ionograms.

    Args:
        archive: folder or URI.
        campaign: local folder.
        model: folder of a detector; None for the one of the package.
        threshold: least confidence of a layer; None for the model's own.
        wish, workers, max_quarantined, take_over: see `Order`.
        how: ``precision``, ``batch``, ``engine`` and ``device`` of `ModelSettings`.

    Raises:
        InputError: no model, an empty archive, a folder of another campaign, or a setting that
            cannot be meant.
    """
    from odm.models.boxes import BoxSettings

    folder, card = find_model(model, "detector", **how)
    boxes = BoxSettings.from_dict(card.thresholds)
    if threshold is not None:
        boxes = replace(boxes, threshold=threshold)
    image = IonogramImageSettings.from_dict(dict(card.image))
    return make_order(
        archive,
        campaign,
        stages=IonogramStages(image=image, model=card.digest),
        model=ModelSettings(folder, card.digest, boxes=boxes.to_dict(), **how),
        card=card,
        settings={"image": image.to_dict(), "classes": card.architecture["options"]["classes"]},
        wish=wish,
        workers=workers,
        max_quarantined=max_quarantined,
        take_over=take_over,
    )
