"""The satellite itself and its receiver: lines of converters, looks, gain, saturation, losses.

A spectrum is the mean of some periodograms with a Hann window, whose neighbouring frequencies are
correlated by 0.44 (Harris 1978): one alone is drawn as a complex wave, more as smoothed sums.

Assumed here, without a source: all rates and sizes; that the gain has states, each wrong by some
dB; that a saturated row is weaker, with white distortion.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.simulate.orbit.emission import BINS, FloatArray
from odm.simulate.orbit.groundtrack import Track
from odm.simulate.orbit.rays_plasma import Floats, log_draw, wandering
from odm.simulate.orbit.rays_sky import BIN_HZ, HZ, Sky

_FILL = (-9999.0, 0.0)
_HANN = np.array([-0.25, 0.5, -0.25], np.float32)
_SMOOTH = np.array([0.17, 0.66, 0.17], np.float32)  # correlates neighbours as the window does


@dataclass(frozen=True)
class Receiver:
    """What becomes of M spectra on their way down.

    Attributes:
        kept: (M,) bool, rows that arrive.
        gain: (M,) float32 factor of power.
        saturated: (M,) float32 share of the power that becomes white distortion.
        lost: (M, 1024) bool, where there is a fill value instead.
        fill: the fill value.
        ceiling: highest amplitude, mV/m/Hz^0.5.
        looks: number of periodograms in a spectrum.
        step_db: amplitude is stored in steps of so many dB; 0 for fine ones.
    """

    kept: NDArray[np.bool_]
    gain: FloatArray
    saturated: FloatArray
    lost: NDArray[np.bool_]
    fill: float
    ceiling: float
    looks: int
    step_db: float

    def hidden(self, power: FloatArray) -> NDArray[np.bool_]:
        """Return where nothing of what is in ``power`` (M, 1024) can be seen, (M, 1024)."""
        hidden = self.lost | (power * self.gain[:, None] >= np.float32(self.ceiling**2))
        hidden[~self.kept | (self.saturated > 0.02)] = True
        return hidden


def draw_sunlight(rng: np.random.Generator, track: Track) -> Floats:
    """Draw how much sunlight falls on the satellite (M,), often with a terminator."""
    rows = np.arange(len(track.times))
    sunlit = np.zeros(len(rows)) if track.night else np.ones(len(rows))
    for _ in range(int(rng.poisson(0.8 if track.night else 0.2))):
        edge = float(rng.choice(rows, p=np.abs(track.latitude) / np.abs(track.latitude).sum()))
        step = 0.5 + 0.5 * np.tanh((rows - edge) / log_draw(rng, 0.3, 8))
        lit = step if edge > len(rows) / 2 else 1 - step
        sunlit = np.maximum(sunlit, lit) if track.night else sunlit * (1 - lit)
    return sunlit


def add_spacecraft(rng: np.random.Generator, sky: Sky, sunlit: Floats, busy: float) -> None:
    """Add lines of converters that drift with warmth, what they mix to, and single impulses."""
    warmth = np.zeros(sky.rows)
    lag, warmth[0] = log_draw(rng, 30, 400), sunlit[0]
    for row in range(1, sky.rows):
        warmth[row] = warmth[row - 1] + (sunlit[row] - warmth[row - 1]) / lag
    warmth += 0.1 * wandering(rng, sky.rows, 60)
    tones: list[float] = []
    for _ in range(int(rng.poisson(1.5 * busy))):
        base, drift = log_draw(rng, 400, 2e4), rng.normal(0, 0.02) * (rng.random() < 0.6)
        decay, strength = rng.uniform(0.3, 2), log_draw(rng, 2, 22)
        tones.append(base)
        for number in range(1, min(int(24.5e3 / base), int(rng.integers(1, 16))) + 1):
            places = number * base * (1 + drift * warmth)
            _add_line(rng, sky, places, sky.unit(number * base, strength) / number**decay)
    for first, second in itertools.pairwise(tones):
        for place in (abs(first - second), first + second):
            if 300 < place < 24e3:
                places = np.full(sky.rows, place)
                _add_line(rng, sky, places, sky.unit(place, log_draw(rng, 1, 8)))
    impulses = rng.random(sky.rows) < rng.choice((0.0, 0.002, 0.02))
    if rng.random() < 0.2:
        impulses[int(rng.integers(40)) :: int(rng.integers(12, 90))] = True
    for row in np.flatnonzero(impulses).tolist():
        spectrum = (3e3 / (HZ + 300)) ** rng.uniform(-0.3, 1.5)
        power = sky.unit(3e3, log_draw(rng, 2, 22)) * spectrum[None]
        sky.arrive(rng, "impulse", (row, 0), power, listed=False)


def _add_line(rng: np.random.Generator, sky: Sky, hertz: Floats, unit: float) -> None:
    """Add a line at ``hertz`` (M,), in all rows or where it is switched on."""
    first = int(hertz.min() / BIN_HZ) - 3
    bins = np.arange(first, int(hertz.max() / BIN_HZ) + 4)
    away = (bins + 0.5) - hertz[:, None] / BIN_HZ
    power = unit * np.exp(-((away / rng.uniform(0.5, 1.5)) ** 2))
    if rng.random() < 0.3:
        power *= wandering(rng, sky.rows, log_draw(rng, 5, 100))[:, None] > rng.normal(0, 0.7)
    sky.arrive(rng, "converter", (0, first), power)


def draw_receiver(
    gaps: np.random.Generator, gain: np.random.Generator, power: FloatArray
) -> Receiver:
    """Draw the receiver and the telemetry of a half-orbit with noise-free ``power`` (M, 1024)."""
    rows = len(power)
    kept = np.ones(rows, bool)
    for _ in range(int(gaps.poisson(0.7))):
        row = int(gaps.integers(rows))
        kept[row : row + int(log_draw(gaps, 1, 12))] = False
    if gaps.random() < 0.1:
        row = int(gaps.integers(rows))
        kept[row : row + int(log_draw(gaps, 12, 130))] = False
    if gaps.random() < 0.08:  # the pass begins late or ends early
        missing = int(rows * gaps.uniform(0.05, 0.4))
        kept[slice(0, missing) if gaps.random() < 0.5 else slice(rows - missing, rows)] = False
    lost = np.zeros((rows, BINS), bool)
    for _ in range(int(gaps.poisson(0.3))):  # part of a spectrum, for some rows
        row = int(gaps.integers(rows))
        lost[row : row + int(log_draw(gaps, 1, 12)), int(gaps.choice((0, 256, 512))) :] = True
    for _ in range(int(gaps.poisson(0.4) * 20)):
        lost[int(gaps.integers(rows)), int(gaps.integers(BINS))] = True
    total = np.sqrt(power).mean(axis=1)
    limit = float(np.quantile(total, gain.uniform(0.96, 1.0)) if gain.random() < 0.2 else np.inf)
    saturated = np.where(total > limit, gain.uniform(0.05, 0.9), 0.0)
    ceiling = np.inf
    if gain.random() < 0.15:
        few = np.sqrt(np.quantile(power[::4, 4:640:4], gain.uniform(0.99, 1)))
        ceiling = float(few * gain.uniform(1, 2))
    return Receiver(
        kept=kept,
        gain=_draw_gain(gain, total),
        saturated=saturated.astype(np.float32),
        lost=lost,
        fill=float(gaps.choice(_FILL)),
        ceiling=ceiling,
        looks=round(log_draw(gain, 1, 50)),
        step_db=float(gain.choice((0, 0, 0, gain.uniform(0.1, 0.8)))),
    )


def _draw_gain(rng: np.random.Generator, total: Floats | FloatArray) -> FloatArray:
    """Draw a factor of power (M,): states that follow the level, drift, turning."""
    rows = len(total)
    decibels = rng.uniform(0, 0.4) * wandering(rng, rows, 120)
    if rng.random() < 0.35:
        level = np.convolve(np.pad(total, 8, mode="edge"), np.ones(17) / 17, "valid")
        high, state, states = float(np.quantile(level, rng.uniform(0.3, 0.95))), 0, np.zeros(rows)
        for row in range(rows):
            state = int(level[row] > high * (0.8 if state else 1.0))
            states[row] = state
        decibels += rng.normal(0, 2.5) * states
    for _ in range(int(rng.poisson(0.4))):
        decibels[int(rng.integers(rows)) :] += np.clip(rng.normal(0, 3), -10, 10)
    if rng.random() < 0.15:
        turns = np.arange(rows) * 2 * np.pi / log_draw(rng, 8, 300)
        decibels += rng.uniform(0.2, 1.5) * np.cos(turns + rng.uniform(0, 6))
    return (10 ** (decibels / 10)).astype(np.float32)


def speckle(rng: np.random.Generator, looks: int, shape: tuple[int, int]) -> FloatArray:
    """Return what multiplies the power of spectra that are means of periodograms, mean 1."""
    total = np.zeros(shape, np.float32)
    if looks == 1:
        for _ in range(2):  # real and imaginary parts
            total += np.square(_along_frequency(rng.standard_normal(shape, np.float32), _HANN))
        return total * np.float32(1 / (2 * float(np.square(_HANN).sum())))
    terms = max(looks // 2, 1)  # smoothing makes about two looks of each
    if terms < 4:
        for _ in range(terms):
            total += rng.standard_exponential(shape, dtype=np.float32)
        total *= np.float32(1 / terms)
    else:  # cube of a normal number (Wilson and Hilferty 1931), which is faster
        rng.standard_normal(out=total, dtype=np.float32)
        total *= np.float32(1 / (3 * np.sqrt(terms)))
        total += np.float32(1 - 1 / (9 * terms))
        total *= total * total
    return np.maximum(_along_frequency(total, _SMOOTH), 0)


def _along_frequency(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return ``values`` (M, 1024) with every three neighbours weighed and added."""
    added = cv2.filter2D(values, -1, weights[None], borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(added, dtype=np.float32)


def observe(rng: np.random.Generator, power: FloatArray, receiver: Receiver) -> FloatArray:
    """Return amplitude (M, 1024), mV/m/Hz^0.5, as it arrives of noise-free ``power``."""
    measured = power.copy()
    for row in np.flatnonzero(receiver.saturated):
        share = receiver.saturated[row]
        measured[row] = (1 - share) * power[row] + share * power[row].mean()
    measured *= receiver.gain[:, None]
    measured *= speckle(rng, receiver.looks, (len(power), BINS))
    amplitude = np.minimum(np.sqrt(measured), np.float32(receiver.ceiling))
    if receiver.step_db:
        step = np.float32(receiver.step_db * np.log(10) / 20)
        amplitude = np.exp(np.rint(np.log(np.maximum(amplitude, 1e-12)) / step) * step)
    amplitude[receiver.lost] = receiver.fill
    return np.asarray(amplitude, dtype=np.float32)
