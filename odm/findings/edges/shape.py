"""Shapes of a rise: what a mean profile along a layer's edge can look like.

Behind its least delay the power of an echo goes as a power of the delay: as one over its root where
rays are focused (a caustic: the F layer), level or growing where a layer begins to reflect little
by little (sporadic E). The sounder's pulse rounds it, so that the power begins to rise before the
edge. The shapes here are such powers convolved with a Gaussian pulse, above a noise floor, in dB:
matching them finds the edge whatever the pulse is, without its bias.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PULSES_KM = (6.0, 10.0, 15.0, 21.0, 28.0)
"""Widths at half power."""
REACH_KM = (75.0, 55.0)
"""Of a profile, before and behind the path."""
PEAK_KM = (-12.0, 40.0)
"""Where the peak of a profile is sought, from the path."""
SHIFT_KM = 36.0
"""Largest distance of the edge from the path."""
CONTRAST_STEP_DB = 1.5
_CONTRASTS = 9
_FINE_KM = 0.5


class Onset(NamedTuple):
    """How the echo of a layer begins.

    Attributes:
        powers: that are tried.
        ranges_km, usual: (N,) the usual power at these ranges, between them on a straight line;
            none where nothing is known.
        weight: how much worse a shape may fit that is as usual: by this share for a power that is
            off by 1 (and by its square).
        dynamic_db: below the peak nothing is matched: side lobes of the sounder's code may lie
            there, or a fainter trace.
    """

    powers: tuple[float, ...]
    ranges_km: tuple[float, ...] = ()
    usual: tuple[float, ...] = ()
    weight: float = 0.0
    dynamic_db: float = 13.0

    def penalty(self, range_km: Floats, powers: Floats) -> Floats:
        """Factors (F, K) of the misfit of shapes with ``powers`` (K,) at ranges (F,)."""
        if not self.ranges_km:
            return np.ones((range_km.size, powers.size))
        usual = np.interp(range_km, self.ranges_km, self.usual)
        return np.asarray(1 + self.weight * (powers[None] - usual[:, None]) ** 2)


ONSETS = {
    "F": Onset((-0.6, 0.25, 1.0)),
    # A layer at 110 km: the range tells the elevation, and with it how the antenna's gain, the
    # focusing and the layer's reflection change along the first rays.
    "Es": Onset(
        (-0.5, -0.3, -0.1, 0.1, 0.3, 0.5, 0.7, 0.9, 1.1, 1.3),
        (230.0, 265.0, 315.0, 400.0, 525.0, 700.0, 1000.0),
        (0.9, 0.85, 0.45, 0.33, 0.2, 0.07, -0.15),
        weight=2.0,
        dynamic_db=16.0,
    ),
}
"""Fitted to simulated ionograms of seeds 71 to 73."""


class Bank(NamedTuple):
    """Shapes for one range step.

    Attributes:
        x: (W,) gates from the path.
        shift: (S,) gates from the path to the edge.
        shapes: (C, P, S, W) dB above what lies before it, by contrast, by power and pulse, by
            shift.
        kinds: (P, 2) power and pulse (km).
        gate_km, dynamic_db: that it was made for.
    """

    x: NDArray[np.int64]
    shift: Floats
    shapes: NDArray[np.float32]
    kinds: Floats
    gate_km: float
    dynamic_db: float


@lru_cache(maxsize=16)
def bank(gate_km: float, powers: tuple[float, ...], dynamic_db: float) -> Bank:
    """The shapes for a range step in km; see `Onset`."""
    x = np.arange(-round(REACH_KM[0] / gate_km), round(REACH_KM[1] / gate_km) + 1)
    shifts = max(round(SHIFT_KM / gate_km), 2) * 4
    shift = np.arange(-shifts, shifts + 1) / 4
    kinds = np.array([(power, pulse) for power in powers for pulse in PULSES_KM])
    away = (x[None] - shift[:, None]) * gate_km  # km from the edge
    contrasts = 10 ** (CONTRAST_STEP_DB * np.arange(1, _CONTRASTS + 1) / 10)
    shapes = np.empty((contrasts.size, len(kinds), shift.size, x.size), np.float32)
    for number, (power, pulse) in enumerate(kinds):
        grid, profile = power_profile(power, pulse, gate_km)
        values = np.interp(away, grid, profile)
        values /= np.maximum(values.max(axis=1, keepdims=True), 1e-12)
        for level, contrast in enumerate(contrasts):
            shapes[level, number] = 10 * np.log10(1 + (contrast - 1) * values)
    return Bank(x, shift, shapes, kinds, gate_km, dynamic_db)


def power_profile(power: float, pulse_km: float, gate_km: float) -> tuple[Floats, Floats]:
    """Power over km from the edge, in any unit."""
    end = REACH_KM[1] + 2 * SHIFT_KM
    grid = np.arange(-REACH_KM[0] - 2 * SHIFT_KM, end + _FINE_KM / 2, _FINE_KM)
    # The integral's steps: a power of -1/2 is infinite at 0, its mean over a step is not.
    upto = np.maximum(grid + _FINE_KM / 2, 0.0) ** (power + 1)
    begun = np.diff(upto, prepend=0.0)
    sigma = np.hypot(pulse_km / 2.355, gate_km / np.sqrt(12))  # a gate is a mean, too
    half = int(4 * sigma / _FINE_KM) + 1
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) * _FINE_KM / sigma) ** 2)
    return grid, np.convolve(begun, kernel / kernel.sum(), mode="same")[: grid.size]


def contrast_class(contrast_db: Floats) -> NDArray[np.int64]:
    """Index of the first axis of `Bank.shapes`."""
    places = np.rint(np.nan_to_num(contrast_db) / CONTRAST_STEP_DB).astype(np.int64) - 1
    return np.clip(places, 0, _CONTRASTS - 1)
