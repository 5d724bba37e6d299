"""A sweep from its settings to its last trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from optuna.distributions import IntDistribution

from odm.core.errors import InputError
from odm.core.kinds import TASKS
from odm.training.samples import reader_of
from odm.training.settings import TrainingSettings
from odm.training.task import build_model
from tuning.board import Board
from tuning.folder import Sweep, SweepFolder
from tuning.objectives import objectives_of
from tuning.placement import SweepPlacement
from tuning.spaces import IMAGE_SIZE, Space
from tuning.stopping import Rule
from tuning.study import CUTS, Ledger
from tuning.trial import TrialContext, reason_of

BEST_FEW = 3
"""Number of the best trials that are repeated with other seeds."""


@dataclass(frozen=True)
class SearchOptions:
    """How a space is searched.

    Attributes:
        objectives: names of what is looked for; the task's own if empty.
        rule: when trials are stopped early.
        seed: seed of the search.
        full_epochs: epochs of a training at full length; None for those of the settings.
    """

    objectives: tuple[str, ...] = ()
    rule: Rule = Rule()  # noqa: RUF009 - frozen
    seed: int = 0
    full_epochs: int | None = None


def plan_sweep(
    base: TrainingSettings, space: Space, data: Path, options: SearchOptions | None = None
) -> tuple[Sweep, Any]:
    """Check a sweep, and name it.

    Args:
        base: settings of what is not searched.
        space: what is searched, and of which task.
        data: a ``dataset.yaml``.
        options: how it is searched.

    Returns:
        The sweep, and the opened data set.

    Raises:
        InputError: something that cannot be meant, or a model that cannot be built.
        TrainingError: the data set has nothing to learn from.
    """
    options = options or SearchOptions()
    space.check(base)
    _check_models(base, space)
    dataset = open_dataset(space.task, data)
    for part in ("train", "validation"):
        dataset.samples(part)
    sweep = Sweep(
        space.task,
        space,
        str(data.expanduser().resolve()),
        dataset.digest,
        base.model_dump(mode="json"),
        tuple(objective.name for objective in objectives_of(space.task, options.objectives)),
        options.rule,
        options.seed,
        options.full_epochs or base.schedule.epochs,
        annotations_from=dataset.annotations.source,
    )
    return sweep, dataset


def _check_models(base: TrainingSettings, space: Space) -> None:
    """Build each model once, a third of a second each: one that cannot be built would fail in some
    trial, hours later."""
    for difference, settings in space.models(base):
        try:
            build_model(space.task, settings)
        except (InputError, RuntimeError, ValueError, MemoryError) as error:
            if isinstance(error, InputError) and not difference:
                raise
            raise InputError(f"{difference or 'the model'}: {reason_of(error)}") from None


def run_sweep(
    folder: SweepFolder,
    sweep: Sweep,
    dataset: Any,
    trials: int,
    placement: SweepPlacement,
    *,
    repeats: int = 0,
    say: Callable[[str], None] = print,
) -> Ledger:
    """Run a sweep, or go on with it.

    Args:
        folder: folder of the sweep.
        sweep: what it is.
        dataset: its opened data set.
        trials: trials in all, those of earlier times included.
        placement: where they run.
        repeats: other seeds with which each of the best few is trained once more.
        say: hears what the user should know.

    Returns:
        The study.

    Raises:
        OdmError: one sentence on what is wrong.
    """
    with folder.driven(sweep):
        ledger = folder.ledger(sweep)
        orphans = ledger.adopt_orphans(CUTS if placement.local else None)
        before = ledger.counts().finished
        if before or orphans:
            say(f"going on: trials finished {before}, cut off and begun again {orphans}")
        context = make_context(folder, sweep, dataset)
        with ExitStack() as stack:
            runner = _Runner(context, placement, stack)
            runner.run(ledger, context, trials, "sweep")
            if repeats:
                again = _seeds_ledger(folder, sweep, ledger, repeats, placement)
                params = {trial.number: trial.params for trial in ledger.trials}
                context = replace(context, kind="seeds", params=params)
                runner.run(again, context, len(again.trials), "other seeds")
        ledger.best()
    return ledger


def make_context(folder: SweepFolder, sweep: Sweep, dataset: Any) -> TrialContext:
    """What all trials have in common."""
    datasets = {
        size: dataset if size is None else _resized(folder, dataset, size)
        for size in sweep.space.image_sizes
    }
    return TrialContext(sweep.task, sweep.settings, datasets, sweep.looked_for, folder.path)


def data_of(folder: SweepFolder, sweep: Sweep, values: Mapping[str, Any]) -> Path:
    """The data set that a trial was trained on."""
    size = values.get(IMAGE_SIZE)
    return Path(sweep.data) if size is None else folder.path / "datasets" / f"{size}.yaml"


def _seeds_ledger(
    folder: SweepFolder, sweep: Sweep, ledger: Ledger, repeats: int, placement: SweepPlacement
) -> Ledger:
    """The best few once more, with other seeds: how much of a difference is chance."""
    wide = IntDistribution(0, 10**9)
    again = Ledger(folder.journal, folder.seeds_study, sweep.looked_for, {"of": wide, "seed": wide})
    again.adopt_orphans(CUTS if placement.local else None)
    queued = [trial.user_attrs["queued"] for trial in again.trials]
    for best in ledger.ranked()[:BEST_FEW]:
        for seed in range(sweep.settings.seed + 1, sweep.settings.seed + 1 + repeats):
            values = {"of": best.number, "seed": seed}
            if values not in queued:
                again.queue(values)
    return again


class _Runner:
    """Runs trials on Ray or in this process; begun when the first one is to be run.

    Args:
        context: what all trials have in common.
        placement: where they run.
        stack: closes what was begun.
    """

    def __init__(self, context: TrialContext, placement: SweepPlacement, stack: ExitStack) -> None:
        self.context, self.placement, self.stack = context, placement, stack
        self._run: Callable[[Ledger, TrialContext, int, Board], None] | None = None

    def run(self, ledger: Ledger, context: TrialContext, total: int, what: str) -> None:
        """Run trials until so many have been tried."""
        if ledger.counts().finished >= total:
            return
        if self._run is None:
            module = import_module(f"tuning.runners.{'local' if self.placement.local else 'ray'}")
            self._run = self.stack.enter_context(module.runner(self.context, self.placement))
        with closing(Board(ledger, total, what)) as board:
            self._run(ledger, context, total, board)


def open_dataset(task: str, data: Path) -> Any:
    """A data set of the kind that models of a task are searched on.

    Raises:
        InputError: it is of another kind, or cannot be read.
    """
    dataset = TASKS.find(task).load("searched inputs").load("dataset")
    return dataset.load(data)


def _resized(folder: SweepFolder, dataset: Any, size: int) -> Any:
    """The data set with images of another size."""
    image = replace(dataset.settings, height=size, width=size, **reader_of(dataset).resized)
    places = {"archive": dataset.archive, "annotations": str(dataset.annotations.folder)}
    config = dataset.config.model_copy(update={**places, "image": image})
    return type(dataset).create(folder.path / "datasets" / f"{size}.yaml", config)
