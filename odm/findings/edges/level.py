"""The level of an ionogram above its own noise, column by column.

Sounders state SNR against one noise floor for all frequencies, or against one for each; and the
signal of other users lies over a whole column or a part of one. What is an echo is seen only
against the quiet part of its own column.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]

BLOCKS = 16
"""Parts of a column whose medians are compared."""
_QUIET = 2
"""The noise is the lowest median but this many: echoes may fill most of a column."""
_QUIETER_DB = 0.4
"""By which that lies below the noise's median."""
DISTURBED_DB = 4.0
"""A column whose noise is this much above that of the others holds interference."""


def noise_floor(snr: NDArray[Any]) -> tuple[Matrix, NDArray[np.bool_]]:
    """Noise of each frequency, and where it is disturbed.

    Args:
        snr: (F, R) dB, NaN where nothing was measured.

    Returns:
        (F,) dB, NaN for a column of which nearly nothing was measured; (F,) bool.
    """
    columns, gates = snr.shape
    width = max(gates // BLOCKS, 1)
    used = min(BLOCKS, gates // width)
    parts = np.asarray(snr[:, : used * width], np.float32).reshape(columns, used, width)
    missing = np.isnan(parts)
    if missing.any():
        filled = np.where(missing, np.inf, parts)
        filled = np.where(missing.mean(axis=2, keepdims=True) > 0.3, np.inf, filled)
    else:
        filled = parts
    medians = np.partition(filled, width // 2, axis=2)[:, :, width // 2]
    floor = np.partition(medians, min(_QUIET, used - 1), axis=1)[:, min(_QUIET, used - 1)]
    floor = np.where(np.isfinite(floor), floor + np.float32(_QUIETER_DB), np.nan)
    floor = floor.astype(np.float32)
    if np.isnan(floor).all():
        return floor, np.zeros(columns, bool)
    return floor, floor > np.nanmedian(floor) + DISTURBED_DB


def level_db(snr: NDArray[Any]) -> tuple[Matrix, NDArray[np.bool_]]:
    """SNR (F, R) in dB above the noise of each column, NaN where there is none; and the columns
    with interference."""
    floor, disturbed = noise_floor(snr)
    return np.asarray(snr, np.float32) - floor[:, None], disturbed
