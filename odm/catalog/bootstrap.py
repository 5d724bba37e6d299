"""Intervals: by resampling whole blocks of half-orbits, and of plain shares."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_BLOCKS = 2
"""Fewer blocks give no interval; fewer than ten give one that is too narrow."""

Interval = tuple[float, float]


def block_weights(blocks: int, resamples: int, seed: int = 0) -> NDArray[np.int64]:
    """Draw as many blocks as there are with replacement; return how often each is drawn.

    Returns:
        (resamples, blocks).

    Source: Efron & Tibshirani 1993, "An introduction to the bootstrap"; blocks since half-orbits of
    one 5-day cycle are not independent.
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(blocks, np.full(blocks, 1 / blocks), size=resamples)


def interval(values: NDArray[Any], share: float = 0.95) -> Interval | None:
    """Return the central ``share`` of resampled values; None if more than a tenth is undefined."""
    values = np.asarray(values, dtype=np.float64)
    known = values[np.isfinite(values)]
    if not known.size or known.size < 0.9 * values.size:
        return None
    tail = 50 * (1 - share)
    low, high = np.percentile(known, (tail, 100 - tail))
    return float(low), float(high)


def wilson(hits: float, total: float, z: float = 1.96) -> Interval | None:
    """Return Wilson's interval of a share, 95 %; None where there is nothing to share.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    if not total:
        return None
    share = hits / total
    middle = share + z * z / (2 * total)
    half = z * float(np.sqrt(share * (1 - share) / total + (z / (2 * total)) ** 2))
    scale = 1 + z * z / total
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)
