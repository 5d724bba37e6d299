"""Sweeps without Ray: what they find, what fails in them, and what comes out."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from odm.core.errors import InputError
from odm.datasets.orbit import OrbitDataset
from odm.training import plans
from odm.training.settings import read_settings
from tests.tuning.sweeps import LOCAL, kill_when, settings, space, sweep, tried
from tuning.commands import SPACES, _own
from tuning.folder import SweepFolder
from tuning.placement import SweepPlacement
from tuning.report import text, write_report
from tuning.retrain import retrain_best
from tuning.spaces import read_space
from tuning.stopping import Rule
from tuning.study import Ledger, TuningError
from tuning.summary import read_sweep
from tuning.sweep import run_sweep


@pytest.fixture(scope="module")
def ended(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[SweepFolder, Ledger]:
    """Four trials with two objectives, of images of two sizes; the best again with another seed."""
    return sweep(
        dataset,
        tmp_path_factory.mktemp("sweeps"),
        4,
        repeats=1,
        searched=space(
            learning_rate={"low": 1e-4, "high": 1e-2, "log": True},
            sdi_channels={"choices": [8, 16]},
            image_size={"choices": [32, 64]},
        ),
        objectives=("region_f1", "gmacs"),
    )


def test_trials_have_their_facts(ended: tuple[SweepFolder, Ledger]) -> None:
    folder, ledger = ended
    assert ledger.counts().done == 4
    for one in ledger.trials:
        facts = one.user_attrs
        assert facts["epochs"] == 3
        assert sorted(map(int, facts["curve"])) == [1, 2, 3]
        assert one.values == [facts["region_f1"], facts["gmacs"]]
        assert 0 <= facts["region_f1"] <= 1
        run = folder.path / facts["run"]
        config = read_settings(run / "config.yaml")
        assert config.optimiser.learning_rate == one.params["learning_rate"]
        assert (run / "checkpoints" / "best.safetensors").is_file()
    costs = {(one.params["image_size"], one.user_attrs["gmacs"]) for one in ledger.trials}
    small, large = (max(c for s, c in costs if s == size) for size in (32, 64))
    assert large == pytest.approx(4 * small, rel=0.5)


def test_the_best_yaml_trains_without_editing(
    ended: tuple[SweepFolder, Ledger], tmp_path: Path
) -> None:
    """By what `odm train segmenter --config best.yaml --data ...` does, to the same weights."""
    folder, ledger = ended
    _, files = write_report(folder, tmp_path)
    best = ledger.ranked()[0]
    config = read_settings(files[0])
    data = re.search(r"--data (\S+)", files[0].read_text())
    assert data is not None
    assert OrbitDataset.load(data[1]).settings.height == best.params["image_size"]
    plan = plans.plan_training("segmenter", config, data[1], tmp_path / "runs")
    assert plan.run.folder.name == Path(best.user_attrs["run"]).name
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        result, card = plans.train_here(plan)
    finally:
        torch.set_num_threads(before)
    assert card is not None
    assert result.best["mean_iou"] == best.user_attrs["mean_iou"]


def test_the_report_is_whole(ended: tuple[SweepFolder, Ledger]) -> None:
    folder, ledger = ended
    found, files = write_report(folder)
    assert {path.name for path in files} >= {
        "best.yaml", "trials.csv", "summary.json", "history.png", "parallel.png", "seeds.png",
        "pareto.png", "report.html",
    }  # fmt: skip
    assert all(path.stat().st_size for path in files)
    page = files[-1].read_text()
    assert page.count("data:image/png;base64,") == 4
    assert not re.findall(r'(?:src|href)="(?!data:)', page)  # nothing from elsewhere
    assert "simulated data" in page
    content = json.loads((folder.path / "report" / "summary.json").read_text())
    assert content["best"]["trial"] == ledger.ranked()[0].number
    assert content["importance"] == {}  # of four trials nothing is said
    assert all(len(values) == 2 for values in content["seeds"].values())
    lines = text(found)
    assert "4 trials done, 0 stopped early, 0 failed" in lines
    assert "noise between seeds of region_f1" in lines
    points = {one.number: one.values for one in ledger.trials}
    for number in found.front:
        f1, macs = points[number]
        assert not any(f >= f1 and m < macs for f, m in points.values())


def test_the_same_command_again_repeats_nothing(
    ended: tuple[SweepFolder, Ledger], dataset: Path, tmp_path: Path
) -> None:
    folder, ledger = ended
    stamps = {path: path.stat().st_mtime_ns for path in folder.path.rglob("*.safetensors")}
    seeds = read_sweep(folder).repeated
    assert [len(one.values) for one in seeds] == [2, 2, 2]
    assert not math.isnan(read_sweep(folder).noise)
    sweep_of = folder.read()
    again = SweepFolder.of(sweep_of, folder.path.parent, folder.name)
    run_sweep(
        again,
        sweep_of,
        OrbitDataset.load(dataset),
        4,
        SweepPlacement(local=True),
        repeats=1,
        say=lambda _: None,
    )
    assert {p: p.stat().st_mtime_ns for p in folder.path.rglob("*.safetensors")} == stamps


def test_same_seed_same_trials_and_failures_go_on(dataset: Path, tmp_path: Path) -> None:
    """A rate at which nothing is a number, and a batch that there are too few samples for."""
    searched = space(learning_rate={"choices": [1e-3, 1e30]}, batch_size={"choices": [4, 64]})
    options = {"searched": searched, "seed": 2}
    _, one = sweep(dataset, tmp_path / "a", 5, name="x", **options)
    _, other = sweep(dataset, tmp_path / "b", 5, name="x", **options)
    assert tried(one) == tried(other)
    assert [t.values for t in one.trials] == [t.values for t in other.trials]
    counts = one.counts()
    assert counts.finished == 5
    assert counts.done
    assert counts.failed
    for trial in one.trials:
        reason = trial.user_attrs.get("reason")
        if trial.params["batch_size"] == 64:
            assert "needs as many samples" in reason
        elif trial.params["learning_rate"] > 1:
            assert "not numbers" in reason or "is not a number at step" in reason
        else:
            assert reason is None


def test_a_killed_sweep_goes_on(dataset: Path, tmp_path: Path) -> None:
    """In the middle of its second trial, of which it has kept an epoch."""
    program = [sys.executable, "-m", "tests.tuning.sweeps", "local", str(dataset)]
    driver = subprocess.Popen(
        [*program, str(tmp_path / "killed"), "3"], cwd=Path(__file__).parents[2]
    )
    trials = tmp_path / "killed" / "killed" / "trials"
    kill_when(trials, "0001/*/checkpoints/last.safetensors", driver)
    _, killed = sweep(dataset, tmp_path / "killed", 3, name="killed")
    _, undisturbed = sweep(dataset, tmp_path / "other", 3, name="killed")
    assert tried(killed) == tried(undisturbed)
    assert [t.values for t in killed.trials] == [t.values for t in undisturbed.trials]
    curves = [[t.user_attrs["curve"] for t in one.trials] for one in (killed, undisturbed)]
    assert curves[0] == curves[1]
    assert not (trials / "0002").exists()  # the third trial is number 3; its place was never used
    assert len(list(trials.iterdir())) == 3


def test_stopped_early(dataset: Path, tmp_path: Path) -> None:
    folder, ledger = sweep(
        dataset, tmp_path, 5, rule=Rule("asha"), objectives=("mean_iou",),
        searched=space(learning_rate={"low": 1e-5, "high": 1e-2, "log": True}),
    )  # fmt: skip
    counts = ledger.counts()
    assert counts.done + counts.stopped == 5
    assert counts.stopped
    for one in ledger.trials:
        if one.state.name == "PRUNED":
            assert one.user_attrs["stopped"] == max(map(int, one.user_attrs["curve"])) < 3
    assert "stopped early" in text(read_sweep(folder))


def test_another_sweep_of_the_same_name(ended: tuple[SweepFolder, Ledger], dataset: Path) -> None:
    folder, _ = ended
    with pytest.raises(InputError, match="another space and objectives: give another --name"):
        sweep(dataset, folder.path.parent, 1, name=folder.name)


def test_a_second_driver_is_refused(ended: tuple[SweepFolder, Ledger], dataset: Path) -> None:
    folder, _ = ended
    planned = folder.read()
    with (
        folder.driven(planned),
        pytest.raises(TuningError, match="another process is at work here"),
    ):
        run_sweep(folder, planned, OrbitDataset.load(dataset), 4, SweepPlacement(local=True))
    other = replace(planned, seed=99)  # which came while this one was planned
    with pytest.raises(InputError, match="another seed: give another --name"), folder.driven(other):
        pass
    assert folder.read() == planned


def test_region_f1_as_a_second_objective(dataset: Path, tmp_path: Path) -> None:
    objectives = ("mean_iou", "region_f1", "dice")
    _, ledger = sweep(dataset, tmp_path, 1, LOCAL, "schedule.epochs=1", objectives=objectives)
    (trial,) = ledger.trials
    assert trial.values == [trial.user_attrs[name] for name in objectives]


def test_none_came_to_its_end(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(TuningError, match=r"none of 2 trials came to its end: .*not (a )?number"):
        sweep(dataset, tmp_path, 2, searched=space(learning_rate={"choices": [1e30, 1e31]}))


def test_retrained_with_several_seeds(ended: tuple[SweepFolder, Ledger], tmp_path: Path) -> None:
    folder, _ = ended
    rows = retrain_best(folder, 2, epochs=2, out=tmp_path, say=lambda _: None)
    assert [row["seed"] for row in rows] == [0, 1]
    for row in rows:
        card = json.loads((Path(row["model"]) / "model.json").read_text())
        assert card["notes"]["settings"]["schedule"]["epochs"] == 2
        assert 0 <= row["region_f1"] <= 1
    assert rows[0]["model"] != rows[1]["model"]


def test_options_that_do_not_go_together() -> None:
    for options, sentence in (
        ({"local": True, "workers": 2}, "not --local"),
        ({"workers": 0}, "--workers 0"),
        ({"gpus": 1.5}, "--gpus 1.5"),
        ({"gpus": 0.5, "workers": 2}, "a whole GPU or none"),
        ({"concurrent": 0}, "--concurrent 0"),
    ):
        with pytest.raises(InputError, match=sentence):
            SweepPlacement(**options)  # type: ignore[arg-type]


def test_the_command_is_found() -> None:
    """What is installed comes from this file, and may be older."""
    from tuning.commands import app

    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    points = tomllib.loads(text)["project"]["entry-points"]["odm.commands"]
    assert EntryPoint("tune", points["tune"], "odm.commands").load() is app


def test_an_encoder_that_there_is_not_is_found_before_a_trial(
    dataset: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="mobilenetv3_smal_050"):
        sweep(dataset, tmp_path, 2, LOCAL, "model.options={encoder: tu-mobilenetv3_smal_050}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("parameters", "encoder", "sentence"),
    [
        # The second choice alone cannot be built: the encoder pads as TensorFlow does.
        (
            {"odconv_kernels": {"choices": [1, 2]}, "odconv": {"choices": ["none", "depthwise"]}},
            "tu-tf_mobilenetv3_small_minimal_100",
            "^odconv = depthwise: .*which ODConv cannot replace",
        ),
        (  # more than any machine can address
            {"sdi_channels": {"low": 8, "high": 10**13}},
            "tu-mobilenetv3_small_050",
            "^sdi_channels = 10000000000000: ",
        ),
    ],
)
def test_a_later_choice_that_cannot_be_built_is_found_before_a_trial(
    dataset: Path, tmp_path: Path, parameters: dict[str, Any], encoder: str, sentence: str
) -> None:
    option = f"model.options={{encoder: {encoder}, sdi_strides: [4]}}"
    with pytest.raises(InputError, match=sentence):
        sweep(dataset, tmp_path, 2, LOCAL, option, searched=space(**parameters))
    assert not list(tmp_path.iterdir())


def test_the_space_that_comes_with_it_is_found_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = _own(SPACES["thresholds"], "thresholds")
    assert read_space(path, "thresholds").domains
    mine = Path("configs/mine.yaml")
    assert _own(mine, "thresholds") == mine


@pytest.mark.parametrize("words", [["segmenter"], ["report"], ["retrain"]])
def test_help_says_the_defaults(words: list[str]) -> None:
    """Rich takes square brackets for markup, and leaves them out."""
    from typer.testing import CliRunner

    from tuning.commands import app

    shown = CliRunner().invoke(app, [*words, "--help"]).stdout
    assert "[default: " in shown
    assert ("by its content]" in shown) == (words == ["segmenter"])
    assert "--install-completion" not in CliRunner().invoke(app, ["--help"]).stdout


def test_the_command(dataset: Path, tmp_path: Path) -> None:
    """From the command line, with a space in YAML."""
    from typer.testing import CliRunner

    from tuning.commands import app

    path = tmp_path / "space.yaml"
    parameters = {"learning_rate": {"low": 1e-3, "high": 1e-2}}
    path.write_text(yaml.safe_dump({"task": "segmenter", "parameters": parameters}))
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(settings().model_dump(mode="json")))
    common = ["--data", str(dataset), "--space", str(path), "--config", str(config), "--local"]
    command = ["segmenter", "schedule.epochs=1", *common, "--out", str(tmp_path / "sweeps")]
    done = CliRunner().invoke(
        app, [*command, "--trials", "1", "--name", "small", "--repeats", "0", "--json"]
    )
    assert done.exit_code == 0, done.output
    content = json.loads(done.stdout)
    assert (content["done"], content["best"]["trial"]) == (1, 0)
    assert "sweep: 1 of 1 trials: 1 done, 0 stopped, 0 failed, 0 running, best" in done.stderr
    assert SweepFolder(tmp_path / "sweeps" / "small").read().full_epochs == 3
    wrong = CliRunner().invoke(app, [*command, "--objective", "region_f2"])
    assert isinstance(wrong.exception, InputError)
