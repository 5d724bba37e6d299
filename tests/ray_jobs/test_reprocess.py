"""The Ray runner against the plain one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from odm.catalog.campaign import load_campaign
from odm.catalog.compare import compare
from odm.core.errors import InputError, OdmError
from odm.reprocess.driver import reprocess
from odm.reprocess.request import Workers
from odm.reprocess.stages import InputResult
from ray_jobs.cluster.room import Cluster
from ray_jobs.reprocessing.layout import Layout, plan_layout
from ray_jobs.reprocessing.runner import run_on_ray
from ray_jobs.reprocessing.stages import pack, unpack
from tests.catalog.rows import same
from tests.lookalike import renamed
from tests.reprocess import small


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with bad files in it, and the plain runner's campaign."""
    tmp = tmp_path_factory.mktemp("ray")
    small.write_archive(tmp / "archive", 6, bad=True)
    small.write_model(tmp / "model")
    small.run(tmp)
    return tmp


@pytest.mark.parametrize("models", [1, 2, 3])
def test_it_gives_the_plain_runners_rows(done: Path, cluster: Cluster, models: int) -> None:
    workers = Workers(models=models, readers=models, threads=1)
    summary = reprocess(small.order(done, f"ray{models}", workers=workers), run_on_ray)
    assert (summary.done, summary.pending) == (12, 0)
    ray, plain = (load_campaign(done / name) for name in (f"ray{models}", "campaign"))
    assert same(ray.outcomes(), plain.outcomes())
    assert compare(ray, plain).equal


def test_images_of_two_channels_give_the_plain_runners_rows(
    tmp_path: Path, cluster: Cluster
) -> None:
    small.write_archive(tmp_path / "archive", 2)
    small.write_relative_model(tmp_path / "model")
    small.run(tmp_path)
    workers = Workers(models=1, readers=1, threads=1)
    reprocess(small.order(tmp_path, "ray", workers=workers), run_on_ray)
    ray, plain = (load_campaign(tmp_path / name) for name in ("ray", "campaign"))
    assert sum(row["status"] == "detected" for row in ray.outcomes().to_pylist()) == 1
    assert same(ray.outcomes(), plain.outcomes())


@pytest.mark.parametrize(("how", "says"), [("signal", "died"), ("memory", "ran out of memory")])
def test_what_kills_its_process_is_found_and_the_rest_done(
    done: Path, cluster: Cluster, how: str, says: str
) -> None:
    kills = {"read_kills": renamed(small.FIRST + 1), "finish_kills": renamed(small.FIRST + 2)}
    order = small.deadly(small.order(done, how), death=how, **kills)
    summary = reprocess(order, run_on_ray)
    assert summary.done == 12
    rows = load_campaign(done / how).outcomes(["name", "reason"]).to_pylist()
    reasons = {row["name"]: row["reason"] for row in rows}
    for name in kills.values():
        assert reasons[name] == (
            f"kills its reader: the process {says}, and again when tried alone"
        )
    assert summary.counts == {"detected": 2, "clear": 2, "quarantined": 8}


def test_a_model_that_cannot_run_is_one_sentence(done: Path, cluster: Cluster) -> None:
    order = small.order(done, "broken")
    broken = replace(order.inference, digest="0" * 64)
    with pytest.raises(OdmError, match="does not fit: digest is"):
        list(run_on_ray(order.stages, broken, order.listing.inputs, lambda: False, Workers()))


class Machines(Cluster):
    """A cluster of a size that is not at hand."""

    def __init__(
        self,
        cpus: int,
        gpus: int,
        started: bool = True,
        machines: list[dict[str, float]] | None = None,
    ) -> None:
        super().__init__("nowhere", started)
        object.__setattr__(self, "_sizes", (cpus, gpus))
        object.__setattr__(self, "_machines", machines or [{"CPU": float(cpus)}])

    @property
    def resources(self) -> dict[str, float]:
        """As given."""
        cpus, gpus = self.__dict__["_sizes"]
        named = {name for one in self.machines for name in one} & {"storage", "memory"}
        summed = {name: sum(one.get(name, 0.0) for one in self.machines) for name in named}
        return {"CPU": cpus, "GPU": gpus, **summed}

    @property
    def machines(self) -> list[dict[str, float]]:
        """One, or as given."""
        found: list[dict[str, float]] = self.__dict__["_machines"]
        return found

    def check(self, *_: object) -> None:
        """Nothing is asked of Ray."""


@pytest.mark.parametrize(
    ("cpus", "gpus", "expected"),
    [
        (1, 0, Layout((1, 1), 0.75, 0, 1, 0.062, 1, 1)),
        (2, 0, Layout((1, 1), 1.5, 0, 2, 0.125, 2, 2)),
        (16, 0, Layout((4, 4), 3.0, 0, 4, 1.0, 16, 16)),
        (32, 2, Layout((2, 2), 1.0, 1, 1, 1.0, 32, 32)),
        (2, 2, Layout((2, 2), 0.5, 1, 1, 0.5, 2, 2)),
    ],
)
def test_layouts(cpus: int, gpus: int, expected: Layout) -> None:
    assert plan_layout(Machines(cpus, gpus), Workers(), "auto") == expected


def test_layouts_of_ones_own() -> None:
    with pytest.raises(InputError, match="there is no GPU"):
        plan_layout(Machines(8, 0), Workers(), "cuda")
    wanted = plan_layout(Machines(8, 1), Workers(models=2, threads=2, readers=3), "cpu")
    assert wanted == Layout((2, 2), 1.5, 0, 2, 1.0, 3, 8)
    # Machines that join a cluster later are made use of.
    growing = plan_layout(Machines(8, 0, started=False), Workers(), "auto")
    assert growing.models == (2, 16)
    assert growing.readers is growing.finishers is None


def test_a_few_cpus_that_are_there_are_not_given_more_processes_than_they_take() -> None:
    joined = plan_layout(Machines(2, 0, started=False), Workers(), "auto")
    own = plan_layout(Machines(2, 0), Workers(), "auto")
    assert joined == replace(own, models=(1, 8))
    assert (joined.readers, joined.finishers) == (2, 2)
    mine = plan_layout(Machines(2, 0, started=False), Workers(readers=1), "auto")
    assert (mine.readers, mine.finishers) == (1, 2)
    # Where an autoscaler brings machines, and where there are many, it is not known how many fit.
    growing = plan_layout(Machines(2, 0, started=False), Workers(), "auto", grows=True)
    many = plan_layout(Machines(4, 0, started=False), Workers(), "auto")
    assert growing.readers is growing.finishers is many.readers is many.finishers is None


def test_models_leave_memory_to_those_that_read() -> None:
    """On 32 CPUs eight models would fit by their cores, and by their memory fill it."""
    machines = [{"CPU": 32.0, "memory": 10.6e9}]
    assert plan_layout(Machines(32, 0, machines=machines), Workers(), "auto").models == (5, 5)


@pytest.mark.parametrize(
    ("inputs", "cpus", "expected"),
    [(12, 2, 8), (300, 2, 9), (900, 2, 28), (11_000, 2, 64), (11_000, 256, 10), (99_000, 256, 64)],
)
def test_large_campaigns_have_larger_tasks(inputs: int, cpus: int, expected: int) -> None:
    layout = Layout((1, 1), 1.0, 0, 1, 1.0, None, cpus=cpus)
    assert layout.inputs_per_task(inputs) == expected


def test_a_block_of_results_is_one_table(done: Path) -> None:
    order = small.order(done, "packed")
    results = []
    for one in order.listing.inputs:
        answer = order.stages.read(one)
        results.append(
            answer if isinstance(answer, InputResult) else InputResult(one, undone="not now")
        )
    assert {bool(result.undone) for result in results} == {True, False}
    back = list(unpack(pack(results)))
    assert [(one.input, one.undone) for one in back] == [(one.input, one.undone) for one in results]
    for mine, theirs in zip(back, results, strict=True):
        assert (mine.outcome is None) == (theirs.outcome is None)
        assert mine.outcome is None or mine.outcome.equals(theirs.outcome)
    # One by one, each brings its schema along.
    assert len(pack(results)) < sum(len(pack([one])) for one in results) / 2
    with pytest.raises(OdmError, match="the model fails"):
        list(unpack(pack([results[0], OdmError("the model fails")])))


def test_actors_of_small_machines_are_no_larger_than_these() -> None:
    machines = [{"CPU": 2.0}, {"CPU": 2.0}, {"CPU": 0.0}]
    found = plan_layout(Machines(4, 0, machines=machines), Workers(), "auto")
    assert (found.models, found.model_cpus, found.threads) == ((2, 2), 1.5, 2)
    storage = [{"CPU": 4.0, "storage": 1000.0}]
    assert plan_layout(Machines(4, 0, machines=storage), Workers(), "auto").near_storage
