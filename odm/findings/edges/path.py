"""The path of a layer's first arrival through an ionogram: dynamic programming.

The evidence for an edge is the rise of the level from before a range to behind it, less what lies
before it (the first arrival counts, not the strongest). The path of most evidence may climb
steeply, as edges do near their highest frequency (100 to 850 km/MHz), and sink a little, as
travelling disturbances make it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.findings.edges.settings import TUNED, Floats, Mask, Matrix

FORBIDDEN = np.float32(-60)
_NEVER = np.float32(-1e9)


def evidence(level: Matrix, gate_km: float) -> Matrix:
    """Return the evidence (F, R) in dB for an edge that begins at each gate.

    It is 0 where nothing was measured.

    Args:
        level: (F, R) dB above the noise, NaN where there is none.
        gate_km: range step.
    """
    there = np.isfinite(level)
    ceiling = TUNED.search_cap_db + TUNED.search_headroom_db
    clipped = np.clip(np.where(there, level, np.float32(0)), TUNED.search_floor_db, ceiling)
    behind, before, long_before = (
        round(km / gate_km)
        for km in (TUNED.search_behind_km, TUNED.search_before_km, TUNED.search_long_before_km)
    )
    room = max(behind, before, long_before)
    total, number = _running(clipped, room), _running(there, room)
    rise = _mean(total, number, room, 0, behind) - _mean(total, number, room, -before, 0)
    rise = np.minimum(rise, np.float32(TUNED.search_cap_db))
    earlier = np.maximum(_mean(total, number, room, -long_before, 0), 0)
    rise -= np.float32(TUNED.first_arrival) * earlier
    return np.nan_to_num(rise, copy=False).astype(np.float32, copy=False)


def _running(values: NDArray[Any], room: int) -> Matrix:
    """Return sums (F, room + R + 1 + room) of all before each gate; the first and last go on."""
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


def best_path(score: Matrix, allowed: Mask, mhz: Floats, gate_km: float) -> Floats:
    """Return the gate (F,) of the path of largest score, NaN where nothing is allowed.

    Args:
        score: (F, R) dB.
        allowed: (F, R) where the edge may be.
        mhz: (F,) frequency, rising.
        gate_km: range step.
    """
    fold = max(round(TUNED.search_step_km / gate_km), 1)
    columns = np.flatnonzero(allowed.any(axis=1))
    path = np.full(score.shape[0], np.nan)
    if not columns.size:
        return path
    gates = np.flatnonzero(allowed.any(axis=0))
    first, last = int(gates[0]), int(gates[-1]) + 1
    inside = np.where(allowed[columns, first:last], score[columns, first:last], FORBIDDEN)
    short = -inside.shape[1] % fold
    inside = np.pad(inside, ((0, 0), (0, short)), constant_values=FORBIDDEN)
    parts = inside.reshape(columns.size, -1, fold)
    rows = _search(parts.max(axis=2), mhz[columns], fold * gate_km)
    number = np.arange(columns.size)
    gate = first + rows * fold + parts.argmax(axis=2)[number, rows]
    legal = inside[number, gate - first] > FORBIDDEN
    path[columns[legal]] = gate[legal]
    return path


def _search(score: Matrix, mhz: Floats, step_km: float) -> NDArray[np.intp]:
    """Return the row (F,) of the best path through scores (F, N)."""
    columns, rows = score.shape
    best = score[0].copy()
    came = np.zeros((columns, rows), np.int16)
    usual = float(np.median(np.diff(mhz))) if columns > 1 else 0.1
    for column in range(1, columns):
        apart = float(mhz[column] - mhz[column - 1])
        up, down = (
            min(max(int(np.ceil(slope * apart / step_km)), 1), rows)
            for slope in (TUNED.climb_km_mhz, TUNED.sink_km_mhz)
        )
        moves = np.arange(-down, up + 1)  # from a row to one that is higher by so much
        climbs = TUNED.climb_cost_db * np.maximum(moves - TUNED.free_steps, 0)
        steps = np.where(moves < 0, -TUNED.sink_cost_db * moves, climbs)
        # A wide step in frequency is no more costly than a narrow one.
        cost = -(steps * (usual / apart)).astype(np.float32)
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
