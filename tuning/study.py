"""The study on disk: the one truth of what was tried.

An Optuna journal (`JournalFileBackend`), which other programs such as ``optuna-dashboard`` can open
while a sweep runs. One driver writes it. Beside Optuna's own record a trial has attributes:

    folder      its folder, by number; that of the trial that it goes on with
    queued      its values, where it was not drawn
    again_of    number of the trial that was killed with its driver, whose place it takes
    cut         how often in a row it was killed so without a new epoch, and after which one
    curve       value of the first objective by epoch
    reason      why it failed
    stopped     epoch at which it was stopped early
    ...         facts of the training: seconds, epochs, gmacs, parameters, ...
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from odm.core.errors import OdmError
from odm.core.files import make_folder
from tuning.objectives import Objective
from tuning.stopping import Curve, Rule

JOURNAL = "study.journal"
KILLED = "the sweep was killed"
CUTS = 5
"""A trial that shares its driver's process may be what kills it: so often it is tried."""
STARTUP = 10
"""Trials that are drawn at random before TPE has anything to go by."""


class TuningError(OdmError):
    """A sweep that cannot begin or go on: exit code 1."""


@dataclass(frozen=True)
class TrialRequest:
    """A trial that is to be run.

    Attributes:
        number: its number in the study.
        values: values of the parameters, by name.
        folder: number by which its folder is named: that of the killed trial that it goes on with.
    """

    number: int
    values: dict[str, Any]
    folder: int


@dataclass(frozen=True)
class Counts:
    """Trials by what became of them."""

    done: int
    stopped: int
    failed: int
    running: int

    @property
    def finished(self) -> int:
        """Those that are not tried again."""
        return self.done + self.stopped + self.failed

    @classmethod
    def of(cls, trials: Sequence[FrozenTrial]) -> Counts:
        """Count trials."""
        states = [trial.state for trial in trials]
        return cls(
            done=states.count(TrialState.COMPLETE),
            stopped=states.count(TrialState.PRUNED),
            failed=states.count(TrialState.FAIL),
            running=states.count(TrialState.RUNNING),
        )


class Ledger:
    """One study of a journal, written by one driver.

    Args:
        path: the journal.
        name: name of the study.
        objectives: what is looked for; the first one has curves.
        distributions: distributions of the parameters.
        seed: seed of the search.
        rule: when trials are stopped early; None for never.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        objectives: Sequence[Objective],
        distributions: Mapping[str, BaseDistribution],
        *,
        seed: int = 0,
        rule: Rule | None = None,
    ) -> None:
        self.objectives = tuple(objectives)
        self.distributions = dict(distributions)
        self.seed, self.rule = seed, rule or Rule("none")
        make_folder(path.parent)
        mend(path)
        with quiet():
            self.study = optuna.create_study(
                storage=_storage(path),
                study_name=name,
                directions=[objective.direction for objective in self.objectives],
                load_if_exists=True,
            )
        self._running: dict[int, optuna.Trial] = {}

    # -- before ----------------------------------------------------------------------------------

    def adopt_orphans(self, most_cuts: int | None = None) -> int:
        """Queue the trials again that a killed driver has left.

        Args:
            most_cuts: so often without a new epoch, then a trial has failed; None for any number.

        Returns:
            How many begin again.
        """
        trials = self.study.get_trials(deepcopy=False)
        taken = {trial.user_attrs.get("again_of") for trial in trials}
        again = 0
        for orphan in [trial for trial in trials if trial.state == TrialState.RUNNING]:
            facts, reason = orphan.user_attrs, KILLED
            # Killed while it was begun, one that was queued has not all of its values yet.
            values = facts.get("queued", orphan.params)
            if set(values) == set(self.distributions) and orphan.number not in taken:
                times, epoch = facts.get("cut", (0, 0))
                reached = max(curve_of(orphan), default=0)
                times = times + 1 if reached <= epoch else 1
                if most_cuts is not None and times >= most_cuts:
                    reason = f"the sweep ended with it {times} times: it may be why"
                else:
                    # Queued before it is closed: killed in between, it is an orphan still.
                    self.queue(
                        values,
                        again_of=orphan.number,
                        cut=(times, reached),
                        folder=folder_of(orphan),
                        curve=facts.get("curve", {}),
                    )
            again += reason == KILLED
            optuna.Trial(self.study, orphan._trial_id).set_user_attr("reason", reason)
            self.study.tell(orphan.number, state=TrialState.FAIL)
        return again

    def queue(self, values: Mapping[str, Any], **attributes: Any) -> None:
        """Have a trial run that is not drawn, with attributes beside its values."""
        attributes["queued"] = dict(values)
        with quiet():
            self.study.enqueue_trial(dict(values), user_attrs=attributes)

    # -- while it runs ---------------------------------------------------------------------------

    @property
    def open(self) -> tuple[int, ...]:
        """Numbers of the trials that were asked for and not closed."""
        return tuple(self._running)

    def ask(self) -> TrialRequest:
        """The next trial: one that is queued, or a new one.

        What is drawn depends on the seed, on how many were drawn before and on what came out, and
        not on how often the sweep was killed.
        """
        trials = self.study.get_trials(deepcopy=False)
        drawn = sum(not is_orphan(t) and t.state != TrialState.WAITING for t in trials)
        state = np.random.SeedSequence([self.seed, drawn]).generate_state(1)[0]
        with quiet():
            self.study.sampler = TPESampler(
                seed=int(state), n_startup_trials=STARTUP, constant_liar=True
            )
            trial = self.study.ask(fixed_distributions=self.distributions)
        self._show(trial, curve_of(trial))
        self._running[trial.number] = trial
        return TrialRequest(trial.number, dict(trial.params), folder_of(trial))

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Write down the first objective after an epoch; whether the trial is to be stopped."""
        trial = self._running[number]
        known = curve_of(trial)
        curve = {**known, epoch: value}
        trial.set_user_attr("curve", {str(at): _plain(v) for at, v in curve.items()})
        self._show(trial, {at: v for at, v in curve.items() if at not in known})
        others = [
            curve_of(other)
            for other in self.study.get_trials(deepcopy=False)
            if other.number != number and not is_orphan(other)
        ]
        sign = 1 if self.objectives[0].maximised else -1
        return self.rule.stops(_signed(curve, sign), (_signed(other, sign) for other in others))

    def _show(self, trial: optuna.Trial, curve: Curve) -> None:
        """Let Optuna have a curve too, which it takes for one objective only."""
        if len(self.objectives) == 1:
            for epoch, value in curve.items():
                trial.report(value, epoch)

    def finish(self, number: int, facts: Mapping[str, Any], *, stopped: bool) -> None:
        """Close a trial.

        Args:
            number: number of the trial.
            facts: facts of the training, the objectives among them; plain values.
            stopped: whether it was stopped early.
        """
        values = [float(facts.get(objective.name, math.nan)) for objective in self.objectives]
        for objective, value in zip(self.objectives, values, strict=True):
            if math.isnan(value):
                self.fail(number, f"{objective.name} is not a number", facts)
                return
        trial = self._running.pop(number)
        self._note(trial, {**facts, **({"stopped": facts.get("epochs")} if stopped else {})})
        if not stopped:
            self.study.tell(trial, values)
            return
        trial.set_user_attr("values", values)
        self.study.tell(trial, state=TrialState.PRUNED)

    def fail(self, number: int, reason: str, facts: Mapping[str, Any] | None = None) -> None:
        """Close a trial that gave nothing, with the reason."""
        trial = self._running.pop(number)
        self._note(trial, {**(facts or {}), "reason": reason})
        self.study.tell(trial, state=TrialState.FAIL)

    @staticmethod
    def _note(trial: optuna.Trial, facts: Mapping[str, Any]) -> None:
        for name, value in facts.items():
            trial.set_user_attr(name, _plain(value))

    # -- what there is ---------------------------------------------------------------------------

    @property
    def trials(self) -> list[FrozenTrial]:
        """All but those that were queued again."""
        return trials_of(self.study)

    def counts(self) -> Counts:
        """Trials by what became of them."""
        return Counts.of(self.trials)

    def ranked(self) -> list[FrozenTrial]:
        """Those that came to their end, the best by the first objective first."""
        return ranked(self.trials, self.objectives[0])

    def best(self) -> FrozenTrial:
        """The best by the first objective.

        Raises:
            TuningError: none came to its end.
        """
        ended = self.ranked()
        if ended:
            return ended[0]
        reasons = {str(trial.user_attrs.get("reason", "")) for trial in self.trials} - {""}
        raise TuningError(
            f"none of {self.counts().finished} trials came to its end: "
            + (min(reasons) if reasons else "all were stopped early")
        )


def trials_of(study: optuna.Study) -> list[FrozenTrial]:
    """All trials but those that were queued again."""
    return [trial for trial in study.get_trials(deepcopy=False) if not is_orphan(trial)]


def ranked(trials: Sequence[FrozenTrial], first: Objective) -> list[FrozenTrial]:
    """Trials that came to their end, the best by the first objective first."""
    ended = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    sign = -1 if first.maximised else 1
    return sorted(ended, key=lambda trial: (sign * trial.values[0], trial.number))


def open_study(path: Path, name: str) -> optuna.Study:
    """A study to read; another program may be writing it.

    Raises:
        TuningError: there is none.
    """
    if not path.is_file():
        raise TuningError(f"{path.parent}: there is no study here; run the sweep first")
    with quiet():
        try:
            return optuna.load_study(study_name=name, storage=_storage(path))
        except KeyError:
            raise TuningError(f"{path}: holds no study {name!r}") from None


def mend(path: Path) -> None:
    """Cut half a line that a killed driver has left at the end of a journal."""
    if not path.is_file():
        return
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with path.open("r+b") as file:
            file.truncate(whole)


def is_orphan(trial: FrozenTrial) -> bool:
    """Whether a trial ended with its driver: another one has its place."""
    return trial.state == TrialState.FAIL and trial.user_attrs.get("reason") == KILLED


def folder_of(trial: FrozenTrial | optuna.Trial) -> int:
    """Number by which the folder of a trial is named."""
    return int(trial.user_attrs.get("folder", trial.number))


def curve_of(trial: FrozenTrial | optuna.Trial) -> Curve:
    """First objective of a trial by epoch."""
    curve = trial.user_attrs.get("curve", {})
    return {int(at): math.nan if value is None else value for at, value in curve.items()}


def _signed(curve: Curve, sign: int) -> Curve:
    return {at: sign * value for at, value in curve.items()}


def _plain(value: Any) -> Any:
    """A value for JSON, which has no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _storage(path: Path) -> JournalStorage:
    return JournalStorage(JournalFileBackend(str(path)))


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Optuna's remarks on every trial and on what may change in it."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
