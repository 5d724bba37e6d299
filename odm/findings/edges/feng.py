"""Leading edges after Feng, Li and Qi (2012), Chinese Journal of Space Science 32, 524-531.

Its kernel and widths are not public; those here are ours. For a single layer, or the lower of two,
the edge is that of the denoised map; for the upper of two the point of largest score, the mean of
energy and range gradient, times a Gaussian around a first fit. A polynomial smooths the points.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from odm.findings.edges.edge import Trace
from odm.findings.edges.isolate import Levels
from odm.findings.edges.settings import TUNED, Floats, Mask, Matrix


def feng(part: Levels, allowed: Mask, *, upper: bool) -> Trace:
    """Find the edge of one layer.

    Args:
        part: of the ionogram, without other layers.
        allowed: (F, R) where the edge may be.
        upper: whether the layer is the upper of two on one ionogram.
    """
    clean = ndimage.median_filter(np.nan_to_num(part.level, nan=0.0), (3, 3), mode="nearest")
    size = max(round(TUNED.feng_behind_km / part.gate_km), 2)
    point = (
        _largest_score(part, clean, allowed, size) if upper else _first_rise(clean, allowed, size)
    )
    edge, sigma = _polynomial(point, part.frequency)
    columns = np.flatnonzero(np.isfinite(point))
    contrast = np.full(point.size, np.nan)
    behind = point[columns].astype(np.intp)[:, None] + np.arange(size)
    behind = np.minimum(behind, clean.shape[1] - 1)
    contrast[columns] = np.take_along_axis(clean[columns], behind, axis=1).mean(axis=1)
    return Trace(edge, sigma, contrast, contrast, np.full(edge.size, TUNED.feng_trust_db))


def _mean_behind(values: Matrix, size: int, mode: str = "reflect") -> Matrix:
    """Return means over ``size`` gates from each on."""
    return np.asarray(
        ndimage.uniform_filter1d(values, size, axis=1, origin=-(size // 2), mode=mode)
    )


def _first_rise(clean: Matrix, allowed: Mask, size: int) -> Floats:
    """First gate of each column behind which the denoised map stays above the threshold."""
    above = (clean >= TUNED.feng_threshold_db).astype(np.float32)
    stays = _mean_behind(above, size, "constant") > TUNED.feng_share
    edge = (above > 0) & stays & allowed
    return np.where(edge.any(axis=1), edge.argmax(axis=1), np.nan)


def _largest_score(part: Levels, clean: Matrix, allowed: Mask, size: int) -> Floats:
    """The gate of largest score in each column, in two rounds."""
    behind = _mean_behind(clean, size)
    gradient = behind - ndimage.uniform_filter1d(clean, size, axis=1, origin=(size - 1) // 2)
    score = 0.5 * (_unit(clean, allowed) + _unit(gradient, allowed))
    usable = allowed & (behind >= TUNED.feng_threshold_db)
    there = usable.any(axis=1)
    best = np.where(usable, score, -1.0).argmax(axis=1)
    prior, _ = _polynomial(np.where(there, best, np.nan), part.frequency)
    if np.isnan(prior).all():
        return prior
    line = np.where(np.isfinite(prior), prior, 0.0)
    away = (np.arange(clean.shape[1])[None] - line[:, None]) * part.gate_km
    near = np.exp(-0.5 * (away / TUNED.feng_sigma_km) ** 2)
    best = np.where(usable, score * near, -1.0).argmax(axis=1)
    return np.where(there & np.isfinite(prior), best, np.nan)


def _unit(values: Matrix, allowed: Mask) -> Matrix:
    """Scale each column's allowed values to 0 to 1."""
    inside = np.where(allowed, values, 0.0)
    top = np.maximum(inside.max(axis=1, keepdims=True), 1e-6)
    return np.asarray(np.clip(inside / top, 0, 1), np.float32)


def _polynomial(point: Floats, frequency: Floats) -> tuple[Floats, Floats]:
    """Fit points (F,) by least squares, those far off left out.

    Returns:
        The values where there are points, and their standard errors; NaN elsewhere.
    """
    columns = np.flatnonzero(np.isfinite(point))
    fitted, sigma = np.full((2, point.size), np.nan)
    degree = min(TUNED.feng_degree, columns.size // 4)
    if degree < 1:
        return fitted, sigma
    x = frequency[columns]
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
        kept = np.abs(values - line) <= TUNED.feng_outliers * max(scatter, 1.0)
    covariance = np.linalg.pinv(design[kept].T @ design[kept]) * max(scatter, 0.3) ** 2
    fitted[columns] = line
    own = np.sqrt(np.einsum("ij,jk,ik->i", design, covariance, design))
    # Neighbouring points err alike: a polynomial never is as sure as if they did not.
    sigma[columns] = np.hypot(own, 0.5 * scatter)
    return fitted, sigma
