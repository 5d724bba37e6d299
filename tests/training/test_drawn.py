"""Half-orbits that are drawn while a training runs."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from odm.cli import app
from odm.core.errors import InputError
from odm.datasets.base import open_dataset
from odm.models.folder import read_model_card
from odm.simulate.orbit.half_orbit import simulate_half_orbit
from odm.training.drawn.dataset import DrawnDataset
from odm.training.drawn.drawer import Drawer
from odm.training.drawn.drawing import Drawing, draw_into_cache, make_room
from odm.training.drawn.fill import fill_cache
from odm.training.drawn.workers import DrawingProcesses
from odm.training.errors import TrainingError
from odm.training.loop import Answer, ProgressReport
from odm.training.plans import plan_training, train_planned
from odm.training.ranks import Ranks
from odm.training.settings import read_settings
from tests.training.tiny import on_ranks
from tests.training.tiny_drawn import CONTENT, SETTINGS, draw_all, opened


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for every test."""
    monkeypatch.setenv("ODM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "drawn"


def write(folder: Path, **changes: Any) -> Path:
    path = folder / "drawn.yaml"
    path.write_text(yaml.safe_dump({**CONTENT, **changes}))
    return path


def first(**changes: Any) -> Drawing:
    return opened(**changes).samples("train")[0].drawing


def files(cache: Path) -> list[Path]:
    return sorted(cache.glob("*/*"))


# -- what is in use ------------------------------------------------------------------------------


def test_the_window_slides_and_each_half_orbit_stays_what_it_is() -> None:
    pool = opened(half_orbits=40, fresh=15).pools["train"]
    epochs = [[sample.name for sample in pool.samples(epoch)] for epoch in range(4)]
    assert all(len(set(names)) == 40 for names in epochs)
    assert epochs[1][:25] == epochs[0][15:] and epochs[3][:10] == epochs[1][30:]
    assert [sample.name for sample in pool.fresh_samples(3)] == epochs[3][25:]
    assert not set(epochs[0]) & set(epochs[3])


def test_every_stretch_has_the_shares_of_skies_and_of_nuclei() -> None:
    pool = opened(half_orbits=400, fresh=100, prevalence=0.3).pools["train"]
    for epoch in (0, 7):
        samples = pool.samples(epoch)
        skies = Counter(sample.drawing.maker.recipe.sky for sample in samples)
        assert abs(skies["textures"] - 300) <= 4 and set(skies) == {"classic", "textures"}
        positive = [sample for sample in samples if sample.has_object]
        assert abs(len(positive) - 120) <= 4
        assert abs(sum(s.drawing.direction.digit for s in positive) - 60) <= 6
        assert {sample.drawing.maker.recipe.prevalence for sample in positive} == {1.0}
        orbits = np.array([sample.drawing.number for sample in samples])
        assert np.histogram(orbits, bins=10, range=(2000, 40_000))[0].min() >= 35


def test_training_and_validation_share_no_seed_and_validation_stays_the_same() -> None:
    dataset = opened()
    seeds = {
        part: {sample.drawing.maker.recipe.seed for sample in dataset.samples(part)}
        for part in ("train", "validation")
    }
    assert seeds == {"train": {11}, "validation": {12}}
    pool = dataset.pools["validation"]
    assert pool.samples(0) == pool.samples(5)
    assert {s.drawing.maker.recipe.sky for s in pool.samples(0)} == {"textures"}


def test_what_is_left_out_is_never_drawn() -> None:
    held_out = {"background": ["quiet"], "confuser": ["hiss_patch"], "shape": ["compact"]}
    kept = {"families": {"background": ["quiet", "auroral"]}, "held_out": held_out}
    classic = {"skies": {"classic": 1, "textures": 0}}
    validation = {"half_orbits": 3, "seed": 12, **classic}
    dataset = opened(half_orbits=12, validation=validation, **classic, **kept)
    for sample in dataset.samples("train"):
        recipe = sample.drawing.maker.recipe
        assert recipe.sky == "classic" and recipe.families["background"] == ("auroral",)
        half = simulate_half_orbit(recipe, sample.drawing.number, sample.drawing.direction)
        assert half.background == "auroral"
        assert not any(nucleus.family == "compact" for nucleus in half.nuclei)
        assert not any(emission.kind == "hiss_patch" for emission in half.confusers)
    assert {
        s.drawing.maker.recipe.families["background"] for s in dataset.samples("validation")
    } == {("auroral",)}


def test_a_drawing_is_an_image_with_its_mask() -> None:
    dataset = opened()
    for sample in dataset.samples("train"):
        image, mask = sample.drawing.draw()
        assert image.shape == (160, 288, 2) and mask.shape == (160, 288)
        assert image.dtype == mask.dtype == np.uint8
        assert set(np.unique(mask)) <= {0, 1, 255}
        assert (mask == 1).any() == sample.has_object


def test_the_digest_names_what_is_drawn() -> None:
    assert opened().digest == opened().digest
    assert opened().digest == opened(skies={"textures": 3, "classic": 1}).digest
    others = [
        {"seed": 13},
        {"fresh": 3},
        {"skies": {"classic": 1}},
        {"held_out": {"background": ["quiet"]}},
        {"validation": {"half_orbits": 3, "seed": 14}},
    ]
    assert len({opened().digest, *(opened(**changes).digest for changes in others)}) == 6


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"skies": {"clasic": 1}}, "unknown sky 'clasic'; did you mean classic"),
        ({"skies": {"classic": 0}}, "give at least one a share above 0"),
        ({"skies": {"classic": -1}}, "sky classic has the share -1"),
        ({"seed": 900_001}, "give one below 900000"),
        ({"validation": {"half_orbits": 3, "seed": 11}}, "seed 11 of the training"),
        ({"validation": {"half_orbits": 3, "seed": 910_001}}, "give one below 900000"),
        ({"fresh": 7}, "fresh 7 is more than the 6 half-orbits"),
        ({"families": {"sound": ["loud"]}}, "family 'sound' is none of"),
        ({"held_out": {"shape": ["compact", "irregular"]}}, "is none of|no shape is left"),
        ({"half_orbit": 3}, "unknown key 'half_orbit'; did you mean half_orbits"),
        ({"image": {"mode": "relative", "minimum": -8}}, "a relative image has no limits"),
        ({"prevalence": 1.5}, "prevalence"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InputError, match=reason) as raised:
        DrawnDataset.load(write(tmp_path, **changes))
    assert "\n" not in str(raised.value)


def test_the_example_can_be_drawn() -> None:
    dataset = DrawnDataset.load(Path(__file__).parents[2] / "configs" / "nuclei_drawn.yaml")
    assert dataset.number_drawn(10) == 4200
    dataset.check_fits(1.0, 4200)
    assert dataset.samples("validation")[0].drawing.maker.recipe.seed == 12


def test_who_needs_files_refuses_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="drawn orbits has no files: only odm train segmenter"):
        open_dataset(write(tmp_path))
    small = ["runtime.drawn_gb=0.0001", *SETTINGS]
    plan = plan_training("segmenter", read_settings(None, small), opened(), tmp_path)
    with pytest.raises(InputError, match="is too small: these half-orbits need"):
        train_planned(plan, Ranks())


# -- the cache -----------------------------------------------------------------------------------


def test_a_half_orbit_is_drawn_once_and_a_damaged_file_again(cache: Path) -> None:
    drawing = first()
    drawer = Drawer(0, 1e9)
    image, mask = drawer.load(drawing)
    (path,) = files(cache)
    whole, written = path.read_bytes(), path.stat().st_ino
    drawer.load(drawing)
    assert path.stat().st_ino == written
    for damage in (whole[:-100], whole[:5000], b"", whole[:9000] + b"\xff" * 50 + whole[9050:]):
        path.write_bytes(damage)
        again = drawer.load(drawing)
        assert np.array_equal(again[0], image) and np.array_equal(again[1], mask)
        assert path.read_bytes() == whole
    assert files(cache) == [path]


def test_two_processes_share_the_work(cache: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, drawn = context.Barrier(2), context.Queue()
    order = list(range(5))
    processes = [
        context.Process(target=draw_all, args=(names, barrier, drawn))
        for names in (order, order[::-1])
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert sorted(drawn.get() for _ in range(5)) == order
    assert len(files(cache)) == 5
    here = opened(half_orbits=5).samples("train")
    for sample in here:
        assert all(map(np.array_equal, sample.drawing.read() or (), sample.drawing.draw()))


def test_what_a_dead_process_was_drawing_is_drawn(cache: Path) -> None:
    drawing = first()
    claim = drawing.path.with_suffix(".claim")
    claim.parent.mkdir(parents=True)
    claim.touch()
    assert not draw_into_cache(drawing)
    long_ago = time.time() - 60
    os.utime(claim, (long_ago, long_ago))
    assert draw_into_cache(drawing) and drawing.read() is not None
    assert files(cache) == [drawing.path]


def test_the_cache_has_a_bound_and_the_oldest_go_first(cache: Path) -> None:
    drawings = [sample.drawing for sample in opened().samples("train")]
    drawer = Drawer(0, 1e9)
    for age, drawing in enumerate(drawings):
        drawer.load(drawing)
        os.utime(drawing.path, (1e9 - age, 1e9 - age))
    drawer.load(drawings[5])  # in use, hence no more the oldest
    size = drawings[0].path.stat().st_size
    make_room(3.5 * size)
    assert set(files(cache)) == {drawings[0].path, drawings[1].path, drawings[5].path}


def test_a_cache_that_cannot_be_written_is_one_sentence(cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_text("in the way")
    with pytest.raises(InputError, match="a file is in the way of this folder"):
        Drawer(0, 1e9).load(first())


def test_changed_code_is_noticed() -> None:
    drawing = first()
    object.__setattr__(drawing.maker, "code", "0" * 64)
    with pytest.raises(InputError, match=r"was changed after the data set was\s+opened"):
        drawing.draw()


def test_the_command_fills_the_cache(tmp_path: Path, cache: Path) -> None:
    words = ["dataset", "draw", str(write(tmp_path)), "--workers", "2", "--epochs", "3"]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0 and "13 half-orbits are in the cache" in done.stdout
    dataset = opened()
    expected = {s.drawing.path for s in dataset.samples("validation")}
    for epoch in range(3):
        expected |= {s.drawing.path for s in dataset.pools["train"].samples(epoch)}
    assert set(files(cache)) == expected and len(expected) == 13
    for path in expected:
        os.utime(path, (1e9, 1e9))
    inodes = {path.stat().st_ino for path in expected}
    assert fill_cache(dataset, epochs=3) == 13
    assert {path.stat().st_ino for path in files(cache)} == inodes
    with pytest.raises(InputError, match=r"cache of 0\.0001 GB"):
        fill_cache(dataset, limit_gb=0.0001)
    shown = CliRunner().invoke(app, ["dataset", "show", words[2]], catch_exceptions=False)
    assert "6 drawn half-orbits for training, 2 new ones every epoch" in shown.stdout
    assert "classic 2, textures 4" in shown.stdout or "classic 1, textures 5" in shown.stdout


# -- training ------------------------------------------------------------------------------------


def trained(
    folder: Path,
    *changes: str,
    stop: int = 0,
    empty: Path | None = None,
    ranks: Ranks | None = None,
) -> dict[str, Any]:
    """Weights of a training, stopped at a step and gone on with where that is given."""

    def listener(report: ProgressReport) -> Answer:
        asked = report.kind == "steps" and report.step == stop
        return Answer.STOP | Answer.KEEP if asked else Answer.NOTHING

    settings = read_settings(None, [*SETTINGS, *changes])
    plan = plan_training("segmenter", settings, opened(), folder)
    ranks = ranks or Ranks()
    if stop:
        assert train_planned(plan, ranks, listener).step == stop
        for path in files(empty) if empty else []:
            path.unlink()
    assert train_planned(plan, ranks).epoch == 3
    _, tensors = plan.run.checkpoints.load_last() or (None, {})
    return {name: value.numpy().copy() for name, value in tensors.items()}


def train_drawn(ranks: Ranks, folder: Path, stop: int) -> dict[str, Any]:
    """Weights of a training on several ranks, each with a process that draws."""
    kept = "runtime.checkpoint_steps=1"  # where the ranks agree on running means
    return trained(folder, "runtime.draw_workers=1", kept, stop=stop, ranks=ranks)


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_a_training_goes_on_exactly_whatever_draws(tmp_path: Path, cache: Path) -> None:
    whole = trained(tmp_path / "whole", "runtime.draw_workers=0")
    assert len(whole) > 10
    stopped = trained(
        tmp_path / "stopped", "runtime.draw_workers=2", "runtime.cache_gb=0", stop=5, empty=cache
    )
    assert same(whole, stopped)
    assert not same(whole, trained(tmp_path / "other", "runtime.draw_workers=0", "seed=1"))


@pytest.mark.slow
def test_two_ranks_go_on_exactly(tmp_path: Path) -> None:
    """Also where one has to draw what the other has drawn already."""
    (whole, _), (stopped, other) = (
        on_ranks(2, train_drawn, tmp_path / f"{stop}", tmp_path / f"run{stop}", stop)
        for stop in (0, 4)
    )
    assert len(whole) > 10 and same(whole, stopped) and same(whole, other)


def test_the_command_trains_and_the_card_says_on_what(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("")
    words = ["train", "segmenter", "--data", str(write(tmp_path)), "--out", str(tmp_path / "runs")]
    words += ["--local", "--json", *SETTINGS, "schedule.epochs=1", "runtime.draw_workers=1"]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0
    folder = Path(json.loads(done.stdout)["model"])
    card = read_model_card(folder)
    assert card.training_data == opened().digest
    assert "simulated data" in card.notes["statement"]
    assert card.notes["drawn"]["skies"] == {"classic": 1, "textures": 3}
    assert card.notes["drawn"]["validation"]["seed"] == 12
    assert card.notes["half_orbits"] == {"train": 6, "validation": 3}
    assert card.image["mode"] == "relative" and card.thresholds["threshold"] > 0


# -- processes -----------------------------------------------------------------------------------


def _children(process: int) -> set[int]:
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True)
    return {int(line) for line in done.stdout.split()}


def test_a_dead_worker_is_one_clear_error() -> None:
    samples = opened(half_orbits=40).samples("train")
    drawer = Drawer(1, 1e9)
    try:
        before = _children(os.getpid())
        drawer.expect(sample.drawing for sample in samples)
        drawer.load(samples[0].drawing)
        assert isinstance(drawer._pool, DrawingProcesses)
        workers = drawer._pool.identities
        assert workers and set(workers) <= before | _children(os.getpid())
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        with pytest.raises(TrainingError, match="has died, killed or without memory"):
            drawer.load(samples[-1].drawing)
    finally:
        drawer.close()
    assert not set(workers) & _children(os.getpid())


PROGRAM = """
import sys, time
from odm.training.drawn.dataset import DrawnDataset
from odm.training.drawn.drawer import Drawer
if __name__ == "__main__":
    samples = DrawnDataset.load(sys.argv[1]).samples("train")
    drawer = Drawer(2, 1e9)
    drawer.expect(sample.drawing for sample in samples)
    drawer.load(samples[0].drawing)
    print(*drawer._pool.identities, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_worker_outlives_its_training(tmp_path: Path, number: signal.Signals) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    path = write(tmp_path, half_orbits=2000, fresh=0)
    process = subprocess.Popen(
        [sys.executable, str(program), str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    workers = [int(word) for word in process.stdout.readline().split()]
    assert len(workers) == 2
    process.send_signal(number)
    process.wait(20)
    process.stdout.close()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline, "a worker is still there"
        time.sleep(0.05)
