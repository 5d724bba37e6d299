"""Options that several commands share, and what they do with them.

A group of options is a dataclass whose fields are annotated options with defaults. A command names
it as the type of one keyword-only parameter and is marked by `takes_groups`; on the command line
each field is an option of its own, in the place of that parameter.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

ArchiveNow = Annotated[
    str | None, typer.Option(help="Where the archive is now [default: where it was].")
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for a script.")]
CampaignFolder = Annotated[str, typer.Argument(help="Folder of a campaign.")]
Component = Annotated[str, typer.Option(help="Component of the electric field: x, y or z.")]
ModelFolder = Annotated[
    str | None, typer.Option(help="Model folder [default: the one of the package].")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the file OUT.")]
OverwriteImport = Annotated[
    bool, typer.Option("--overwrite", help="Replace an earlier import at OUT.")
]
WholePart = Annotated[str | None, typer.Option(help="With --by whole: train, validation or test.")]


def check_new_file(path: Path, overwrite: bool) -> None:
    """Refuse to replace a file unless that was asked for.

    Raises:
        InputError: the file is there already.
    """
    from odm.core.errors import InputError

    if path.exists() and not overwrite:
        raise InputError(f"{path}: is there already; choose another name, or --overwrite it")


def print_json(facts: Any) -> None:
    """Print plain values as indented JSON."""
    print(json.dumps(facts, indent=2))


def parse_date(text: str) -> datetime:
    """Return ``2021-11-05`` or ``2021-11-05T12:30`` as naive UTC.

    Raises:
        InputError: the text is no date.
    """
    from odm.core.errors import InputError

    try:
        moment = datetime.fromisoformat(text.strip().removesuffix("Z"))
    except ValueError:
        raise InputError(
            f"{text!r} is no date; write it as 2021-11-05 or 2021-11-05T12:30 (UTC)"
        ) from None
    if moment.tzinfo is not None:
        raise InputError(f"{text!r}: times are UTC, so leave the zone out")
    return moment


@dataclass(frozen=True)
class CampaignOptions:
    """Which inputs a campaign does, with which model, and when it fails or is refused."""

    model: ModelFolder = None
    local: Annotated[bool, typer.Option("--local", help="Without Ray, on this machine.")] = False
    limit: Annotated[int | None, typer.Option(help="At most so many now, earliest first.")] = None
    since: Annotated[str | None, typer.Option(help="First day or time, UTC.")] = None
    until: Annotated[str | None, typer.Option(help="Day or time before which, UTC.")] = None
    retry_quarantined: Annotated[
        bool, typer.Option("--retry-quarantined", help="Do quarantined ones again.")
    ] = False
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Do those again whose file has changed since.")
    ] = False
    max_quarantined: Annotated[
        float, typer.Option(help="Share in quarantine above which the exit code is 1.")
    ] = 0.05
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Even if another driver is at work here.")
    ] = False


@dataclass(frozen=True)
class RunOptions:
    """How a model is run, and how many processes do the work."""

    precision: Annotated[str, typer.Option(help="float32, or bfloat16 on a GPU.")] = "float32"
    batch: Annotated[int, typer.Option(help="Images a call [default 0: by the device].", min=0)] = 0
    engine: Annotated[str, typer.Option(help="auto, eager, compile, onnx, openvino.")] = "auto"
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1.")] = "auto"
    readers: Annotated[int, typer.Option(help="Reading processes [default 0: by cores].")] = 0
    models: Annotated[int, typer.Option(help="Copies of the model, on Ray [default 0].")] = 0
    threads: Annotated[int, typer.Option(help="CPU threads of each copy [default 0].")] = 0
    address: Annotated[str | None, typer.Option(help="Address of a Ray cluster.")] = None
    object_store_mb: Annotated[
        int, typer.Option(help="Shared memory of a Ray started here [default 0: Ray's].")
    ] = 0
    json_: AsJson = False


def takes_groups(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the fields of its groups as options, and make groups of what is given."""
    hints = get_type_hints(command, include_extras=True)
    hints.pop("return", None)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    parameters = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name not in groups:
            parameters.append(parameter.replace(annotation=hints[name]))
            continue
        types = get_type_hints(groups[name], include_extras=True)
        parameters += [
            parameter.replace(name=field.name, default=field.default, annotation=types[field.name])
            for field in fields(groups[name])
        ]

    @wraps(command)
    def run(**given: Any) -> Any:
        made = {
            name: group(**{field.name: given.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        return command(**given, **made)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del run.__wrapped__
    return run
