"""Trainings that end badly where they are told to; run as a program, a driver of one."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from odm.training import plans
from odm.training.events import listeners
from odm.training.launch import Launch
from odm.training.loop import ProgressReport, TrainingResult
from odm.training.ranks import Ranks
from odm.training.settings import read_settings
from ray_jobs.training.train import train_on_ray

KILLED_STEP = 4
SETTINGS = [
    "model.architecture=odm_unet_small",
    "model.options={encoder: tu-mobilenetv3_small_050}",
    "data.batch_size=4",
    "data.validation_batch_size=1",
    "data.augmentation=none",
    "optimiser.name=sgd",  # Adam makes whole steps of what is only rounding
    "optimiser.learning_rate=0.01",
    "schedule.epochs=10",
    "schedule.validation_epochs=5",
    "schedule.freeze_norm=true",
    "runtime.device=cpu",
    "runtime.loader_threads=0",
    "runtime.log_steps=1",
]
TWO = Launch(workers=2, cpus=1, max_failures=1)


def make_plan(dataset: Path, out: Path, *overrides: str) -> plans.TrainingPlan:
    settings = read_settings(None, [*SETTINGS, *overrides])
    return plans.plan_training("segmenter", settings, dataset, out)


def is_gone(pid: str) -> bool:
    """Whether a process has ended; one that nobody has asked after yet is a zombie."""
    try:
        return "(zombie)" in Path("/proc", pid, "status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def _once(plan: plans.TrainingPlan) -> bool:
    """Whether nobody was here before."""
    try:
        (plan.run.folder / "disturbed").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def killed(plan: plans.TrainingPlan, ranks: Ranks, listener: Any, **sources: Any) -> TrainingResult:
    """The second rank ends by SIGKILL, once, when a step is done but not kept."""

    def hear(report: ProgressReport) -> None:
        at = report.kind == "steps" and report.step == KILLED_STEP
        if at and ranks.rank == 1 and _once(plan):
            os.kill(os.getpid(), signal.SIGKILL)

    return plans.train_planned(plan, ranks, listeners(listener, hear), **sources)


def stuck(plan: plans.TrainingPlan, ranks: Ranks, listener: Any, **sources: Any) -> TrainingResult:
    """The main rank waits, once, when a step is done but not kept."""

    def hear(report: ProgressReport) -> None:
        at = report.kind == "steps" and report.step == KILLED_STEP
        if at and ranks.is_main and _once(plan):
            (plan.run.folder / "pid").write_text(str(os.getpid()))
            time.sleep(600)

    return plans.train_planned(plan, ranks, listeners(listener, hear), **sources)


if __name__ == "__main__":
    train_on_ray(make_plan(Path(sys.argv[1]), Path(sys.argv[2])), TWO, work=stuck)
