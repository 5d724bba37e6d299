"""What the receiver does to a half-orbit of the sky `emissions`: gaps, gain, steps, saturation.

From sources: packets are lost and rows are then missing; levels step at packet edges; spectra are
averages of few periodograms.

Assumed here, without a source:

- looks are log-uniform between 1 and 50, a share of them common to the three components;
- packets of 2-6 rows are lost 0.8 times a half-orbit; one half-orbit in ten loses 15-120 rows;
- the gain drifts by up to 3 dB; in two of five half-orbits it has one to four steps
  (*gain_step*) of 0.5-10 dB, for good or for 8-200 rows, within one row or over up to 40;
- at the *terminator*, in one of three, the level steps by up to 10 dB at a latitude beyond 25
  degrees, within one row or over up to 60, either at all frequencies alike or mostly below or above
  some frequency;
- *saturation*, in two of five: one to six groups of 1-3 rows full at all or most frequencies; or a
  plateau, values clipped at a ceiling: over a stretch of 5-80 rows, over a band of 0.3-4 kHz, or
  everywhere above the level that a few in a thousand to one in thirty pass.

The last three can be held out, as any kind of the family "emission".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from odm.simulate.orbit.emission import BINS, DECIBEL, FREQUENCY, FloatArray, smooth_line
from odm.simulate.orbit.emissions_waves import log_uniform
from odm.simulate.orbit.groundtrack import Track

RECEIVER = ("gain_step", "terminator", "saturation")
MOST_LOOKS = 50
LARGEST_STEP_DB = 10.0
_END_ROWS = 8  # rows at either end that are never lost, so that the name stays true


@dataclass(frozen=True)
class Receiver:
    """What happens to the power of M rows.

    Attributes:
        kept: (M,) bool, rows that arrive.
        gain: (M, 1) or (M, 1024) factor of power.
        ceiling: (M, 1024) power above which values are clipped; None for nowhere.
        full: (M, 1024) bool, where values are at a full scale, whatever the power; None for
            nowhere.
        full_power: what they are then.
        looks: those shared by the components, and those of each.
    """

    kept: NDArray[np.bool_]
    gain: FloatArray
    ceiling: FloatArray | None
    full: NDArray[np.bool_] | None
    full_power: float
    looks: tuple[int, int]

    def shown(self, power: FloatArray, window: tuple[slice, slice]) -> FloatArray:
        """Return noise-free ``power`` (n, k) of a window as it arrives, without lost rows."""
        gain = self.gain[window] if self.gain.shape[1] > 1 else self.gain[window[0]]
        shown = power * gain
        if self.ceiling is not None:
            shown = np.minimum(shown, self.ceiling[window])
        if self.full is not None:
            shown[self.full[window]] = self.full_power
        return shown


def draw_receiver(
    rng: np.random.Generator, track: Track, ambient: FloatArray, kinds: Sequence[str]
) -> Receiver:
    """Draw what the receiver does.

    Args:
        rng: the generator; a kind that does not occur leaves all others as they are.
        track: places of M rows.
        ambient: (M, 1024) noise-free power, by which ceilings are chosen.
        kinds: those of `RECEIVER` that may occur.
    """
    parts = rng.spawn(5)
    rows = len(track.times)
    kept = draw_gaps(parts[0], rows)
    gain_db = log_uniform(rng, 0.1, 1.2) * smooth_line(rng, rows, rows / rng.uniform(1.5, 8))
    gain_db = np.clip(gain_db, -3, 3).astype(np.float32)[:, None]
    if "gain_step" in kinds:
        edges = np.flatnonzero(np.diff(kept.astype(np.int8)))
        gain_db = gain_db + draw_steps(parts[1], rows, edges)
    if "terminator" in kinds and parts[2].random() < 1 / 3:
        gain_db = gain_db + draw_terminator(parts[2], track)
    gain = np.exp(DECIBEL * gain_db).astype(np.float32)
    ceiling, full = None, None
    if "saturation" in kinds and parts[3].random() < 0.4:
        ceiling, full = _draw_saturation(parts[3], ambient * gain)
    total = round(log_uniform(rng, 0.7, MOST_LOOKS + 0.49))
    total = min(max(total, 1), MOST_LOOKS)
    shared = min(round(total * rng.uniform(0.2, 0.6)), total - 1)
    full_power = float(np.quantile(ambient[::7, ::7], 0.999)) * 10 ** rng.uniform(0.2, 2)
    return Receiver(kept, gain, ceiling, full, full_power, (shared, total - shared))


def draw_gaps(rng: np.random.Generator, rows: int) -> NDArray[np.bool_]:
    """Draw which rows arrive, (M,)."""
    kept = np.ones(rows, dtype=bool)
    lengths = [int(rng.integers(2, 7)) for _ in range(int(rng.poisson(0.8)))]
    if rng.random() < 0.1:
        lengths.append(int(rng.integers(15, 121)))
    for length in lengths:
        first = int(rng.integers(_END_ROWS, rows - _END_ROWS))
        kept[first : min(first + length, rows - _END_ROWS)] = False
    return kept


def draw_steps(rng: np.random.Generator, rows: int, edges: NDArray[np.intp]) -> FloatArray:
    """Draw steps of gain, (M, 1) dB, half of them at the ``edges`` of gaps where there are any."""
    steps = np.zeros((rows, 1), dtype=np.float32)
    if rng.random() >= 0.4:
        return steps
    place = np.arange(rows, dtype=np.float32)
    for _ in range(int(rng.integers(1, 5))):
        at_gap = rng.random() < 0.5 and edges.size > 0
        first = float(rng.choice(edges)) + 1 if at_gap else rng.uniform(10, rows - 10)
        last = rows + 1000.0 if rng.random() < 0.4 else first + log_uniform(rng, 8, 200)
        height = float(rng.choice((-1, 1))) * log_uniform(rng, 0.5, LARGEST_STEP_DB)
        steps[:, 0] += height * (_rise(rng, place, first, 40) - _rise(rng, place, last, 40))
    return np.clip(steps, -LARGEST_STEP_DB, LARGEST_STEP_DB)


def draw_terminator(rng: np.random.Generator, track: Track) -> FloatArray:
    """Draw the step where the satellite goes from light to darkness, (M, 1) or (M, 1024) dB."""
    rows = len(track.times)
    beyond = np.flatnonzero(np.abs(track.latitude) > 25)
    course = _rise(rng, np.arange(rows, dtype=np.float32), float(rng.choice(beyond)), 60)[:, None]
    height = float(rng.choice((-1, 1))) * log_uniform(rng, 1, LARGEST_STEP_DB)
    if rng.random() < 0.4:
        return np.float32(height) * course
    khz = (FREQUENCY / 1e3).astype(np.float32)
    share = expit((khz - rng.uniform(0.5, 14)) / log_uniform(rng, 0.05, 3))
    if rng.random() < 0.6:
        share = 1 - share
    return np.float32(height) * course * share[None, :].astype(np.float32)


def _rise(rng: np.random.Generator, place: FloatArray, first: float, longest: float) -> FloatArray:
    """Return 0 before row ``first`` and 1 after it, at once or over up to ``longest`` rows."""
    if rng.random() < 0.5:
        return (place >= round(first)).astype(np.float32)
    return np.clip((place - first) / log_uniform(rng, 2, longest) + 0.5, 0, 1).astype(np.float32)


def _draw_saturation(
    rng: np.random.Generator, power: FloatArray
) -> tuple[FloatArray | None, NDArray[np.bool_] | None]:
    """Draw ceilings and where values are full, of (M, 1024) power without speckle."""
    rows = len(power)
    kind = str(rng.choice(("rows", "stretch", "band", "whole")))
    if kind == "rows":
        full = np.zeros(power.shape, dtype=bool)
        for _ in range(int(rng.integers(1, 7))):
            first, length = int(rng.integers(rows)), int(rng.integers(1, 4))
            top = BINS if rng.random() < 0.5 else int(rng.integers(200, BINS))
            full[first : first + length, :top] = True
        return None, full
    area = (slice(None), slice(None))
    quantile = 1 - log_uniform(rng, 0.002, 0.03)
    if kind == "stretch":
        first, length = int(rng.integers(-5, rows - 5)), int(log_uniform(rng, 5, 80))
        area = (slice(max(first, 0), first + length), slice(None))
        quantile = rng.uniform(0.15, 0.8)
    elif kind == "band":
        first, width = int(rng.integers(0, 600)), int(log_uniform(rng, 0.3, 4) / 0.0244)
        area = (slice(None), slice(first, first + width))
        quantile = rng.uniform(0.15, 0.8)
    ceiling = np.full(power.shape, np.inf, dtype=np.float32)
    ceiling[area] = np.quantile(power[area][::3, ::3], quantile)
    return ceiling, None


def speckle(rng: np.random.Generator, looks: int, shape: tuple[int, int]) -> FloatArray:
    """Draw the sum of ``looks`` exponential numbers of mean 1."""
    return rng.standard_gamma(looks, shape, dtype=np.float32)


def observe(
    receiver: Receiver, power: FloatArray, common: FloatArray | None, rng: np.random.Generator
) -> FloatArray:
    """Return the amplitude (M, 1024) of one component, mV/m/Hz^0.5.

    Args:
        receiver: what happens to it.
        power: (M, 1024) noise-free.
        common: speckle that all components share, not divided by the looks; None for none.
        rng: draws the component's own speckle.
    """
    noise = speckle(rng, receiver.looks[1], (len(power), BINS))
    if common is not None:
        noise += common
    noise *= power
    noise *= receiver.gain / np.float32(sum(receiver.looks))
    if receiver.ceiling is not None:
        np.minimum(noise, receiver.ceiling, out=noise)
    if receiver.full is not None:
        noise[receiver.full] = receiver.full_power
    return np.sqrt(noise, out=noise)
