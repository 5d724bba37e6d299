"""What every reader of an ionogram format returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONVENTIONS = ("backscatter", "vertical", "oblique")
LAYERS = ("Es", "F")
"""Layers that are told apart; a class's index is its place here."""
MAXIMUM_VALUES = 100_000_000
"""Largest number of values in one ionogram; a large one has a million."""


@dataclass(frozen=True, slots=True)
class Ionogram:
    """What a format's reader finds in a file, before it is checked.

    Attributes:
        snr: (F, R) dB.
        frequency: (F,) Hz.
        group_range: (R,) km.
        range_convention: one of `CONVENTIONS`.
        time: datetime64[ns], UTC; NaT where the file does not say.
        link: link or station; "" where the file does not say.
        file_format: name of the format.
        more: further attributes.
    """

    snr: NDArray[Any]
    frequency: NDArray[Any]
    group_range: NDArray[Any]
    range_convention: str
    time: np.datetime64
    link: str
    file_format: str
    more: dict[str, Any]
