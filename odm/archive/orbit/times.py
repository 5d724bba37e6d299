"""Time stamps of CSES half-orbits: the digits of ``UTC_TIME`` and the ms of ``VERSE_TIME``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

VERSE_EPOCH = np.datetime64("2009-01-01T00:00:00", "ns")
"""``VERSE_TIME`` counts milliseconds from here (UTC)."""

_DIGITS = 17  # YYYYMMDDhhmmssmmm
_FIRST_YEAR, _LAST_YEAR = 2000, 2199
_NAT = np.datetime64("NaT", "ns")
_TRUSTED_OFFSET_NS = 60 * 10**9

Times = NDArray[np.datetime64]


def parse_utc(stamps: NDArray[np.integer]) -> Times:
    """Decode integers such as 20210401012158123 (``YYYYMMDDhhmmssmmm``).

    Shorter stamps are completed with zeros on the right (some payloads drop the milliseconds).

    Args:
        stamps: (N,) integers.

    Returns:
        (N,) datetime64[ns]; NaT where a stamp is no time (fill values, month 13).
    """
    value = np.asarray(stamps).astype(np.int64)
    usable = (value >= 10**7) & (value < 10**_DIGITS)
    value = np.where(usable, value, 10 ** (_DIGITS - 1))
    digits = np.floor(np.log10(value.astype(np.float64))).astype(np.int64) + 1
    # log10 in float64 rounds up just below a power of ten, hence the second look.
    digits -= value < 10 ** (digits - 1)
    value = value * 10 ** (_DIGITS - digits)

    rest, millisecond = np.divmod(value, 1000)
    rest, second = np.divmod(rest, 100)
    rest, minute = np.divmod(rest, 100)
    rest, hour = np.divmod(rest, 100)
    rest, day = np.divmod(rest, 100)
    year, month = np.divmod(rest, 100)
    usable &= (year >= _FIRST_YEAR) & (year <= _LAST_YEAR) & (month >= 1) & (month <= 12)
    usable &= (day >= 1) & (hour < 24) & (minute < 60) & (second <= 60)
    year, month = np.where(usable, year, 2000), np.where(usable, month, 1)
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1).astype("timedelta64[D]")
    usable &= days.astype("datetime64[M]") == months
    offset_ms = ((hour * 60 + minute) * 60 + second) * 1000 + millisecond
    times = days.astype("datetime64[ns]") + offset_ms.astype("timedelta64[ms]")
    return np.where(usable, times, _NAT)


def parse_verse(milliseconds: NDArray[np.integer]) -> Times:
    """Decode ``VERSE_TIME``.

    Args:
        milliseconds: (N,) since `VERSE_EPOCH`.

    Returns:
        (N,) datetime64[ns]; NaT where the value is not positive.
    """
    value = np.asarray(milliseconds).astype(np.int64)
    usable = (value > 0) & (value < 10**13)
    times = VERSE_EPOCH + np.where(usable, value, 0).astype("timedelta64[ms]")
    return np.where(usable, times, _NAT)


def combine(utc: Times | None, verse: Times | None) -> Times:
    """Return the time of each row, from ``UTC_TIME`` where it serves and else from ``VERSE_TIME``;
    one of the two is there.

    ``VERSE_TIME`` steps in, shifted by its median difference to the valid UTC stamps, when UTC
    is missing, has rows that are no time, or repeats a stamp.

    Raises:
        ValueError: no source gives a time that advances with every row; the message says which
            row is at fault.
    """
    if utc is not None:
        _refuse_backwards("UTC_TIME", utc)  # a fault, even where the other clock looks well
    if utc is not None and _advances(utc):
        return utc
    if verse is not None and _advances(verse):
        if utc is None or np.isnat(utc).all():
            return verse
        return verse + _offset(utc, verse)
    name, source = ("UTC_TIME", utc) if utc is not None else ("VERSE_TIME", verse)
    assert source is not None
    _refuse_backwards(name, source)
    if (row := _first(np.isnat(source))) is not None:
        raise ValueError(f"{name} holds no time at row {row}")
    row = _first(_steps(source) == 0)
    assert row is not None
    raise ValueError(f"time stands still at row {row + 1} ({_show(source[row])} twice)")


def _offset(utc: Times, verse: Times) -> np.timedelta64:
    """Return by how much ``VERSE_TIME`` is behind, from the stamps that are new in their row; 0
    where that is more than a minute: then it is UTC that cannot be trusted.
    """
    known = np.flatnonzero(~np.isnat(utc))
    new = known[np.concatenate([[True], np.diff(utc[known]) > np.timedelta64(0)])]
    shift_ns = int(np.median((utc[new] - verse[new]).astype(np.int64)))
    return np.timedelta64(shift_ns if abs(shift_ns) <= _TRUSTED_OFFSET_NS else 0, "ns")


def _refuse_backwards(name: str, times: Times) -> None:
    known = np.flatnonzero(~np.isnat(times))
    step = _first(_steps(times) < 0)
    if step is not None:
        before, after = known[step], known[step + 1]
        raise ValueError(
            f"time goes backwards at row {after} of {name} "
            f"({_show(times[after])} after {_show(times[before])})"
        )


def _steps(times: Times) -> NDArray[np.int64]:
    return np.diff(times[~np.isnat(times)]).astype(np.int64)


def _advances(times: Times) -> bool:
    return not np.isnat(times).any() and bool((_steps(times) > 0).all())


def _first(mask: NDArray[np.bool_]) -> int | None:
    return int(mask.argmax()) if mask.any() else None


def _show(time: np.datetime64) -> str:
    return str(time.astype("datetime64[ms]"))
