"""Mean profiles along a path, the shapes that they can have, and how well these match.

**Profiles.** Columns are moved so that a path is straight, and averaged with neighbours: speckle
makes a single column's rise worth little, and the mean of neighbouring ones is worth more.

**Shapes.** Behind its least delay the power of an echo goes as a power of the delay: as one over
its root where rays are focused (a caustic: the F layer), level or growing where a layer begins to
reflect little by little (sporadic E). The sounder's pulse rounds it, so that the power begins to
rise before the edge. The shapes here are such powers convolved with a Gaussian pulse, above a noise
floor, in dB: matching them finds the edge whatever the pulse is, without its bias. A layer of two
traces has shapes of two such rises, one fainter and ahead of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from odm.findings.edges.settings import TUNED, Floats, Mask, Matrix, Window


def triangle(mhz: Floats, half: float) -> Floats:
    """Return weights (F, F) of neighbours, falling to none at a distance of ``half`` MHz."""
    return np.maximum(1 - np.abs(mhz[:, None] - mhz[None]) / half, 0.0)


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of an ionogram that are averaged with their neighbours.

    Attributes:
        level: (F, R) dB above the noise, NaN where nothing was measured.
        mhz: (F,) frequency, rising.
        gate_km: range step.
        near: (F, F) weights of neighbouring columns.
    """

    level: Matrix
    mhz: Floats
    gate_km: float
    near: Floats

    @classmethod
    def of(cls, level: Matrix, mhz: Floats, gate_km: float) -> Columns:
        """Return columns with the usual weights of neighbours."""
        return cls(level, mhz, gate_km, triangle(mhz, TUNED.smooth_mhz))

    def straight(self, line: Floats, x: NDArray[Any]) -> Matrix:
        """Return levels (F, W) at gates ``line + x``, NaN beyond the ranges."""
        gates = self.level.shape[1]
        place = line[:, None] + x[None]
        low = np.floor(place)
        share = (place - low).astype(np.float32)
        at = low.astype(np.int64)
        below, above = (
            np.take_along_axis(self.level, np.clip(at + step, 0, gates - 1), axis=1)
            for step in (0, 1)
        )
        values = below + share * (above - below)
        values[(at < 0) | (at + 1 >= gates)] = np.nan
        return np.clip(values, TUNED.floor_db, TUNED.ceiling_db)

    def profile(self, line: Floats, x: NDArray[Any]) -> Matrix:
        """Return mean profiles (F, W) along a line (F,), at gates ``x`` (W,) from it."""
        return mean_profile(self.near, self.straight(line, x))

    def profile_within(self, line: Floats, window: Window) -> tuple[Matrix, NDArray[Any]]:
        """Return mean profiles (F, W) within a window, and the km (W,) of their values."""
        x = np.arange(round(window[0] / self.gate_km), round(window[1] / self.gate_km) + 1)
        return self.profile(line, x), x * self.gate_km

    def smooth(self, values: Floats, rounds: int = 3) -> Floats:
        """Return local straight lines through values (F,), robust against single ones far off."""
        away = self.mhz[None] - self.mhz[:, None]
        trust = np.ones_like(values)
        line = values
        for turn in range(rounds):
            weight = self.near * trust[None] + 1e-9 * self.near
            s0, s1 = weight.sum(axis=1), (weight * away).sum(axis=1)
            s2 = (weight * away**2).sum(axis=1)
            t0, t1 = weight @ values, (weight * away) @ values
            below = s0 * s2 - s1**2
            flat = below < 1e-6 * s0**2
            line = np.where(flat, t0 / s0, (s2 * t0 - s1 * t1) / np.where(flat, 1.0, below))
            if turn < rounds - 1:
                off = np.abs(values - line)
                scale = 2.5 * max(1.4826 * float(np.median(off)), 0.5)
                trust = np.where(off < 2 * scale, (1 - (off / (2 * scale)) ** 2) ** 2, 0.0)
        return np.asarray(line)


def mean_profile(near: Floats, straight: Matrix) -> Matrix:
    """Return weighted means (F, W) over neighbouring columns, NaN where few were measured."""
    weight = near.astype(np.float32)
    there = np.isfinite(straight)
    count = weight @ there.astype(np.float32)
    total = weight @ np.where(there, straight, np.float32(0))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
    few = TUNED.profile_measured_share * weight.sum(axis=1, keepdims=True)
    mean[count < few] = np.nan
    return np.asarray(mean)


def within(km: NDArray[Any], window: Window) -> Mask:
    """Whether distances (W,) lie within a window, its borders included."""
    return (km >= window[0]) & (km <= window[1])


def window_mean(values: Matrix, km: NDArray[Any], window: Window) -> Matrix:
    """Return means (F,) over a window, NaN where less than a third of it was measured."""
    part = values[:, within(km, window)]
    there = np.isfinite(part)
    count = there.sum(axis=1)
    total = np.where(there, part, 0).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(count * 3 >= part.shape[1], total / count, np.nan))


def window_sums(level: Matrix) -> Callable[[int, int], tuple[Matrix, NDArray[np.int64]]]:
    """Return a function of two distances: sums (F, R) over gates g + first to g + last - 1.

    It also returns how many of these gates (R,) lie within the ionogram.
    """
    gates = level.shape[1]
    sums = np.cumsum(np.pad(level, ((0, 0), (1, 0))), axis=1)
    at = np.arange(gates)

    def window(first: int, last: int) -> tuple[Matrix, NDArray[np.int64]]:
        low, high = np.clip(at + first, 0, gates), np.clip(at + last, 0, gates)
        return sums[:, high] - sums[:, low], high - low

    return window


class Rise(NamedTuple):
    """One rise of power, or two.

    Attributes:
        power: exponent of the delay behind the edge.
        pulse_km: width of the sounder's pulse at half power.
        ahead_km: distance to a fainter rise in front of it; 0 for none.
        ratio_db: power of that against the main one.
    """

    power: float
    pulse_km: float
    ahead_km: float = 0.0
    ratio_db: float = 0.0


class Bank(NamedTuple):
    """Shapes for one range step.

    Attributes:
        x: (W,) gates from the path.
        shift: (S,) gates from the path to the edge.
        shapes: (C, K, S, W) dB above what lies before it, by contrast, rise and shift.
        contrasts_db: (C,) peaks of the shapes.
        rises: (K,) what rises.
        gate_km: the range step.
        halves_even: whether contrasts are multiples of the first one, and a contrast halfway
            between two belongs to the even multiple; else it belongs to the lower one.
    """

    x: NDArray[np.int64]
    shift: Floats
    shapes: Matrix
    contrasts_db: Floats
    rises: tuple[Rise, ...]
    gate_km: float
    halves_even: bool

    def contrast_class(self, contrast: Floats) -> NDArray[np.int64]:
        """Return the index (F,) of the nearest of `contrasts_db` to contrasts (F,) in dB."""
        if self.halves_even:
            multiple = np.rint(contrast / self.contrasts_db[0]).astype(np.int64)
            return np.clip(multiple - 1, 0, self.contrasts_db.size - 1)
        return np.abs(contrast[:, None] - self.contrasts_db).argmin(axis=1)

    @property
    def km(self) -> NDArray[Any]:
        """(W,) km from the path."""
        return self.x * self.gate_km


@lru_cache(maxsize=16)
def one_rise_bank(gate_km: float, powers: tuple[float, ...]) -> Bank:
    """Return the shapes of one rise for a range step in km: each power with each pulse."""
    rises = tuple(Rise(power, pulse) for power in powers for pulse in TUNED.pulses_km)
    shifts = max(round(TUNED.shift_km / gate_km), 2) * 4
    shift = np.arange(-shifts, shifts + 1) / 4
    return _bank(gate_km, rises, shift, TUNED.reach_km, TUNED.contrasts_db, halves_even=True)


@lru_cache(maxsize=8)
def two_rise_bank(gate_km: float) -> Bank:
    """Return the shapes of one rise, and of two by distance and ratio, for each pulse."""
    ahead = [(0.0, 0.0)]
    ahead += [(km, ratio) for km in TUNED.split_apart_km for ratio in TUNED.split_ratios_db]
    rises = tuple(
        Rise(TUNED.split_power, pulse, *first) for pulse in TUNED.pulses_km for first in ahead
    )
    shifts = max(round(TUNED.split_shift_km / gate_km), 1) * 2
    shift = np.arange(-shifts, shifts + 1) / 2
    return _bank(gate_km, rises, shift, TUNED.split_reach_km, TUNED.split_contrasts_db)


def _bank(
    gate_km: float,
    rises: tuple[Rise, ...],
    shift: Floats,
    reach_km: Window,
    contrasts_db: tuple[float, ...],
    *,
    halves_even: bool = False,
) -> Bank:
    x = np.arange(round(reach_km[0] / gate_km), round(reach_km[1] / gate_km) + 1)
    away = (x[None] - shift[:, None]) * gate_km  # km from the edge
    values = np.stack([_power_at(away, rise, gate_km) for rise in rises])
    values /= np.maximum(values.max(axis=-1, keepdims=True), 1e-12)
    shapes = np.empty((len(contrasts_db), *values.shape), np.float32)
    for number, contrast in enumerate(10 ** (np.array(contrasts_db) / 10)):
        shapes[number] = 10 * np.log10(1 + (contrast - 1) * values)
    return Bank(x, shift, shapes, np.array(contrasts_db), rises, gate_km, halves_even)


def _power_at(away: Floats, rise: Rise, gate_km: float) -> Floats:
    """Return the power, in any unit, at km from the edge of the main rise."""
    grid, profile = _power_profile(rise.power, rise.pulse_km, gate_km)
    main = np.interp(away, grid, profile, left=0.0)
    if not rise.ahead_km:
        return main
    first = np.interp(away + rise.ahead_km, grid, profile, left=0.0)
    return np.asarray(main + 10 ** (rise.ratio_db / 10) * first)


@lru_cache(maxsize=64)
def _power_profile(power: float, pulse_km: float, gate_km: float) -> tuple[Floats, Floats]:
    """Return km from the edge, and the power there in any unit."""
    (first, last), fine = TUNED.reach_km, TUNED.fine_km
    beyond = 2 * TUNED.shift_km
    grid = np.arange(first - beyond, last + beyond + fine / 2, fine)
    # The integral's steps: a power of -1/2 is infinite at 0, its mean over a step is not.
    integral = np.maximum(grid + fine / 2, 0.0) ** (power + 1)
    sigma = np.hypot(pulse_km / 2.355, gate_km / np.sqrt(12))  # a gate is a mean, too
    half = int(4 * sigma / fine) + 1
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) * fine / sigma) ** 2)
    pulse = np.convolve(np.diff(integral, prepend=0.0), kernel / kernel.sum(), mode="same")
    return grid, pulse[: grid.size]


def base_and_peak(
    profile: Matrix, base: Floats, km: NDArray[Any], peak_km: Window, dynamic_db: float
) -> tuple[Floats, Floats]:
    """Return the level (F,) from which profiles are matched, and their peak (F,), in dB.

    Args:
        profile: (F, W) dB.
        base: (F,) level before the rise, dB.
        km: (W,) from the path.
        peak_km: where the peak is sought; it is -99 dB where nothing was measured.
        dynamic_db: the level from which is matched is no farther below the peak.
    """
    behind = profile[:, within(km, peak_km)]
    peak = np.where(np.isfinite(behind), behind, -99.0).max(axis=1)
    return np.maximum(base, peak - dynamic_db), peak.astype(np.float64)


def misfits(
    profile: Matrix, base: Floats, peak: Floats, bank: Bank, rises: NDArray[np.int64] | None = None
) -> Iterator[tuple[NDArray[np.intp], Matrix]]:
    """Match profiles with the shapes of a bank, by least squares over what was measured.

    Args:
        profile: (F, W) dB, NaN where nothing was measured.
        base: (F,) level before the rise, dB.
        peak: (F,) level of the peak, dB; it chooses the contrast of the shapes.
        bank: the shapes.
        rises: (F,) index of each column's rise, if it is known: that is a thirtieth of the work.

    Yields:
        Some columns (N,) with their misfits (N, K, S) in dB², by rise and shift. With known rises
        these are (N, 1, S), and lack a constant: only the best shift can be told from them.
    """
    there = np.isfinite(profile)
    lifted = np.where(there, np.maximum(profile - base[:, None], 0), 0).astype(np.float32)
    weight = there.astype(np.float32)
    group = bank.contrast_class(np.maximum(peak - base, 0.0))
    kinds, shifts, width = bank.shapes.shape[1:]
    if rises is None:
        squares = (lifted**2).sum(axis=1)
        tables = bank.shapes.reshape(-1, kinds * shifts, width)
    else:
        squares = np.zeros(len(profile), np.float32)
        tables = bank.shapes.reshape(-1, shifts, width)
        group = group * kinds + rises
    for number in np.unique(group):
        rows = np.flatnonzero(group == number)
        cross = lifted[rows] @ tables[number].T
        power = weight[rows] @ (tables[number] ** 2).T
        yield rows, (squares[rows, None] - 2 * cross + power).reshape(rows.size, -1, shifts)
