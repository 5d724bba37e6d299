"""Precision and recall: at one threshold, over all thresholds, and against a quantity."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FROC_RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
"""False regions per half-orbit at which recall is read off: few, since 96 % of all are clear."""

Floats = NDArray[np.float64]


def ratio(part: NDArray[Any] | float, whole: NDArray[Any] | float) -> Floats:
    """Return ``part / whole``; NaN where the whole is 0."""
    numerator, denominator = np.broadcast_arrays(
        np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    )
    unknown = np.full(denominator.shape, np.nan)
    return np.divide(numerator, denominator, out=unknown, where=denominator > 0)


def rates(
    true: NDArray[Any] | float, false: NDArray[Any] | float, missed: NDArray[Any] | float
) -> dict[str, Floats]:
    """Return ``precision``, ``recall`` and ``f1``, each NaN where it is undefined.

    Args:
        true, false, missed: numbers of findings that are true and that are not, and of true ones
            that were not found; arrays of one shape for many results at once.
    """
    return {
        "precision": ratio(true, true + false),
        "recall": ratio(true, true + missed),
        "f1": ratio(2 * true, 2 * true + false + missed),
    }


@dataclass(frozen=True, slots=True)
class Curve:
    """What happens as the threshold falls: one point for each confidence that occurs.

    All (n,), by falling threshold. ``true`` and ``false``: regions at or above the threshold.
    """

    threshold: Floats
    true: Floats
    false: Floats
    truths: float
    half_orbits: float

    @property
    def recall(self) -> Floats:
        """True regions over all there are; NaN where there are none."""
        return self.true / self.truths if self.truths else np.full(self.true.size, np.nan)

    @property
    def precision(self) -> Floats:
        """True regions over all found."""
        return self.true / (self.true + self.false)

    @property
    def false_per_half_orbit(self) -> Floats:
        """False regions per half-orbit, clear or not."""
        return self.false / max(self.half_orbits, 1)

    @property
    def f1(self) -> Floats:
        """Harmonic mean of precision and recall."""
        return 2 * self.true / (self.true + self.false + self.truths)

    def average_precision(self) -> float:
        """Return the area under precision over recall, precision made to fall (as in VOC 2010).

        The curve ends where the regions found end: beyond, precision counts as 0. NaN where there
        are no true regions.
        """
        if not self.truths:
            return float("nan")
        best = np.maximum.accumulate(self.precision[::-1])[::-1]
        return float((np.diff(self.recall, prepend=0.0) * best).sum())

    def recall_at(self, false_per_half_orbit: float) -> float:
        """Return the largest recall with at most so many false regions per half-orbit.

        It is 0 if there is none, NaN where there are no true regions.
        """
        if not self.truths:
            return float("nan")
        allowed = self.recall[self.false_per_half_orbit <= false_per_half_orbit]
        return float(allowed.max()) if allowed.size else 0.0

    def best_threshold(self) -> tuple[float, float]:
        """Return the threshold of the largest F1, and that F1; NaN where nothing was found."""
        if not self.f1.size:
            return float("nan"), float("nan")
        best = int(np.argmax(self.f1))
        return float(self.threshold[best]), float(self.f1[best])

    def points(self, *names: str, most: int | None = None) -> dict[str, list[float]]:
        """Return properties of the curve as lists, for JSON and pictures.

        Args:
            names: properties, such as ``recall``.
            most: number of points to which a longer curve is thinned out.
        """
        size = self.true.size
        chosen = np.arange(size)
        if most is not None:
            chosen = np.unique(np.linspace(0, max(size - 1, 0), most).astype(np.intp))[:size]
        return {name: getattr(self, name)[chosen].tolist() for name in names}


def curve(
    confidences: NDArray[Any],
    hits: NDArray[Any],
    truths: float,
    half_orbits: float,
    weights: NDArray[Any] | None = None,
) -> Curve:
    """Sweep a threshold over found regions.

    Args:
        confidences: (F,).
        hits: (F,) bool, as `match_regions` gives them.
        truths: number of true regions.
        half_orbits: number of half-orbits looked at.
        weights: (F,) how often each counts, for resampling; 1 if None.
    """
    confidence = np.asarray(confidences, dtype=np.float64)
    weight = np.ones(confidence.size) if weights is None else np.asarray(weights, dtype=np.float64)
    used = weight > 0
    confidence, weight = confidence[used], weight[used]
    hit = np.asarray(hits, dtype=bool)[used]
    order = np.argsort(-confidence, kind="stable")
    confidence, weight, hit = confidence[order], weight[order], hit[order]
    # Regions of one confidence cannot be told apart by a threshold: one point for them together.
    last = np.flatnonzero(np.diff(confidence, append=-np.inf))
    return Curve(
        threshold=confidence[last],
        true=np.cumsum(weight * hit)[last],
        false=np.cumsum(weight * ~hit)[last],
        truths=float(truths),
        half_orbits=float(half_orbits),
    )


@dataclass(frozen=True, slots=True)
class RecallFit:
    """Logistic recall over a quantity: 1 / (1 + exp(-slope (x - half))).

    ``half`` is where half are found, None where the data do not say (all or none found, or recall
    does not rise); ``slope`` per unit of the quantity; ``note`` says why there is none.
    """

    half: float | None
    slope: float | None
    note: str = ""

    def recall(self, x: NDArray[Any]) -> Floats:
        """Return the recall at ``x``; NaN without a fit."""
        if self.half is None or self.slope is None:
            return np.full(np.shape(x), np.nan)
        return 1 / (1 + np.exp(-np.clip(self.slope * (np.asarray(x) - self.half), -500, 500)))


_PRIOR = 1e-3


def fit_recall(x: NDArray[Any], found: NDArray[Any]) -> RecallFit:
    """Fit a logistic curve to what is found over a quantity such as contrast in dB.

    By maximum likelihood with a faint pull of the slope towards 0, without which data that a
    threshold separates would have an infinite one.

    Args:
        x: (T,) of the true regions; NaN are left out.
        found: (T,) bool.
    """
    from scipy.optimize import minimize

    x, hit = np.asarray(x, dtype=np.float64), np.asarray(found, dtype=bool)
    known = np.isfinite(x)
    x, hit = x[known], hit[known]
    if x.size < 5:
        return RecallFit(None, None, "fewer than five nuclei")
    if hit.all() or not hit.any():
        return RecallFit(None, None, "all found" if hit.all() else "none found")
    middle, scale = float(x.mean()), float(x.std())
    if not scale:
        return RecallFit(None, None, "all alike")
    z, sign = (x - middle) / scale, np.where(hit, 1.0, -1.0)

    def loss(p: Floats) -> tuple[float, Floats]:
        margin = sign * (p[0] + p[1] * z)
        wrong = -sign / (1 + np.exp(np.clip(margin, -500, 500)))
        gradient = np.array([wrong.sum(), (wrong * z).sum() + 2 * _PRIOR * p[1]])
        return float(np.logaddexp(0, -margin).sum() + _PRIOR * p[1] ** 2), gradient

    offset, slope = minimize(loss, np.zeros(2), jac=True, method="BFGS").x
    half = middle - scale * offset / slope if slope > 0 else np.inf
    # Far outside of what was flown, half is a guess of the formula.
    if not x.min() - x.std() <= half <= x.max() + x.std():
        return RecallFit(None, None, "the fit leaves the range of the data")
    return RecallFit(float(half), float(slope / scale))


def recall_by_bin(
    x: NDArray[Any], found: NDArray[Any], edges: NDArray[Any]
) -> list[dict[str, float]]:
    """Return number and recall of true regions in bins [lower, upper); empty bins are left out."""
    x, hit = np.asarray(x, dtype=np.float64), np.asarray(found, dtype=bool)
    rows = []
    for lower, upper in itertools.pairwise(edges):
        inside = (x >= lower) & (x < upper)
        if inside.any():
            rows.append(
                {
                    "lower": float(lower),
                    "upper": float(upper),
                    "nuclei": int(inside.sum()),
                    "recall": float(hit[inside].mean()),
                }
            )
    return rows
