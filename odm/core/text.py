"""Text for people: tables, sentences about unknown names, rates and durations."""

from __future__ import annotations

import difflib
import io
import re
from collections.abc import Iterable, Sequence

_NUMBER = re.compile(r"[-+]?\d[\d.]*(e[-+]\d+)?(?=[\s%/~]|$)|-?$")
"""Start of a cell that is aligned to the right: a number, a dash or nothing."""


def nearest(name: str, known: Iterable[str], cutoff: float = 0.5) -> str | None:
    """Return the known name that is most like another one, or None where none is like it.

    Args:
        name: a name that is not known.
        known: the names that are.
        cutoff: smallest similarity, from 0 (nothing alike) to 1 (equal).
    """
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)), None)


def unknown_name(
    what: str, name: str, known: Iterable[str], where: str = "", near: str | None = None
) -> str:
    """Return a sentence about an unknown name, with the nearest known one, else with all.

    Args:
        what: what the name should be of, such as ``option``.
        name: the unknown name.
        known: the names that are known, in the order in which they are listed.
        where: where it was looked for, if that is not clear, such as ``split``.
        near: the nearest known one where the caller knows better.
    """
    names = list(known)
    near = near or nearest(name, names)
    hint = f"did you mean {near}?" if near else f"known: {', '.join(names)}"
    return f"unknown {what} {name!r}{f' in {where}' if where else ''}; {hint}"


def table(columns: Sequence[str], rows: Iterable[Iterable[object]], title: str = "") -> str:
    """Return a table as plain text without borders, in which nothing is cut or wrapped.

    Columns of numbers are aligned to the right, all others to the left.

    Args:
        columns: names of the columns; none for a table without a head, aligned to the left.
        rows: the cells of each row, as many as there are columns; a cell may have several lines.
        title: a line above the table.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [[str(cell) for cell in row] for row in rows]
    shown = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=bool(columns))
    for number in range(len(columns) or max(map(len, cells), default=0)):
        is_number = bool(columns) and all(_NUMBER.match(row[number]) for row in cells)
        shown.add_column(
            Text(columns[number]) if columns else "",
            justify="right" if is_number else "left",
            no_wrap=True,
        )
    for row in cells:
        shown.add_row(*map(Text, row))
    console = Console(file=io.StringIO(), width=100_000, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(shown)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    return "\n".join([title, *lines] if title else lines)


def speed(rate: float | None) -> str:
    """Return ``2.3/s``, ``4.0/min`` where that is slow, or a dash where the rate is unknown.

    Args:
        rate: units per second.
    """
    if not rate:
        return "-/s"
    return f"{rate:.1f}/s" if rate >= 0.1 else f"{60 * rate:.1f}/min"


def duration(seconds: float) -> str:
    """Return ``1 h 05 min``, ``12 min`` or ``40 s``."""
    if seconds >= 3600:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"
    return f"{int(seconds // 60)} min" if seconds >= 120 else f"{seconds:.0f} s"
