"""The one training loop: every task, every runner, with or without other ranks.

It is given its ranks, its feeds, a place for checkpoints and somebody to report to, and knows
nothing else of the machinery around it.

**Going on is exact.** A checkpoint holds weights, optimiser, moving average and position; rates,
temperature, the order of samples and all randomness are functions of the position. So a training
that was killed and goes on ends, on CPUs and with as many ranks, with the same bits as one that was
not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Literal

import torch
from torch import Tensor

from odm.training.checkpoints import (
    Checkpoints,
    Position,
    below,
    load_optimiser,
    load_weights,
    optimiser_tensors,
    prefixed,
)
from odm.training.errors import TrainingError
from odm.training.feed import ThreadFeed, WholeFeed
from odm.training.ranks import Ranks
from odm.training.schedules import Schedule
from odm.training.settings import TrainingSettings
from odm.training.stepper import Stepper
from odm.training.task import TrainingTask, on_device

NO_STEP = -1
"""Stands for no checkpoint where the ranks compare theirs."""


@dataclass(frozen=True)
class ProgressReport:
    """What the loop tells, on every rank.

    Attributes:
        kind: ``begin``: once, with the position that it goes on from, unless all is done already.
            ``steps``: some steps were done. ``epoch``: an epoch was validated. ``checkpoint``: one
            was written; a runner may copy it. ``score``: never told by the loop; a runner that
            scores a checkpoint tells its own listener so.
        step: optimiser steps done.
        epoch: epochs done; with ``steps`` those before the current one.
        steps_per_epoch: optimiser steps in an epoch.
        samples: samples that the ``steps`` were trained on, over all ranks.
        values: means over the steps, or metrics of the epoch (``train/…``, ``validation/…``).
        best: whether the epoch validated best so far.
        best_epoch: epoch, from 1, that validated best; 0 before there is one.
        checkpoint: its file, whole; on every rank, written by the main one.
        at_end: whether a ``checkpoint`` closes an epoch, whose ``values`` come with it.
    """

    kind: Literal["begin", "steps", "epoch", "checkpoint", "score"]
    step: int
    epoch: int
    steps_per_epoch: int
    samples: int = 0
    values: dict[str, float] = field(default_factory=dict)
    best: bool = False
    best_epoch: int = 0
    checkpoint: str | None = None
    at_end: bool = False


class Answer(IntFlag):
    """What a listener may answer. ``True`` is `STOP`."""

    NOTHING = 0
    STOP = 1
    """End after the next checkpoint."""
    KEEP = 2
    """Write a checkpoint now, in the middle of an epoch: this machine may soon be gone."""


Listener = Callable[[ProgressReport], Answer | bool | None]
"""Hears reports, and may ask for something. `KEEP` is heard on ``steps`` of the main rank."""


@dataclass(frozen=True)
class TrainingResult:
    """How a training ended.

    Attributes:
        step, epoch: done.
        best_epoch: the epoch, from 1, that validated best.
        best: metrics of the best epoch.
        reason: ``epochs``: all done. ``patience``: nothing better for long. ``asked``: by a
            listener.
    """

    step: int
    epoch: int
    best_epoch: int
    best: dict[str, float]
    reason: Literal["epochs", "patience", "asked"]


def ended(settings: TrainingSettings, position: Position) -> Literal["epochs", "patience"] | None:
    """Why a training is over at a position; None where it goes on."""
    schedule = settings.schedule
    if position.epoch >= schedule.epochs:
        return "epochs"
    waited = position.epoch - position.best_epoch
    if schedule.patience is not None and position.epoch and waited >= schedule.patience:
        return "patience"
    return None


class Loop:
    """Trains a task.

    Args:
        task: the model, its loss and its validation.
        training, validation: the samples.
        settings: settings of the training.
        checkpoints: where to write them, and to go on from the last one.
        ranks: who trains together; every one has the same settings and model.
        listener: hears reports, on every rank.
    """

    def __init__(
        self,
        task: TrainingTask,
        training: ThreadFeed,
        validation: WholeFeed,
        settings: TrainingSettings,
        checkpoints: Checkpoints,
        *,
        ranks: Ranks | None = None,
        listener: Listener | None = None,
    ) -> None:
        self.task, self.training, self.validation = task, training, validation
        self.settings, self.checkpoints = settings, checkpoints
        self.ranks = ranks or Ranks()
        self.listener = listener
        rate = settings.optimiser.learning_rate
        self.schedule = Schedule(settings.schedule, rate, training.steps_per_epoch)
        self.stepper = Stepper(task, settings, self.schedule, self.ranks)
        self.position = Position()
        self.kept_step: int | None = None
        self.asked = False
        self.hurry = False
        self._waiting: list[dict[str, Tensor]] = []

    def run(self) -> TrainingResult:
        """Train to the end, from the last checkpoint if there is one.

        Raises:
            TrainingError: the loss is no number, or the checkpoint does not fit or is not the same
                for all ranks.
        """
        self._restore()
        position = self.position
        if self._reason() is None:
            self._tell("begin")
        while (reason := self._reason()) is None:
            self.task.begin_epoch(position.epoch)
            self.stepper.enter(self.settings.schedule.phase_of(position.epoch))
            if not self._train_epoch():
                break
            self._close_epoch()
        return TrainingResult(
            position.step, position.epoch, position.best_epoch, position.best, reason or "asked"
        )

    def _reason(self) -> Literal["epochs", "patience", "asked"] | None:
        return ended(self.settings, self.position) or ("asked" if self.asked else None)

    # -- an epoch --------------------------------------------------------------------------------

    def _train_epoch(self) -> bool:
        """Train what is left of an epoch; False if a listener asked to stop in the middle."""
        position, runtime = self.position, self.settings.runtime
        for batches in self.training.steps(position.epoch, position.done, self.ranks):
            self._waiting.append(self.stepper.step(batches, position.step))
            position.step += 1
            position.done += 1
            ends = position.done == self.training.steps_per_epoch
            every = runtime.checkpoint_steps
            keep = every is not None and position.done % every == 0 and not ends
            if keep or ends or position.done % runtime.log_steps == 0:
                self._flush()
                # The main rank's answer is every rank's: all of them look at the same step.
                keep = not ends and (self.ranks.any(self.hurry) or keep)
            if keep:
                self.stepper.agree()
                self._save_last()
                if self._tell("checkpoint"):
                    return False
        return True

    def _close_epoch(self) -> None:
        position = self.position
        values = {f"train/{name}": total / position.done for name, total in position.totals.items()}
        measured: dict[str, float] = {}
        if self.settings.schedule.validates(position.epoch + 1):
            measured = self.validate()
        else:
            self.stepper.agree()
        values |= {f"validation/{name}": value for name, value in measured.items()}
        position.epoch, position.done, position.totals = position.epoch + 1, 0, {}
        is_best = False
        if measured:
            score, best = measured[self.task.score], position.best.get(self.task.score, -math.inf)
            is_best = not position.best_epoch or score > best or math.isnan(best)
        if is_best:
            position.best_epoch, position.best = position.epoch, measured
        # The epoch is told before it is kept: killed in between, it is repeated and told again,
        # and who listens drops what it heard beyond the position that the loop goes on from.
        self._tell("epoch", values=values, best=is_best)
        if is_best and self.ranks.is_main:
            with self._averaged():
                weights = prefixed("model", self.stepper.model.state_dict())
                self.checkpoints.save_best(position, weights)
        self._save_last()
        self._tell("checkpoint", values=values, best=is_best, at_end=True)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Metrics of the validation, of the averaged weights where there are such."""
        self.stepper.agree()
        meter = self.task.meter(self.ranks.device)
        net = self.stepper.evaluation_net()
        with self._averaged():
            for batch in self.validation.batches(self.ranks):
                with self.stepper.autocast():
                    meter.update(net, on_device(batch, self.ranks.device))
        return meter.compute(self.ranks)

    def _averaged(self) -> AbstractContextManager[None]:
        average = self.stepper.average
        return nullcontext() if average is None else average.applied()

    # -- what is told ----------------------------------------------------------------------------

    def _flush(self) -> None:
        """Look at the steps since the last time; on a GPU this is where the CPU waits for it.

        Raises:
            TrainingError: one of them gave no number. Nothing was kept since.
        """
        names = sorted(self._waiting[0])
        table = torch.stack([torch.stack([v[name] for name in names]) for v in self._waiting])
        rows = (self.ranks.sum(table) / self.ranks.world_size).tolist()
        first = self.position.step - len(rows) + 1
        for step, row in enumerate(rows, start=first):
            if not all(map(math.isfinite, row)):
                raise TrainingError(self._no_number(step, dict(zip(names, row, strict=True))))
            for name, value in zip(names, row, strict=True):
                self.position.totals[name] = self.position.totals.get(name, 0.0) + value
        self._waiting.clear()
        means = {n: sum(c) / len(rows) for n, c in zip(names, zip(*rows, strict=True), strict=True)}
        means["learning_rate"] = self.schedule.rate(self.position.step - 1)
        means["temperature"] = self.schedule.temperature(self.position.step - 1)
        self._tell("steps", values=means, samples=len(rows) * self.training.batch_size)

    def _no_number(self, step: int, values: dict[str, float]) -> str:
        what = "loss" if not math.isfinite(values["loss"]) else "gradient"
        kept = "there is no checkpoint yet"
        if self.kept_step is not None:
            kept = f"the checkpoint of step {self.kept_step} is kept"
        return (
            f"the {what} is not a number at step {step} (epoch {self.position.epoch + 1}): "
            f"training stops, {kept}; try a lower optimiser.learning_rate or optimiser.clip_norm"
        )

    def _tell(
        self,
        kind: Literal["begin", "steps", "epoch", "checkpoint"],
        *,
        samples: int = 0,
        values: dict[str, float] | None = None,
        best: bool = False,
        at_end: bool = False,
    ) -> bool:
        """Tell the listener, and return whether anybody has asked to stop."""
        position = self.position
        if self.listener is not None:
            answer = self.listener(
                ProgressReport(
                    kind=kind,
                    step=position.step,
                    epoch=position.epoch,
                    steps_per_epoch=self.training.steps_per_epoch,
                    samples=samples,
                    values=values or {},
                    best=best,
                    best_epoch=position.best_epoch,
                    checkpoint=self.checkpoints.last if kind == "checkpoint" else None,
                    at_end=at_end,
                )
            )
            request = Answer(int(answer or 0))
            self.asked = self.asked or bool(request & Answer.STOP)
            self.hurry = self.hurry or bool(request & Answer.KEEP)
        if kind == "checkpoint":
            self.asked = self.ranks.any(self.asked)
        return self.asked

    # -- checkpoints -----------------------------------------------------------------------------

    def _save_last(self) -> None:
        if self.ranks.is_main:
            stepper = self.stepper
            tensors = prefixed("model", stepper.model.state_dict())
            moments = optimiser_tensors(stepper.optimiser, stepper.model)
            tensors |= prefixed("optimiser", moments)
            if stepper.average is not None:
                tensors |= prefixed("average", stepper.average.state())
            self.checkpoints.save_last(self.position, tensors)
        self.kept_step, self.hurry = self.position.step, False
        self.ranks.barrier()

    def _restore(self) -> None:
        checkpoint = self.checkpoints.load_last()
        # A shared file system may still show one rank an older file than another.
        steps = self.ranks.gather(NO_STEP if checkpoint is None else checkpoint[0].step)
        if len(set(steps)) > 1:
            seen = ", ".join("none" if step == NO_STEP else f"step {step}" for step in steps)
            raise TrainingError(
                f"{self.checkpoints.last}: the ranks read different checkpoints ({seen}): start "
                "again when all of them see the same file"
            )
        if checkpoint is None:
            return
        position, tensors = checkpoint
        stepper = self.stepper
        load_weights(stepper.model, below("model", tensors), self.checkpoints.last)
        load_optimiser(stepper.optimiser, stepper.model, below("optimiser", tensors))
        if stepper.average is not None:
            stepper.average.load(below("average", tensors))
        self.position, self.kept_step = position, position.step
