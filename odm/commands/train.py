"""`odm train`: models from labelled data sets."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odm.commands import runners
from odm.commands.options import AsJson

if TYPE_CHECKING:
    from odm.training.launch import Launch
    from odm.training.plans import TrainingPlan

Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...",
        help="Settings, such as optimiser.learning_rate=3e-4 or model.architecture=NAME.",
        show_default=False,
    ),
]
Data = Annotated[Path, typer.Option(help="The dataset.yaml.", show_default=False)]
Config = Annotated[
    Path | None,
    typer.Option(help="Settings in YAML [default: those of odm_unet, or of yolox_nano]."),
]
Out = Annotated[str, typer.Option(help="Folder of runs, which all machines of a cluster share.")]
Init = Annotated[
    str | None,
    typer.Option(
        help="Folder, or name, of a model (or of a pipeline that holds one) to fine-tune.",
        show_default=False,
    ),
]
DATA = Path("dataset.yaml")

app = typer.Typer(no_args_is_help=True, help="Train models on labelled data sets.")


def _add_command(task: str, summary: str, config_example: str) -> None:
    """Add the command that trains models of a task."""

    @app.command(task)
    def command(
        overrides: Overrides = None,
        data: Data = DATA,
        config: Config = None,
        out: Out = "runs",
        init: Init = None,
        local: runners.Local = False,
        workers: runners.Workers = None,
        cpus_per_worker: runners.CpusPerWorker = None,
        gpu: runners.Gpu = None,
        address: runners.Address = None,
        max_failures: runners.MaxFailures = None,
        json_: AsJson = False,
    ) -> None:
        from odm.core.kinds import TASKS
        from odm.training.settings import read_settings

        settings = read_settings(config, overrides or [], TASKS.find(task).load("settings"))
        launch = runners.parse_launch(workers, cpus_per_worker, gpu, address, max_failures)
        run = chosen_runner(task, launch, local=local)
        from odm.training.plans import plan_training

        plan = plan_training(task, settings, data, _runs(out), model_to_tune(init, task))
        _tell(plan)
        _show(plan, *run(plan), as_json=json_)

    command.__doc__ = (
        f"{summary}\n\n"
        "The run's folder, OUT/<architecture>-<digest>, is named by the settings, the data set and "
        "the model to fine-tune. It ends up with the best model in its folder model.\n\n"
        f"Example: odm train {task} --config {config_example} --workers 2"
    )


_add_command(
    "segmenter",
    "Train a segmenter of half-orbits or of ionograms, as the data set is; again resumes it.",
    "configs/odm_unet_small.yaml",
)
_add_command(
    "detector",
    "Train a detector of ionospheric layers; the same command again resumes it.",
    "configs/yolox_nano.yaml",
)


def _runs(out: str) -> Path:
    """The folder of runs.

    Raises:
        InputError: it is no local one.
    """
    from odm.core.errors import InputError
    from odm.core.files import local_path

    folder = local_path(out)
    if folder is None:
        raise InputError(
            f"--out {out}: runs are kept in a local or shared folder; object stores are not "
            "written to yet"
        )
    return folder


def model_to_tune(init: str | None, kind: str) -> str | None:
    """The folder of the model to fine-tune: of a pipeline, its member of that kind."""
    from odm.models.pipeline import member_of_kind
    from odm.models.shipped import model_folder

    return None if init is None else member_of_kind(model_folder(init), kind)


def chosen_runner(task: str, launch: Launch, *, local: bool) -> Any:
    """What runs a plan: `train_here`, or another package's runner."""
    from odm.training.ranks import is_launched

    if local or is_launched():
        from odm.training.plans import train_here

        runners.check_local(launch)
        return train_here
    return partial(runners.find_runner(f"train {task}"), launch=launch)


def _tell(plan: TrainingPlan) -> None:
    """Say, before it begins, what is trained on what."""
    from odm.training.ranks import is_silent

    if is_silent():
        return
    for note in plan.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(
        f"run {plan.run.folder}: {len(plan.training)} {plan.dataset.kind.inputs} for training, "
        f"{len(plan.validation)} for validation",
        err=True,
    )


def _show(plan: TrainingPlan, result: Any, card: Any, *, as_json: bool) -> None:
    """Print how a training ended, in the process that has the saved model."""
    import json
    import math

    if card is None:
        return
    best = {name: value if math.isfinite(value) else None for name, value in result.best.items()}
    if as_json:
        facts = {
            "run": str(plan.run.folder),
            "model": str(plan.run.model),
            "digest": card.digest,
            "step": result.step,
            "epoch": result.epoch,
            "best_epoch": result.best_epoch,
            "ended": result.reason,
            "validation": best,
        }
        print(json.dumps(facts, indent=2))
        return
    why = {
        "epochs": "all epochs done",
        "patience": "no better epoch for long",
        "asked": "stopped as asked",
    }
    print(
        f"{plan.run.model}: {card.architecture['name']}, best in epoch {result.best_epoch} of "
        f"{result.epoch} ({why[result.reason]})"
    )
    shown = ", ".join(
        f"{name} {result.best.get(name, math.nan):.4f}" for name in plan.task_class.metrics
    )
    print(f"validation: {shown}")
