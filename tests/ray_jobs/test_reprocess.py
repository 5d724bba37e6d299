"""The Ray runner against the plain one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from odm.archive.errors import InputError, OdmError
from odm.catalog.campaign import load_campaign
from odm.catalog.compare import compare
from odm.reprocess.drive import reprocess
from odm.reprocess.model import Workers
from ray_jobs.cluster import Cluster
from ray_jobs.reprocess import Layout, plan_layout, run_on_ray
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


@pytest.mark.parametrize(("how", "says"), [("signal", "died"), ("memory", "ran out of memory")])
def test_what_kills_its_process_is_found_and_the_rest_done(
    done: Path, cluster: Cluster, how: str, says: str
) -> None:
    kills = {"read_kills": renamed(small.FIRST + 1), "finish_kills": renamed(small.FIRST + 2)}
    order = small.deadly(small.order(done, how), how=how, **kills)
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
    broken = replace(order.model, digest="0" * 64)
    with pytest.raises(OdmError, match="does not fit: digest is"):
        list(run_on_ray(order.stages, broken, order.listing.inputs, lambda: False, Workers()))


class Machines(Cluster):
    """A cluster of a size that is not at hand."""

    def __init__(self, cpus: int, gpus: int, started: bool = True) -> None:
        super().__init__("nowhere", started)
        object.__setattr__(self, "_sizes", (cpus, gpus))

    @property
    def resources(self) -> dict[str, float]:
        """As given."""
        cpus, gpus = self.__dict__["_sizes"]
        return {"CPU": cpus, "GPU": gpus}

    def check(self, *_: object) -> None:
        """Nothing is asked of Ray."""


@pytest.mark.parametrize(
    ("cpus", "gpus", "expected"),
    [
        (1, 0, Layout((1, 1), 0.75, 0, 1, 0.125, None)),
        (2, 0, Layout((1, 1), 1.5, 0, 2, 0.25, None)),
        (16, 0, Layout((4, 4), 3.0, 0, 4, 1.0, None)),
        (32, 2, Layout((2, 2), 1.0, 1, 1, 1.0, None)),
        (2, 2, Layout((2, 2), 0.5, 1, 1, 0.5, None)),
    ],
)
def test_layouts(cpus: int, gpus: int, expected: Layout) -> None:
    assert plan_layout(Machines(cpus, gpus), Workers(), "auto") == expected


def test_layouts_of_ones_own() -> None:
    with pytest.raises(InputError, match="there is no GPU"):
        plan_layout(Machines(8, 0), Workers(), "cuda")
    wanted = plan_layout(Machines(8, 1), Workers(models=2, threads=2, readers=3), "cpu")
    assert wanted == Layout((2, 2), 1.5, 0, 2, 1.0, 3)
    # Machines that join a cluster later are made use of.
    assert plan_layout(Machines(8, 0, started=False), Workers(), "auto").models == (2, 16)
