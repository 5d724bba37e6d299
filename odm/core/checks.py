"""Checks of options and settings, each with one sentence for what cannot be."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from odm.core.errors import InputError
from odm.core.text import unknown_name


def check_keys(keys: Iterable[object], known: Collection[str], where: str = "") -> None:
    """Refuse unknown keys.

    Raises:
        InputError: naming the first unknown key and the nearest known one.
    """
    for key in keys:
        if key not in known:
            raise InputError(unknown_name("key", str(key), known, where))


def check_least(name: str, value: float | None, least: int) -> None:
    """Refuse a number that is below the least one; None passes.

    Raises:
        InputError: the number is too small; the message calls it ``name``.
    """
    if value is not None and value < least:
        raise InputError(f"{name} {value}: give {least} or more")


def check_whole(name: str, value: int, least: int) -> int:
    """Return a whole number of at least ``least``.

    Raises:
        InputError: it is none; the message calls it ``name``.
    """
    if isinstance(value, bool) or int(value) != value or value < least:
        raise InputError(f"{name} {value!r}: give a whole number of at least {least}")
    return int(value)


def check_share(name: str, value: float) -> float:
    """Return a number from 0 to 1.

    Raises:
        InputError: it is none; the message calls it ``name``.
    """
    if not 0.0 <= value <= 1.0:
        raise InputError(f"{name} {value!r}: give a number from 0 to 1")
    return float(value)


def check_choice(name: str, value: str, choices: Iterable[str]) -> str:
    """Return one of several names.

    Raises:
        InputError: it is none of them; the message calls it ``name``.
    """
    choices = tuple(choices)
    if value not in choices:
        raise InputError(f"{name} {value!r} is none of {', '.join(choices)}")
    return value
