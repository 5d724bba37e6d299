"""Training a segmenter on a data set of half-orbits or ionograms: from settings to a model folder.

`plan_segmenter` checks everything and names the run, `train_planned` runs the loop, `keep_model`
saves what came out. A runner with other machinery calls the same three; `train_here` is the plain
one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from odm.core.errors import InputError
from odm.datasets.ionogram import (
    IonogramDataset,
    IonogramSample,
    is_ionogram_dataset,
    load_segmented_ionogram,
)
from odm.datasets.orbit import OrbitDataset, OrbitSample
from odm.findings.regions import RegionSettings
from odm.images.geometry import OrbitImageSettings
from odm.images.ionogram import IonogramImageSettings
from odm.models.card import ModelCard
from odm.models.networks.base import SegmentationModel
from odm.models.networks.segmenters import create_model
from odm.training.errors import TrainingError
from odm.training.feed import CachedSource, DatasetSource, Source
from odm.training.loop import Listener, Result
from odm.training.masks import MaskTask, check_classes
from odm.training.plans import (
    TrainingPlan,
    begin_as_init,
    check_same,
    facts_of,
    keep_best,
    labelled,
    run_loop,
    settings_of_init,
    train_in_process,
    with_all_options,
)
from odm.training.ranks import Ranks
from odm.training.run import name_run
from odm.training.settings import TrainSettings

__all__ = [
    "Plan",
    "build_model",
    "keep_model",
    "plan_segmenter",
    "run_facts",
    "train_here",
    "train_planned",
]


class Plan(
    TrainingPlan[TrainSettings, OrbitDataset | IonogramDataset, OrbitSample | IonogramSample]
):
    """A training of a segmenter that can begin."""


def plan_segmenter(
    settings: TrainSettings,
    dataset: OrbitDataset | IonogramDataset | str | Path,
    out: str | Path,
    init: str | None = None,
) -> Plan:
    """Check a training, and name it.

    Args:
        settings: of the training.
        dataset: a data set, or its ``dataset.yaml``.
        out: folder of runs.
        init: folder of a model to fine-tune. The default model settings then mean that model's.

    Raises:
        InputError: a setting, the data set or ``init`` cannot be used.
        TrainingError: a part of the data set has nothing to learn from, or the classes or the
            model to fine-tune do not fit.
    """
    opened: OrbitDataset | IonogramDataset
    if isinstance(dataset, OrbitDataset | IonogramDataset):
        opened = dataset
    elif is_ionogram_dataset(dataset):
        opened = IonogramDataset.load(dataset)
    else:
        opened = OrbitDataset.load(dataset)
    layers = isinstance(opened, IonogramDataset)
    has, what = ("has_layer", "layer") if layers else ("has_nucleus", "nucleus")
    training, validation = (
        labelled(opened.samples, part, has, what) for part in ("train", "validation")
    )
    _check_masks(opened, [*training, *validation])
    settings, card, notes = settings_of_init(settings, init, opened.settings.to_dict(), "segmenter")
    model = build_model(settings)
    check_classes(model, opened.annotations.classes)
    if card is not None:
        check_same(model, card, init)
    settings = _resolved(settings, model, fine_tuned=card is not None)
    run = name_run(out, settings, opened.digest, None if card is None else card.digest)
    return Plan(settings, opened, training, validation, run, init, notes)


def build_model(settings: TrainSettings) -> SegmentationModel:
    """The model of the settings, its weights drawn by their seed.

    Raises:
        InputError: no such architecture or option.
    """
    torch.manual_seed(settings.seed)
    return create_model(settings.model.architecture, **settings.model.options)


def train_planned(
    plan: Plan,
    ranks: Ranks,
    listener: Listener | None = None,
    *,
    training: Source | None = None,
    validation: Source | None = None,
) -> Result:
    """Run the loop, from the last checkpoint if there is one.

    Args:
        plan: the same on every rank.
        ranks: who trains together.
        listener: hears reports.
        training, validation: sources of the plan's samples; None reads the files.

    Raises:
        InputError: a batch cannot be shared by the ranks.
        TrainingError: see `Loop.run`.
    """
    settings = plan.settings
    model = build_model(settings)
    begin_as_init(plan, model)
    smallest = settings.data.batch_size // settings.optimiser.accumulate // ranks.world_size
    if smallest == 1 and not model.single:
        raise InputError(
            f"{model.architecture} cannot train on a batch of 1, which is what a rank gets: set a "
            "larger data.batch_size"
        )
    task = MaskTask(
        model, settings.data, settings.loss, channels_last=settings.compute.channels_last
    )
    image, room = plan.dataset.settings, settings.runtime.cache_gb * 1e9 / 2
    return run_loop(
        plan,
        task,
        training or mask_source(plan.training, image, room),
        validation or mask_source(plan.validation, image, room),
        ranks,
        listener,
    )


def keep_model(plan: Plan, result: Result) -> ModelCard:
    """Save the best weights as a model folder.

    Its thresholds are the defaults: they are fitted on the validation part afterwards.

    Raises:
        TrainingError: there is no best checkpoint.
    """
    model = build_model(plan.settings)
    layers = isinstance(plan.dataset, IonogramDataset)
    thresholds = {} if layers else RegionSettings().to_dict()
    return keep_best(plan, result, model, samples_of(plan), thresholds=thresholds)


def train_here(plan: Plan) -> tuple[Result, ModelCard | None]:
    """Train in this process, or in those that ``torchrun`` started.

    Returns:
        How it ended, and the card of the saved model, which the main process has.
    """
    return train_in_process(plan, MaskTask.score, run_facts(plan), train_planned, keep_model)


def run_facts(plan: Plan) -> dict[str, Any]:
    """What is good to know of a run, beside its settings."""
    return facts_of(plan, samples_of(plan))


def samples_of(plan: Plan) -> str:
    """What the plan's samples are called."""
    return "ionograms" if isinstance(plan.dataset, IonogramDataset) else "half_orbits"


def mask_source(samples: Sequence[Any], settings: Any, cache_bytes: float = 0) -> Source:
    """One part of a data set: images (H, W) uint8 and masks (H, W) uint8.

    Args:
        samples: half-orbits or ionograms.
        settings: their images'.
        cache_bytes: of memory for images that were read.
    """
    if isinstance(settings, OrbitImageSettings):
        return DatasetSource(samples, settings, cache_bytes)
    assert isinstance(settings, IonogramImageSettings)
    return CachedSource(
        [sample.key.identity for sample in samples],
        [sample.has_layer for sample in samples],
        lambda index: load_segmented_ionogram(samples[index], settings),
        cache_bytes,
    )


def _check_masks(dataset: OrbitDataset | IonogramDataset, samples: Sequence[Any]) -> None:
    """Boxes alone tell no segmenter where a layer is.

    Raises:
        TrainingError: an ionogram has layers without masks.
    """
    if isinstance(dataset, IonogramDataset):
        for sample in samples:
            if len(sample.labelled.masks) < len(sample.labelled.layers):
                raise TrainingError(
                    f"{sample.key.identity} has layers without masks: a segmenter learns from "
                    "masks, which simulated ionograms have; a detector learns from boxes"
                )


def _resolved(
    settings: TrainSettings, model: SegmentationModel, *, fine_tuned: bool
) -> TrainSettings:
    settings = with_all_options(settings, model)
    if settings.schedule.temperature_start is None:
        # A trained model's attentions are sharp; heating them up again would undo them.
        start = 1.0 if fine_tuned else 30.0
        schedule = settings.schedule.model_copy(update={"temperature_start": start})
        settings = settings.model_copy(update={"schedule": schedule})
    return settings
