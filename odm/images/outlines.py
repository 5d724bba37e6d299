"""Outlines of the catalog, over UTC and Hz, back on the pixels of a half-orbit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.archive.orbits import Orbit


def outline_mask(orbit: Orbit, outline: Sequence[Mapping[str, Any]]) -> NDArray[np.bool_]:
    """The area inside an outline.

    Args:
        orbit: the half-orbit that it is of.
        outline: points with ``time`` (UTC) and ``frequency`` (Hz).

    Returns:
        (K, N), row 0 the highest frequency.
    """
    times = np.array([_utc(point["time"]) for point in outline])
    frequency = np.array([point["frequency"] for point in outline])
    columns = np.clip(np.searchsorted(orbit.times, times), 0, orbit.times.size - 1)
    index = np.clip(np.searchsorted(orbit.frequency, frequency - 1e-6), 0, orbit.frequency.size - 1)
    lines = orbit.frequency.size - 1 - index
    mask = np.zeros((orbit.frequency.size, orbit.times.size), dtype=np.uint8)
    polygon = np.stack([columns, lines], axis=1).astype(np.int32)
    cv2.fillPoly(mask, [polygon], 1)
    return mask > 0


def _utc(time: Any) -> np.datetime64:
    """A pandas timestamp with a zone, to the nanosecond."""
    return np.datetime64(time.value, "ns")
