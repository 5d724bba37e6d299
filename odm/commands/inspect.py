"""`odm inspect`: what one file is, in words and as a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from odm.commands.options import AsJson, Component, print_json
from odm.core.text import table


@dataclass(frozen=True)
class Inspection:
    """What a file was found to be.

    Attributes:
        facts: plain values by name.
        stem: name of the file without its extension.
        draw: writes a picture to a path.
    """

    facts: dict[str, Any]
    stem: str
    draw: Callable[[str], None]


def inspect(
    file: Annotated[
        str, typer.Argument(help="A half-orbit or an ionogram: a local path or a URI.")
    ],
    picture: Annotated[
        str | None,
        typer.Option(help="Where it goes [default: <name>-inspected.png here]."),
    ] = None,
    no_picture: Annotated[bool, typer.Option("--no-picture", help="Words only.")] = False,
    component: Component = "z",
    annotations: Annotated[
        str | None,
        typer.Option(
            help="Folder of annotations or of a simulated archive: its regions or layers are shown "
            "[default: the file's own folder, where it is a simulated archive]."
        ),
    ] = None,
    edge: Annotated[
        str | None,
        typer.Option(help="path or feng: find an ionogram's layers and their leading edges."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="For --edge: a detector or a pipeline [default: the package's]."),
    ] = None,
    json_: AsJson = False,
) -> None:
    """Print what a file is and draw it; for a bad file, print the reason and exit with 1.

    Example: odm inspect archive/CSES_01_EFD_3_L02_A1_175381_20210401_012158_20210401_015642_000.h5
    """
    from odm.archive.ionogram.reader import is_ionogram
    from odm.archive.orbit.reader import check_component
    from odm.core.errors import InputError
    from odm.core.kinds import IONOGRAMS, ORBITS

    component = check_component(component)
    if picture is not None and (no_picture or not picture.endswith(".png")):
        raise InputError(f"--picture {picture}: give a name that ends in .png, or --no-picture")
    kind = IONOGRAMS if is_ionogram(file) else ORBITS
    if kind is not IONOGRAMS and (edge is not None or model is not None):
        raise InputError(f"{file} is a {kind.input}: --edge and --model are for ionograms")
    inspection: Inspection = kind.load("inspect")(file, annotations, component, edge, model)
    facts = dict(inspection.facts)
    if not no_picture:
        # Not to <name>.png, from which the file may have been made.
        facts["picture"] = picture or f"{inspection.stem}-inspected.png"
        inspection.draw(facts["picture"])
    if json_:
        print_json(facts)
    else:
        nested = {name: facts.pop(name) for name in list(facts) if _is_nested(facts[name])}
        print(table((), [(name.replace("_", " "), _plain(facts[name])) for name in facts]))
        for name, items in nested.items():
            print(name.replace("_", " "), *map(_plain, items), sep="\n  ")


def known_folder(
    file: str, annotations: str | None, is_archive: Callable[[Path], bool]
) -> str | None:
    """Return the folder that tells what is in a file: what a user named, else the file's own
    where that is a simulated archive, else None."""
    from odm.core.files import local_path

    local = local_path(file)
    if annotations is not None or local is None or not is_archive(local.parent):
        return annotations
    return str(local.parent)


def ends(values: Any, digits: int, scale: float = 1.0) -> list[float]:
    """Return the first and the last value of a sequence, in units of ``scale`` and rounded."""
    return [round(float(values[i]) / scale, digits) for i in (0, -1)]


def _is_nested(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name.replace('_', ' ')} {_plain(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return "unknown" if value is None else str(value)
