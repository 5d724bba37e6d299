"""Whether a probability of 0.8 means four times in five, and what to do where it does not.

Everything is counted per grey level of the uint8 probability map, so a year of maps is 2 × 256
numbers. The logit of a level is taken at its centre; levels 0 and 255, which are half as wide, at a
quarter level from the end.

Temperature scaling: Guo et al. 2017, "On calibration of modern neural networks".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVELS = 255
_MARGIN = 0.25 / LEVELS
_TEMPERATURES = (0.05, 20.0)

Floats = NDArray[np.float64]


def level_probabilities() -> Floats:
    """Return the probability, (256,), that each level of a uint8 map stands for, in (0, 1)."""
    return np.clip(np.arange(LEVELS + 1) / LEVELS, _MARGIN, 1 - _MARGIN)


def level_counts(
    levels: NDArray[np.uint8], truth: NDArray[Any], valid: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Count pixels by truth and level, (2, 256) int64: background, foreground; counts add up.

    Args:
        levels: (H, W) probability map, 255 is 1.
        truth: (H, W), anything but 0 is foreground.
        valid: (H, W); other pixels are not counted.
    """
    code = levels.astype(np.int64) + (LEVELS + 1) * (truth != 0)
    if valid is not None:
        code = code[valid]
    return np.bincount(code.ravel(), minlength=2 * (LEVELS + 1)).reshape(2, LEVELS + 1)


def fit_temperature(
    logits: NDArray[Any], background: NDArray[Any], foreground: NDArray[Any]
) -> float:
    """Fit the temperature T that makes sigmoid(logit / T) fit best (least negative log-likelihood).

    Args:
        logits: log(p / (1 - p)) of the foreground, of single pixels or of bins of them.
        background, foreground: number of pixels of each kind at each logit.

    Returns:
        T > 1 where the model is too sure of itself; 1 where there is nothing to learn from.
    """
    from scipy.optimize import minimize_scalar

    z = np.asarray(logits, dtype=np.float64).ravel()
    no = np.asarray(background, dtype=np.float64).ravel()
    yes = np.asarray(foreground, dtype=np.float64).ravel()
    if not (yes.sum() and no.sum()):
        return 1.0

    def loss(log_temperature: float) -> float:
        scaled = z * np.exp(-log_temperature)
        return float((yes * np.logaddexp(0, -scaled) + no * np.logaddexp(0, scaled)).sum())

    low, high = np.log(_TEMPERATURES)
    best = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(best.x))


def fit_level_temperature(counts: NDArray[Any]) -> float:
    """Run `fit_temperature` on the counts (2, 256) of quantised maps of a validation set."""
    p = level_probabilities()
    return fit_temperature(np.log(p / (1 - p)), counts[0], counts[1])


@dataclass(frozen=True, slots=True)
class Reliability:
    """A reliability diagram: predictions in equal bins of probability, (n,) arrays.

    Attributes:
        lower, upper: edges of the bins.
        count: predictions in the bin.
        predicted: their mean probability, NaN in an empty bin.
        observed: share of them that are true, NaN in an empty bin.
    """

    lower: Floats
    upper: Floats
    count: Floats
    predicted: Floats
    observed: Floats

    @property
    def ece(self) -> float:
        """Expected calibration error: mean of |observed - predicted|, weighted by count."""
        return self.ece_above(0.0)

    def ece_above(self, probability: float) -> float:
        """Return the same over the bins that start at or above ``probability``.

        Nearly all pixels of a spectrogram are surely background, and their bin alone makes the
        plain figure look perfect.
        """
        used = (self.count > 0) & (self.lower >= probability - 1e-9)
        if not used.any():
            return float("nan")
        gap = np.abs(self.observed[used] - self.predicted[used])
        return float(np.average(gap, weights=self.count[used]))


def reliability(
    probabilities: NDArray[Any], false: NDArray[Any], true: NDArray[Any], bins: int = 15
) -> Reliability:
    """Bin predictions.

    Args:
        probabilities: (m,) of single predictions or of groups of them.
        false, true: (m,) how many at each did not and did come true.
        bins: number of equal bins of probability.
    """
    p = np.asarray(probabilities, dtype=np.float64).ravel()
    yes = np.asarray(true, dtype=np.float64).ravel()
    total = np.asarray(false, dtype=np.float64).ravel() + yes
    index = np.minimum((p * bins + 1e-9).astype(np.intp), bins - 1)

    def summed(values: Floats) -> Floats:
        return np.asarray(np.bincount(index, weights=values, minlength=bins), dtype=np.float64)

    count = summed(total)
    empty = np.full(bins, np.nan)
    edges = np.linspace(0, 1, bins + 1)
    return Reliability(
        lower=edges[:-1],
        upper=edges[1:],
        count=count,
        predicted=np.divide(summed(total * p), count, out=empty.copy(), where=count > 0),
        observed=np.divide(summed(yes), count, out=empty.copy(), where=count > 0),
    )


def level_reliability(
    counts: NDArray[Any], temperature: float = 1.0, bins: int = 15
) -> Reliability:
    """Return `reliability` of quantised maps from their counts (2, 256), at a temperature."""
    p = level_probabilities()
    if temperature != 1:
        p = 1 / (1 + np.exp(-np.log(p / (1 - p)) / temperature))
    return reliability(p, counts[0], counts[1], bins)
