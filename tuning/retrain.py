"""`odm tune retrain`: the best of a sweep at full length, with several seeds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from odm.core.errors import InputError
from odm.training.launch import Launch
from odm.training.plans import TrainingPlan, plan_training, train_here
from tuning.folder import SweepFolder
from tuning.report import best_settings
from tuning.scores import best_value
from tuning.study import TuningError
from tuning.summary import read_sweep
from tuning.sweep import data_of

RETRAINED = "retrained"


def retrain_best(
    folder: SweepFolder,
    seeds: int,
    *,
    epochs: int | None = None,
    data: Path | None = None,
    out: Path | None = None,
    launch: Launch | None = None,
    say: Callable[[str], None] = print,
) -> list[dict[str, Any]]:
    """Train the best settings of a sweep at full length, once for each seed.

    A run that is finished is not repeated, and one that was killed goes on.

    Args:
        folder: folder of the sweep.
        seeds: how many.
        epochs: epochs of each; None for those of the configuration that the sweep began with.
        data: another data set than the sweep's.
        out: folder of the runs; the sweep's own folder ``retrained`` if None.
        launch: workers on Ray; None trains in this process.
        say: hears what the user should know.

    Returns:
        A row for each seed: seed, the sweep's first objective on validation, and the model folder.

    Raises:
        InputError: thresholds were searched.
        TuningError: no trial has come to its end.
    """
    summary = read_sweep(folder)
    if summary.sweep.task == "thresholds":
        raise InputError(f"{folder.path}: searched thresholds; there is nothing to train")
    if not summary.best:
        raise TuningError(f"{folder.path}: no trial has come to its end yet")
    settings = best_settings(summary, epochs or summary.sweep.full_epochs)
    dataset = data or data_of(folder, summary.sweep, summary.best[0].params)
    place = out or folder.path / RETRAINED
    rows = []
    for number in range(seeds):
        seeded = settings.model_copy(update={"seed": settings.seed + number})
        plan = plan_training(summary.sweep.task, seeded, dataset, place)
        say(f"seed {seeded.seed}: {plan.run.folder}")
        result, _ = _train(plan, launch)
        rows.append(
            {
                "seed": seeded.seed,
                summary.first.name: best_value(plan, summary.first.name, plan.source("validation")),
                "epochs": result.epoch,
                "best_epoch": result.best_epoch,
                "model": str(plan.run.model),
            }
        )
    return rows


def _train(plan: TrainingPlan, launch: Launch | None) -> Any:
    if launch is None:
        return train_here(plan)
    from ray_jobs.training.train import train_on_ray

    return train_on_ray(plan, launch)
