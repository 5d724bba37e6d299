"""The command odm with the entry points of this tree's pyproject.toml: what is installed may be
older."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

from odm import cli


def points(group: str) -> dict[str, EntryPoint]:
    """Entry points of a group, by name."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    found = tomllib.loads(text)["project"]["entry-points"][group]
    return {name: EntryPoint(name, value, group) for name, value in found.items()}


if __name__ == "__main__":
    cli._others = lambda: points(cli.ENTRY_POINTS)
    cli.main()
