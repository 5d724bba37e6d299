"""One trial: a training of the one loop, with the values that were drawn, told to whoever asked.

A trial of one worker trains in this process; one of several launches Ray Train from here. Both read
the samples that the sweep has prepared, and leave when they are asked to: nothing is killed, so no
worker of Ray Train is ever left behind by a decision of the sweep.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from odm.core.errors import OdmError
from odm.training.errors import TrainingError
from odm.training.loop import ProgressReport, TrainingResult
from odm.training.plans import TrainingPlan, plan_training
from odm.training.settings import TrainingSettings
from tuning.objectives import Objective
from tuning.scores import ScoredTraining, best_value, cost
from tuning.spaces import IMAGE_SIZE, settings_of
from tuning.study import TrialRequest

if TYPE_CHECKING:
    from odm.training.launch import Launch
    from odm.training.samples import Source
    from ray_jobs.training.launch import WorkerPlacement

LOCK_PATIENCE_S = 60.0
"""Seconds that a worker of a killed sweep, which Ray has not yet ended, has to leave its trial."""

Sources = Mapping[int | None, Mapping[str, Any]]
"""What `train_planned` takes beside its plan, by size of image."""
Tell = Callable[[int, float], bool]
"""Hears the first objective after an epoch; whether the trial is to end."""


@dataclass(frozen=True)
class TrialContext:
    """What all trials of a sweep have in common; small enough to send to every one.

    Attributes:
        task: name of the training task.
        base: settings of what is not searched.
        datasets: opened data sets by size of image.
        objectives: what is looked for.
        folder: folder of the sweep, absolute; all machines share it.
        threads: threads of a trial.
        kind: name of the trials' folder in it.
        params: values by number of a trial, where trials repeat others with another ``seed``; their
            own values are then ``of`` and ``seed``.
    """

    task: str
    base: TrainingSettings
    datasets: Mapping[int | None, Any]
    objectives: tuple[Objective, ...]
    folder: Path
    threads: int = 1
    kind: str = "trials"
    params: Mapping[int, Mapping[str, Any]] | None = None

    @property
    def work(self) -> ScoredTraining:
        """The training of a trial, with scores."""
        return ScoredTraining(self.objectives[0].name)

    def size_of(self, values: Mapping[str, Any]) -> int | None:
        """Size of the images of a trial; None for the data set's own."""
        return self._drawn(values).get(IMAGE_SIZE)

    def settings_of(self, values: Mapping[str, Any]) -> TrainingSettings:
        """Settings of a trial."""
        settings = settings_of(self.task, self.base, self._drawn(values))
        if self.params is not None:
            settings = settings.model_copy(update={"seed": values["seed"]})
        return settings

    def _drawn(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return values if self.params is None else self.params[values["of"]]

    def folder_of(self, number: int) -> Path:
        """Folder of the trial that is named by a number."""
        return self.folder / self.kind / f"{number:04d}"

    def plans(self) -> dict[int | None, TrainingPlan]:
        """Any one plan by size of image: its samples are those of all."""
        return {
            size: self.plan_of(TrialRequest(0, {} if size is None else {IMAGE_SIZE: size}, 0))
            for size in self.datasets
        }

    def plan_of(self, request: TrialRequest) -> TrainingPlan:
        """The plan of a trial."""
        dataset = self.datasets[self.size_of(request.values)]
        settings = self.settings_of(request.values)
        return plan_training(self.task, settings, dataset, self.folder_of(request.folder))


@dataclass(frozen=True)
class TrialOutcome:
    """What a trial gave.

    Attributes:
        facts: facts of the training, the objectives among them; plain values.
        stopped: whether it was asked to end.
    """

    facts: dict[str, Any]
    stopped: bool


def run_trial(
    context: TrialContext,
    request: TrialRequest,
    sources: Sources,
    tell: Tell,
    placement: WorkerPlacement | None = None,
    launch: Launch | None = None,
) -> TrialOutcome:
    """Run a trial, from its last checkpoint if it has one.

    Args:
        context: what all trials have in common.
        request: the trial.
        sources: the samples.
        tell: hears how it goes.
        placement, launch: several workers; None trains in this process.

    Raises:
        OdmError: why it gave nothing.
    """
    began = time.monotonic()
    plan = context.plan_of(request)
    held = sources[context.size_of(request.values)]
    last: dict[str, float] = {}

    def hear(report: ProgressReport) -> bool:
        if report.kind != "score":
            return False
        last.update(report.values)
        return tell(report.epoch, next(iter(report.values.values())))

    with ExitStack() as stack:
        _lock(plan, stack)
        plan.run.write(plan.settings, {**plan.facts, "trial": request.number})
        if placement is None:
            result = _here(context, plan, held, hear)
        else:
            from odm.training.launch import Launch
            from ray_jobs.training.launch import run_workers

            launch = launch or Launch()
            result = run_workers(plan, context.work, held, placement, launch, hear=hear)
        values = {**result.best, **last}
        for objective in context.objectives:
            name = objective.name
            if objective.learnt and name not in values:
                values[name] = best_value(plan, name, held["validation"])
        if not last:  # it had ended before this process began
            tell(result.epoch, values[context.objectives[0].name])
    image = plan.dataset.settings
    model = plan.new_model()
    facts: dict[str, Any] = {
        **values,
        **cost(model, image.height, image.width),
        "run": plan.run.folder.relative_to(context.folder).as_posix(),
        "epochs": result.epoch,
        "best_epoch": result.best_epoch,
        "steps": result.step,
        "seconds": round(time.monotonic() - began, 2),
    }
    return TrialOutcome(facts, stopped=result.reason == "asked")


def _lock(plan: TrainingPlan, stack: ExitStack) -> None:
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            stack.enter_context(plan.run.locked())
            return
        except TrainingError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1.0)


def _here(
    context: TrialContext,
    plan: TrainingPlan,
    held: Mapping[str, Source],
    hear: Callable[[ProgressReport], bool],
) -> TrainingResult:
    """Train in this process."""
    import torch

    from odm.models.networks.base import find_device
    from odm.training.events import listeners, recorded
    from odm.training.ranks import Ranks

    before = torch.get_num_threads()
    torch.set_num_threads(context.threads)
    try:
        with recorded(plan.run, plan.settings) as record:
            ranks = Ranks(device=find_device(plan.settings.runtime.device))
            return context.work(plan, ranks, listeners(record, hear), **held)
    finally:
        torch.set_num_threads(before)


def reason_of(error: BaseException) -> str:
    """Why a trial gave nothing, in one sentence."""
    text = (str(error).strip().splitlines() or [""])[0]
    if isinstance(error, MemoryError) or "out of memory" in text or "allocate memory" in text:
        return f"out of memory: {text}" if text else "out of memory"
    if isinstance(error, OdmError):
        return str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
