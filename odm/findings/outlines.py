"""Masks of regions on the axes of their file, and outlines of a catalog drawn back into masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def bounding_box(mask: NDArray[Any]) -> tuple[slice, slice]:
    """Return rows and columns that hold all of a mask (H, W); empty for an empty one."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return slice(0, 0), slice(0, 0)
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return (
        slice(int(rows[0]), int(rows[-1]) + 1),
        slice(int(columns[0]), int(columns[-1]) + 1),
    )


def outline_mask(
    outline: Sequence[Mapping[str, Any]],
    times: NDArray[np.datetime64],
    frequency: NDArray[np.float64],
) -> Mask | None:
    """Return the region inside an outline, on the axes of its file.

    Args:
        outline: points with ``time`` (UTC) and ``frequency`` (Hz), as a catalog's rows hold them.
        times: (N,) times of the file.
        frequency: (K,) Hz.

    Returns:
        (K, N) bool, row 0 the highest frequency; None where a point is further from every row or
        frequency of the file than they are from each other, or there is no point.
    """
    if not len(outline):
        return None
    stamps = np.array([utc(point["time"]).tz_localize(None) for point in outline])
    elapsed = (stamps.astype("datetime64[ns]") - times[0]).astype(np.int64) * 1e-9
    seconds = (times - times[0]).astype(np.int64) * 1e-9
    columns = _nearest(elapsed, seconds)
    indices = _nearest(np.array([float(point["frequency"]) for point in outline]), frequency)
    if columns is None or indices is None:
        return None
    points = np.stack([columns, frequency.size - 1 - indices], axis=1).astype(np.int32)
    canvas = np.zeros((frequency.size, times.size), dtype=np.uint8)
    cv2.drawContours(canvas, [points[:, None, :]], 0, 1, cv2.FILLED)
    return canvas != 0


def _nearest(values: NDArray[np.float64], axis: NDArray[np.float64]) -> NDArray[np.intp] | None:
    """Return nearest indices on an increasing axis; None where one is a median step from all."""
    above = np.clip(np.searchsorted(axis, values), 1, axis.size - 1)
    nearest = above - (values - axis[above - 1] < axis[above] - values)
    far = np.abs(axis[nearest] - values) > np.median(np.diff(axis))
    return None if far.any() else nearest


def utc(time: Any) -> Any:
    """Return a time as a pandas Timestamp in UTC; one without a zone is taken for UTC."""
    import pandas as pd

    stamp = pd.Timestamp(time)
    return stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
