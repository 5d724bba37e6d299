"""What the instrument and the telemetry do to the spectra: speckle, gain, gaps, fill values, burst.

From sources: spectra are averages of few periodograms, so their speckle is chi-square; packets are
lost and rows are then missing; levels step at packet edges; fill values are -9999 or not positive;
a burst row comes with 25 waveforms of 2,048 samples at 50 kHz per component.

Assumed here, without a source:

- 3 to 6 looks, a third to half of them shared by the three components, which are so correlated;
- the three components differ by a constant and a slowly varying factor of a few dB;
- the gain drifts by up to about 1 dB over a half-orbit, and in one file of three it jumps by
  0.5-2 dB for 8-120 rows, at lost packets where there are any;
- packets of 6 to 14 s are lost 0.6 times a half-orbit, one half-orbit in twelve loses half a
  minute to four minutes, and a tenth of nuclei and almost-nuclei lie across such a short gap;
- in one file of five 1-6 rows are fill values, in one of ten 20-200 single values are, and in one
  of twenty some values are zero;
- burst mode is one contiguous stretch, its waveforms stationary Gaussian noise with the spectrum of
  their row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from odm.simulate.orbit.emission import BINS, DECIBEL, Emission, FloatArray, smooth_line

SURVEY, BURST = 1, 2
FILL_VALUE = -9999.0
WAVEFORMS_PER_ROW, WAVEFORM_SAMPLES = 25, 2048
SAMPLE_RATE_HZ = 50_000.0
_END_ROWS = 8  # rows at either end that are never lost, so that the name stays true


def component_factors(rng: np.random.Generator) -> FloatArray:
    """Draw the power of the X, Y and Z background relative to one another, (3, 1, 1024)."""
    level_db = rng.normal(0.0, 1.5, (3, 1)) + np.array([[0.5], [0.5], [0.0]])
    shape_db = np.stack([0.5 * smooth_line(rng, BINS, BINS / 4) for _ in range(3)])
    return np.exp(DECIBEL * (level_db + shape_db)).astype(np.float32)[:, None, :]


def draw_looks(rng: np.random.Generator) -> tuple[int, int]:
    """Looks shared by the components and looks of their own."""
    shared, own = ((1, 2), (2, 2), (2, 3), (3, 3))[int(rng.integers(4))]
    return shared, own


def speckle(rng: np.random.Generator, looks: int, shape: tuple[int, int]) -> FloatArray:
    """Sum of ``looks`` exponential draws of mean 1 (chi-square with ``2 * looks`` degrees)."""
    total = rng.standard_exponential(shape, dtype=np.float32)
    for _ in range(looks - 1):
        total += rng.standard_exponential(shape, dtype=np.float32)
    return total


def draw_gain(rng: np.random.Generator, rows: int, edges: list[int]) -> FloatArray:
    """Factor of power of every row (N,): slow drift and steps at packet ``edges`` (rows)."""
    drift_db = rng.uniform(0.1, 0.5) * smooth_line(rng, rows, rows / rng.uniform(2, 6))
    steps = np.zeros(rows, dtype=np.float32)
    if rng.random() < 1 / 3:
        for edge in edges[: int(rng.integers(1, 4))]:
            length = int(rng.integers(8, 120))
            steps[edge : edge + length] += rng.choice([-1, 1]) * rng.uniform(0.5, 2.0)
    return np.exp(DECIBEL * (drift_db + steps)).astype(np.float32)


def observe(
    stream: Callable[[str], np.random.Generator],
    power: FloatArray,
    components: str,
    looks: tuple[int, int],
    gain: FloatArray,
) -> dict[str, FloatArray]:
    """Amplitude (N, K) per component, mV/m/Hz^0.5, of noise-free ``power`` (C, N, K)."""
    shared_looks, own_looks = looks
    shared = speckle(stream("shared"), shared_looks, power.shape[1:])
    scale = (gain / sum(looks))[:, None]
    amplitude = {}
    for plane, name in enumerate(components):
        noise = speckle(stream(name), own_looks, power.shape[1:])
        noise += shared
        noise *= power[plane]
        noise *= scale
        amplitude[name] = np.sqrt(noise, out=noise)
    return amplitude


def keep_rows(
    rng: np.random.Generator, rows: int, regions: Sequence[Emission]
) -> NDArray[np.bool_]:
    """Which rows arrive, (N,) bool; some gaps are put across ``regions``."""
    kept = np.ones(rows, dtype=bool)

    def lose(row: int, count: int) -> None:
        kept[max(row, _END_ROWS) : min(row + count, rows - _END_ROWS)] = False

    for _ in range(int(rng.poisson(0.6))):
        lose(int(rng.integers(rows)), int(rng.integers(2, 6)))
    if rng.random() < 1 / 12:
        lose(int(rng.integers(rows)), int(rng.integers(15, 120)))
    for region in regions:
        touched = np.flatnonzero(region.outline().any(axis=1)) + region.row
        if rng.random() < 0.1:
            lose(int(rng.choice(touched)), int(rng.integers(2, 6)))
        # What remains of a region must still be one: no more than a tenth of it is lost.
        lost = touched[~kept[touched]]
        kept[lost[max(2, len(touched) // 12) :]] = True
    return kept


def put_fill_values(rng: np.random.Generator, amplitude: dict[str, FloatArray], rows: int) -> None:
    """Overwrite rows and single values, in place and in all components alike."""
    marks: list[tuple[NDArray[np.intp] | slice, NDArray[np.intp] | slice, float]] = []
    if rng.random() < 0.2:
        lost = rng.integers(0, rows, int(rng.integers(1, 7)))
        marks.append((lost, slice(None), FILL_VALUE))
    for chance, value in ((0.1, FILL_VALUE), (0.05, 0.0)):
        if rng.random() < chance:
            count = int(rng.integers(20, 201))
            marks.append((rng.integers(0, rows, count), rng.integers(0, BINS, count), value))
    for values in amplitude.values():
        for row, column, value in marks:
            values[row, column] = value


def draw_modes(
    rng: np.random.Generator, chance: float, stretch: tuple[int, int], rows: int
) -> NDArray[np.int8]:
    """Working mode of every row, (N,)."""
    modes = np.full(rows, SURVEY, dtype=np.int8)
    is_burst = rng.random() < chance
    length = int(rng.integers(stretch[0], stretch[1] + 1))
    start = int(rng.integers(0, max(rows - length, 0) + 1))
    if is_burst:
        modes[start : start + length] = BURST
    return modes


def waveforms(rng: np.random.Generator, power: FloatArray) -> NDArray[np.float64]:
    """Waveforms in mV/m, (25 * n, 2048), of rows with PSD ``power`` (n, 1024) in (mV/m)^2/Hz."""
    rows, bins = power.shape
    shape = (rows, WAVEFORMS_PER_ROW, bins)
    spectrum = rng.standard_normal(shape, dtype=np.float32) + 1j * rng.standard_normal(
        shape, dtype=np.float32
    )
    # One-sided PSD P of n samples at rate fs: the mean of |X|^2 is P * fs * n / 2.
    spectrum *= np.sqrt(power * np.float32(SAMPLE_RATE_HZ * WAVEFORM_SAMPLES / 4))[:, None, :]
    spectrum[..., 0] = 0.0  # the antenna does not see a constant field
    wave = np.fft.irfft(spectrum, WAVEFORM_SAMPLES, axis=-1)
    return np.asarray(wave, dtype=np.float64).reshape(-1, WAVEFORM_SAMPLES)
