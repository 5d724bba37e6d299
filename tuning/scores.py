"""The objectives of a training while it learns, from the weights that it would keep."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from odm.findings.regions import RegionSettings, regions_from_mask
from odm.images.canvas import valid_pixels
from odm.images.geometry import NATIVE_HEIGHT, NATIVE_WIDTH, OrbitImageSettings, SpectrogramGeometry
from odm.models.networks.base import find_device
from odm.scoring.orbit.maps import ThresholdFit
from odm.scoring.orbit.truth import undecided
from odm.training.checkpoints import below, load_weights
from odm.training.loop import Listener, ProgressReport, TrainingResult
from odm.training.plans import TrainingPlan, train_planned
from odm.training.ranks import Ranks
from odm.training.samples import Source
from tuning.objectives import REGION_F1

if TYPE_CHECKING:
    from odm.models.networks.base import ImageModel, SegmentationModel

LOWS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Low thresholds that are tried: `odm evaluate` tries more, and fits a temperature first."""


@dataclass(frozen=True)
class ScoredTraining:
    """A training that tells its objective after every validation: see `ProgressReport.kind`.

    The value is that of the weights that were best so far by the task's own score, which are what
    the training would keep if it ended there.

    Attributes:
        objective: name of the objective.
    """

    objective: str

    def __call__(
        self, plan: TrainingPlan, ranks: Ranks, listener: Listener | None = None, **sources: Source
    ) -> TrainingResult:
        """Train; the main rank, which alone has a listener, scores."""
        if listener is None:
            return train_planned(plan, ranks, None, **sources)
        last: float | None = None
        validates = plan.settings.schedule.validates

        def hear(report: ProgressReport) -> bool:
            nonlocal last
            asked = bool(listener(report))
            ended = report.kind == "checkpoint" and "validation/loss" in report.values
            # Killed between a checkpoint and its score, the score is still to be told.
            goes_on = report.kind == "begin" and report.best_epoch and validates(report.epoch)
            if ended or goes_on:
                if report.best or last is None:
                    last = best_value(plan, self.objective, sources["validation"], ranks.device)
                told = replace(report, kind="score", values={self.objective: last})
                asked = bool(listener(told)) or asked
            return asked

        return train_planned(plan, ranks, hear, **sources)


def best_value(
    plan: TrainingPlan, objective: str, validation: Source, device: torch.device | None = None
) -> float:
    """An objective of the weights of a training that were best so far.

    Args:
        plan: the training.
        objective: its name.
        validation: the samples to score on.
        device: where the model computes; None for that of the settings.
    """
    position, tensors = plan.run.checkpoints.load_best()
    if objective != REGION_F1:
        return position.best[objective]
    # Building draws weights; what the training draws next is not to depend on that.
    with torch.random.fork_rng(devices=[]):
        model = plan.new_model()
    load_weights(model, below("model", tensors), plan.run.checkpoints.best)
    device = device or find_device(plan.settings.runtime.device)
    return region_f1(model, validation, plan.settings.data.validation_batch_size, device)


def region_f1(model: SegmentationModel, source: Source, batch: int, device: torch.device) -> float:
    """F1 of regions at the thresholds that are best for it, on images of the model's own size.

    Args:
        model: the model, with the weights to score.
        source: images (H, W) or (H, W, C) uint8 and masks (H, W).
        batch: images at once.
        device: where the model computes.

    Returns:
        F1 at IoU 0.25; 0 where nothing is found.
    """
    from odm.models.predictor import Predictor

    predict = Predictor(model, batch=batch, engine="eager", device=str(device))
    fit: ThresholdFit | None = None
    for first in range(0, len(source.keys), batch):
        part = [source.load(i) for i in range(first, min(first + batch, len(source.keys)))]
        maps = predict(np.stack([image for image, _ in part]))
        for (image, mask), probability in zip(part, maps, strict=True):
            fit = fit or ThresholdFit(_settings(image), lows=LOWS)
            geometry = _plain_geometry(image)
            true = regions_from_mask(mask, geometry.times, fit.settings)
            masks = [region.mask for region in true]
            fit.add(probability, geometry, valid_pixels(image), masks, undecided(mask, masks))
    return 0.0 if fit is None or not fit.nuclei else fit.best().f1


def _settings(image: NDArray[np.uint8]) -> RegionSettings:
    """The default settings, their areas as many pixels as they are of this image."""
    share = min(1.0, image.shape[0] * image.shape[1] / (NATIVE_HEIGHT * NATIVE_WIDTH))
    base = RegionSettings()
    return replace(
        base,
        minimum_area=max(1, round(base.minimum_area * share)),
        seed_pixels=max(1, round(base.seed_pixels * share)),
    )


def _plain_geometry(image: NDArray[np.uint8]) -> SpectrogramGeometry:
    """The geometry of a half-orbit of the image's own size, without gaps."""
    height, width = image.shape[:2]
    times = np.datetime64("2000-01-01", "ns") + np.arange(width) * np.timedelta64(10**9, "ns")
    frequency = np.arange(height, dtype=np.float64) + 1
    settings = OrbitImageSettings(0, 1, "native", height, width)
    return SpectrogramGeometry(times, frequency, np.zeros(width), np.zeros(width), settings)


def cost(model: ImageModel, height: int, width: int) -> dict[str, float]:
    """``gmacs``, 1e9 multiplications for one image, and ``parameters``, in 1e6."""
    from torch.utils.flop_counter import FlopCounterMode

    model.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, model.in_channels, height, width))
    return {
        "gmacs": counter.get_total_flops() / 2e9,
        "parameters": sum(p.numel() for p in model.parameters()) / 1e6,
    }
