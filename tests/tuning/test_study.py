"""The study: killed, gone on with, read by others; and what is stopped early."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tuning.objectives import objectives_of
from tuning.spaces import make_space
from tuning.stopping import Rule
from tuning.study import KILLED, Ledger, open_study

PARAMETERS = {
    "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    "sdi_channels": {"low": 16, "high": 64, "step": 16},
    "restart_epochs": {"choices": [None, 5]},
}
TRIALS = 14
"""More than are drawn at random."""


def ledger_at(path: Path, *names: str, rule: str = "none") -> Ledger:
    distributions = make_space("segmenter", PARAMETERS).distributions
    objectives = objectives_of("segmenter", names)
    return Ledger(path, "a study", objectives, distributions, seed=5, rule=Rule(rule))


def value_of(values: dict[str, Any]) -> float:
    return values["sdi_channels"] / 64 - abs(math.log10(values["learning_rate"] / 1e-3))


def one_trial(ledger: Ledger, die_at: int | None = None) -> None:
    """Three epochs; dies by SIGKILL in the second of a trial."""
    asked = ledger.ask()
    value = value_of(asked.values)
    for epoch in (1, 2, 3):
        if asked.number == die_at and epoch == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        if ledger.report(asked.number, epoch, value + 0.1 * epoch):
            ledger.finish(asked.number, {"epochs": epoch, "region_f1": value}, stopped=True)
            return
    ledger.finish(asked.number, {"epochs": 3, "region_f1": value}, stopped=False)


def run(path: Path, die_at: int | None = None) -> Ledger:
    ledger = ledger_at(path, rule="asha")
    ledger.adopt_orphans()
    while ledger.counts().finished < TRIALS:
        one_trial(ledger, die_at)
    return ledger


def test_killed_and_begun_again_it_tries_the_same(tmp_path: Path) -> None:
    undisturbed = run(tmp_path / "one")
    for die_at in (3, 12):
        program = [sys.executable, "-m", "tests.tuning.test_study", str(tmp_path / "two")]
        done = subprocess.run([*program, str(die_at)], cwd=Path(__file__).parents[2])
        assert done.returncode == -signal.SIGKILL
    again = run(tmp_path / "two")
    pairs = list(zip(undisturbed.trials, again.trials, strict=True))
    assert len(pairs) == TRIALS
    for mine, theirs in pairs:
        assert mine.params == theirs.params
        assert mine.state == theirs.state
        assert mine.values == theirs.values
        assert mine.user_attrs["curve"] == theirs.user_attrs["curve"]
    killed = [one for one in again.study.trials if one.user_attrs.get("reason") == KILLED]
    assert [one.number for one in killed] == [3, 12]
    taken = [one for one in again.study.trials if "again_of" in one.user_attrs]
    assert [one.user_attrs["again_of"] for one in taken] == [3, 12]
    assert [one.user_attrs["folder"] for one in taken] == [3, 12]


def test_trials_differ_and_are_stopped(tmp_path: Path) -> None:
    counts = run(tmp_path / "study").counts()
    assert counts.done >= 3
    assert counts.stopped >= 3
    values = [one.params["learning_rate"] for one in run(tmp_path / "study").trials]
    assert len(set(values)) == TRIALS


def test_half_a_line_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "study"
    ledger = ledger_at(path)
    one_trial(ledger)
    with path.open("ab") as file:
        file.write(b'{"op_code": 5, "wor')
    again = ledger_at(path)
    one_trial(again)
    assert again.counts().done == 2


def test_killed_between_queueing_again_and_closing(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "study")
    asked = ledger.ask()
    ledger.queue(asked.values, again_of=asked.number, folder=asked.number)
    again = ledger_at(tmp_path / "study")
    assert again.adopt_orphans() == 1
    assert again.adopt_orphans() == 0
    taken = again.ask()
    assert (taken.values, taken.folder) == (asked.values, asked.folder)
    fresh = again.ask()
    assert fresh.values != asked.values


def test_killed_while_one_that_was_queued_is_begun(tmp_path: Path) -> None:
    """It is taken, and has none of its values yet."""
    ledger = ledger_at(tmp_path / "study")
    asked = ledger.ask()
    ledger.report(asked.number, 1, 0.5)
    again = ledger_at(tmp_path / "study")
    assert again.adopt_orphans() == 1
    assert again.study._pop_waiting_trial_id() is not None
    third = ledger_at(tmp_path / "study")
    assert third.adopt_orphans() == 1
    taken = third.ask()
    assert (taken.values, taken.folder) == (asked.values, asked.folder)
    assert third.trials[-1].user_attrs["curve"] == {"1": 0.5}


def test_one_that_kills_its_driver_is_not_tried_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "study"
    ledger = ledger_at(path)
    first = ledger.ask()
    for _ in range(2):
        ledger = ledger_at(path)
        assert ledger.adopt_orphans(most_cuts=3) == 1
        number = ledger.ask().number
    ledger.report(number, 1, 0.5)  # it has come further: that was not why
    for _ in range(2):
        ledger = ledger_at(path)
        assert ledger.adopt_orphans(most_cuts=3) == 1
        assert ledger.ask().values == first.values
    ledger = ledger_at(path)
    assert ledger.adopt_orphans(most_cuts=3) == 0
    assert ledger.counts().failed == 1
    assert "the sweep ended with it 3 times" in ledger.trials[0].user_attrs["reason"]
    assert ledger.ask().values != first.values


def test_others_read_it_while_it_runs(tmp_path: Path) -> None:
    """As optuna-dashboard does: by Optuna's own storage, in another process."""
    path = tmp_path / "study"
    ledger = ledger_at(path)
    one_trial(ledger)
    ledger.report(ledger.ask().number, 1, 0.25)
    program = (
        "import optuna, sys\n"
        "from optuna.storages import JournalStorage\n"
        "from optuna.storages.journal import JournalFileBackend\n"
        "storage = JournalStorage(JournalFileBackend(sys.argv[1]))\n"
        "(name,) = optuna.get_all_study_names(storage)\n"
        "study = optuna.load_study(study_name=name, storage=storage)\n"
        "print([(t.state.name, t.intermediate_values) for t in study.trials])\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    ).stdout
    assert "'RUNNING', {1: 0.25}" in said
    assert "'COMPLETE'" in said
    assert open_study(path, "a study").trials[0].state.name == "COMPLETE"


def test_several_objectives_have_curves_too(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "study", "mean_iou", "gmacs", rule="asha")
    for number in range(TRIALS):
        asked = ledger.ask()
        stops = ledger.report(asked.number, 1, -number)
        assert stops == (number > 0)
        facts = {"mean_iou": -number, "gmacs": asked.values["sdi_channels"], "epochs": 1}
        ledger.finish(asked.number, facts, stopped=stops)
    assert ledger.counts().stopped == TRIALS - 1
    assert ledger.ranked()[0].values[0] == 0


def test_failures_have_a_reason_and_are_not_repeated(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "study")
    ledger.fail(ledger.ask().number, "out of memory")
    ledger.finish(ledger.ask().number, {"region_f1": math.nan}, stopped=False)
    again = ledger_at(tmp_path / "study")
    assert again.adopt_orphans() == 0
    reasons = [one.user_attrs["reason"] for one in again.trials]
    assert reasons == ["out of memory", "region_f1 is not a number"]
    assert again.counts().finished == 2
    assert again.ranked() == []


def test_asha_keeps_one_in_three() -> None:
    rule = Rule("asha", grace=1, reduction=3)
    others = [{1: 0.1}, {1: 0.2}, {1: 0.3, 3: 0.4}]
    assert rule.stops({1: 0.05}, others)
    assert not rule.stops({1: 0.25}, others)
    assert not rule.stops({1: 0.25, 2: 0.0}, others)  # between two rungs
    assert rule.stops({1: 0.25, 2: 0.3, 3: 0.3}, others)
    assert not rule.stops({1: 0.25, 2: 0.3, 3: 0.5}, others)
    assert not rule.stops({1: 0.01}, [])
    assert not Rule("asha", grace=2).stops({1: 0.01}, others)
    assert rule.stops({2: 0.05}, others)  # validated every other epoch only


def test_median_needs_three_and_looks_at_means() -> None:
    rule = Rule("median")
    others = [{1: 0.0, 2: 0.4}, {1: 0.2, 2: 0.4}, {1: 0.4, 2: 0.6}]  # means 0.2, 0.3, 0.5
    assert rule.stops({1: 0.1, 2: 0.25}, others)
    assert not rule.stops({1: 0.1, 2: 0.35}, others)
    assert not rule.stops({1: 0.1, 2: 0.25}, others[:2])
    assert not rule.stops({1: 0.1, 2: math.nan}, others)


def test_none_stops_nothing() -> None:
    assert not Rule("none").stops({1: 0.0}, [{1: 1.0}] * 5)


if __name__ == "__main__":
    run(Path(sys.argv[1]), int(sys.argv[2]))
