"""`odm train`: models from labelled data sets."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odm.commands import runners

if TYPE_CHECKING:
    from odm.training.launch import Launch
    from odm.training.plans import AnyPlan

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
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for a script.")]
DATA = Path("dataset.yaml")

app = typer.Typer(no_args_is_help=True, help="Train models on labelled data sets.")


@app.callback()
def _group() -> None:
    pass


@app.command()
def segmenter(
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
    """Train a segmenter of half-orbits or of ionograms, as the data set is; again resumes it.

    The run's folder, OUT/<architecture>-<digest>, is named by the settings, the data set and the
    model to fine-tune. It ends up with the best model in its folder model.

    Example: odm train segmenter --config configs/odm_unet_small.yaml --workers 2
    """
    from odm.training.settings import read_settings

    settings = read_settings(config, overrides or [])
    launch = runners.parse_launch(workers, cpus_per_worker, gpu, address, max_failures)
    run = _chosen("segmenter", launch, local=local)
    from odm.training.segmenter import plan_segmenter, samples_of

    plan = plan_segmenter(settings, data, _runs(out), _model(init, "segmenter"))
    _tell(plan, samples_of(plan).replace("_", "-"))
    names = ("mean_iou", "foreground_iou", "dice", "pixel_accuracy")
    _show(plan, *run(plan), names=names, as_json=json_)


@app.command()
def detector(
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
    """Train a detector of ionospheric layers; the same command again resumes it.

    The run's folder, OUT/<architecture>-<digest>, is named by the settings, the data set and the
    model to fine-tune. It ends up with the best model in its folder model.

    Example: odm train detector --config configs/yolox_nano.yaml --workers 2
    """
    from odm.training.box_settings import DetectorSettings
    from odm.training.settings import read_settings

    settings = read_settings(config, overrides or [], DetectorSettings)
    launch = runners.parse_launch(workers, cpus_per_worker, gpu, address, max_failures)
    run = _chosen("detector", launch, local=local)
    from odm.training.detector import plan_detector

    plan = plan_detector(settings, data, _runs(out), _model(init, "detector"))
    _tell(plan, "ionograms")
    _show(plan, *run(plan), names=("ap", "ap50", "ap25"), as_json=json_)


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


def _model(init: str | None, kind: str) -> str | None:
    """The folder of the model to fine-tune: of a pipeline, its member of that kind."""
    from odm.models.pipeline import member_of_kind
    from odm.models.shipped import model_folder

    return None if init is None else member_of_kind(model_folder(init), kind)


def _chosen(task: str, launch: Launch, *, local: bool) -> Any:
    """What runs a plan: the task's own ``train_here``, or another package's runner."""
    from odm.training.ranks import is_launched

    if local or is_launched():
        runners.check_local(launch)
        return import_module(f"odm.training.{task}").train_here
    return partial(runners.find_runner(f"train {task}"), launch=launch)


def _tell(plan: AnyPlan, what: str) -> None:
    from odm.training.ranks import is_silent

    if is_silent():
        return
    for note in plan.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(
        f"run {plan.run.folder}: {len(plan.training)} {what} for training, "
        f"{len(plan.validation)} for validation",
        err=True,
    )


def _show(plan: AnyPlan, result: Any, card: Any, *, names: tuple[str, ...], as_json: bool) -> None:
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
    shown = ", ".join(f"{name} {result.best.get(name, math.nan):.4f}" for name in names)
    print(f"validation: {shown}")
