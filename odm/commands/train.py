"""`odm train`: models from labelled data sets."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odm.commands import runners

if TYPE_CHECKING:
    from odm.training.segmenter import Plan

app = typer.Typer(no_args_is_help=True, help="Train models on labelled data sets.")


@app.callback()
def _group() -> None:
    pass


@app.command()
def segmenter(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="Settings, such as optimiser.learning_rate=3e-4 or model.options.sdi_channels=16.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[Path, typer.Option(help="A dataset.yaml.", show_default=False)] = Path(
        "dataset.yaml"
    ),
    config: Annotated[
        Path | None, typer.Option(help="Settings in YAML [default: those of odm_unet].")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of runs.")] = Path("runs"),
    init: Annotated[
        str | None, typer.Option(help="Folder of a model to fine-tune.", show_default=False)
    ] = None,
    local: runners.Local = False,
    workers: runners.Workers = None,
    cpus_per_worker: runners.CpusPerWorker = None,
    gpu: runners.Gpu = None,
    address: runners.Address = None,
    max_failures: runners.MaxFailures = None,
    json_: Annotated[bool, typer.Option("--json", help="As JSON, for a script.")] = False,
) -> None:
    """Train a segmenter; the same command again resumes it.

    The run's folder, OUT/<architecture>-<digest>, is named by the settings, the data set and the
    model to fine-tune. It ends up with the best model in its folder model.

    Example: odm train segmenter --config configs/odm_unet_small.yaml --workers 2
    """
    from odm.training.settings import read_settings

    settings = read_settings(config, overrides or [])
    from odm.training.ranks import is_launched, is_silent

    launch = runners.parse_launch(workers, cpus_per_worker, gpu, address, max_failures)
    if local or is_launched():
        runners.check_local(launch)
        run = _here
    else:
        run = partial(runners.find_runner("train segmenter"), launch=launch)
    from odm.training.segmenter import plan_segmenter

    plan = plan_segmenter(settings, data, out, init)
    if not is_silent():
        for note in plan.notes:
            typer.echo(f"note: {note}", err=True)
        typer.echo(
            f"run {plan.run.folder}: {len(plan.training)} half-orbits for training, "
            f"{len(plan.validation)} for validation",
            err=True,
        )
    _show(plan, *run(plan), as_json=json_)


def _here(plan: Plan) -> Any:
    from odm.training.segmenter import train_here

    return train_here(plan)


def _show(plan: Plan, result: Any, card: Any, *, as_json: bool) -> None:
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
    names = ("mean_iou", "foreground_iou", "dice", "pixel_accuracy")
    shown = ", ".join(f"{name} {result.best.get(name, math.nan):.4f}" for name in names)
    print(f"validation: {shown}")
