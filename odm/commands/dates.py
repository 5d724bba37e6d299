"""Dates on the command line."""

from __future__ import annotations

from datetime import datetime

from odm.core.errors import InputError


def parse_date(text: str) -> datetime:
    """``2021-11-05`` or ``2021-11-05T12:30`` as naive UTC.

    Raises:
        InputError: the text is no date.
    """
    try:
        moment = datetime.fromisoformat(text.strip().removesuffix("Z"))
    except ValueError:
        raise InputError(
            f"{text!r} is no date; write it as 2021-11-05 or 2021-11-05T12:30 (UTC)"
        ) from None
    if moment.tzinfo is not None:
        raise InputError(f"{text!r}: times are UTC, so leave the zone out")
    return moment
