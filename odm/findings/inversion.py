"""From a leading edge to the layer that made it: a quasi-parabola by bounded least squares.

The edge of a quasi-parabolic layer is the least group path over all elevations
(`odm.physics.raytrace`). Its critical frequency moves the whole curve along frequency, its height
lifts it, its thickness bends it at the low end; an edge that is short leaves some of these open,
which the covariance tells and a refusal says.

The layer at the sounder is not that a thousand km away. How its critical frequency and its height
change with distance one edge does not tell, and both shift the result by more than the edge's own
errors do: what is usual of these changes is in the covariance, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from odm.findings.edges.edge import LayerEdge
from odm.physics.raytrace import (
    QuasiParabola,
    Rays,
    elevations,
    group_path,
    minimum_group_path,
    reflection_distance,
    trace,
)

Floats = NDArray[np.float64]
Changes = tuple[float, float]
"""Of `CHANGES`."""

BOUNDS = {
    "F": ((2.0, 200.0, 30.0), (18.0, 450.0, 160.0)),
    "Es": ((1.0, 90.0, 1.0), (16.0, 135.0, 12.0)),
}
"""Of critical frequency (MHz), peak height and semi-thickness (km)."""
PRIOR = {"F": ((8.0, 300.0, 95.0), (8.0, 60.0, 35.0)), "Es": ((7.0, 110.0, 4.0), (8.0, 12.0, 2.5))}
"""What is known beforehand: mean and standard deviation, loose in all but the thickness."""
CHANGES = {"F": (0.07, 12.0), "Es": (0.03, 3.0)}
"""Standard deviations of the changes over 1000 km of ground: relative of the critical frequency, km
of the height."""
THIN = slice(None, None, 3)
"""Of an edge's points, for the layers that would have it were there such changes."""
FARTHEST_KM = 2200.0
"""Beyond it they do not go on."""
LEAST_POINTS, LEAST_SPAN_MHZ = 12, 1.5
MOST_POINTS = 40
LEAST_RAYS, FINER_RAYS = 110, 9
TAIL_MHZ = 1.2
"""An edge's error is shared by its neighbours within so much."""
LARGEST_ERROR = {"F": (0.8, 30.0), "Es": (1.5, 15.0)}
"""Of critical frequency (MHz) and height (km), by the edge's own errors; with a larger standard
deviation there is no answer."""
LARGEST_MISFIT_KM = 60.0
ROBUST = 3.0
"""Standard deviations from which an error counts as that, not as its square."""
STEP = 1e-6
"""Relative, of a value for a derivative."""
GONE_KM_MHZ = 200.0
"""By which a frequency that a layer lets through is farther off, the lower its critical one."""


@dataclass(frozen=True, slots=True)
class Inverted:
    """A layer, or why there is none.

    Attributes:
        layer: ``Es`` or ``F``.
        reason: why the edge does not determine the layer, else "".
        critical_frequency: Hz.
        peak_height, semi_thickness: km.
        covariance: (3, 3) of these, in Hz and km.
        misfit: km, root mean square of edge against layer.
        frequency: (N,) Hz, of the edge.
        ground_range: (N,) km, where the ray of least group path comes down.
        ground_range_sigma: (N,) km.
    """

    layer: str
    reason: str
    critical_frequency: float
    peak_height: float
    semi_thickness: float
    covariance: Floats
    misfit: float
    frequency: Floats
    ground_range: Floats
    ground_range_sigma: Floats

    def __bool__(self) -> bool:
        return not self.reason

    @property
    def sigmas(self) -> Floats:
        """(3,) standard deviations of critical frequency (Hz), height and thickness (km)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))


def invert(edge: LayerEdge) -> Inverted:
    """Critical frequency, height and thickness of the layer of an edge.

    Args:
        edge: as `odm.findings.edges.edges_of` gives it.
    """
    if not edge:
        return _refused(edge, "there is no edge")
    mhz = edge.frequency / 1e6
    span = float(mhz[-1] - mhz[0])
    if mhz.size < LEAST_POINTS or span < LEAST_SPAN_MHZ:
        return _refused(edge, f"{mhz.size} points over {span:.1f} MHz are too few")
    chosen = np.unique(np.linspace(0, mhz.size - 1, MOST_POINTS).round().astype(int))
    f, path = mhz[chosen], edge.group_range[chosen]
    # Errors of neighbours are not independent: each point counts for its share alone.
    alone = max(span / TAIL_MHZ, 3.0)
    sigma = edge.sigma[chosen] * np.sqrt(max(f.size / alone, 1.0))
    fitted = _fit(edge.layer, f, path, sigma)
    if fitted is None:
        return _refused(edge, "no layer within bounds has such an edge")
    values, covariance, misfit, others = fitted
    errors = np.sqrt(np.diag(covariance))  # its own: what changes add is the same for every edge
    for error, largest, name, unit in zip(
        errors, LARGEST_ERROR[edge.layer], ("critical frequency", "height"), ("MHz", "km"),
        strict=False,
    ):  # fmt: skip
        if error > largest:
            return _refused(edge, f"the edge leaves the {name} open by {error:.1f} {unit}")
    if misfit > LARGEST_MISFIT_KM:
        return _refused(edge, f"no quasi-parabola comes nearer to the edge than {misfit:.0f} km")
    ground, ground_sigma = _ground(edge, values, covariance, others)
    for _, other in others:  # either way counts half
        covariance = covariance + 0.5 * np.outer(other - values, other - values)
    scale = np.array([1e6, 1.0, 1.0])
    return Inverted(
        edge.layer,
        "",
        float(values[0] * 1e6),
        float(values[1]),
        float(values[2]),
        covariance * scale[:, None] * scale[None],
        misfit,
        edge.frequency,
        ground,
        ground_sigma,
    )


def _layer_met(values: Any, elevation: Any, changes: Changes) -> QuasiParabola:
    """The layer where rays turn; ``values``: three numbers, or arrays that broadcast."""
    critical, height, thickness = values
    if changes == (0.0, 0.0):
        return QuasiParabola(critical, height, thickness)
    there = reflection_distance(elevation, height - 0.6 * thickness)
    far = np.minimum(there, FARTHEST_KM) / 1000
    return QuasiParabola(critical * (1 + changes[0] * far), height + changes[1] * far, thickness)


def least_rays(mhz: Floats, values: Floats, changes: Changes = (0.0, 0.0)) -> Rays:
    """The rays (F,) of least group path through a layer; NaN where it lets a frequency through.

    Args:
        mhz: (F,) frequencies.
        values: of the layer at the sounder: critical frequency in MHz, height and thickness in km.
        changes: of `CHANGES`; each ray meets the layer of the place where it turns.
    """
    path, elevation = _least(mhz, values, changes)
    ground = trace(mhz, elevation, _layer_met(values, elevation, changes)).ground_range
    return Rays(path, np.where(np.isnan(path), np.nan, ground))


def least_path(mhz: Floats, values: Floats, changes: Changes = (0.0, 0.0)) -> Floats:
    """P'(f) in km: the group paths of `least_rays`."""
    return _least(mhz, values, changes)[0]


def _paths(mhz: Floats, elevation: Any, values: Any, changes: Changes) -> Floats:
    return np.asarray(
        group_path(mhz, elevation, _layer_met(values, elevation, changes)), np.float64
    )


def _least(mhz: Floats, values: Floats, changes: Changes) -> tuple[Floats, Floats]:
    """The least path (F,) in km, and the elevation (F,) of its ray in radians.

    The last rays that a thin layer turns back lie within a degree: the grid finds the place, and
    finer ones there the least.
    """
    rows = np.arange(mhz.size)
    grid = elevations(LEAST_RAYS)[None]
    for finer in (True, True, False):
        paths = _paths(mhz[:, None], grid, values, changes)
        filled = np.nan_to_num(paths, nan=np.inf)
        best = filled.argmin(axis=1)
        if finer:
            last = grid.shape[1] - 1
            wide = np.broadcast_to(grid, paths.shape)
            low, high = wide[rows, np.maximum(best - 1, 0)], wide[rows, np.minimum(best + 1, last)]
            grid = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, FINER_RAYS)
    inner = np.clip(best, 1, FINER_RAYS - 2)
    before, here, after = (filled[rows, inner + step] for step in (-1, 0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        bend = before + after - 2 * here
        usable = (best == inner) & np.isfinite(bend) & (bend > 0)
        share = np.where(usable, 0.5 * (before - after) / bend, 0.0)
    elevation = grid[rows, best] + share * (grid[:, 1] - grid[:, 0])
    return np.asarray(minimum_group_path(paths), np.float64), elevation


def _slopes(mhz: Floats, values: Floats, changes: Changes) -> Floats:
    """(F, 3) derivatives of `least_path` by the values, NaN where it has none.

    The ray of least path moves with the values, but the path around its least does not depend on
    it: that ray alone tells.
    """
    path, elevation = _least(mhz, values, changes)
    steps = STEP * values
    moved = values + np.diag(steps) * np.array([1.0, -1.0])[:, None, None]  # side, value
    found = _paths(mhz, elevation, np.moveaxis(moved, 2, 0)[..., None], changes)
    slopes = (found[0] - found[1]) / (2 * steps[:, None])
    return np.where(np.isnan(path), np.nan, slopes).T


def _fit(
    layer: str, mhz: Floats, path: Floats, sigma: Floats
) -> tuple[Floats, Floats, float, list[tuple[Changes, Floats]]] | None:
    """Values (3,), their covariance by the edge's errors, the misfit in km, and `_others`."""
    low, high = (np.array(side) for side in BOUNDS[layer])
    mean, loose = (np.array(side) for side in PRIOR[layer])

    def residuals(
        values: Floats, changes: Changes = (0.0, 0.0), some: slice = slice(None)
    ) -> Floats:
        model = least_path(mhz[some], values, changes)
        # Where the layer lets a frequency through, it is as far off as can be, and farther the
        # farther its critical frequency.
        gone = np.isnan(model)
        off = (
            np.where(gone, 500.0 + GONE_KM_MHZ * (high[0] - values[0]), model - path[some])
            / sigma[some]
        )
        return np.concatenate([off, (values - mean) / loose])

    def jacobian(
        values: Floats, changes: Changes = (0.0, 0.0), some: slice = slice(None)
    ) -> Floats:
        slopes = _slopes(mhz[some], values, changes)
        slopes[np.isnan(slopes).all(axis=1)] = (-GONE_KM_MHZ, 0.0, 0.0)
        slopes = np.nan_to_num(slopes)  # of a frequency that is gone at the next value
        return np.concatenate([slopes / sigma[some][:, None], np.diag(1 / loose)])

    start = _start(layer, mhz, path, low, high, mean)
    found = least_squares(
        residuals, start, jacobian, bounds=(low, high), loss="soft_l1", f_scale=ROBUST,
        x_scale=(0.3, 5.0, 5.0), max_nfev=60,
    )  # fmt: skip
    off = least_path(mhz, found.x) - path
    if not np.isfinite(off).all():
        return None
    misfit = float(np.sqrt(np.mean(off**2)))
    # What is far off counts as little as it did for the fit, and where the layer does not fit to
    # within the errors, these were too small.
    slopes, far = jacobian(found.x), residuals(found.x)
    weight = 1 / np.sqrt(1 + (far / ROBUST) ** 2)
    information = slopes.T @ (weight[:, None] * slopes)
    try:
        covariance = np.asarray(np.linalg.inv(information), np.float64)
    except np.linalg.LinAlgError:
        return None
    data = slice(mhz.size)
    worse = max(float(np.sum(weight[data] * far[data] ** 2)) / max(mhz.size - 3, 1), 1.0)
    return (
        found.x,
        covariance * worse,
        misfit,
        _others((residuals, jacobian), found.x, layer, (low, high)),
    )


def _others(
    functions: tuple[Callable[[Floats, Changes, slice], Floats], ...],
    values: Floats,
    layer: str,
    bounds: tuple[Floats, Floats],
) -> list[tuple[Changes, Floats]]:
    """The layers that would have the same edge, were there one of the usual changes either way."""
    one, two = CHANGES[layer]
    found = []
    for changes in ((one, 0.0), (-one, 0.0), (0.0, two), (0.0, -two)):
        again = least_squares(
            functions[0], values, functions[1], bounds=bounds, args=(changes, THIN),
            loss="soft_l1", f_scale=ROBUST, x_scale=(0.3, 5.0, 5.0), max_nfev=25, ftol=1e-4,
        )  # fmt: skip
        found.append((changes, again.x))
    return found


def _start(
    layer: str, mhz: Floats, path: Floats, low: Floats, high: Floats, mean: Floats
) -> Floats:
    """The best of a few layers on a coarse grid."""
    some = np.linspace(0, mhz.size - 1, 9).round().astype(int)
    heights = (250.0, 300.0, 350.0) if layer == "F" else (100.0, 112.0, 125.0)
    tried = np.array(
        [(c, h, mean[2]) for c in np.linspace(low[0] + 0.5, high[0] - 0.5, 16) for h in heights]
    )
    paths = _paths(
        mhz[some][:, None], elevations(LEAST_RAYS)[None], tried.T[:, :, None, None], (0.0, 0.0)
    )
    found = minimum_group_path(paths.reshape(-1, LEAST_RAYS)).reshape(len(tried), -1)
    off = np.abs(found - path[some])
    gone = np.isnan(off).mean(axis=1)
    cost = np.nan_to_num(off).sum(axis=1) / np.maximum((~np.isnan(off)).sum(axis=1), 1)
    cost = np.where(gone > 0.5, np.inf, cost + 2000 * gone)
    best = tried[cost.argmin()] if np.isfinite(cost).any() else mean
    return np.asarray(np.clip(best, low + 1e-3, high - 1e-3))


def _ground(
    edge: LayerEdge,
    values: Floats,
    covariance: Floats,
    others: Sequence[tuple[Changes, Floats]],
) -> tuple[Floats, Floats]:
    """Ground range of the ray of the edge, and its error by the layer's, the edge's own, and the
    layer's changes with distance."""
    mhz = edge.frequency / 1e6
    steps = np.array([0.02, 0.5, 0.5])
    base = _landing(mhz, values, edge.group_range)
    slopes = np.stack(
        [
            (_landing(mhz, values + step, edge.group_range) - base) / step[number]
            for number, step in enumerate(np.diag(steps))
        ]
    )
    layers = np.einsum("in,ij,jn->n", slopes, covariance, slopes)
    variance = np.maximum(layers, 0) + edge.sigma**2
    for changes, other in others:
        off = _landing(mhz, other, edge.group_range, changes) - base
        known = np.abs(off[np.isfinite(off)])
        # Where that layer lets a frequency through it is off by no less than elsewhere.
        variance = variance + 0.5 * np.nan_to_num(off, nan=float(known.max(initial=0.0))) ** 2
    return np.maximum(base, 0.0), np.sqrt(variance)


def _landing(
    mhz: Floats, values: Floats, measured: Floats, changes: Changes = (0.0, 0.0)
) -> Floats:
    """Ground range of the ray of least path, km, with what the measured path has beyond it.

    A path is longer than its ground range by the way up and down, which the layer tells well; the
    path itself is measured.
    """
    rays = least_rays(mhz, values, changes)
    return np.asarray(rays.ground_range + measured - rays.group_path, np.float64)


def _refused(edge: LayerEdge, reason: str) -> Inverted:
    none = np.full(edge.frequency.size, np.nan)
    open_ = np.full((3, 3), np.nan)
    return Inverted(
        edge.layer, reason, np.nan, np.nan, np.nan, open_, np.nan, edge.frequency, none, none
    )
