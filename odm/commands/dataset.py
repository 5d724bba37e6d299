"""`odm dataset`: which half-orbits or ionograms are for training, validation and test."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odm.commands.options import (
    AsJson,
    Component,
    Overwrite,
    WholePart,
    check_new_file,
    print_json,
    takes_groups,
)
from odm.core.errors import InputError

if TYPE_CHECKING:
    from odm.datasets.orbit import OrbitDatasetConfig

app = typer.Typer(no_args_is_help=True, help="Data sets: archive, annotations, images, split.")


@dataclass(frozen=True)
class OrbitSplit:
    """How half-orbits are divided into parts."""

    by: Annotated[
        str, typer.Option(help="Split by cycles, season, hemisphere, or whole (one part).")
    ] = "cycles"
    train: Annotated[int, typer.Option(help="Cycles of 5 days per block of training.")] = 6
    validation: Annotated[int, typer.Option(help="The same for validation.")] = 1
    test: Annotated[int, typer.Option(help="The same for test.")] = 1
    purge: Annotated[int, typer.Option(help="Cycles left out between two parts.")] = 1
    offset: Annotated[int, typer.Option(help="Shift of the pattern, in cycles.")] = 0
    season: Annotated[
        str | None, typer.Option(help="Held-out season: spring (March-May), summer, …")
    ] = None
    hemisphere: Annotated[
        str | None, typer.Option(help="Hemisphere for training: north or south.")
    ] = None
    part: WholePart = None


@dataclass(frozen=True)
class IonogramSplit:
    """How ionograms are divided into parts."""

    by: Annotated[str, typer.Option(help="Split by groups, time, or whole (one part).")] = "groups"
    shares: Annotated[
        tuple[float, float, float],
        typer.Option(help="Shares of train, validation and test, for groups."),
    ] = (0.7, 0.15, 0.15)
    group_hours: Annotated[
        float, typer.Option(help="Hours that stay together; 0: each ionogram alone.")
    ] = 24
    seed: Annotated[int, typer.Option(help="Seed of the groups.")] = 0
    validation_from: Annotated[
        str | None, typer.Option(help="With --by time: begin of validation, UTC.")
    ] = None
    test_from: Annotated[
        str | None, typer.Option(help="With --by time: begin of the test, UTC.")
    ] = None
    part: WholePart = None


@app.command("create")
@takes_groups
def create(
    archive: Annotated[str, typer.Argument(help="Folder or URI of half-orbits.")],
    annotations: Annotated[
        str, typer.Option(help="Folder of odm label import, or a simulated archive.")
    ],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("dataset.yaml"),
    *,
    split: OrbitSplit,
    mode: Annotated[
        str | None,
        typer.Option(
            help="Image: native (a pixel per value), resized (with --size), or relative (dB above "
            "each half-orbit's own background) [default: native, or resized with --size]."
        ),
    ] = None,
    size: Annotated[
        int | None, typer.Option(help="Resize to this many pixels square; a multiple of 32.")
    ] = None,
    limits: Annotated[
        tuple[float, float] | None,
        typer.Option(
            help="log10 of the PSD in (mV/m)^2/Hz that becomes black and white "
            "[default: from percentiles of the half-orbits for training]; as --limits -9 -6; "
            "relative images have none."
        ),
    ] = None,
    component: Component = "z",
    mask: Annotated[str, typer.Option(help="contour, ellipse or box.")] = "contour",
    overwrite: Overwrite = False,
    json_: AsJson = False,
) -> None:
    """Write dataset.yaml and print what each part holds.

    Example: odm dataset create archive --annotations annotated --out dataset.yaml
    """
    from odm.archive.orbit.reader import check_component
    from odm.core.settings import parse_config
    from odm.datasets.orbit import OrbitDataset, OrbitDatasetConfig

    check_new_file(out, overwrite)
    image = {"component": check_component(component), **_image_mode(mode, size, limits)}
    content = {"archive": archive, "annotations": annotations, "mask": mask, "split": asdict(split)}

    def config(*limits: float) -> OrbitDatasetConfig:
        limited = image | dict(zip(("minimum", "maximum"), limits, strict=False))
        return parse_config({**content, "image": limited}, OrbitDatasetConfig, "the options")

    if image["mode"] == "relative":
        chosen = config()
    else:
        # Any limits will do for finding out what is for training.
        chosen = config(*(limits or _training_limits(config(-8.0, -2.0))))
    _show(OrbitDataset.create(out, chosen), json_)


@app.command("ionograms")
@takes_groups
def ionograms(
    archive: Annotated[str, typer.Argument(help="Folder or URI of ionograms.")],
    annotations: Annotated[
        str,
        typer.Option(
            help="Labels: a folder of LabelImg XML or YOLO text, a COCO JSON file, or a simulated "
            "archive [default: ARCHIVE]."
        ),
    ] = "",
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("dataset.yaml"),
    *,
    split: IonogramSplit,
    size: Annotated[int, typer.Option(help="Pixels a side of the image.")] = 416,
    drawn_on: Annotated[
        str, typer.Option(help="What people drew on: ionogram, or window (the image).")
    ] = "ionogram",
    overwrite: Overwrite = False,
    json_: AsJson = False,
) -> None:
    """Write dataset.yaml of ionograms with labelled layers, and print what each part holds.

    Example: odm dataset ionograms archive --group-hours 0 --out dataset.yaml
    """
    from odm.core.settings import parse_config
    from odm.datasets.ionogram import IonogramDataset, IonogramDatasetConfig

    check_new_file(out, overwrite)
    named = asdict(split)
    shares = named.pop("shares")
    content = {
        "archive": archive,
        "annotations": annotations or archive,
        "image": {"height": size, "width": size},
        "drawn_on": drawn_on,
        "split": {**named, **dict(zip(("train", "validation", "test"), shares, strict=True))},
    }
    config = parse_config(content, IonogramDatasetConfig, "the options")
    _show(IonogramDataset.create(out, config), json_)


@app.command("show")
def show(
    dataset: Annotated[Path, typer.Argument(help="A dataset.yaml.")], json_: AsJson = False
) -> None:
    """Print what each part of a data set holds, and its digest.

    Example: odm dataset show dataset.yaml
    """
    from odm.datasets.base import drawn_kind, open_dataset

    drawn = drawn_kind(dataset)
    opened = open_dataset(dataset) if drawn is None else drawn.load("drawn").load(dataset)
    _show(opened, json_)


@app.command("draw")
def draw(
    dataset: Annotated[Path, typer.Argument(help="A drawn.yaml.")],
    workers: Annotated[int, typer.Option(help="Processes that draw.", min=1)] = 1,
    epochs: Annotated[int, typer.Option(help="Epochs of a training to draw for.", min=1)] = 1,
    cache_gb: Annotated[
        float, typer.Option(help="Size of the cache of drawn half-orbits, in 1e9 bytes.")
    ] = 20.0,
) -> None:
    """Draw the half-orbits of a drawn.yaml into the cache, so that no training waits for them.

    Example: odm dataset draw drawn.yaml --workers 2 --epochs 10
    """
    from odm.core.progress import progress
    from odm.training.drawn.dataset import DrawnDataset
    from odm.training.drawn.fill import fill_cache

    opened = DrawnDataset.load(dataset)
    number = opened.number_drawn(epochs)
    with progress("drawing", number) as advance:
        fill_cache(opened, epochs=epochs, workers=workers, limit_gb=cache_gb, advance=advance)
    print(f"{number} half-orbits are in the cache")


def _image_mode(
    mode: str | None, size: int | None, limits: tuple[float, float] | None
) -> dict[str, Any]:
    """Image settings of the options on the image, without its limits."""
    chosen = mode or ("native" if size is None else "resized")
    if chosen not in ("native", "resized", "relative"):
        raise InputError(f"--mode {chosen}: give native, resized or relative")
    if chosen == "relative" and limits is not None:
        raise InputError("relative images have no limits: give no --limits with --mode relative")
    if (chosen == "resized") != (size is not None):
        raise InputError(f"--mode {chosen}: give a --size with resized, and with no other mode")
    return {"mode": chosen} if size is None else {"mode": chosen, "height": size, "width": size}


def _training_limits(config: OrbitDatasetConfig) -> tuple[float, float]:
    """Image limits from what is for training alone; from everything where that is nothing."""
    from odm.datasets.orbit import OrbitDataset

    limits, whole = OrbitDataset(config).estimated_limits()
    if whole:
        typer.echo(
            "note: nothing is for training, so the image limits are from the whole archive",
            err=True,
        )
    return limits


def _show(dataset: Any, as_json: bool) -> None:
    from odm.core.text import table

    if as_json:
        print_json(dataset.describe())
        return
    print(dataset.headline)
    if dataset.settings_text:
        print(dataset.settings_text)
    columns = [name.replace("half_", "half-").replace("_", " ") for name in dataset.parts[0]]
    print(table(columns, [[_cell(value) for value in part.values()] for part in dataset.parts]))
    for warning in dataset.warnings:
        typer.echo(f"note: {warning}", err=True)
    print(f"digest {dataset.digest}")


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {number}" for name, number in value.items())
    return str(value)
