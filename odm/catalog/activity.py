"""Indices of geomagnetic activity from files that the user gives, joined by time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from odm.core.errors import ArchiveError, InputError
from odm.core.files import read_bytes

if TYPE_CHECKING:
    import pandas as pd

EDGES: dict[str, tuple[float, ...]] = {
    "kp": (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    "dst": (-1000, -200, -100, -50, -30, -10, 10, 200),
}
"""Bins of each index; Dst in nT."""
_THREE_HOURLY, _DAILY = 10, 28
"""Columns of the two text files of GFZ with Kp: a line per value, and a line per day."""
_KP_HOLDS = np.timedelta64(3, "h")


@dataclass(frozen=True)
class Index:
    """An index of geomagnetic activity over time.

    Attributes:
        name: ``kp`` or ``dst``.
        times: (N,) datetime64[ns], UTC, increasing: where a value begins to hold.
        values: (N,).
        holds: duration for which a value is taken to hold: the usual step of the file.
    """

    name: str
    times: NDArray[np.datetime64]
    values: NDArray[np.float64]
    holds: np.timedelta64

    def at(self, times: NDArray[np.datetime64]) -> NDArray[np.float64]:
        """Return the latest value before each time, NaN where there is none or it is too old."""
        before = np.searchsorted(self.times, times, side="right") - 1
        known = (before >= 0) & (times - self.times[np.maximum(before, 0)] < self.holds)
        return np.where(known, self.values[np.maximum(before, 0)], np.nan)


def read_index(path: object, name: str) -> Index:
    """Read an index over time.

    CSV with a header ``time,kp`` (or ``dst``, or ``value``), times UTC; or one of two text files of
    GFZ Potsdam, of whose columns (UT; Kp holds from the beginning of its three hours)

    - ``Kp_ap_since_1932.txt`` has 10: YYYY MM DD hh.h hh._m days days_m Kp ap D;
    - ``Kp_ap_Ap_SN_F107_since_1932.txt`` has 28: YYYY MM DD days days_m Bsr dB Kp1 ... Kp8
      ap1 ... ap8 Ap SN F10.7obs F10.7adj D.

    Values outside of the index's range are gaps, as -1 and 9999 are.

    Source: the headers of these files (kp.gfz.de/app/files); Matzka et al. 2021, "Geomagnetic Kp
    index", GFZ Data Services, doi:10.5880/Kp.0001, and doi:10.1029/2020SW002641.

    Raises:
        InputError: no such file, or not of these forms.
    """
    try:
        text = read_bytes(path).decode("utf-8")
    except (ArchiveError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error})") from None
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise InputError(f"{path}: holds no line")
    try:
        pairs = _gfz(lines) if name == "kp" and "," not in lines[0] else _csv(lines, name)
    except (ValueError, IndexError, OverflowError, AttributeError) as error:
        raise InputError(f"{path}: is no list of {name} over time ({error})") from None
    times, values = pairs
    good = (values >= EDGES[name][0]) & (values <= EDGES[name][-1]) & ~np.isnat(times)
    order = np.argsort(times[good], kind="stable")
    times, values = times[good][order], values[good][order]
    if times.size < 2:
        raise InputError(f"{path}: holds fewer than two values of {name}")
    steps = np.diff(times)
    twice = times[1:][steps == np.timedelta64(0)]
    if twice.size:
        raise InputError(f"{path}: holds two values of {name} for {twice[0]}")
    return Index(name, times, values, np.median(steps))


def _csv(lines: list[str], name: str) -> tuple[NDArray[np.datetime64], NDArray[np.float64]]:
    import csv

    rows = list(csv.DictReader(lines))
    header = [str(title).strip().lower() for title in (rows[0] if rows else {})]
    column = next((title for title in (name, "value") if title in header), None)
    if "time" not in header or column is None:
        raise ValueError(f"the header needs time and {name}, it has {', '.join(header) or 'none'}")
    plain = [{str(key).strip().lower(): value for key, value in row.items()} for row in rows]
    times = np.array([row["time"].strip().removesuffix("Z") for row in plain], "datetime64[ns]")
    return times, np.array([float(row[column] or "nan") for row in plain])


def _gfz(lines: list[str]) -> tuple[NDArray[np.datetime64], NDArray[np.float64]]:
    rows = [line.split() for line in lines]
    columns = {len(row) for row in rows}
    if columns not in ({_THREE_HOURLY}, {_DAILY}):
        raise ValueError(
            f"its lines have {' and '.join(map(str, sorted(columns)))} values, those of GFZ "
            f"{_THREE_HOURLY} or {_DAILY}"
        )
    days = np.array(["-".join(row[:3]) for row in rows], "datetime64[D]")
    if columns == {_DAILY}:
        hours = np.arange(0, 24, 3).astype("timedelta64[h]")
        values = np.array([[float(value) for value in row[7:15]] for row in rows])
        return (days[:, None] + hours).astype("datetime64[ns]").ravel(), values.ravel()
    minutes = np.array([round(float(row[3]) * 60) for row in rows]).astype("timedelta64[m]")
    times = (days + minutes).astype("datetime64[ns]")
    steps = np.diff(np.sort(times))
    if (steps[steps > np.timedelta64(0)] < _KP_HOLDS).any():  # Hp30 and Hp60 look the same
        raise ValueError("its values follow each other in less than the three hours of Kp")
    return times, np.array([float(row[7]) for row in rows])


def utc(times: pd.Series) -> NDArray[np.datetime64]:
    """Return a column of times as datetime64[ns] without a zone."""
    return times.dt.tz_localize(None).to_numpy("datetime64[ns]")
