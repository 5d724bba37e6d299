"""Campaigns of ionograms on Ray."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

from odm.catalog.campaign import load_campaign
from odm.catalog.compare import compare
from odm.reprocess.drive import reprocess
from odm.reprocess.model import Workers
from ray_jobs.cluster import Cluster
from ray_jobs.reprocess import run_on_ray
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


def test_the_command_finds_the_runner() -> None:
    """What is installed comes from this file, and may be older."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    points = tomllib.loads(text)["project"]["entry-points"]["odm.runners"]
    point = EntryPoint("reprocess ionograms", points["reprocess ionograms"], "odm.runners")
    assert point.load() is run_on_ray
