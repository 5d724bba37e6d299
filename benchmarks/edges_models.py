"""What a detector and a segmenter find on simulated ionograms, for the benchmark of edges."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from odm.findings.layers import Layer, LayerFinder
from odm.images.ionogram import IonogramImageSettings, mask_from_canvas, snr_image

if TYPE_CHECKING:
    from odm.simulate.ionogram.ionogram import SimulatedIonogram


@lru_cache(maxsize=1)
def _finder(folder: str) -> LayerFinder:
    return LayerFinder.open(folder)


@lru_cache(maxsize=1)
def _segmenter(folder: str) -> tuple[Any, IonogramImageSettings]:
    from odm.models.folder import load_model

    loaded = load_model(folder)
    return loaded.model, IonogramImageSettings.from_dict(dict(loaded.card.image))


def overlap(one: Layer, two: Layer) -> float:
    """IoU of two boxes."""
    f = min(one.frequency_max, two.frequency_max) - max(one.frequency_min, two.frequency_min)
    r = min(one.range_max, two.range_max) - max(one.range_min, two.range_min)
    common = max(f, 0.0) * max(r, 0.0)
    areas = [
        (box.frequency_max - box.frequency_min) * (box.range_max - box.range_min)
        for box in (one, two)
    ]
    return common / max(sum(areas) - common, 1e-9)


def matched_boxes(folder: str, one: SimulatedIonogram, truth: list[Layer]) -> list[Layer]:
    """For each true box the found one of its class that overlaps most; one of no size if none
    does by a quarter."""
    finder = _finder(folder)
    image = snr_image(one.snr, one.frequency, one.group_range, finder.image)
    (found,) = finder.layers(image[None])
    matched = []
    for box in truth:
        same = [other for other in found if other.layer == box.layer]
        best = max(same, key=lambda other: overlap(box, other), default=None)
        if best is None or overlap(box, best) < 0.25:
            best = Layer(box.layer, 0.0, 0.0, 0.0, 0.0, 0.0)
        matched.append(best)
    return matched


def predicted_segments(folder: str, one: SimulatedIonogram) -> NDArray[np.uint8]:
    """(F, R) class of each value."""
    import torch

    from odm.models.networks.base import to_input

    model, settings = _segmenter(folder)
    image = snr_image(one.snr, one.frequency, one.group_range, settings)
    with torch.no_grad():
        logits = model(to_input(torch.from_numpy(image[None, None]), model))
    classes = logits.argmax(dim=1)[0].numpy().astype(np.uint8)
    return mask_from_canvas(classes, one.frequency, one.group_range, settings)
