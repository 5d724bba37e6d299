"""What is done to drawn half-orbits to see whether recall holds: the truth moves along.

Gain and steps are of power: 10 dB, or a decade of the PSD, is an amplitude times the square root
of 10. Fill values stay what they are. Scaling takes the nearest row or frequency, so that speckle
stays speckle: what lies at frequency f is shown at f times the factor, what lasts a time t lasts t
times the factor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from odm.archive.orbit.reader import valid_amplitude

if TYPE_CHECKING:
    from nuclei_drawn import DrawnOrbit

DECADE = float(np.sqrt(10.0))
"""Factor of an amplitude whose power is 10 times, 10 dB, larger."""
STEP_ROWS = (120, 400)
"""Fewest and most rows between two steps of gain."""
CLIPPED_SHARE, CLIPPED_PERCENTILE = 0.4, 97.0
"""Share of a pass that is clipped, and the percentile of its amplitudes that it is clipped at."""
SATURATED_ROWS, SATURATED_STRETCHES = (3, 10), 3
"""Fewest and most rows in which every value is at the top, and the number of such stretches."""
HIGHEST_BIN = 655
"""Bin of 16 kHz: above, nothing is a nucleus."""
MOST_ROWS = 1077
"""Rows of the longest known half-orbit."""
LEAST_LEFT = 0.5
"""Share of a nucleus's pixels that has to be left for it to count."""

Transform = Callable[["DrawnOrbit", np.random.Generator], "DrawnOrbit"]


def steps(orbit: DrawnOrbit, rng: np.random.Generator) -> DrawnOrbit:
    """Let the gain jump up and down by 10 dB within the pass."""
    rows = len(orbit.times)
    factor, row = np.ones(rows), 0
    while (row := row + int(rng.integers(*STEP_ROWS))) < rows:
        jump = DECADE if rng.random() < 0.5 else 1 / DECADE
        factor[row:] = jump if factor[row - 1] == 1 else 1.0
    return _amplified(orbit, factor[:, None])


def gain(orbit: DrawnOrbit, _rng: np.random.Generator, *, factor: float) -> DrawnOrbit:
    """Multiply all amplitudes."""
    return _amplified(orbit, np.array(factor))


def clipped(orbit: DrawnOrbit, rng: np.random.Generator) -> DrawnOrbit:
    """Let nothing in one stretch of the pass be stronger than a percentile of the whole pass."""
    rows = len(orbit.times)
    length = round(CLIPPED_SHARE * rows)
    first = int(rng.integers(0, rows - length + 1))
    amplitude = orbit.amplitude.copy()
    valid = valid_amplitude(amplitude)
    limit = np.percentile(amplitude[valid], CLIPPED_PERCENTILE)
    part = np.s_[first : first + length]
    amplitude[part][valid[part]] = np.minimum(amplitude[part][valid[part]], limit)
    return replace(orbit, amplitude=amplitude)


def saturated(orbit: DrawnOrbit, rng: np.random.Generator) -> DrawnOrbit:
    """Put all values of some rows to the largest of the pass, outside of nuclei."""
    rows = len(orbit.times)
    amplitude = orbit.amplitude.copy()
    top = amplitude[valid_amplitude(amplitude)].max()
    taken = (orbit.numbers > 0).any(axis=1)
    for _ in range(SATURATED_STRETCHES):
        for _try in range(50):
            length = int(rng.integers(SATURATED_ROWS[0], SATURATED_ROWS[1] + 1))
            first = int(rng.integers(0, rows - length))
            if not taken[first : first + length].any():
                amplitude[first : first + length] = top
                break
    return replace(orbit, amplitude=amplitude)


def scale_frequency(orbit: DrawnOrbit, _rng: np.random.Generator, *, factor: float) -> DrawnOrbit:
    """Show every frequency at ``factor`` times itself.

    Above what was measured the spectrum is mirrored. What is moved above 16 kHz is no part of a
    nucleus any more.
    """
    bins = orbit.amplitude.shape[1]
    index = np.rint(np.arange(bins) / factor).astype(np.intp)
    index = np.where(index < bins, index, 2 * (bins - 1) - index)
    # What is mirrored holds no nucleus: those end at 16 kHz.
    numbers = orbit.numbers[:, index]
    lost = numbers[:, HIGHEST_BIN + 1 :] > 0
    ignored = orbit.ignored[:, index]
    ignored[:, HIGHEST_BIN + 1 :] |= lost
    numbers[:, HIGHEST_BIN + 1 :] = 0
    moved = replace(
        orbit,
        amplitude=orbit.amplitude[:, index],
        numbers=numbers,
        ignored=ignored,
        confusers=(),
    )
    return _without_cut(moved, _areas(orbit) * factor)


def scale_time(orbit: DrawnOrbit, _rng: np.random.Generator, *, factor: float) -> DrawnOrbit:
    """Let everything last ``factor`` times as many rows; the stamps are interpolated.

    A pass that becomes longer than the longest known one is cut, so that most of its nuclei stay:
    at its end, its start, or both.
    """
    rows = len(orbit.times)
    place = np.arange(round(rows * factor)) / factor
    index = np.minimum(np.rint(place).astype(np.intp), rows - 1)
    nuclei = (orbit.numbers[index] > 0).sum(axis=1)
    spare = max(0, index.size - MOST_ROWS)
    starts = (0, spare // 2, spare)
    start = max(starts, key=lambda first: int(nuclei[first : first + MOST_ROWS].sum()))
    index, place = (values[start : start + MOST_ROWS] for values in (index, place))
    elapsed = (orbit.times - orbit.times[0]).astype(np.int64).astype(np.float64)
    # Beyond the last row the last step goes on, or stamps would stand still.
    stamps = np.interp(place, np.arange(rows), elapsed)
    stamps += np.maximum(place - (rows - 1), 0) * (elapsed[-1] - elapsed[-2])
    moved = replace(
        orbit,
        times=orbit.times[0] + stamps.astype("timedelta64[ns]"),
        latitude=orbit.latitude[index],
        longitude=orbit.longitude[index],
        amplitude=orbit.amplitude[index],
        numbers=orbit.numbers[index],
        ignored=orbit.ignored[index],
        confusers=(),
    )
    return _without_cut(moved, _areas(orbit) * factor)


def _amplified(orbit: DrawnOrbit, factor: NDArray[np.float64]) -> DrawnOrbit:
    amplitude = orbit.amplitude.copy()
    valid = valid_amplitude(amplitude)
    amplitude[valid] = (amplitude * factor)[valid]
    return replace(orbit, amplitude=amplitude)


def _areas(orbit: DrawnOrbit) -> NDArray[Any]:
    return np.bincount(orbit.numbers.ravel(), minlength=len(orbit.contrasts) + 1)


def _without_cut(orbit: DrawnOrbit, before: NDArray[Any]) -> DrawnOrbit:
    """Ignore nuclei of which less than half is left of what there should be."""
    numbers, ignored = orbit.numbers.copy(), orbit.ignored.copy()
    for number in np.flatnonzero(_areas(orbit) < LEAST_LEFT * before).tolist():
        if number:
            ignored |= numbers == number
            numbers[numbers == number] = 0
    return replace(orbit, numbers=numbers, ignored=ignored)


def unchanged(orbit: DrawnOrbit, _rng: np.random.Generator) -> DrawnOrbit:
    """Change nothing."""
    return orbit


TRANSFORMS: dict[str, Transform] = {
    "plain": unchanged,
    "steps": steps,
    "clipped": clipped,
    "saturated": saturated,
    "gain_up": partial(gain, factor=DECADE),
    "gain_down": partial(gain, factor=1 / DECADE),
    "frequency_0.8": partial(scale_frequency, factor=0.8),
    "frequency_1.25": partial(scale_frequency, factor=1.25),
    "time_0.8": partial(scale_time, factor=0.8),
    "time_1.25": partial(scale_time, factor=1.25),
}
"""What can be done to a half-orbit, by name."""


def transformed(orbit: DrawnOrbit, name: str, seed: int) -> DrawnOrbit:
    """Apply a transform; the same half-orbit, name and seed always give the same."""
    place = [seed, orbit.key.orbit_number, orbit.key.direction.digit]
    rng = np.random.default_rng([*place, list(TRANSFORMS).index(name)])
    return TRANSFORMS[name](orbit, rng)
