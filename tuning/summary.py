"""What a sweep found: its trials as a table, what matters, the best, and what is only chance."""

from __future__ import annotations

import math
import statistics
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from odm.core.errors import OdmError
from tuning.folder import Sweep, SweepFolder
from tuning.objectives import Objective
from tuning.study import Counts, open_study, quiet, ranked, trials_of

WORDS = {
    TrialState.COMPLETE: "done",
    TrialState.PRUNED: "stopped",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}
FEWEST = 8
"""Trials that came to their end, below which nothing is said about what matters: of fewer, the best
quarter is one."""
HINT = 20
"""Trials below which what is said about what matters is no more than a hint."""
BEST_SHARE = 0.25


@dataclass(frozen=True)
class RepeatedTrial:
    """A trial that was trained with several seeds.

    Attributes:
        number: number of the trial.
        values: values of the first objective, its own first.
    """

    number: int
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return statistics.fmean(self.values)

    @property
    def spread(self) -> float:
        """Standard deviation between seeds; NaN of one."""
        return statistics.stdev(self.values) if len(self.values) > 1 else math.nan


@dataclass(frozen=True)
class SweepSummary:
    """What is in a sweep's study.

    Attributes:
        name: name of the sweep.
        sweep: what it is.
        trials: all but those that were queued again.
        best: those that came to their end, the best by the first objective first.
        repeated: the best few with other seeds.
        importance: see `importance_of`; empty where there are too few trials.
        front: numbers of the trials that no other one beats in every objective; of one objective
            the best alone.
    """

    name: str
    sweep: Sweep
    trials: list[FrozenTrial]
    best: list[FrozenTrial]
    repeated: list[RepeatedTrial] = field(default_factory=list)
    importance: dict[str, float] = field(default_factory=dict)
    front: list[int] = field(default_factory=list)

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What was looked for."""
        return self.sweep.looked_for

    @property
    def first(self) -> Objective:
        """The objective that decides."""
        return self.objectives[0]

    @property
    def counts(self) -> Counts:
        """Trials by what became of them."""
        return Counts.of(self.trials)

    @property
    def noise(self) -> float:
        """Standard deviation between seeds, pooled over the trials that were repeated; NaN if
        none was."""
        squares = [(value - trial.mean) ** 2 for trial in self.repeated for value in trial.values]
        freedom = sum(len(trial.values) - 1 for trial in self.repeated)
        return math.sqrt(sum(squares) / freedom) if freedom else math.nan

    def rows(self) -> list[dict[str, Any]]:
        """A row per trial: the ended ones by their value, then the others."""
        order = {trial.number: place for place, trial in enumerate(self.best)}
        trials = sorted(self.trials, key=lambda t: (order.get(t.number, 10**9), t.number))
        return [self._row(trial) for trial in trials if trial.state != TrialState.WAITING]

    def _row(self, trial: FrozenTrial) -> dict[str, Any]:
        facts = trial.user_attrs
        row: dict[str, Any] = {"trial": trial.number, "state": WORDS[trial.state]}
        values = trial.values or facts.get("values") or []
        for number, objective in enumerate(self.objectives):
            value = values[number] if number < len(values) else None
            row[objective.name] = value
        row |= {name: trial.params.get(name) for name in self.sweep.space.domains}
        if self.sweep.task != "thresholds":
            row |= {name: facts.get(name) for name in ("epochs", "gmacs", "parameters", "seconds")}
        row["reason"] = facts.get("reason", "")
        return row


def read_sweep(folder: SweepFolder) -> SweepSummary:
    """What is in a sweep's study, which may still be running.

    Raises:
        InputError: there is no sweep.
        TuningError: no study yet.
    """
    sweep = folder.read()
    study = open_study(folder.journal, folder.name)
    trials = trials_of(study)
    best = ranked(trials, sweep.looked_for[0])
    return SweepSummary(
        folder.name,
        sweep,
        trials,
        best,
        _repeated(folder, trials),
        importance_of(study, sweep.looked_for[0], len(best)),
        _front(sweep.looked_for, best),
    )


def importance_of(study: optuna.Study, first: Objective, ended: int) -> dict[str, float]:
    """PED-ANOVA (Watanabe et al. 2023): how much each parameter decides whether a trial is among
    the best quarter of those that came to their end; shares that add up to 1, or none where there
    are too few trials or nothing tells them apart."""
    if ended < FEWEST:
        return {}
    sign = -1 if first.maximised else 1
    evaluator = PedAnovaImportanceEvaluator(target_quantile=BEST_SHARE)
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importances = get_param_importances(
            study,
            evaluator=evaluator,
            target=lambda trial: sign * trial.values[0],
            normalize=False,  # or shares of nothing would be equal
        )
    shares = {name: float(value) for name, value in importances.items() if math.isfinite(value)}
    total = sum(shares.values())
    if not total:
        return {}
    return {
        name: value / total for name, value in sorted(shares.items(), key=lambda item: -item[1])
    }


def _repeated(folder: SweepFolder, trials: Sequence[FrozenTrial]) -> list[RepeatedTrial]:
    try:
        study = open_study(folder.journal, folder.seeds_study)
    except OdmError:
        return []
    repeats: dict[int, list[float]] = defaultdict(list)
    for trial in study.get_trials(deepcopy=False):
        if trial.state == TrialState.COMPLETE:
            repeats[trial.params["of"]].append(trial.values[0])
    own = {trial.number: trial.values[0] for trial in trials if trial.state == TrialState.COMPLETE}
    return [
        RepeatedTrial(number, (own[number], *values))
        for number, values in repeats.items()
        if number in own
    ]


def _front(objectives: Sequence[Objective], best: Sequence[FrozenTrial]) -> list[int]:
    """Numbers of the trials that no other one beats or equals in all and beats in one."""
    signs = [1 if objective.maximised else -1 for objective in objectives]
    points = [[s * v for s, v in zip(signs, trial.values, strict=True)] for trial in best]
    front = []
    for trial, mine in zip(best, points, strict=True):
        beaten = any(
            theirs != mine and all(t >= m for t, m in zip(theirs, mine, strict=True))
            for theirs in points
        )
        if not beaten:
            front.append(trial.number)
    return front if len(objectives) > 1 else front[:1]
