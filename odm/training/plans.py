"""A training of any task, from its settings to a model folder.

`plan_training` checks everything and names the run, `train_planned` runs the loop, `keep_model`
saves what came out. A runner with other machinery calls the same three; `train_here` is the plain
one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from odm import __version__
from odm.core.errors import InputError, Stopped
from odm.core.signals import stop_signals
from odm.core.statement import SIMULATED_DATA
from odm.models.card import ModelCard, read_model_card
from odm.models.folder import load_model, save_model
from odm.models.networks.base import ImageModel, find_device
from odm.training.checkpoints import below, load_weights
from odm.training.errors import TrainingError
from odm.training.events import Console, listeners, recorded
from odm.training.feed import ThreadFeed, WholeFeed
from odm.training.loop import Answer, Listener, Loop, TrainingResult, ended
from odm.training.ranks import Ranks, launched_ranks
from odm.training.run import Run, name_run
from odm.training.samples import CachedSource, SampleReader, Source, reader_of
from odm.training.settings import ArchitectureSettings, TrainingSettings
from odm.training.task import TrainingTask, build_model, find_task

STOPPING = "stopping: a checkpoint is written first"
NOW = Answer.STOP | Answer.KEEP
"""A checkpoint, and no more."""


@dataclass(frozen=True)
class TrainingPlan:
    """A training that can begin.

    Attributes:
        task: name of the task; see `odm.core.kinds.TASKS`.
        settings: resolved: the model's options and the temperature are filled in.
        dataset: the data set.
        training, validation: its samples.
        run: its folder and name.
        init: folder of the model that is fine-tuned; None for a new one.
        notes: what the user should know before it begins.
    """

    task: str
    settings: Any
    dataset: Any
    training: list[Any]
    validation: list[Any]
    run: Run
    init: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def task_class(self) -> type[TrainingTask]:
        """The class of the task."""
        return find_task(self.task)

    @property
    def reader(self) -> SampleReader:
        """How its samples are named and read."""
        return reader_of(self.dataset)

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Number of samples of each part, by what the samples are called."""
        name = self.dataset.kind.inputs.replace("-", "_")
        return {name: {"train": len(self.training), "validation": len(self.validation)}}

    @property
    def facts(self) -> dict[str, Any]:
        """What is good to know of its run, beside the settings."""
        return {
            "dataset": self.dataset.digest,
            "archive": self.dataset.archive,
            "annotations_from": self.dataset.annotations.source,
            **self.counts,
            "init": self.init,
            "version": __version__,
        }

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to train: the last checkpoint is that of the end."""
        checkpoint = self.run.checkpoints.load_last()
        return checkpoint is not None and ended(self.settings, checkpoint[0]) is not None

    def new_model(self) -> Any:
        """The model of the settings, its weights drawn by their seed."""
        return build_model(self.task, self.settings)

    def source(self, part: str, cache_bytes: float = 0) -> CachedSource:
        """The samples of a part, read from their files.

        Args:
            part: ``training`` or ``validation``.
            cache_bytes: memory for what was read.
        """
        labels = self.task_class.labels
        return CachedSource(self.dataset, getattr(self, part), labels, cache_bytes)

    @contextmanager
    def sources(self) -> Iterator[Mapping[str, Source]]:
        """The samples of both parts, ``training`` and ``validation``, while the body runs.

        Raises:
            InputError: they cannot be had.
        """
        runtime = self.settings.runtime
        if self.reader.sources is not None:
            with self.reader.sources(self.dataset, runtime) as drawn:
                yield drawn
            return
        cache_bytes = runtime.cache_gb * 1e9 / 2
        yield {part: self.source(part, cache_bytes) for part in ("training", "validation")}


def plan_training(
    task: str, settings: TrainingSettings, dataset: Any, out: str | Path, init: str | None = None
) -> TrainingPlan:
    """Check a training, and name it.

    Args:
        task: name of the task.
        settings: settings of that task's kind.
        dataset: a data set, or its ``dataset.yaml``.
        out: folder of runs.
        init: folder of a model to fine-tune. The default model settings then mean that model's.

    Raises:
        InputError: a setting, the data set or ``init`` cannot be used.
        TrainingError: a part of the data set has nothing to learn from, or the classes or the
            model to fine-tune do not fit.
    """
    task_class = find_task(task)
    opened = task_class.open_dataset(dataset) if isinstance(dataset, str | Path) else dataset
    training, validation = (_labelled(opened, part) for part in ("train", "validation"))
    task_class.check_samples(opened, [*training, *validation])
    settings, card, notes = _settings_of_init(task, settings, init, opened.settings.to_dict())
    settings = task_class.adapt(settings, opened, fine_tuned=card is not None)
    model = build_model(task, settings)
    task_class.check_model(model, opened)
    if card is not None:
        _check_same(model, card, init)
    # With all options of the model, so that a later default does not rename the run.
    settings = _with_model(settings, options={**settings.model.options, **model.options})
    run = name_run(out, settings, opened.digest, None if card is None else card.digest)
    return TrainingPlan(task, settings, opened, training, validation, run, init, notes)


def _labelled(dataset: Any, part: str) -> list[Any]:
    """The samples of a part; there is something to learn among them.

    Raises:
        TrainingError: there are none, or nothing was drawn in any.
    """
    reader = reader_of(dataset)
    try:
        samples: list[Any] = dataset.samples(part)
    except InputError as error:
        raise TrainingError(str(error)) from None
    if not any(sample.has_object for sample in samples):
        raise TrainingError(
            f"the data set has no {reader.label} for {part}: nothing can tell a good model from a "
            "bad one"
        )
    return samples


def _settings_of_init(
    task: str, settings: TrainingSettings, init: str | None, images: Mapping[str, Any]
) -> tuple[TrainingSettings, ModelCard | None, tuple[str, ...]]:
    """Settings for fine-tuning, if there is a model to fine-tune.

    Args:
        task: what is trained.
        settings: the given settings. Where they say nothing about the model, ``init``'s is meant.
        init: folder of the model; None for a new one.
        images: settings of the data set's images.

    Returns:
        The settings with its model, its card, and what the user should know.

    Raises:
        InputError: ``init`` is no model folder, or one of another kind.
    """
    if init is None:
        return settings, None, ()
    card = read_model_card(init)
    kind, options = card.architecture["kind"], dict(card.architecture["options"])
    if kind != task:
        raise InputError(f"{init} is a {kind}: a {task} cannot be fine-tuned from it")
    notes: tuple[str, ...] = ()
    if dict(card.image) != images:
        notes = (f"{init} was trained on images with other settings than the data set's",)
    if settings.model == type(settings)().model:
        settings = _with_model(settings, architecture=card.architecture["name"], options=options)
    return settings, card, notes


def _with_model(settings: TrainingSettings, **changes: Any) -> TrainingSettings:
    """Settings of another model."""
    model = ArchitectureSettings(**{**dict(settings.model), **changes})
    return settings.model_copy(update={"model": model})


def _check_same(model: ImageModel, card: ModelCard, init: str | None) -> None:
    """Compare the model of the settings with the one that is to be fine-tuned.

    Raises:
        TrainingError: they differ.
    """
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


def train_planned(
    plan: TrainingPlan,
    ranks: Ranks,
    listener: Listener | None = None,
    *,
    training: Source | None = None,
    validation: Source | None = None,
) -> TrainingResult:
    """Run the loop, from the last checkpoint if there is one.

    Args:
        plan: the same on every rank.
        ranks: who trains together.
        listener: hears reports.
        training, validation: sources of the plan's samples; None reads or draws them here.

    Raises:
        InputError: a batch cannot be shared by the ranks.
        TrainingError: see `Loop.run`.
    """
    if training is None or validation is None:
        with plan.sources() as sources:
            return _train(plan, ranks, listener, sources["training"], sources["validation"])
    return _train(plan, ranks, listener, training, validation)


def _train(
    plan: TrainingPlan,
    ranks: Ranks,
    listener: Listener | None,
    training: Source,
    validation: Source,
) -> TrainingResult:
    """Run the loop on sources."""
    settings: TrainingSettings = plan.settings
    runtime, data = settings.runtime, settings.data
    model = plan.new_model()
    if plan.init is not None:
        model.load_state_dict(load_model(plan.init).model.state_dict())
    task = plan.task_class(model, settings, training)
    task.check_share(data.batch_size // settings.optimiser.accumulate // ranks.world_size)
    feeding: dict[str, Any] = {
        "prepare": task.prepare,
        "collate": task.collate,
        "threads": runtime.loader_threads,
        "prefetch": runtime.prefetch,
    }
    train_feed = ThreadFeed(
        training,
        batch_size=data.batch_size,
        parts=settings.optimiser.accumulate,
        seed=settings.seed,
        positive_share=data.positive_share,
        **feeding,
    )
    validation_feed = WholeFeed(validation, batch_size=data.validation_batch_size, **feeding)
    checkpoints = plan.run.checkpoints
    return Loop(
        task, train_feed, validation_feed, settings, checkpoints, ranks=ranks, listener=listener
    ).run()


def keep_model(plan: TrainingPlan, result: TrainingResult) -> ModelCard:
    """Save the best weights as a model folder.

    Its thresholds are the defaults: they are fitted on the validation part afterwards.

    Raises:
        TrainingError: there is no best checkpoint.
    """
    model, dataset, checkpoints = plan.new_model(), plan.dataset, plan.run.checkpoints
    _, tensors = checkpoints.load_best()
    load_weights(model, below("model", tensors), checkpoints.best)
    simulated = dataset.annotations.source == "simulation"
    scores = {**result.best, "data": dataset.digest, "epoch": result.best_epoch}
    return save_model(
        plan.run.model,
        model,
        image=dataset.settings.to_dict(),
        thresholds=plan.task_class.thresholds(dataset),
        training_data=dataset.digest,
        metrics={"validation": scores},
        notes={
            "run": plan.run.digest,
            "settings": plan.settings.model_dump(mode="json", exclude={"runtime"}),
            "annotations_from": dataset.annotations.source,
            **plan.counts,
            **({"drawn": dataset.recipe} if dataset.recipe else {}),
            "ended": result.reason,
            **({"statement": SIMULATED_DATA} if simulated else {}),
        },
    )


def train_here(plan: TrainingPlan) -> tuple[TrainingResult, ModelCard | None]:
    """Train in this process, or in those that ``torchrun`` started.

    Returns:
        How it ended, and the card of the saved model, which the main process has.

    Raises:
        Stopped: SIGTERM or Ctrl-C came; there is a checkpoint of the step that it stopped at.
    """
    with launched_ranks(find_device(plan.settings.runtime.device)) as ranks:
        if not ranks.is_main:
            with stop_signals(""):  # the main process, which gets them too, answers for all
                return train_planned(plan, ranks), None
        with plan.run.locked():
            plan.run.write(plan.settings, plan.facts)
            console = Console(plan.settings.schedule.epochs, plan.task_class.score)
            with (
                closing(console),
                recorded(plan.run, plan.settings) as record,
                stop_signals(STOPPING) as asked,
            ):
                listener = listeners(record, console, lambda _: NOW if asked() else None)
                result = train_planned(plan, ranks, listener)
            check_stopped(result)
            return result, keep_model(plan, result)


def check_stopped(result: TrainingResult) -> None:
    """Check that a training came to its end.

    Raises:
        Stopped: it was asked to stop before it.
    """
    if result.reason == "asked":
        raise Stopped(
            f"stopped as asked at step {result.step}, in epoch {result.epoch + 1}; the same "
            "command goes on"
        )
