"""Training a segmenter on a data set: from settings to a model folder.

`plan_segmenter` checks everything and names the run, `train_planned` runs the loop, `keep_model`
saves what came out. A runner with other machinery calls the same three; `train_here` is the plain
one.
"""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from odm import __version__
from odm.archive.errors import InputError
from odm.archive.samples import Dataset, Sample
from odm.findings.regions import RegionSettings
from odm.models.base import SegmentationModel, find_device
from odm.models.card import ModelCard
from odm.models.folder import load_model, save_model
from odm.models.segmenters import create_model
from odm.statement import SIMULATED_DATA
from odm.training.checkpoints import below, load_weights
from odm.training.errors import TrainingError
from odm.training.events import Console, listeners
from odm.training.feed import DatasetSource, Source, ThreadFeed, WholeFeed
from odm.training.loop import Listener, Loop, Result
from odm.training.masks import MaskTask, check_classes
from odm.training.ranks import Ranks, launched_ranks
from odm.training.record import recorded
from odm.training.run import Run, name_run
from odm.training.settings import ModelSettings, TrainSettings


@dataclass(frozen=True)
class Plan:
    """A training of a segmenter that can begin.

    Attributes:
        settings: resolved: the model's options and the temperature are filled in.
        dataset: the data set.
        training, validation: its samples.
        run: its folder and name.
        init: folder of the model that is fine-tuned; None for a new one.
        notes: what the user should know before it begins.
    """

    settings: TrainSettings
    dataset: Dataset
    training: list[Sample]
    validation: list[Sample]
    run: Run
    init: str | None = None
    notes: tuple[str, ...] = ()


def plan_segmenter(
    settings: TrainSettings, dataset: str | Path, out: str | Path, init: str | None = None
) -> Plan:
    """Check a training, and name it.

    Args:
        settings: of the training.
        dataset: a ``dataset.yaml``.
        out: folder of runs.
        init: folder of a model to fine-tune. The default model settings then mean that model's.

    Raises:
        InputError: a setting, the data set or ``init`` cannot be used.
        TrainingError: a part of the data set has nothing to learn from, or the classes or the
            model to fine-tune do not fit.
    """
    opened = Dataset.load(dataset)
    training, validation = (_samples(opened, part) for part in ("train", "validation"))
    card = None
    notes: list[str] = []
    if init is not None:
        loaded = load_model(init)
        card = loaded.card
        if settings.model == ModelSettings():
            options = dict(card.architecture["options"])
            chosen = ModelSettings(architecture=card.architecture["name"], options=options)
            settings = settings.model_copy(update={"model": chosen})
        if dict(card.image) != opened.settings.to_dict():
            notes.append(f"{init} was trained on images with other settings than the data set's")
    model = build_model(settings)
    check_classes(model, opened.annotations.classes)
    if card is not None:
        _check_same(model, card, init)
    settings = _resolved(settings, model, fine_tuned=card is not None)
    run = name_run(out, settings, opened.digest, None if card is None else card.digest)
    return Plan(settings, opened, training, validation, run, init, tuple(notes))


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
    if plan.init is not None:
        model.load_state_dict(load_model(plan.init).model.state_dict())
    smallest = settings.data.batch_size // settings.optimiser.accumulate // ranks.world_size
    if smallest == 1 and not model.single:
        raise InputError(
            f"{model.architecture} cannot train on a batch of 1, which is what a rank gets: set a "
            "larger data.batch_size"
        )
    task = MaskTask(
        model, settings.data, settings.loss, channels_last=settings.compute.channels_last
    )
    image, runtime = plan.dataset.settings, settings.runtime
    room = runtime.cache_gb * 1e9 / 2
    feeding: dict[str, Any] = {
        "prepare": task.prepare,
        "collate": task.collate,
        "threads": runtime.loader_threads,
        "prefetch": runtime.prefetch,
    }
    train_feed = ThreadFeed(
        training or DatasetSource(plan.training, image, room),
        batch_size=settings.data.batch_size,
        parts=settings.optimiser.accumulate,
        seed=settings.seed,
        positive_share=settings.data.positive_share,
        **feeding,
    )
    validation_feed = WholeFeed(
        validation or DatasetSource(plan.validation, image, room),
        batch_size=settings.data.validation_batch_size,
        **feeding,
    )
    loop = Loop(
        task,
        train_feed,
        validation_feed,
        settings,
        plan.run.checkpoints,
        ranks=ranks,
        listener=listener,
    )
    return loop.run()


def keep_model(plan: Plan, result: Result) -> ModelCard:
    """Save the best weights as a model folder.

    Its thresholds are the defaults: they are fitted on the validation part afterwards.

    Raises:
        TrainingError: there is no best checkpoint.
    """
    checkpoints = plan.run.checkpoints
    _, tensors = checkpoints.load_best()
    model = build_model(plan.settings)
    load_weights(model, below("model", tensors), checkpoints.best)
    simulated = plan.dataset.annotations.source == "simulation"
    best = {name: value if math.isfinite(value) else None for name, value in result.best.items()}
    return save_model(
        plan.run.model,
        model,
        image=plan.dataset.settings.to_dict(),
        thresholds=RegionSettings().to_dict(),
        training_data=plan.dataset.digest,
        metrics={"validation": {**best, "data": plan.dataset.digest, "epoch": result.best_epoch}},
        notes={
            "run": plan.run.digest,
            "settings": plan.settings.model_dump(mode="json", exclude={"runtime"}),
            "annotations_from": plan.dataset.annotations.source,
            "half_orbits": {"train": len(plan.training), "validation": len(plan.validation)},
            "ended": result.reason,
            **({"statement": SIMULATED_DATA} if simulated else {}),
        },
    )


def train_here(plan: Plan) -> tuple[Result, ModelCard | None]:
    """Train in this process, or in those that ``torchrun`` started.

    Returns:
        How it ended, and the card of the saved model, which the main process has.
    """
    with launched_ranks(find_device(plan.settings.runtime.device)) as ranks:
        if not ranks.is_main:
            return train_planned(plan, ranks), None
        with plan.run.locked():
            plan.run.write(plan.settings, run_facts(plan))
            console = Console(plan.settings.schedule.epochs, MaskTask.score)
            with closing(console), recorded(plan.run, plan.settings) as record:
                result = train_planned(plan, ranks, listeners(record, console))
            return result, keep_model(plan, result)


def run_facts(plan: Plan) -> dict[str, Any]:
    """What is good to know of a run, beside its settings."""
    return {
        "dataset": plan.dataset.digest,
        "archive": plan.dataset.archive,
        "annotations_from": plan.dataset.annotations.source,
        "half_orbits": {"train": len(plan.training), "validation": len(plan.validation)},
        "init": plan.init,
        "version": __version__,
    }


def _samples(dataset: Dataset, part: str) -> list[Sample]:
    """The samples of a part; there is a nucleus among them."""
    try:
        samples = dataset.samples(part)
    except InputError as error:
        raise TrainingError(str(error)) from None
    if not any(sample.has_nucleus for sample in samples):
        raise TrainingError(
            f"the data set has no nucleus for {part}: nothing can tell a good model from a bad one"
        )
    return samples


def _resolved(
    settings: TrainSettings, model: SegmentationModel, *, fine_tuned: bool
) -> TrainSettings:
    """With all options of the model, so that a later default does not rename the run."""
    options = {**settings.model.options, **model.options}
    update: dict[str, Any] = {"model": settings.model.model_copy(update={"options": options})}
    if settings.schedule.temperature_start is None:
        # A trained model's attentions are sharp; heating them up again would undo them.
        start = 1.0 if fine_tuned else 30.0
        update["schedule"] = settings.schedule.model_copy(update={"temperature_start": start})
    return settings.model_copy(update=update)


def _check_same(model: SegmentationModel, card: ModelCard, init: str | None) -> None:
    """Compare the model of the settings with the one that is to be fine-tuned."""
    name = card.architecture["name"]
    if model.architecture != name:
        raise TrainingError(
            f"{init} is of another architecture, {name}: set model.architecture={name}, or leave "
            "model out of the settings"
        )
    theirs = card.architecture["options"]
    for option, value in model.options.items():
        if theirs.get(option) != value:
            raise TrainingError(
                f"{init} has {option} = {theirs.get(option)}, and the settings {value}: set "
                f"model.options.{option}={theirs.get(option)}, or leave model out of the settings"
            )
