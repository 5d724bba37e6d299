"""One optimiser step, whatever the task: gradients over parts and ranks, and what follows."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from odm.models.networks.odconv import set_temperature
from odm.training.draws import step_seed
from odm.training.ema import MovingAverage
from odm.training.phases import clip, make_optimiser, resting_modules, set_learning, set_training
from odm.training.ranks import Ranks, without_sync
from odm.training.schedules import Schedule
from odm.training.settings import PhaseSettings, TrainingSettings
from odm.training.task import TrainingTask, on_device


class Stepper:
    """The model, its optimiser and its moving average, and how they take a step.

    Args:
        task: the task, with its model.
        settings: settings of the training.
        schedule: learning rate and temperature of every step.
        ranks: who trains together.
    """

    def __init__(
        self, task: TrainingTask, settings: TrainingSettings, schedule: Schedule, ranks: Ranks
    ) -> None:
        self.task, self.settings, self.schedule, self.ranks = task, settings, schedule, ranks
        self.model = task.model.to(ranks.device)
        if settings.compute.channels_last:
            self.model = self.model.to(memory_format=torch.channels_last)
        self.optimiser = make_optimiser(self.model, settings.optimiser)
        self.average: MovingAverage | None = None
        if settings.compute.ema is not None:
            self.average = MovingAverage(self.model, settings.compute.ema)
        self.frozen: tuple[str, ...] | None = None
        self.resting: list[nn.Module] = []
        self.net: nn.Module = self.model
        self.evaluated: nn.Module | None = None
        self.temperature: float | None = None

    def enter(self, phase: PhaseSettings) -> None:
        """Begin a phase, or an epoch of the one that goes on.

        Wraps the model again when other modules learn: `DistributedDataParallel` never synchronises
        a parameter that did not learn when it was wrapped.
        """
        if phase.freeze != self.frozen:
            self.resting = resting_modules(
                self.model, phase.freeze, self.settings.schedule.freeze_norm
            )
            set_learning(self.model, self.resting)
            # The old wrapper's hooks on the gradients go with it.
            self.net = self.model
            gc.collect()
            self.net = self._compiled(self.ranks.wrap(self.model))
            self.frozen = phase.freeze
        set_training(self.model, self.resting)

    def evaluation_net(self) -> nn.Module:
        """The model in evaluation mode. Not the wrapped one: ranks may have unequal numbers of
        batches, and none would wait for another."""
        self.model.eval()
        if self.evaluated is None:
            self.evaluated = self._compiled(self.model)
        return self.evaluated

    def step(self, batches: Sequence[Any], step: int) -> dict[str, Tensor]:
        """Take one step.

        Args:
            batches: this rank's parts of the step.
            step: optimiser steps done before.

        Returns:
            Scalars of the task, and ``gradient``, its length before it was clipped; on the device,
            where they can wait.
        """
        # All that a network draws depends on the step, so there is no random state to restore.
        torch.manual_seed(step_seed(self.settings.seed, step, self.ranks.rank))
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.rate(step)
        self.set_temperature(step)
        self.optimiser.zero_grad(set_to_none=True)
        totals: dict[str, Tensor] = {}
        device = self.ranks.device
        for number, batch in enumerate(batches, start=1):
            with without_sync(self.net, skip=number < len(batches)):
                with self.autocast():
                    values = self.task.loss(self.net, on_device(batch, device), self.ranks)
                (values["loss"] / len(batches)).backward()
            for name, value in values.items():
                totals[name] = totals.get(name, 0.0) + value.detach().float() / len(batches)
        totals["gradient"] = clip(self.model, self.settings.optimiser.clip_norm).detach()
        self.optimiser.step()
        if self.average is not None:
            self.average.update(step + 1)
        return totals

    def agree(self) -> None:
        """Make the running statistics those of all ranks, before they are used or kept."""
        self.ranks.average_(self.model.buffers())
        if self.average is not None:
            self.ranks.average_(self.average.statistics)

    def set_temperature(self, step: int) -> None:
        """Set the temperature of ODConv for the step after ``step`` steps."""
        temperature = self.schedule.temperature(step)
        if temperature != self.temperature:
            set_temperature(self.model, temperature)
            self.temperature = temperature

    def autocast(self) -> torch.autocast:
        """The network's precision."""
        return torch.autocast(
            self.ranks.device.type,
            dtype=torch.bfloat16,
            enabled=self.settings.compute.precision == "bfloat16",
        )

    def _compiled(self, net: nn.Module) -> nn.Module:
        compiled: Any = torch.compile(net) if self.settings.compute.compile else net
        return compiled
