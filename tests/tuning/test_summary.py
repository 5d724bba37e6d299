"""What is said of a sweep's trials: what matters, what is noise, and what a page may hold."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from optuna.distributions import IntDistribution

from tests.tuning.sweeps import settings
from tuning.folder import Sweep, SweepFolder
from tuning.objectives import objectives_of
from tuning.pictures import _history, _parallel
from tuning.report import text, write_report
from tuning.spaces import make_space
from tuning.study import Ledger
from tuning.summary import FEWEST, read_sweep

SPACE = make_space(
    "segmenter",
    {
        "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
        "dice": {"low": 0.5, "high": 2.0},
        "restart_epochs": {"choices": [None, 2]},
        "batch_size": {"low": 4, "high": 4},
    },
)


def told(out: Path, trials: int, *names: str, flat: bool = False) -> tuple[SweepFolder, Ledger]:
    """A sweep whose first objective depends on the learning rate alone, and on nothing if flat."""
    planned = Sweep(
        "segmenter",
        SPACE,
        "/an archive/data.yaml",
        "0" * 64,
        settings().model_dump(mode="json"),
        names,
    )
    folder = SweepFolder(out / "sweep")
    folder.write(planned)
    ledger = Ledger(folder.journal, folder.name, planned.looked_for, SPACE.distributions, seed=1)
    for _ in range(trials):
        asked = ledger.ask()
        off = 0.0 if flat else abs(math.log10(asked.values["learning_rate"] / 1e-3))
        facts = {planned.looked_for[0].name: 1 - off, "gmacs": asked.values["dice"], "epochs": 3}
        ledger.finish(asked.number, facts, stopped=False)
    return folder, ledger


def test_what_matters(tmp_path: Path) -> None:
    folder, _ = told(tmp_path, 24)
    found = read_sweep(folder)
    assert next(iter(found.importance)) == "learning_rate"
    assert found.importance["learning_rate"] > 0.6
    assert found.importance.get("batch_size", 0) == 0
    assert sum(found.importance.values()) == pytest.approx(1)
    _, files = write_report(folder)
    assert "importance.png" in {path.name for path in files}
    assert "a hint" not in text(found)


def test_nothing_is_said_of_few_trials_or_of_trials_that_are_alike(tmp_path: Path) -> None:
    folder, ledger = told(tmp_path / "few", FEWEST - 1)
    assert read_sweep(folder).importance == {}
    folder, _ = told(tmp_path / "more", FEWEST)
    assert f"(of {FEWEST} trials: a hint)" in text(read_sweep(folder))
    folder, _ = told(tmp_path / "alike", FEWEST, flat=True)
    assert read_sweep(folder).importance == {}


def test_trials_that_were_stopped_are_drawn(tmp_path: Path) -> None:
    folder, ledger = told(tmp_path, 3)
    for value in (0.1, 0.2):
        number = ledger.ask().number
        ledger.report(number, 1, value)
        ledger.finish(number, {"region_f1": value, "epochs": 1}, stopped=True)
    history, parallel = (draw(read_sweep(folder)) for draw in (_history, _parallel))
    lines = {line.get_label(): line for line in history.axes[0].lines}
    assert list(lines["did not end"].get_xdata()) == [3, 4]
    assert list(lines["did not end"].get_ydata()) == [0.1, 0.2]
    history.axes[0].set_xlim(0, 1)  # no half trials, however few there are
    assert all(float(tick).is_integer() for tick in history.axes[0].get_xticks())
    assert sum(line.get_color() == "0.85" for line in parallel.axes[0].lines) == 2


def test_noise_beside_differences(tmp_path: Path) -> None:
    """Two trials, three seeds each: a standard deviation of 0.01 in both."""
    folder, ledger = told(tmp_path, FEWEST)
    one, other = (trial.number for trial in ledger.ranked()[:2])
    own = {trial.number: trial.values[0] for trial in ledger.trials}
    wide = IntDistribution(0, 100)
    seeds = Ledger(
        folder.journal, folder.seeds_study, ledger.objectives, {"of": wide, "seed": wide}
    )
    for number in (one, other):
        for seed, off in enumerate((-0.01, 0.01), start=1):
            seeds.queue({"of": number, "seed": seed})
            seeds.finish(seeds.ask().number, {"region_f1": own[number] + off}, stopped=False)
    found = read_sweep(folder)
    assert [repeat.number for repeat in found.repeated] == [one, other]
    assert found.noise == pytest.approx(0.01)
    assert f"they differ by {own[one] - own[other]:.4g}" in text(found)


def test_what_others_wrote_is_no_markup(tmp_path: Path) -> None:
    folder, ledger = told(tmp_path, 2)
    ledger.fail(ledger.ask().number, "<script>alert(1)</script> & more")
    _, files = write_report(folder)
    page = files[-1].read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in page
    assert "<script" not in page
    assert "--data '/an archive/data.yaml'" in files[0].read_text()


def test_costs_are_minimised(tmp_path: Path) -> None:
    folder, ledger = told(tmp_path, 12, "region_f1", "gmacs")
    points = {one.number: one.values for one in ledger.trials}
    front = read_sweep(folder).front
    for number, (value, cost) in points.items():
        beaten = any(
            v >= value and c <= cost and (v, c) != (value, cost) for v, c in points.values()
        )
        assert (number in front) != beaten
    assert objectives_of("segmenter", ["region_f1", "gmacs"]) == ledger.objectives
