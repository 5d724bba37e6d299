"""The path of a layer's first arrival through an ionogram: dynamic programming.

The evidence for an edge is the rise of the level from before a range to behind it, less what lies
before it (the first arrival is wanted, not the strongest). The path of most evidence may climb
steeply, as edges do near their highest frequency (100 to 850 km/MHz), and sink a little, as
travelling disturbances make it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]

COARSE_KM = 15.0
"""About the step of the search; the path is refined afterwards."""
BEHIND_KM, BEFORE_KM, LONG_BEFORE_KM = 30.0, 30.0, 150.0
"""Over which the levels behind and before a range are taken."""
CAP_DB = 20.0
"""A strong echo is no better evidence than one of this rise."""
FIRST_ARRIVAL = 0.5
"""Weight of what lies before an edge."""
CLIMB_KM_MHZ, SINK_KM_MHZ = 900.0, 260.0
"""Largest slopes."""
CLIMB_COST, SINK_COST = 0.25, 1.2
"""dB for each coarse step, up and down, between neighbouring frequencies."""
FREE_STEPS = 2
"""Coarse steps up that cost nothing."""
FORBIDDEN = np.float32(-60)
_NEVER = np.float32(-1e9)


def evidence(
    level: Matrix, gate_km: float, *, cap_db: float = CAP_DB, first: float = FIRST_ARRIVAL
) -> Matrix:
    """(F, R) dB for an edge that begins at each gate; 0 where nothing was measured.

    Args:
        level: (F, R) dB above the noise, NaN where there is none.
        gate_km: range step.
        cap_db, first: see `CAP_DB`, `FIRST_ARRIVAL`.
    """
    there = np.isfinite(level)
    clipped = np.clip(np.where(there, level, np.float32(0)), -3.0, cap_db + 6.0)
    behind, before, long_before = (
        round(km / gate_km) for km in (BEHIND_KM, BEFORE_KM, LONG_BEFORE_KM)
    )
    room = max(behind, before, long_before)
    total, number = _running(clipped, room), _running(there, room)
    rise = _mean(total, number, room, 0, behind) - _mean(total, number, room, -before, 0)
    rise = np.minimum(rise, np.float32(cap_db))
    rise -= np.float32(first) * np.maximum(_mean(total, number, room, -long_before, 0), 0)
    return np.nan_to_num(rise, copy=False).astype(np.float32, copy=False)


def _running(values: NDArray[Any], room: int) -> Matrix:
    """(F, room + R + 1 + room) sums of all before each gate; the first and last go on."""
    sums = np.zeros((values.shape[0], values.shape[1] + 1 + 2 * room), np.float32)
    inner = sums[:, room + 1 : sums.shape[1] - room]
    np.cumsum(values, axis=1, out=inner, dtype=np.float32)
    sums[:, sums.shape[1] - room :] = inner[:, -1:]
    return sums


def _mean(total: Matrix, number: Matrix, room: int, first: int, last: int) -> Matrix:
    """Mean over gates g + first to g + last - 1, NaN where less than a third was measured."""
    gates = total.shape[1] - 1 - 2 * room
    low, high = slice(room + first, room + first + gates), slice(room + last, room + last + gates)
    count = number[:, high] - number[:, low]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (total[:, high] - total[:, low]) / count
    mean[count * 3 < last - first] = np.nan
    return np.asarray(mean)


def best_path(
    score: Matrix, allowed: NDArray[np.bool_], frequency: NDArray[Any], gate_km: float
) -> NDArray[np.float64]:
    """The gate (F,) of the path of largest score; NaN in columns where nothing is allowed.

    Args:
        score: (F, R) dB.
        allowed: (F, R) where the edge may be.
        frequency: (F,) Hz, rising.
        gate_km: range step.
    """
    fold = max(round(COARSE_KM / gate_km), 1)
    columns = np.flatnonzero(allowed.any(axis=1))
    found = np.full(score.shape[0], np.nan)
    if not columns.size:
        return found
    used = np.flatnonzero(allowed.any(axis=0))
    first, last = int(used[0]), int(used[-1]) + 1
    inside = np.where(allowed[columns, first:last], score[columns, first:last], FORBIDDEN)
    short = -inside.shape[1] % fold
    inside = np.pad(inside, ((0, 0), (0, short)), constant_values=FORBIDDEN)
    parts = inside.reshape(columns.size, -1, fold)
    place = parts.argmax(axis=2)
    coarse = parts.max(axis=2)
    rows = _search(coarse, frequency[columns] / 1e6, fold * gate_km)
    fine = place[np.arange(columns.size), rows]
    gate = first + rows * fold + fine
    legal = inside.reshape(columns.size, -1)[np.arange(columns.size), gate - first] > FORBIDDEN
    found[columns[legal]] = gate[legal]
    return found


def _search(score: Matrix, mhz: NDArray[Any], step_km: float) -> NDArray[np.intp]:
    """(F,) row of the best path through (F, N)."""
    columns, rows = score.shape
    best = score[0].copy()
    came = np.zeros((columns, rows), np.int16)
    usual = float(np.median(np.diff(mhz))) if columns > 1 else 0.1
    for column in range(1, columns):
        apart = float(mhz[column] - mhz[column - 1])
        up = min(max(int(np.ceil(CLIMB_KM_MHZ * apart / step_km)), 1), rows)
        down = min(max(int(np.ceil(SINK_KM_MHZ * apart / step_km)), 1), rows)
        share = usual / apart  # a wide step is no more costly than a narrow one
        moves = np.arange(-down, up + 1)  # from a row to one that is higher by so much
        steps = np.where(
            moves < 0, -SINK_COST * moves, CLIMB_COST * np.maximum(moves - FREE_STEPS, 0)
        )
        cost = -(steps * share).astype(np.float32)
        padded = np.full(rows + up + down, _NEVER, np.float32)
        padded[up : up + rows] = best
        # Row r of this column can be reached from r - move: padded index up + r - move.
        windows = np.lib.stride_tricks.sliding_window_view(padded, up + down + 1)[:, ::-1]
        reached = windows + cost
        choice = reached.argmax(axis=1)
        came[column] = moves[choice]
        best = reached[np.arange(rows), choice] + score[column]
    path = np.zeros(columns, np.intp)
    path[-1] = int(best.argmax())
    for column in range(columns - 1, 0, -1):
        path[column - 1] = np.clip(path[column] - came[column, path[column]], 0, rows - 1)
    return path
