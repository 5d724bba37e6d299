"""An order for ionograms, from what a user gives."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from odm.catalog.selection import Wish
from odm.reprocess.driver import Order
from odm.reprocess.layer_models import find_layer_models
from odm.reprocess.model import Workers
from odm.reprocess.orders import make_order
from odm.reprocess.stages.ionogram import IonogramStages


def ionogram_order(
    archive: str,
    campaign: str,
    *,
    model: str | None = None,
    threshold: float | None = None,
    layers: str | None = None,
    edge: str = "path",
    invert: bool = True,
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
        model: folder of a detector or a pipeline; None for the pipeline of the package, or its
            detector where no segments are asked for.
        threshold: least confidence of a layer; None for the model's own.
        layers: ``boxes`` or ``segments``: how a layer is cut out for its edge; None for segments
            where the model is a pipeline with a segmenter.
        edge: ``path``, ``feng``, or ``none``; see `odm.findings.edges`.
        invert: whether layers are computed from edges; see `odm.findings.inversion`.
        wish, workers, max_quarantined, take_over: see `Order`.
        how: ``precision``, ``batch``, ``engine`` and ``device`` of `ModelSettings`.

    Raises:
        InputError: no model, an empty archive, a folder of another campaign, or a setting that
            cannot be meant.
    """
    found = find_layer_models(model, threshold=threshold, layers=layers, edge=edge, **how)
    edges = found.edges
    inverting = invert and edges is not None
    return make_order(
        archive,
        campaign,
        stages=IonogramStages(
            image=found.image, model=found.card.digest, edges=edges, invert=inverting
        ),
        model=found.settings,
        card=found.card,
        settings={
            "image": found.image.to_dict(),
            "classes": found.card.architecture["options"]["classes"],
            "edges": "none" if edges is None else asdict(edges) | {"inverted": inverting},
        },
        wish=wish,
        workers=workers,
        max_quarantined=max_quarantined,
        take_over=take_over,
    )
