"""Campaigns of ionograms on Ray."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

from odm.catalog.campaign import load_campaign
from odm.catalog.compare import compare
from odm.reprocess.driver import reprocess
from odm.reprocess.order import open_order
from odm.reprocess.request import ModelOptions, ReprocessRequest, Workers
from odm.reprocess.runners.local import run_local
from odm.simulate.ionogram.archive import simulate_ionograms
from odm.simulate.ionogram.recipe import IonogramSimulation
from ray_jobs.cluster.room import Cluster
from ray_jobs.reprocessing.runner import run_on_ray
from tests.catalog.rows import same
from tests.reprocess import small_ionograms as small


def test_it_gives_the_plain_runners_rows(tmp_path: Path, cluster: Cluster) -> None:
    small.write_archive(tmp_path / "archive")
    small.write_model(tmp_path / "model", tmp_path / "archive")
    plain = small.run(tmp_path)
    order = small.order(tmp_path, "ray", workers=Workers(models=2, readers=2, threads=1))
    summary = reprocess(order, run_on_ray)
    assert (summary.done, summary.counts) == (12, plain.counts)
    assert plain.counts["detected"] > 0 and plain.counts["quarantined"] == 3
    one, other = (load_campaign(tmp_path / name) for name in ("ray", "campaign"))
    assert same(one.outcomes(), other.outcomes())
    assert compare(one, other).equal


def test_a_pipeline_gives_the_plain_runners_rows(tmp_path: Path, cluster: Cluster) -> None:
    """The package's own: boxes, segments, edges and inverted layers."""
    simulate_ionograms(tmp_path / "archive", IonogramSimulation(count=3, seed=5, difficulty=0.2))
    plain, on_ray = (
        open_order(
            ReprocessRequest(
                kind="ionograms",
                archive=str(tmp_path / "archive"),
                campaign=str(tmp_path / name),
                model=ModelOptions(engine="eager", device="cpu"),
                workers=Workers(models=1, readers=1, threads=1),
            )
        )
        for name in ("plain", "ray")
    )
    assert reprocess(plain, run_local).counts == reprocess(on_ray, run_on_ray).counts
    one, other = (load_campaign(tmp_path / name) for name in ("plain", "ray"))
    assert one.card.settings["edges"]["layers"] == "segments"
    assert same(one.outcomes(), other.outcomes())
    found = [layer for row in other.outcomes().to_pylist() for layer in row["findings"]]
    assert any(layer["edge_frequency"] for layer in found)


def test_the_command_finds_the_runner() -> None:
    """What is installed comes from this file, and may be older."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    points = tomllib.loads(text)["project"]["entry-points"]["odm.runners"]
    point = EntryPoint("reprocess ionograms", points["reprocess ionograms"], "odm.runners")
    assert point.load() is run_on_ray
