"""Boxes from a detector's output: scores, threshold, and one box for each thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from odm.core.errors import InputError, OdmError
from odm.core.stored import StoredSettings
from odm.models.networks.base import tempered
from odm.models.networks.detector import scores_of

LEVELS = 1000
"""Scores are rounded to whole 1/1000, so that a threshold means the same on every engine."""
PIXEL_STEPS = 16
"""Edges are rounded to 1/16 of a pixel: the rounding of engines and batches shows up in no row."""
LEAST_SIDE = 1.0
"""Smallest side of a box, in pixels of the image."""


@dataclass(frozen=True, slots=True)
class BoxSettings(StoredSettings):
    """What turns a detector's output into findings; stored with the model.

    Attributes:
        threshold: least score of a finding, 0 to 1.
        temperature: the score's logit is divided by it, which calibrates it.
        overlap: two boxes of one class with a larger IoU are the same thing.
        most: boxes in an image, the best ones.
    """

    called = "settings of boxes"

    threshold: float = 0.3
    temperature: float = 1.0
    overlap: float = 0.5
    most: int = 20

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise InputError(f"threshold {self.threshold}: give a number between 0 and 1")
        if not self.temperature > 0:
            raise InputError(f"temperature {self.temperature}: give a number above 0")
        if not 0 < self.overlap <= 1:
            raise InputError(f"overlap {self.overlap}: give a number above 0, at most 1")
        if self.most < 1:
            raise InputError(f"most {self.most}: give at least 1 box")


ANY_SCORE = BoxSettings(threshold=1 / LEVELS)
"""Average precision looks at boxes of every score."""


class Boxes(NamedTuple):
    """What was found in one image, by falling score.

    Attributes:
        edges: (N, 4) float32: left, top, right, bottom in pixels, whole 1/16, inside the image.
        scores: (N,) float32, whole 1/1000.
        classes: (N,) int64, from 0.
    """

    edges: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]

    def above(self, threshold: float) -> Boxes:
        """Return the boxes with a score of at least ``threshold``."""
        kept = self.scores >= threshold
        return Boxes(self.edges[kept], self.scores[kept], self.classes[kept])


@torch.no_grad()
def pick_boxes(
    output: Tensor,
    size: tuple[int, int],
    settings: BoxSettings | None = None,
    *,
    exact: bool = False,
) -> list[Boxes]:
    """Return the boxes of each image: the best of those that overlap.

    Args:
        output: (B, places, 5 + classes) of a `Detector`.
        size: height and width of the images.
        settings: threshold, temperature and overlap.
        exact: leave scores as they are, for `to_levels` to temper and round; the threshold is
            compared with rounded ones all the same.

    Raises:
        OdmError: the output holds values that are no numbers.
    """
    from torchvision.ops import batched_nms

    settings = settings or BoxSettings()
    if not bool(torch.isfinite(output[..., 4:]).all()):
        raise OdmError("the detector gives values that are not numbers: its weights are damaged")
    scores, classes = scores_of(output).max(dim=-1)
    scores = tempered(scores, settings.temperature)
    height, width = size
    limits = output.new_tensor([width, height, width, height], dtype=torch.float32)
    boxes = []
    for places, score, kind in zip(output.float(), scores, classes, strict=True):
        # Half a level lower: rounding may bring it up.
        kept = score >= settings.threshold - 0.5 / LEVELS
        places, score, kind = places[kept], score[kept], kind[kept]
        half = places[:, 2:4] / 2
        edges = torch.cat([places[:, :2] - half, places[:, :2] + half], dim=1)
        edges = torch.minimum(edges.clamp(min=0), limits)
        # A box beside the image has no extent left in it.
        inside = (edges[:, 2:] - edges[:, :2]).amin(dim=1) >= LEAST_SIDE
        edges, score, kind = edges[inside], score[inside], kind[inside]
        best = batched_nms(edges, score, kind, settings.overlap)[: settings.most]
        rounded = _rounded(score[best]).cpu().numpy()
        sides = (edges[best] * PIXEL_STEPS).round() / PIXEL_STEPS
        given = score[best].cpu().numpy() if exact else rounded
        # Rounded, as the rows show it.
        high = rounded >= settings.threshold
        kinds = kind[best].cpu().numpy()
        boxes.append(Boxes(sides.cpu().numpy()[high], given[high], kinds[high]))
    return boxes


def to_levels(scores: NDArray[Any], temperature: float) -> NDArray[np.float64]:
    """Scores that `pick_boxes` left exact, at a temperature: what it gives at that temperature."""
    exact = torch.from_numpy(np.array(scores, dtype=np.float32))
    levels = _rounded(tempered(exact, temperature)).double().numpy() * LEVELS
    return np.asarray(np.round(levels) / LEVELS, dtype=np.float64)


def _rounded(scores: Tensor) -> Tensor:
    return (scores * LEVELS).round() / LEVELS
