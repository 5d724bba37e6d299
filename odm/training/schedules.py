"""What changes from step to step: the learning rate and the temperature of ODConv."""

from __future__ import annotations

import math

from odm.models.networks.odconv import TEMPERATURE_START, temperature_at
from odm.training.settings import ScheduleSettings


def cosine_restarts(epoch: float, first: int, multiplier: int) -> float:
    """Cosine annealing with warm restarts (Loshchilov and Hutter, 2017): 1 at the begin of each
    cycle, falling to 0 at its end.

    Args:
        epoch: time since the begin, in epochs; parts of one count.
        first: T_0, length of the first cycle.
        multiplier: T_mult, each cycle is this much longer than the one before.
    """
    length = float(first)
    if multiplier == 1:
        position = epoch % length
    else:
        # The first n cycles last T_0 (m^n - 1) / (m - 1) epochs. Counted, not solved for n by a
        # logarithm, which rounds to the wrong cycle at some of the restarts.
        position = epoch
        while position >= length:
            position -= length
            length *= multiplier
    return (1 + math.cos(math.pi * position / length)) / 2


class Schedule:
    """Learning rate and temperature of every optimiser step.

    Both are functions of the number of steps done, so there is nothing to store or to restore.

    Args:
        settings: lengths in epochs.
        learning_rate: the highest.
        steps_per_epoch: optimiser steps in an epoch.
    """

    def __init__(
        self, settings: ScheduleSettings, learning_rate: float, steps_per_epoch: int
    ) -> None:
        self.settings = settings
        self.learning_rate = learning_rate
        self.steps_per_epoch = steps_per_epoch
        start = settings.temperature_start
        self.temperature_start = TEMPERATURE_START if start is None else start

    def rate(self, step: int) -> float:
        """Learning rate of the step after ``step`` steps."""
        settings = self.settings
        epoch = step / self.steps_per_epoch
        first = settings.restart_epochs or settings.epochs
        share = cosine_restarts(epoch, first, settings.restart_multiplier)
        # A factor of a phase may bring the highest rate below the minimum of the cycles.
        highest = self.learning_rate * settings.phase_of(int(epoch)).rate
        lowest = min(settings.minimum, highest)
        rate = lowest + (highest - lowest) * share
        if epoch < settings.warmup_epochs:
            # The first step must move: it counts as done.
            rate *= (step + 1) / (settings.warmup_epochs * self.steps_per_epoch + 1)
        return rate

    def temperature(self, step: int) -> float:
        """Temperature of the attentions of ODConv in the step after ``step`` steps."""
        return temperature_at(
            step,
            self.steps_per_epoch,
            start=self.temperature_start,
            epochs=self.settings.temperature_epochs,
        )
