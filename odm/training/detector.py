"""Training a detector on a data set of ionograms: from settings to a model folder.

The same three functions as `odm.training.segmenter`: `plan_detector`, `train_planned`,
`keep_model`; `train_here` is the plain runner.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from odm.datasets.ionogram import IonogramDataset, IonogramSample, load_ionogram_sample
from odm.images.ionogram import IonogramImageSettings
from odm.models.boxes import BoxSettings
from odm.models.card import ModelCard
from odm.models.networks.detector import Detector, create_detector
from odm.training.box_settings import DetectorSettings
from odm.training.boxes import BoxTask
from odm.training.errors import TrainingError
from odm.training.feed import CachedSource, Source
from odm.training.loop import Listener, Result
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


class Plan(TrainingPlan[DetectorSettings, IonogramDataset, IonogramSample]):
    """A training of a detector that can begin."""


class IonogramSource(CachedSource):
    """One part of a data set of ionograms: images (H, W) uint8, boxes (N, 5).

    Args:
        samples: of `odm.datasets.ionogram.IonogramDataset.samples`.
        settings: the images'.
        cache_bytes: of memory for images that were read.
    """

    def __init__(
        self,
        samples: Sequence[IonogramSample],
        settings: IonogramImageSettings,
        cache_bytes: float = 0,
    ) -> None:
        super().__init__(
            [sample.key.identity for sample in samples],
            [sample.has_layer for sample in samples],
            lambda index: load_ionogram_sample(samples[index], settings),
            cache_bytes,
        )


def plan_detector(
    settings: DetectorSettings,
    dataset: IonogramDataset | str | Path,
    out: str | Path,
    init: str | None = None,
) -> Plan:
    """Check a training, and name it.

    Args:
        settings: of the training.
        dataset: a data set of ionograms, or its ``dataset.yaml``.
        out: folder of runs.
        init: folder of a detector to fine-tune. The default model settings then mean that one's.

    Raises:
        InputError: a setting, the data set or ``init`` cannot be used.
        TrainingError: a part of the data set has nothing to learn from, or the classes or the
            model to fine-tune do not fit.
    """
    opened = dataset if isinstance(dataset, IonogramDataset) else IonogramDataset.load(dataset)
    training, validation = (
        labelled(opened.samples, part, "has_layer", "layer") for part in ("train", "validation")
    )
    settings, card, notes = settings_of_init(settings, init, opened.settings.to_dict(), "detector")
    settings = _with_classes(settings, opened.config.classes)
    model = build_model(settings)
    if card is not None:
        check_same(model, card, init)
    settings = with_all_options(settings, model)
    run = name_run(out, settings, opened.digest, None if card is None else card.digest)
    return Plan(settings, opened, training, validation, run, init, notes)


def build_model(settings: DetectorSettings) -> Detector:
    """The detector of the settings, its weights drawn by their seed.

    Raises:
        InputError: no such architecture or option.
    """
    torch.manual_seed(settings.seed)
    return create_detector(settings.model.architecture, **settings.model.options)


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
    model = build_model(plan.settings)
    begin_as_init(plan, model)
    image, room = plan.dataset.settings, plan.settings.runtime.cache_gb * 1e9 / 2
    source = training or IonogramSource(plan.training, image, room)
    task = BoxTask(model, plan.settings, source)
    held_out = validation or IonogramSource(plan.validation, image, room)
    return run_loop(plan, task, source, held_out, ranks, listener)


def keep_model(plan: Plan, result: Result) -> ModelCard:
    """Save the best weights as a model folder.

    Its thresholds are the defaults: they are fitted on the validation part afterwards.

    Raises:
        TrainingError: there is no best checkpoint.
    """
    return keep_best(
        plan,
        result,
        build_model(plan.settings),
        "ionograms",
        kind="detector",
        thresholds=BoxSettings().to_dict(),
    )


def train_here(plan: Plan) -> tuple[Result, ModelCard | None]:
    """Train in this process, or in those that ``torchrun`` started.

    Returns:
        How it ended, and the card of the saved model, which the main process has.
    """
    return train_in_process(plan, BoxTask.score, run_facts(plan), train_planned, keep_model)


def run_facts(plan: Plan) -> dict[str, Any]:
    """What is good to know of a run, beside its settings."""
    return facts_of(plan, "ionograms")


def _with_classes(settings: DetectorSettings, names: tuple[str, ...]) -> DetectorSettings:
    """The detector's classes are those of the data set.

    Raises:
        TrainingError: the settings, or the model to fine-tune, have others.
    """
    given = settings.model.options.get("classes")
    if given is not None and tuple(given) != names:
        raise TrainingError(
            f"the data set has the classes {', '.join(names)} and the model {', '.join(given)}: "
            f"set model.options.classes=[{', '.join(names)}]"
        )
    options = {**settings.model.options, "classes": list(names)}
    model = settings.model.model_copy(update={"options": options})
    return settings.model_copy(update={"model": model})
