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
from tuning.study import Counts, curve_of, is_orphan, open_study, quiet, ranked

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
"""Below which it is no more than a hint."""
BEST_SHARE = 0.25


@dataclass(frozen=True)
class Repeated:
    """A trial that was trained with several seeds.

    Attributes:
        number: of the trial.
        values: of the first objective, its own first.
    """

    number: int
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return statistics.fmean(self.values)

    @property
    def spread(self) -> float:
        """Standard deviation between seeds; NaN of one."""
        return statistics.stdev(self.values) if len(self.values) > 1 else math.nan


@dataclass(frozen=True)
class SweepSummary:
    """What is in a sweep's study.

    Attributes:
        name: of the sweep.
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
    repeated: list[Repeated] = field(default_factory=list)
    importance: dict[str, float] = field(default_factory=dict)
    front: list[int] = field(default_factory=list)

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What was looked for."""
        return self.sweep.looked_for

    @property
    def first(self) -> Objective:
        """The one that decides."""
        return self.objectives[0]

    @property
    def counts(self) -> Counts:
        """Trials by what became of them."""
        states = [one.state for one in self.trials]
        return Counts(
            *(states.count(state) for state in (
                TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING,
            ))
        )  # fmt: skip

    @property
    def noise(self) -> float:
        """Standard deviation between seeds, pooled over the trials that were repeated; NaN if
        none was."""
        squares = [(value - one.mean) ** 2 for one in self.repeated for value in one.values]
        freedom = sum(len(one.values) - 1 for one in self.repeated)
        return math.sqrt(sum(squares) / freedom) if freedom else math.nan

    def rows(self) -> list[dict[str, Any]]:
        """A row per trial: the ended ones by their value, then the others."""
        order = {one.number: place for place, one in enumerate(self.best)}
        chosen = sorted(self.trials, key=lambda one: (order.get(one.number, 10**9), one.number))
        return [self._row(one) for one in chosen if one.state != TrialState.WAITING]

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
    trials = [one for one in study.get_trials(deepcopy=False) if not is_orphan(one)]
    best = ranked(trials, sweep.looked_for[0])
    found = SweepSummary(
        folder.name,
        sweep,
        trials,
        best,
        _repeated(folder, trials),
        importance_of(study, sweep.looked_for[0], len(best)),
        _front(sweep.looked_for, best),
    )
    return found


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
        found = get_param_importances(
            study,
            evaluator=evaluator,
            target=lambda trial: sign * trial.values[0],
            normalize=False,  # or shares of nothing would be equal
        )
    shares = {name: float(value) for name, value in found.items() if math.isfinite(value)}
    total = sum(shares.values())
    if not total:
        return {}
    return {
        name: value / total for name, value in sorted(shares.items(), key=lambda item: -item[1])
    }


def _repeated(folder: SweepFolder, trials: Sequence[FrozenTrial]) -> list[Repeated]:
    try:
        study = open_study(folder.journal, folder.seeds_study)
    except OdmError:
        return []
    others: dict[int, list[float]] = defaultdict(list)
    for one in study.get_trials(deepcopy=False):
        if one.state == TrialState.COMPLETE:
            others[one.params["of"]].append(one.values[0])
    own = {one.number: one.values[0] for one in trials if one.state == TrialState.COMPLETE}
    return [
        Repeated(number, (own[number], *values))
        for number, values in others.items()
        if number in own
    ]


def _front(objectives: Sequence[Objective], best: Sequence[FrozenTrial]) -> list[int]:
    """Numbers of the trials that no other one beats or equals in all and beats in one."""
    signs = [1 if one.maximised else -1 for one in objectives]
    points = [[s * v for s, v in zip(signs, one.values, strict=True)] for one in best]
    front = []
    for one, mine in zip(best, points, strict=True):
        beaten = any(
            theirs != mine and all(t >= m for t, m in zip(theirs, mine, strict=True))
            for theirs in points
        )
        if not beaten:
            front.append(one.number)
    return front if len(objectives) > 1 else front[:1]


def best_so_far(found: SweepSummary) -> list[tuple[int, float]]:
    """(trial, best value up to it), by number, of the trials that came to their end."""
    sign = 1 if found.first.maximised else -1
    out: list[tuple[int, float]] = []
    for one in sorted(found.best, key=lambda one: one.number):
        value = one.values[0]
        if out and sign * out[-1][1] > sign * value:
            value = out[-1][1]
        out.append((one.number, value))
    return out


def curves(found: SweepSummary) -> dict[int, list[tuple[int, float]]]:
    """First objective by epoch, of every trial that has a curve."""
    return {one.number: sorted(curve_of(one).items()) for one in found.trials if curve_of(one)}
