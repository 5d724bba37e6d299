"""`odm dataset`: which half-orbits are for training, validation and test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odm.core.text import table

if TYPE_CHECKING:
    from odm.datasets.ionogram import IonogramDataset
    from odm.datasets.orbit import OrbitDataset, OrbitDatasetConfig

app = typer.Typer(no_args_is_help=True, help="Data sets: archive, annotations, images, split.")


@app.command("create")
def create(
    archive: Annotated[str, typer.Argument(help="Folder or URI of half-orbits.")],
    annotations: Annotated[
        str, typer.Option(help="Folder of odm label import, or a simulated archive.")
    ],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("dataset.yaml"),
    by: Annotated[
        str, typer.Option(help="Split by cycles, season, hemisphere, or whole (one part).")
    ] = "cycles",
    train: Annotated[int, typer.Option(help="Cycles of 5 days per block of training.")] = 6,
    validation: Annotated[int, typer.Option(help="The same for validation.")] = 1,
    test: Annotated[int, typer.Option(help="The same for test.")] = 1,
    purge: Annotated[int, typer.Option(help="Cycles left out between two parts.")] = 1,
    offset: Annotated[int, typer.Option(help="Shift of the pattern, in cycles.")] = 0,
    season: Annotated[
        str | None, typer.Option(help="Held-out season: spring (March-May), summer, …")
    ] = None,
    hemisphere: Annotated[
        str | None, typer.Option(help="Hemisphere for training: north or south.")
    ] = None,
    part: Annotated[
        str | None, typer.Option(help="With --by whole: train, validation or test.")
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(help="Resize to this many pixels square [default: native, padded]."),
    ] = None,
    limits: Annotated[
        tuple[float, float] | None,
        typer.Option(
            help="log10 of the PSD in (mV/m)^2/Hz that becomes black and white "
            "[default: from percentiles of the half-orbits for training]; as --limits -9 -6."
        ),
    ] = None,
    component: Annotated[str, typer.Option(help="x, y or z.")] = "z",
    mask: Annotated[str, typer.Option(help="contour, ellipse or box.")] = "contour",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file OUT.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="As JSON, for a script.")] = False,
) -> None:
    """Write dataset.yaml and print what each part holds.

    Example: odm dataset create archive --annotations annotated --out dataset.yaml
    """
    from odm.archive.orbit.reader import check_component
    from odm.core.errors import InputError
    from odm.core.settings import parse_config
    from odm.datasets.orbit import OrbitDataset, OrbitDatasetConfig

    if out.exists() and not overwrite:
        raise InputError(f"{out}: is there already; choose another name, or --overwrite it")
    image: dict[str, Any] = {"component": check_component(component)}
    if size is not None:
        image |= {"mode": "resized", "height": size, "width": size}
    split = {
        "by": by,
        "train": train,
        "validation": validation,
        "test": test,
        "purge": purge,
        "offset": offset,
        "season": season,
        "hemisphere": hemisphere,
        "part": part,
    }
    content = {"archive": archive, "annotations": annotations, "mask": mask, "split": split}

    def config(lower: float, upper: float) -> OrbitDatasetConfig:
        limited = {**image, "minimum": lower, "maximum": upper}
        return parse_config({**content, "image": limited}, OrbitDatasetConfig, "the options")

    if limits is None:
        # Any limits will do for finding out what is for training.
        limits = _training_limits(config(-8.0, -2.0), component)
    _show(OrbitDataset.create(out, config(*limits)), json_)


@app.command("ionograms")
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
    by: Annotated[str, typer.Option(help="Split by groups, time, or whole (one part).")] = "groups",
    shares: Annotated[
        tuple[float, float, float], typer.Option(help="Of train, validation and test, for groups.")
    ] = (0.7, 0.15, 0.15),
    group_hours: Annotated[
        float, typer.Option(help="Hours that stay together; 0: each ionogram alone.")
    ] = 24,
    seed: Annotated[int, typer.Option(help="Of the groups.")] = 0,
    validation_from: Annotated[
        str | None, typer.Option(help="With --by time: begin of validation, UTC.")
    ] = None,
    test_from: Annotated[
        str | None, typer.Option(help="With --by time: begin of the test, UTC.")
    ] = None,
    part: Annotated[
        str | None, typer.Option(help="With --by whole: train, validation or test.")
    ] = None,
    size: Annotated[int, typer.Option(help="Pixels a side of the image.")] = 416,
    drawn_on: Annotated[
        str, typer.Option(help="What people drew on: ionogram, or window (the image).")
    ] = "ionogram",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file OUT.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="As JSON, for a script.")] = False,
) -> None:
    """Write dataset.yaml of ionograms with labelled layers, and print what each part holds.

    Example: odm dataset ionograms archive --group-hours 0 --out dataset.yaml
    """
    from odm.core.errors import InputError
    from odm.core.settings import parse_config
    from odm.datasets.ionogram import IonogramDataset, IonogramDatasetConfig

    if out.exists() and not overwrite:
        raise InputError(f"{out}: is there already; choose another name, or --overwrite it")
    content = {
        "archive": archive,
        "annotations": annotations or archive,
        "image": {"height": size, "width": size},
        "drawn_on": drawn_on,
        "split": {
            "by": by,
            **dict(zip(("train", "validation", "test"), shares, strict=True)),
            "group_hours": group_hours,
            "seed": seed,
            "validation_from": validation_from,
            "test_from": test_from,
            "part": part,
        },
    }
    config = parse_config(content, IonogramDatasetConfig, "the options")
    _show_ionograms(IonogramDataset.create(out, config), json_)


@app.command("show")
def show(
    dataset: Annotated[Path, typer.Argument(help="A dataset.yaml.")],
    json_: Annotated[bool, typer.Option("--json", help="As JSON, for a script.")] = False,
) -> None:
    """Print what each part of a data set holds, and its digest.

    Example: odm dataset show dataset.yaml
    """
    from odm.datasets.ionogram import IonogramDataset, is_ionogram_dataset
    from odm.datasets.orbit import OrbitDataset

    if is_ionogram_dataset(dataset):
        _show_ionograms(IonogramDataset.load(dataset), json_)
    else:
        _show(OrbitDataset.load(dataset), json_)


def _show_ionograms(dataset: IonogramDataset, as_json: bool) -> None:
    import json

    parts, warnings = dataset.table(), dataset.warnings()
    facts = {
        "digest": dataset.digest,
        "archive": dataset.archive,
        "ionograms": len(dataset.listing),
        "labelled": len(dataset.all_samples),
        "annotations_from": dataset.annotations.source,
        "parts": parts,
        "warnings": warnings,
    }
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    print(f"{facts['labelled']} labelled of {facts['ionograms']} ionograms in {facts['archive']}")
    names = [name.replace("_", " ") for name in parts[0]]
    print(table(names, (part.values() for part in parts)))
    for warning in warnings:
        typer.echo(f"note: {warning}", err=True)
    print(f"digest {facts['digest']}")


def _training_limits(config: OrbitDatasetConfig, component: str) -> tuple[float, float]:
    """Image limits from what is for training alone; from everything where that is nothing."""
    from odm.datasets.orbit import OrbitDataset
    from odm.images.spectrogram import estimate_limits

    dataset = OrbitDataset(config)
    paths = [sample.path for sample in dataset.all_samples if sample.part == "train"]
    if not paths:
        typer.echo(
            "note: nothing is for training, so the image limits are from the whole archive",
            err=True,
        )
        paths = [entry.path for entry in dataset.listing.entries]
    return estimate_limits(paths, component)


def _show(dataset: OrbitDataset, as_json: bool) -> None:
    import json

    from odm.datasets.orbit import describe

    facts = describe(dataset)
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    image = facts["image"]
    print(
        f"{facts['labelled']} labelled of {facts['half_orbits']} half-orbits in {facts['archive']}"
    )
    print(
        f"image {image['mode']} {image['height']} x {image['width']}, component "
        f"{image['component']}, log10 PSD {image['minimum']:g} to {image['maximum']:g}; "
        f"mask {facts['mask']}; split by {facts['split']['by']}"
    )
    header = ("part", "half-orbits", "with nuclei", "nuclei", "cycles", "first", "last", "seasons")
    names = [name.replace("-", "_").replace(" ", "_") for name in header]
    for part in facts["parts"]:
        part["seasons"] = ", ".join(f"{name} {number}" for name, number in part["seasons"].items())
    print(table(header, ([part[name] for name in names] for part in facts["parts"])))
    for warning in facts["warnings"]:
        typer.echo(f"note: {warning}", err=True)
    print(f"digest {facts['digest']}")
