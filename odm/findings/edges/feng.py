"""Leading edges after Feng, Li and Qi (2012), Chinese Journal of Space Science 32, 524-531.

Its kernel and widths are not public; those here are ours. For a single layer, or the lower of two,
the edge is that of the denoised map; for the upper of two the point of largest score, the mean of
energy and range gradient, times a Gaussian around a first fit. A polynomial smooths what was found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]

THRESHOLD_DB = 5.0
"""Of the denoised map."""
BEHIND_KM = 25.0
"""A rise that falls again sooner is no edge."""
SIGMA_KM = 120.0
"""Of the weight around the first fit."""
DEGREE = 4
OUTLIERS = 2.5
"""Standard deviations beyond which a point has no part in the fit."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Per column (F,), NaN where nothing was found.

    Attributes:
        point: gates, the chosen points.
        edge: gates, the polynomial.
        sigma: gates, standard error of the polynomial with the scatter around it.
        contrast: dB of the denoised map behind the edge.
    """

    point: Floats
    edge: Floats
    sigma: Floats
    contrast: Floats


def feng(
    level: Matrix, allowed: NDArray[np.bool_], frequency: NDArray[Any], gate_km: float, upper: bool
) -> Trace:
    """The edge of one layer.

    Args:
        level: (F, R) dB above the noise, NaN where there is none.
        allowed: (F, R) where it may be.
        frequency: (F,) Hz.
        gate_km: range step.
        upper: whether it is the upper of two layers on one ionogram.
    """
    clean = ndimage.median_filter(np.nan_to_num(level, nan=0.0), (3, 3), mode="nearest")
    size = max(round(BEHIND_KM / gate_km), 2)
    point = (
        _by_score(clean, allowed, frequency, size, gate_km)
        if upper
        else _first(clean, allowed, size)
    )
    fitted, sigma = _polynomial(point, frequency)
    columns = np.flatnonzero(np.isfinite(point))
    contrast = np.full(point.size, np.nan)
    at = point[columns].astype(np.intp)
    near = np.minimum(at[:, None] + np.arange(size), level.shape[1] - 1)
    contrast[columns] = np.take_along_axis(clean[columns], near, axis=1).mean(axis=1)
    return Trace(point, fitted, sigma, contrast)


def _first(clean: Matrix, allowed: NDArray[np.bool_], size: int) -> Floats:
    """First gate of each column behind which the denoised map stays above the threshold."""
    above = (clean >= THRESHOLD_DB).astype(np.float32)
    ahead = ndimage.uniform_filter1d(above, size, axis=1, origin=-(size // 2), mode="constant")
    edge = (above > 0) & (ahead > 0.7) & allowed
    return np.where(edge.any(axis=1), edge.argmax(axis=1), np.nan)


def _by_score(
    clean: Matrix, allowed: NDArray[np.bool_], frequency: NDArray[Any], size: int, gate_km: float
) -> Floats:
    """The gate of largest score in each column, in two rounds."""
    gradient = ndimage.uniform_filter1d(clean, size, axis=1, origin=-(size // 2))
    gradient = gradient - ndimage.uniform_filter1d(clean, size, axis=1, origin=(size - 1) // 2)
    score = 0.5 * (_unit(clean, allowed) + _unit(gradient, allowed))
    strong = ndimage.uniform_filter1d(clean, size, axis=1, origin=-(size // 2)) >= THRESHOLD_DB
    usable = allowed & strong
    there = usable.any(axis=1)
    best = np.where(usable, score, -1.0).argmax(axis=1)
    prior, _ = _polynomial(np.where(there, best, np.nan), frequency)
    if np.isnan(prior).all():
        return prior
    line = np.where(np.isfinite(prior), prior, 0.0)
    away = (np.arange(clean.shape[1])[None] - line[:, None]) * gate_km
    weighted = np.where(usable, score * np.exp(-0.5 * (away / SIGMA_KM) ** 2), -1.0)
    there &= np.isfinite(prior)
    return np.where(there, weighted.argmax(axis=1), np.nan)


def _unit(values: Matrix, allowed: NDArray[np.bool_]) -> Matrix:
    inside = np.where(allowed, values, 0.0)
    top = np.maximum(inside.max(axis=1, keepdims=True), 1e-6)
    return np.asarray(np.clip(inside / top, 0, 1), np.float32)


def _polynomial(point: Floats, frequency: NDArray[Any]) -> tuple[Floats, Floats]:
    """Least squares through points (F,), those far off left out; its values where there are any."""
    columns = np.flatnonzero(np.isfinite(point))
    fitted, sigma = np.full(point.size, np.nan), np.full(point.size, np.nan)
    degree = min(DEGREE, columns.size // 4)
    if degree < 1:
        return fitted, sigma
    x = np.asarray(frequency, np.float64)[columns]
    x = 2 * (x - x[0]) / max(x[-1] - x[0], 1.0) - 1
    design = np.polynomial.chebyshev.chebvander(x, degree)
    kept = np.ones(columns.size, bool)
    values = point[columns]
    line, scatter = values, 0.0
    for _ in range(4):
        if kept.sum() <= degree + 1:
            break
        factors, *_ = np.linalg.lstsq(design[kept], values[kept], rcond=None)
        line = design @ factors
        scatter = 1.4826 * float(np.median(np.abs(values - line)[kept]))
        kept = np.abs(values - line) <= OUTLIERS * max(scatter, 1.0)
    covariance = np.linalg.pinv(design[kept].T @ design[kept]) * max(scatter, 0.3) ** 2
    fitted[columns] = line
    sigma[columns] = np.sqrt(np.einsum("ij,jk,ik->i", design, covariance, design))
    # Neighbouring points err alike: a polynomial never is as sure as if they did not.
    sigma[columns] = np.hypot(sigma[columns], 0.5 * scatter)
    return fitted, sigma
