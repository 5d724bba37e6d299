"""Bins of a value, as statistics count in them, and their names."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import ArrayLike, NDArray


def binned(values: ArrayLike, edges: ArrayLike) -> NDArray[np.intp]:
    """Return the bin of each value, [low, high) and the last closed; -1 outside and for NaN."""
    numbers, limits = np.asarray(values, dtype=float), np.asarray(edges, dtype=float)
    codes = np.searchsorted(limits, numbers, side="right") - 1
    codes = np.where(numbers == limits[-1], limits.size - 2, codes)
    inside = (numbers >= limits[0]) & (numbers <= limits[-1])
    return np.where(inside, codes, -1).astype(np.intp)


def bin_names(edges: ArrayLike, unit: str = "") -> list[str]:
    """Return the name of each bin, such as ``-70 to -65``."""
    pairs = itertools.pairwise(np.asarray(edges, dtype=float))
    return [f"{low:g} to {high:g}{' ' + unit if unit else ''}" for low, high in pairs]
