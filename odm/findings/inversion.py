"""The layer that made a leading edge: a quasi-parabola by bounded least squares.

The edge of a quasi-parabolic layer is the least group path over all elevations
(`odm.physics.raytrace`). Its critical frequency moves the whole curve along frequency, its height
lifts it, its thickness bends it at the low end; an edge that is short leaves some of these open,
which the covariance tells and a refusal says.

The layer at the sounder is not that a thousand km away. How its critical frequency and its height
change with distance one edge does not tell, and both shift the result by more than the edge's own
errors do: what is usual of these changes is in the covariance, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

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
"""Changes over 1000 km of ground: relative of the critical frequency, km of the height."""

BOUNDS = {
    "F": ((2.0, 200.0, 30.0), (18.0, 450.0, 160.0)),
    "Es": ((1.0, 90.0, 1.0), (16.0, 135.0, 12.0)),
}
"""Least and largest critical frequency (MHz), peak height and semi-thickness (km)."""
PRIOR = {"F": ((8.0, 300.0, 95.0), (8.0, 60.0, 35.0)), "Es": ((7.0, 110.0, 4.0), (8.0, 12.0, 2.5))}
"""What is known beforehand: mean and standard deviation, loose in all but the thickness."""
STARTS_KM = {"F": (250.0, 300.0, 350.0), "Es": (100.0, 112.0, 125.0)}
"""Heights from which the search may start."""
SAME: Changes = (0.0, 0.0)
CHANGES: dict[str, Changes] = {"F": (0.07, 12.0), "Es": (0.03, 3.0)}
"""Standard deviations of the changes."""
EVERY, THIN = slice(None), slice(None, None, 3)
"""Every third point of an edge is enough for the layers that would have it were there changes."""
FARTHEST_KM = 2200.0
"""Changes do not go on beyond this distance."""
LEAST_POINTS, LEAST_SPAN_MHZ = 12, 1.5
"""An edge of fewer points, or over a smaller span, tells nothing."""
MOST_POINTS = 40
"""So many points of an edge are fitted."""
LEAST_RAYS, FINER_RAYS = 110, 9
"""Rays of the grid in which the least path is sought, and of the finer ones around it."""
TAIL_MHZ = 1.2
"""An edge's error is shared by its neighbours within so much."""
LARGEST_ERROR = {"F": (0.8, 30.0), "Es": (1.5, 15.0)}
"""Largest standard deviations of critical frequency (MHz) and height (km), by the edge's own
errors, with which there is an answer."""
LARGEST_MISFIT_KM = 60.0
"""A layer with a larger misfit is no answer."""
ROBUST = 3.0
"""Standard deviations from which an error counts as that, not as its square."""
STEP = 1e-6
"""Relative step of a value for a derivative."""
GONE_KM, GONE_KM_MHZ = 500.0, 200.0
"""A frequency that a layer lets through is off by this, and by so much more the lower the critical
frequency is."""


@dataclass(frozen=True, slots=True)
class Inverted:
    """A layer, or why there is none.

    Attributes:
        layer: ``Es`` or ``F``.
        reason: why the edge does not determine the layer, else "".
        critical_frequency: Hz.
        peak_height, semi_thickness: km.
        covariance: (3, 3) of these three, in Hz and km.
        misfit: km, root mean square of edge against layer.
        frequency: (N,) Hz, as the edge has it.
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
    """Compute critical frequency, height and thickness of the layer of an edge.

    Args:
        edge: as `odm.findings.edges.matrix_edges` gives it.
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
    fit = _fit(_Problem(edge.layer, f, path, sigma))
    if fit is None:
        return _refused(edge, "no layer within bounds has such an edge")
    # Its own errors: what changes add is the same for every edge.
    errors = np.sqrt(np.diag(fit.covariance))[:2]
    words = (("critical frequency", "MHz"), ("height", "km"))
    for error, largest, (name, unit) in zip(errors, LARGEST_ERROR[edge.layer], words, strict=True):
        if error > largest:
            return _refused(edge, f"the edge leaves the {name} open by {error:.1f} {unit}")
    if fit.misfit > LARGEST_MISFIT_KM:
        reason = f"no quasi-parabola comes nearer to the edge than {fit.misfit:.0f} km"
        return _refused(edge, reason)
    ground, ground_sigma = _ground(edge, fit)
    covariance = fit.covariance
    for _, changed in fit.changed:  # either way counts half
        covariance = covariance + 0.5 * np.outer(changed - fit.values, changed - fit.values)
    scale = np.array([1e6, 1.0, 1.0])
    return Inverted(
        edge.layer,
        "",
        float(fit.values[0] * 1e6),
        float(fit.values[1]),
        float(fit.values[2]),
        covariance * scale[:, None] * scale[None],
        fit.misfit,
        edge.frequency,
        ground,
        ground_sigma,
    )


def _layer_met(values: Any, elevation: Any, changes: Changes) -> QuasiParabola:
    """Return the layer where rays turn; ``values`` are three numbers, or arrays that broadcast."""
    critical, height, thickness = values
    if changes == SAME:
        return QuasiParabola(critical, height, thickness)
    there = reflection_distance(elevation, height - 0.6 * thickness)
    far = np.minimum(there, FARTHEST_KM) / 1000
    return QuasiParabola(critical * (1 + changes[0] * far), height + changes[1] * far, thickness)


def least_rays(mhz: Floats, values: Floats, changes: Changes = SAME) -> Rays:
    """Return the rays (F,) of least group path; NaN where the layer lets a frequency through.

    Args:
        mhz: (F,) frequencies.
        values: critical frequency in MHz, height and thickness in km of the layer at the sounder.
        changes: with distance; each ray meets the layer of the place where it turns.
    """
    path, elevation = _least(mhz, values, changes)
    ground = trace(mhz, elevation, _layer_met(values, elevation, changes)).ground_range
    return Rays(path, np.where(np.isnan(path), np.nan, ground))


def least_path(mhz: Floats, values: Floats, changes: Changes = SAME) -> Floats:
    """Return P'(f) in km: the group paths of `least_rays`."""
    return _least(mhz, values, changes)[0]


def _paths(mhz: Floats, elevation: Any, values: Any, changes: Changes) -> Floats:
    return np.asarray(
        group_path(mhz, elevation, _layer_met(values, elevation, changes)), np.float64
    )


def _least(mhz: Floats, values: Floats, changes: Changes) -> tuple[Floats, Floats]:
    """Return the least path (F,) in km, and the elevation (F,) of its ray in radians.

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
    """Return derivatives (F, 3) of `least_path` by the values, NaN where it has none.

    The ray of least path moves with the values, but the path around its least does not depend on
    it: that ray alone tells.
    """
    path, elevation = _least(mhz, values, changes)
    steps = STEP * values
    moved = values + np.diag(steps) * np.array([1.0, -1.0])[:, None, None]  # side, value
    above, below = _paths(mhz, elevation, np.moveaxis(moved, 2, 0)[..., None], changes)
    slopes = (above - below) / (2 * steps[:, None])
    return np.where(np.isnan(path), np.nan, slopes).T


class _Problem(NamedTuple):
    """The points of an edge that a layer has to explain.

    Attributes:
        layer: ``Es`` or ``F``.
        mhz: (F,) frequency.
        path: (F,) km.
        sigma: (F,) km.
    """

    layer: str
    mhz: Floats
    path: Floats
    sigma: Floats

    @property
    def bounds(self) -> Floats:
        """(2, 3) least and largest values."""
        return np.array(BOUNDS[self.layer])

    def residuals(self, values: Floats, changes: Changes = SAME, some: slice = EVERY) -> Floats:
        """Return standard deviations by which points and prior are off."""
        mean, loose = np.array(PRIOR[self.layer])
        model = least_path(self.mhz[some], values, changes)
        # Where the layer lets a frequency through, it is as far off as can be, and farther the
        # farther its critical frequency.
        gone = GONE_KM + GONE_KM_MHZ * (self.bounds[1, 0] - values[0])
        off = np.where(np.isnan(model), gone, model - self.path[some]) / self.sigma[some]
        return np.concatenate([off, (values - mean) / loose])

    def jacobian(self, values: Floats, changes: Changes = SAME, some: slice = EVERY) -> Floats:
        """Return the derivatives of `residuals` by the values."""
        slopes = _slopes(self.mhz[some], values, changes)
        slopes[np.isnan(slopes).all(axis=1)] = (-GONE_KM_MHZ, 0.0, 0.0)
        slopes = np.nan_to_num(slopes)  # of a frequency that is gone at the next value
        loose = np.array(PRIOR[self.layer][1])
        return np.concatenate([slopes / self.sigma[some][:, None], np.diag(1 / loose)])

    def solve(
        self, start: Floats, changes: Changes, some: slice, tolerance: float, most: int
    ) -> Floats:
        """Return the values (3,) of the best layer."""
        best = least_squares(
            self.residuals, start, self.jacobian, bounds=tuple(self.bounds), loss="soft_l1",
            f_scale=ROBUST, x_scale=(0.3, 5.0, 5.0), max_nfev=most, ftol=tolerance,
            args=(changes, some),
        )  # fmt: skip
        return np.asarray(best.x, np.float64)


class _Fit(NamedTuple):
    """The best layer of an edge.

    Attributes:
        values: (3,) critical frequency in MHz, height and thickness in km.
        covariance: (3, 3) by the edge's own errors.
        misfit: km.
        changed: the values of layers that would have the same edge, were there one of the usual
            changes either way.
    """

    values: Floats
    covariance: Floats
    misfit: float
    changed: Sequence[tuple[Changes, Floats]]


def _fit(problem: _Problem) -> _Fit | None:
    """Fit a layer; None where it has no such edge, or the edge does not determine it."""
    mhz = problem.mhz
    values = problem.solve(_start(problem), SAME, EVERY, 1e-8, 60)
    off = least_path(mhz, values) - problem.path
    if not np.isfinite(off).all():
        return None
    misfit = float(np.sqrt(np.mean(off**2)))
    # What is far off counts as little as it did for the fit, and where the layer does not fit to
    # within the errors, these were too small.
    slopes, far = problem.jacobian(values), problem.residuals(values)
    weight = 1 / np.sqrt(1 + (far / ROBUST) ** 2)
    information = slopes.T @ (weight[:, None] * slopes)
    try:
        covariance = np.asarray(np.linalg.inv(information), np.float64)
    except np.linalg.LinAlgError:
        return None
    data = slice(mhz.size)
    worse = max(float(np.sum(weight[data] * far[data] ** 2)) / max(mhz.size - 3, 1), 1.0)
    one, two = CHANGES[problem.layer]
    changed = [
        (changes, problem.solve(values, changes, THIN, 1e-4, 25))
        for changes in ((one, 0.0), (-one, 0.0), (0.0, two), (0.0, -two))
    ]
    return _Fit(values, covariance * worse, misfit, changed)


def _start(problem: _Problem) -> Floats:
    """Return the best of a few layers on a coarse grid."""
    low, high = problem.bounds
    mean = np.array(PRIOR[problem.layer][0])
    some = np.linspace(0, problem.mhz.size - 1, 9).round().astype(int)
    critical = np.linspace(low[0] + 0.5, high[0] - 0.5, 16)
    tried = np.array([(c, h, mean[2]) for c in critical for h in STARTS_KM[problem.layer]])
    rays = elevations(LEAST_RAYS)[None]
    paths = _paths(problem.mhz[some][:, None], rays, tried.T[:, :, None, None], SAME)
    least = minimum_group_path(paths.reshape(-1, LEAST_RAYS)).reshape(len(tried), -1)
    off = np.abs(least - problem.path[some])
    gone = np.isnan(off).mean(axis=1)
    cost = np.nan_to_num(off).sum(axis=1) / np.maximum((~np.isnan(off)).sum(axis=1), 1)
    cost = np.where(gone > 0.5, np.inf, cost + 2000 * gone)
    best = tried[cost.argmin()] if np.isfinite(cost).any() else mean
    return np.asarray(np.clip(best, low + 1e-3, high - 1e-3))


def _ground(edge: LayerEdge, fit: _Fit) -> tuple[Floats, Floats]:
    """Return the ground range (N,) of the ray of the edge, and its error (N,), km.

    The error is that of the layer, of the edge itself, and of the layer's changes with distance.
    """
    mhz = edge.frequency / 1e6
    base = _landing(mhz, fit.values, edge.group_range)
    steps = np.array([0.02, 0.5, 0.5])
    slopes = np.stack(
        [
            (_landing(mhz, fit.values + step, edge.group_range) - base) / step[number]
            for number, step in enumerate(np.diag(steps))
        ]
    )
    own = np.einsum("in,ij,jn->n", slopes, fit.covariance, slopes)
    variance = np.maximum(own, 0) + edge.sigma**2
    for changes, values in fit.changed:
        off = _landing(mhz, values, edge.group_range, changes) - base
        known = np.abs(off[np.isfinite(off)])
        # Where that layer lets a frequency through it is off by no less than elsewhere.
        variance = variance + 0.5 * np.nan_to_num(off, nan=float(known.max(initial=0.0))) ** 2
    return np.maximum(base, 0.0), np.sqrt(variance)


def _landing(mhz: Floats, values: Floats, measured: Floats, changes: Changes = SAME) -> Floats:
    """Return the ground range in km of the ray of least path, with what the measured path adds.

    A path is longer than its ground range by the way up and down, which the layer tells well; the
    path itself is measured.
    """
    rays = least_rays(mhz, values, changes)
    return np.asarray(rays.ground_range + measured - rays.group_path, np.float64)


def _refused(edge: LayerEdge, reason: str) -> Inverted:
    none = np.full(edge.frequency.size, np.nan)
    unknown = np.full((3, 3), np.nan)
    return Inverted(
        edge.layer, reason, np.nan, np.nan, np.nan, unknown, np.nan, edge.frequency, none, none
    )
