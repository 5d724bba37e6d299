"""Run as a program: the driver of a campaign or a training on a cluster of several nodes, where a
node waits to be killed.

    python -m tests.ray_jobs.campaigns campaign FOLDER
    python -m tests.ray_jobs.campaigns training DATASET OUT
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from odm.catalog.outcomes import Input
from odm.core.files import write_bytes
from odm.reprocess.driver import reprocess
from odm.reprocess.orbit import OrbitStages
from odm.reprocess.request import Workers
from odm.reprocess.stages import Draft, InputResult
from odm.training import plans
from odm.training.events import listeners
from odm.training.loop import ProgressReport
from odm.training.loop import TrainingResult as Trained
from odm.training.ranks import Ranks
from ray_jobs.reprocessing.runner import run_on_ray
from ray_jobs.training.train import train_on_ray
from tests.ray_jobs.trainings import KILLED_STEP, TWO, make_plan, task
from tests.reprocess import small

WAITS = 600


def node_name() -> str:
    """Return the name of the node that this process is on."""
    import ray

    own = ray.get_runtime_context().get_node_id()
    return next(n["NodeName"] for n in ray.nodes() if n["NodeID"] == own)


def waits(folder: Path) -> None:
    """Say that this node is at work, and wait until it is killed; the first time only."""
    try:
        (folder / "at_work").touch(exist_ok=False)
    except FileExistsError:
        return
    write_bytes(folder / "node", node_name().encode())
    time.sleep(WAITS)


@dataclass(frozen=True)
class Waiting(OrbitStages):
    """Half-orbits; the first that is read waits."""

    folder: str = ""

    def read(self, input: Input) -> Draft | InputResult:
        """See `Stages`."""
        waits(Path(self.folder))
        return super().read(input)


def waiting(plan: plans.TrainingPlan, ranks: Ranks, listener: Any, **sources: Any) -> Trained:
    """The second rank waits, once, when a step is done but not kept."""

    def hear(report: ProgressReport) -> None:
        if report.kind == "steps" and report.step == KILLED_STEP and ranks.rank == 1:
            waits(plan.run.folder)

    return plans.train_planned(plan, ranks, listeners(listener, hear), **sources)


if __name__ == "__main__":
    what, *paths = sys.argv[1:]
    if what == "campaign":
        folder = Path(paths[0])
        order = small.order(folder, "killed", workers=Workers(models=2, threads=1))
        stages = order.stages
        assert isinstance(stages, OrbitStages)
        slow = Waiting(stages.image, stages.regions, stages.model, folder=str(folder))
        print(reprocess(replace(order, stages=slow), run_on_ray).to_dict())
    else:
        train_on_ray(make_plan(Path(paths[0]), Path(paths[1])), task(waiting), TWO)
