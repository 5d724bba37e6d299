"""Options that several commands share, and what they do with them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for a script.")]
Component = Annotated[str, typer.Option(help="Component of the electric field: x, y or z.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the file OUT.")]
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
