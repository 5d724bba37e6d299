"""`odm tune`: sweeps of hyperparameters, and what they found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from odm.commands.options import AsJson, takes_groups
from odm.commands.runners import Address
from odm.commands.train import DATA, Data
from odm.core.progress import say

if TYPE_CHECKING:
    from tuning.folder import SweepFolder

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # would take [default: ...] for markup
    help="Search hyperparameters, and report what was found.",
)

Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...",
        help="Settings of every trial, such as schedule.epochs=8.",
        show_default=False,
    ),
]
SpaceFile = Annotated[Path, typer.Option(help="What is searched, in YAML: see configs/space_*.")]
Config = Annotated[
    Path | None, typer.Option(help="Settings of what is not searched, as of odm train.")
]
Trials = Annotated[int, typer.Option(help="Trials in all, those of earlier times included.", min=1)]
Name = Annotated[
    str | None,
    typer.Option(help="Name of the sweep [default: by its content].", show_default=False),
]
Out = Annotated[Path, typer.Option(help="Folder of sweeps.")]
Objectives = Annotated[
    list[str] | None,
    typer.Option(
        "--objective",
        help="What is looked for; several times for several, of which the first decides what is "
        "stopped early [default: region_f1, of a detector ap].",
        show_default=False,
    ),
]
Scheduler = Annotated[str, typer.Option(help="What stops trials early: asha, median or none.")]
Grace = Annotated[int, typer.Option(help="Epochs that every trial has.", min=1)]
Reduction = Annotated[int, typer.Option(help="One in so many goes on, with asha.", min=2)]
Seed = Annotated[int, typer.Option(help="Seed of the search.", min=0)]
Repeats = Annotated[
    int, typer.Option(help="Other seeds with which the best three are trained again.", min=0)
]
Local = Annotated[
    bool, typer.Option("--local", help="Without Ray: one trial after the other, here.")
]
Workers = Annotated[
    int, typer.Option(help="Workers of a trial; above 1 each is a Ray Train.", min=1)
]
Cpus = Annotated[
    int | None,
    typer.Option(help="CPUs of a trial, or of each of its workers [default: 1, or a share]."),
]
Gpus = Annotated[
    float | None,
    typer.Option(help="GPUs of a trial, 0.5 for two on one [default: 1 if there are any]."),
]
Concurrent = Annotated[
    int | None, typer.Option(help="Trials at once [default: as many as there is room for].")
]
Wait = Annotated[
    float, typer.Option(help="Seconds that a trial waits for room before the sweep ends.", min=1)
]
SWEEPS = Path("sweeps")
SPACES = {
    task: Path(f"configs/space_{task}.yaml") for task in ("segmenter", "detector", "thresholds")
}


def _own(space: Path, task: str) -> Path:
    """The space; elsewhere than in a checkout the default is that of the code's own checkout."""
    there = Path(__file__).resolve().parents[1] / space
    return there if space == SPACES[task] and not space.exists() and there.exists() else space


@dataclass(frozen=True)
class SweepOptions:
    """Where a sweep is kept, and how its result is shown."""

    name: Name = None
    out: Out = SWEEPS
    json_: AsJson = False


@dataclass(frozen=True)
class SearchGroup:
    """What is looked for, and how the space is searched."""

    objective: Objectives = None
    scheduler: Scheduler = "asha"
    grace: Grace = 1
    reduction: Reduction = 3
    seed: Seed = 0
    repeats: Repeats = 2


@dataclass(frozen=True)
class WorkerOptions:
    """Which workers train."""

    local: Local = False
    workers: Workers = 1
    cpus: Cpus = None
    address: Address = None


@dataclass(frozen=True)
class PlacementOptions(WorkerOptions):
    """Where trials run."""

    gpus: Gpus = None
    concurrent: Concurrent = None
    wait: Wait = 600.0


def _add_search(task: str, example: str) -> None:
    """Add the command that searches the settings of a task's trainings."""

    def command(
        overrides: Overrides = None,
        data: Data = DATA,
        space: SpaceFile = SPACES[task],
        trials: Trials = 20,
        config: Config = None,
        *,
        kept: SweepOptions,
        search: SearchGroup,
        place: PlacementOptions,
    ) -> None:
        from odm.core.kinds import TASKS
        from odm.training.settings import read_settings
        from tuning.folder import SweepFolder
        from tuning.placement import SweepPlacement
        from tuning.spaces import read_space
        from tuning.stopping import Rule
        from tuning.sweep import SearchOptions, plan_sweep, run_sweep

        kind = TASKS.find(task).load("settings")
        placement = SweepPlacement(
            place.local,
            place.workers,
            place.cpus,
            place.gpus,
            place.concurrent,
            place.address,
            place.wait,
        )
        options = SearchOptions(
            tuple(search.objective or ()),
            Rule(search.scheduler, search.grace, search.reduction),
            search.seed,
            read_settings(config, (), kind).schedule.epochs,
        )
        sweep, dataset = plan_sweep(
            read_settings(config, overrides or [], kind),
            read_space(_own(space, task), task),
            data,
            options,
        )
        folder = SweepFolder.of(sweep, kept.out, kept.name)
        say(f"sweep {folder.path}: {trials} trials; odm tune report shows what was found so far")
        run_sweep(folder, sweep, dataset, trials, placement, repeats=search.repeats, say=say)
        _report(folder, None, kept.json_)

    command.__doc__ = (
        f"Search the hyperparameters of a {task}; the same command again goes on.\n\n"
        f"Example: odm tune {task} {example}"
    )
    app.command(task)(takes_groups(command))


_add_search(
    "segmenter",
    "--data dataset.yaml --config configs/odm_unet_small.yaml --trials 30 schedule.epochs=8",
)
_add_search(
    "detector",
    "--data ionograms.yaml --config configs/yolox_nano.yaml --trials 30 schedule.epochs=8 "
    "loss.l1_epochs=2",
)


@app.command()
@takes_groups
def thresholds(
    model: Annotated[str, typer.Argument(help="A model folder, or a shipped model by its name.")],
    data: Data = DATA,
    space: SpaceFile = SPACES["thresholds"],
    trials: Trials = 100,
    seed: Seed = 0,
    engine: Annotated[str, typer.Option(help="auto, eager, compile, onnx or openvino.")] = "auto",
    save: Annotated[
        bool, typer.Option("--save", help="Write the best into the model folder, if they gain.")
    ] = False,
    *,
    kept: SweepOptions,
) -> None:
    """Search the thresholds of a trained model on its predictions, without training.

    They are chosen on the validation part: score the model on another one afterwards.

    Example: odm tune thresholds runs/odm_unet_small-0123456789ab/model --data dataset.yaml --save
    """
    import json

    from odm.core.progress import progress
    from odm.models.shipped import model_folder, own_folder
    from odm.scoring.evaluation import VALIDATION
    from tuning.folder import SweepFolder
    from tuning.spaces import read_space
    from tuning.thresholds import ThresholdSearch, save_thresholds, search_thresholds

    folder = own_folder(model) if save else model_folder(model)
    values = read_space(_own(space, "thresholds"), "thresholds")
    place, searched = search_thresholds(
        ThresholdSearch(folder, data, values, trials, seed, engine),
        lambda sweep: SweepFolder.of(sweep, kept.out, kept.name),
        meter=progress,
        say=say,
    )
    if save and searched.gains:
        card = save_thresholds(folder, searched, place.name, place.read().digest_of_data)
        say(f"saved: {folder} has digest {card.digest}")
    if kept.json_:
        content = {"sweep": str(place.path), "own": searched.own, "best": searched.best}
        print(json.dumps({**content, "thresholds": searched.thresholds}, indent=2))
        return
    for label, scores in (("the model folder's", searched.own), ("the best", searched.best)):
        shown = ", ".join(f"{key} {value:.4f}" for key, value in scores.items())
        print(f"{label}: {shown}")
    print(f"(on {VALIDATION}, where the best were chosen: they look better than they are)")
    print(f"{place.path}: {searched.thresholds}")


@app.command()
def report(
    sweep: Annotated[Path, typer.Argument(help="Folder of a sweep, which may be running.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the report [default: SWEEP/report].")
    ] = None,
    json_: AsJson = False,
) -> None:
    """Show what a sweep found: table, importance, best settings as YAML, pictures, one page.

    Example: odm tune report sweeps/segmenter-0123456789ab
    """
    _report(_folder(sweep), out, json_)


@app.command()
@takes_groups
def retrain(
    sweep: Annotated[Path, typer.Argument(help="Folder of a sweep.")],
    seeds: Annotated[int, typer.Option(help="Trainings, each with its own seed.", min=1)] = 3,
    epochs: Annotated[
        int | None,
        typer.Option(help="Epochs of each [default: those of the sweep's --config].", min=1),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="A dataset.yaml [default: the sweep's].")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of runs [default: SWEEP/retrained].")
    ] = None,
    json_: AsJson = False,
    *,
    place: WorkerOptions,
) -> None:
    """Train the best settings of a sweep at full length, with several seeds; goes on when killed.

    Example: odm tune retrain sweeps/segmenter-0123456789ab --seeds 3 --epochs 40
    """
    import json
    import statistics

    from odm.core.errors import InputError
    from odm.training.launch import Launch
    from tuning.retrain import retrain_best

    if place.local and place != WorkerOptions(local=True):
        raise InputError("workers, CPUs and address are Ray's: not --local")
    launch = None if place.local else Launch(place.workers, place.cpus, None, place.address)
    rows = retrain_best(
        _folder(sweep), seeds, epochs=epochs, data=data, out=out, launch=launch, say=say
    )
    if json_:
        print(json.dumps(rows, indent=2))
        return
    name = list(rows[0])[1]
    for row in rows:
        print(f"seed {row['seed']}: {name} {row[name]:.4f} (epoch {row['best_epoch']} of "
              f"{row['epochs']}), {row['model']}")  # fmt: skip
    values = [row[name] for row in rows]
    if len(values) > 1:
        print(f"mean {statistics.fmean(values):.4f}, standard deviation between seeds "
              f"{statistics.stdev(values):.4f}")  # fmt: skip


def _report(folder: SweepFolder, out: Path | None, json_: bool) -> None:
    import json

    from tuning.report import plain_summary, text, write_report

    summary, files = write_report(folder, out)
    say(f"written to {files[0].parent}: {', '.join(path.name for path in files)}")
    print(json.dumps(plain_summary(summary), indent=2) if json_ else text(summary))


def _folder(path: Path) -> SweepFolder:
    from tuning.folder import SweepFolder

    return SweepFolder(path.expanduser().resolve())
