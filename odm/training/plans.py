"""What a training of any task goes through: a plan, the loop over its feeds, a model folder.

A task's own module (`odm.training.segmenter`, `odm.training.detector`) makes the plan, the sources
and the task, and names what is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from odm import __version__
from odm.core.errors import InputError, Stopped
from odm.core.signals import stop_signals
from odm.core.statement import SIMULATED_DATA
from odm.models.card import ModelCard, read_model_card
from odm.models.folder import load_model, save_model
from odm.models.networks.base import ImageModel, find_device
from odm.training.checkpoints import below, load_weights
from odm.training.errors import TrainingError
from odm.training.events import Console, listeners
from odm.training.feed import Source, ThreadFeed, WholeFeed
from odm.training.loop import Ask, Listener, Loop, Result, ended
from odm.training.ranks import Ranks, launched_ranks
from odm.training.record import recorded
from odm.training.run import Run
from odm.training.settings import ModelSettings, TaskSettings
from odm.training.task import Task

STOPPING = "stopping: a checkpoint is written first"
NOW = Ask.STOP | Ask.KEEP
"""A checkpoint, and no more."""

S = TypeVar("S", bound=TaskSettings)
D = TypeVar("D")
P = TypeVar("P")


@dataclass(frozen=True)
class TrainingPlan(Generic[S, D, P]):
    """A training that can begin.

    Attributes:
        settings: resolved: the model's options and the temperature are filled in.
        dataset: the data set.
        training, validation: its samples.
        run: its folder and name.
        init: folder of the model that is fine-tuned; None for a new one.
        notes: what the user should know before it begins.
    """

    settings: S
    dataset: D
    training: list[P]
    validation: list[P]
    run: Run
    init: str | None = None
    notes: tuple[str, ...] = ()


AnyPlan = TrainingPlan[Any, Any, Any]


def with_model_of(settings: S, card: ModelCard) -> S:
    """Where the settings say nothing about the model, that of a card."""
    if settings.model != type(settings)().model:
        return settings
    options = dict(card.architecture["options"])
    chosen = ModelSettings(architecture=card.architecture["name"], options=options)
    return settings.model_copy(update={"model": chosen})


def with_all_options(settings: S, model: ImageModel) -> S:
    """With all options of the model, so that a later default does not rename the run."""
    options = {**settings.model.options, **model.options}
    chosen = settings.model.model_copy(update={"options": options})
    return settings.model_copy(update={"model": chosen})


def settings_of_init(
    settings: S, init: str | None, images: Mapping[str, Any], kind: str
) -> tuple[S, ModelCard | None, tuple[str, ...]]:
    """Settings for fine-tuning, if there is a model to fine-tune.

    Args:
        settings: as given.
        init: its folder; None for a new model.
        images: settings of the data set's images.
        kind: ``segmenter`` or ``detector``, what is trained.

    Returns:
        The settings with its model, its card, and what the user should know.

    Raises:
        InputError: ``init`` is no model folder, or one of another kind.
    """
    if init is None:
        return settings, None, ()
    card = read_model_card(init)
    if card.architecture["kind"] != kind:
        raise InputError(
            f"{init} is a {card.architecture['kind']}: a {kind} cannot be fine-tuned from it"
        )
    notes: tuple[str, ...] = ()
    if dict(card.image) != images:
        notes = (f"{init} was trained on images with other settings than the data set's",)
    return with_model_of(settings, card), card, notes


def labelled(samples: Callable[[str], list[P]], part: str, has: str, what: str) -> list[P]:
    """The samples of a part; there is something to learn among them.

    Args:
        samples: gives those of a part.
        part: its name.
        has: attribute of a sample: whether anything was drawn in it.
        what: what is drawn is called.

    Raises:
        TrainingError: there are none, or nothing was drawn in any.
    """
    try:
        chosen = samples(part)
    except InputError as error:
        raise TrainingError(str(error)) from None
    if not any(getattr(sample, has) for sample in chosen):
        raise TrainingError(
            f"the data set has no {what} for {part}: nothing can tell a good model from a bad one"
        )
    return chosen


def check_same(model: ImageModel, card: ModelCard, init: str | None) -> None:
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


def begin_as_init(plan: AnyPlan, model: ImageModel) -> None:
    """Give a model the weights of the one that is fine-tuned, if there is one."""
    if plan.init is not None:
        model.load_state_dict(load_model(plan.init).model.state_dict())


def run_loop(
    plan: AnyPlan,
    task: Task,
    training: Source,
    validation: Source,
    ranks: Ranks,
    listener: Listener | None,
) -> Result:
    """Run the loop over two sources, from the last checkpoint if there is one."""
    settings: TaskSettings = plan.settings
    runtime = settings.runtime
    feeding: dict[str, Any] = {
        "prepare": task.prepare,
        "collate": task.collate,
        "threads": runtime.loader_threads,
        "prefetch": runtime.prefetch,
    }
    train_feed = ThreadFeed(
        training,
        batch_size=settings.data.batch_size,
        parts=settings.optimiser.accumulate,
        seed=settings.seed,
        positive_share=settings.data.positive_share,
        **feeding,
    )
    validation_feed = WholeFeed(
        validation, batch_size=settings.data.validation_batch_size, **feeding
    )
    checkpoints = plan.run.checkpoints
    loop = Loop(
        task, train_feed, validation_feed, settings, checkpoints, ranks=ranks, listener=listener
    )
    return loop.run()


def keep_best(
    plan: AnyPlan, result: Result, model: ImageModel, what: str, **more: Any
) -> ModelCard:
    """Save the best weights as a model folder.

    Args:
        plan, result: of the training.
        model: of the architecture; its weights are replaced.
        what: samples are called.
        more: for `save_model`: ``thresholds``, ``kind``, ...

    Raises:
        TrainingError: there is no best checkpoint.
    """
    checkpoints = plan.run.checkpoints
    _, tensors = checkpoints.load_best()
    load_weights(model, below("model", tensors), checkpoints.best)
    simulated = plan.dataset.annotations.source == "simulation"
    return save_model(
        plan.run.model,
        model,
        image=plan.dataset.settings.to_dict(),
        training_data=plan.dataset.digest,
        metrics={
            "validation": {
                **result.best,
                "data": plan.dataset.digest,
                "epoch": result.best_epoch,
            }
        },
        notes={
            "run": plan.run.digest,
            "settings": plan.settings.model_dump(mode="json", exclude={"runtime"}),
            "annotations_from": plan.dataset.annotations.source,
            what: {"train": len(plan.training), "validation": len(plan.validation)},
            "ended": result.reason,
            **({"statement": SIMULATED_DATA} if simulated else {}),
        },
        **more,
    )


def is_finished(plan: AnyPlan) -> bool:
    """Whether nothing is left to train: the last checkpoint is that of the end."""
    found = plan.run.checkpoints.load_last()
    return found is not None and ended(plan.settings, found[0]) is not None


def train_in_process(
    plan: AnyPlan,
    score: str,
    facts: dict[str, Any],
    train: Callable[[Any, Ranks, Listener | None], Result],
    keep: Callable[[Any, Result], ModelCard],
) -> tuple[Result, ModelCard | None]:
    """Train in this process, or in those that ``torchrun`` started.

    Args:
        plan: the training.
        score: the metric that decides, to be shown.
        facts: to be stored with the run.
        train, keep: the task's ``train_planned`` and ``keep_model``.

    Returns:
        How it ended, and the card of the saved model, which the main process has.

    Raises:
        Stopped: SIGTERM or Ctrl-C came; there is a checkpoint of the step that it stopped at.
    """
    with launched_ranks(find_device(plan.settings.runtime.device)) as ranks:
        if not ranks.is_main:
            with stop_signals(""):  # the main process, which gets them too, answers for all
                return train(plan, ranks, None), None
        with plan.run.locked():
            plan.run.write(plan.settings, facts)
            console = Console(plan.settings.schedule.epochs, score)
            with (
                closing(console),
                recorded(plan.run, plan.settings) as record,
                stop_signals(STOPPING) as asked,
            ):
                listener = listeners(record, console, lambda _: NOW if asked() else None)
                result = train(plan, ranks, listener)
            check_stopped(result)
            return result, keep(plan, result)


def check_stopped(result: Result) -> None:
    """Whether a training came to its end.

    Raises:
        Stopped: it was asked to stop before it.
    """
    if result.reason == "asked":
        raise Stopped(
            f"stopped as asked at step {result.step}, in epoch {result.epoch + 1}; the same "
            "command goes on"
        )


def facts_of(plan: AnyPlan, what: str) -> dict[str, Any]:
    """What is good to know of a run, beside its settings; ``what`` samples are called."""
    return {
        "dataset": plan.dataset.digest,
        "archive": plan.dataset.archive,
        "annotations_from": plan.dataset.annotations.source,
        what: {"train": len(plan.training), "validation": len(plan.validation)},
        "init": plan.init,
        "version": __version__,
    }
