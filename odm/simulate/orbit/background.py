"""The coloured background of a VLF spectrogram: its level over frequency and latitude.

From sources: the sensitivity of EFD is about 5e-5 mV/m/Hz^0.5, a log10 PSD of -8.6; day and night
halves differ. Neither a measured background nor its shape could be had, so all of the following is
**assumed**:

- the level runs from about -8.5 at the highest frequencies to about -6 below 200 Hz, the sum of a
  flat floor, a rise towards low frequencies (power law above a knee of 0.8-2.5 kHz) and a broad
  enhancement between 3 and 15 kHz at high latitudes;
- by day the rise is stronger and extends to higher frequency; by night the enhancement at high
  latitudes is stronger;
- the level changes smoothly with the dip angle, differently in the two hemispheres, with random
  multiplicative texture of 0.3-1.5 dB over tens of rows and hundreds of Hz, and 0.1-0.4 dB from
  row to row over all frequencies;
- the receiver has a ripple of about 0.2 dB over frequency.

The four variants (`VARIANTS`) are the family "background": they can be held out.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from odm.simulate.orbit.emission import DECIBEL, FREQUENCY, FloatArray, smooth_line, smooth_noise
from odm.simulate.orbit.groundtrack import Track


@dataclass(frozen=True)
class Variant:
    """A variant of the background; pairs are ranges of a uniform draw."""

    floor: tuple[float, float]  # log10 PSD
    knee_khz: tuple[float, float]
    slope: tuple[float, float]  # of the power law towards low frequency
    auroral_db: tuple[float, float]  # enhancement at high dip
    middle_db: tuple[float, float]  # of the low-frequency rise at middle dip
    texture_db: tuple[float, float]
    flicker_db: tuple[float, float]


VARIANTS: dict[str, Variant] = {
    "quiet": Variant((-8.5, -8.2), (0.8, 1.5), (1.4, 1.9), (0, 3), (0, 3), (0.3, 0.6), (0.1, 0.2)),
    "auroral": Variant(
        (-8.4, -8.0), (1.0, 2.0), (1.4, 2.0), (4, 9), (0, 3), (0.5, 1.0), (0.15, 0.3)
    ),
    "plasmaspheric": Variant(
        (-8.4, -8.0), (1.4, 2.5), (1.5, 2.1), (1, 4), (4, 9), (0.4, 0.8), (0.1, 0.25)
    ),
    "disturbed": Variant(
        (-8.2, -7.7), (1.2, 2.5), (1.2, 1.9), (2, 7), (1, 6), (0.8, 1.5), (0.2, 0.4)
    ),
}


def draw_background(rng: np.random.Generator, variant: str, track: Track) -> FloatArray:
    """Draw the noise-free PSD of one component without emissions.

    Args:
        variant: a name of `VARIANTS`.
        track: where the rows were taken (N).

    Returns:
        (N, 1024) float32, (mV/m)^2/Hz.
    """
    kind = VARIANTS[variant]
    khz = FREQUENCY / 1e3
    dip, rows = np.abs(track.dip), len(track.times)
    floor = 10 ** rng.uniform(*kind.floor)
    knee = rng.uniform(*kind.knee_khz) * (1.0 if track.night else 1.25)
    rise = floor * (knee / (khz + 0.1)) ** rng.uniform(*kind.slope)
    centre, width = rng.uniform(5.0, 9.0), rng.uniform(3.0, 6.0)
    broad = np.exp(-(((khz - centre) / width) ** 2))
    flat = floor * (1.0 + 0.4 * np.exp(-khz / rng.uniform(4.0, 12.0)))

    # The two hemispheres are drawn apart: seasons make them differ.
    south = 0.5 - 0.5 * np.tanh(track.latitude / 15.0)
    auroral = rng.uniform(*kind.auroral_db, 2) + (1.0 if track.night else -0.5)
    onset = rng.uniform(60.0, 70.0, 2)
    middle = rng.uniform(*kind.middle_db, 2)
    place = rng.uniform(45.0, 62.0, 2)

    def over_both(values: np.ndarray) -> np.ndarray:
        return values[0] * (1 - south) + values[1] * south

    step = 1.0 / (1.0 + np.exp(-(dip - over_both(onset)) / 4.0))
    bump = np.exp(-(((dip - over_both(place)) / 14.0) ** 2))
    rise_db = over_both(middle) * bump - 2.0 * np.exp(-((dip / 20.0) ** 2))
    rise_db = rise_db + 0.8 * smooth_line(rng, rows, 90.0)
    floor_db = 0.5 * smooth_line(rng, rows, 150.0)
    gains = [
        10 ** (floor_db / 10),
        10 ** (rise_db / 10),
        10 ** (over_both(auroral) * step / 10) - 1,
    ]
    level = np.zeros((rows, len(khz)), dtype=np.float32)
    for gain, profile in zip(gains, (flat, rise, floor * broad), strict=True):
        level += gain.astype(np.float32)[:, None] * profile.astype(np.float32)
    return level * np.exp(DECIBEL * _texture(rng, kind, level.shape))


def _texture(rng: np.random.Generator, kind: Variant, shape: tuple[int, int]) -> FloatArray:
    """Random multiplicative structure of the background, dB."""
    size = rng.uniform(*kind.texture_db)
    coarse = smooth_noise(rng, shape, (rng.uniform(40, 120), rng.uniform(60, 250)))
    fine = smooth_noise(rng, shape, (rng.uniform(8, 20), rng.uniform(20, 60)))
    flicker = rng.uniform(*kind.flicker_db) * rng.standard_normal((shape[0], 1), dtype=np.float32)
    ripple = 0.2 * smooth_line(rng, shape[1], rng.uniform(15, 60))[None, :]
    return np.float32(0.8 * size) * coarse + np.float32(0.5 * size) * fine + flicker + ripple


def local_level(power: FloatArray, window: tuple[slice, slice], reach: int = 15) -> FloatArray:
    """Mean of ``power`` (N, K) over squares of ``2 * reach + 1`` pixels, inside ``window``."""
    rows, bins = window
    top, left = max(0, rows.start - reach), max(0, bins.start - reach)
    part = power[top : rows.stop + reach, left : bins.stop + reach]
    mean = cv2.blur(part, (2 * reach + 1, 2 * reach + 1), borderType=cv2.BORDER_REFLECT_101)
    inner = mean[rows.start - top : rows.stop - top, bins.start - left : bins.stop - left]
    return inner.astype(np.float32, copy=False)
