"""Rays through one quasi-parabolic layer, in closed form.

Croft and Hoogasian (1968), "Exact ray calculations in a quasi-parabolic ionosphere with no magnetic
field", Radio Science 3, 69-74. The layer is spherically symmetric and begins at a sharp base.
Group paths are from ground to ground: a backscatter sounder, which measures there and back, plots
an echo at just this range (half its delay times the speed of light).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

EARTH_RADIUS_KM = 6371.0

Floats = NDArray[np.floating[Any]]


class Rays(NamedTuple):
    """Rays of one hop, NaN where the ray penetrates the layer.

    Attributes:
        group_path: km from ground to ground.
        ground_range: km along the ground.
    """

    group_path: Floats
    ground_range: Floats


class QuasiParabola(NamedTuple):
    """A layer. Values may be arrays that broadcast with frequency and elevation.

    Attributes:
        critical_frequency: in the unit of the frequencies it is used with.
        peak_height: km.
        semi_thickness: km.
    """

    critical_frequency: Any
    peak_height: Any
    semi_thickness: Any


def trace(frequency: Any, elevation: Any, layer: QuasiParabola) -> Rays:
    """Return group path and ground range of rays through a quasi-parabolic layer.

    Args:
        frequency: of the wave, in the unit of ``layer.critical_frequency``.
        elevation: at the ground, radians, above 0 and up to pi/2; broadcasts with ``frequency``.
        layer: the layer; below its base there is free space.
    """
    ray = _ray(frequency, elevation, layer)
    with np.errstate(invalid="ignore", divide="ignore"):
        root_c = np.sqrt(ray.c)
        angle = (
            np.arccos(EARTH_RADIUS_KM / ray.base * ray.cos_beta)
            - np.asarray(elevation)
            - EARTH_RADIUS_KM * ray.cos_beta / (2 * root_c)
            * np.log(
                ray.inside
                / (4 * ray.c * (ray.sin_gamma + root_c / ray.base + ray.b / (2 * root_c)) ** 2)
            )
        )  # fmt: skip
    return Rays(_group_path(ray), 2 * EARTH_RADIUS_KM * angle)


def group_path(frequency: Any, elevation: Any, layer: QuasiParabola) -> Floats:
    """Return the group path of `trace` alone, in half the time."""
    return _group_path(_ray(frequency, elevation, layer))


class _Ray(NamedTuple):
    """What both integrals have in common.

    Attributes:
        cos_beta, sin_beta: cosine and sine of the elevation at the ground.
        sin_gamma: sine of the elevation at the layer's base.
        base: radius of the base, km.
        a, b, c: coefficients of the radicand, a quadratic in the radius.
        inside: its discriminant; NaN where the wave is nowhere turned back.
    """

    cos_beta: Any
    sin_beta: Any
    sin_gamma: Any
    base: Any
    a: Any
    b: Any
    c: Any
    inside: Any


def _ray(frequency: Any, elevation: Any, layer: QuasiParabola) -> _Ray:
    earth = EARTH_RADIUS_KM
    ratio2 = (np.asarray(frequency) / layer.critical_frequency) ** 2
    peak = earth + np.asarray(layer.peak_height)
    base = peak - layer.semi_thickness
    cos_beta, sin_beta = np.cos(elevation), np.sin(elevation)
    sin_gamma = np.sqrt(1 - (earth / base * cos_beta) ** 2)
    steep = base**2 / (ratio2 * layer.semi_thickness**2)
    a = 1 - 1 / ratio2 + steep
    b = -2 * peak * steep
    c = peak**2 * steep - (earth * cos_beta) ** 2
    inside = b**2 - 4 * a * c
    inside = np.where(inside > 0, inside, np.nan)
    return _Ray(cos_beta, sin_beta, sin_gamma, base, a, b, c, inside)


def _group_path(ray: _Ray) -> Floats:
    base, a, b = ray.base, ray.a, ray.b
    with np.errstate(invalid="ignore", divide="ignore"):
        root_a = np.sqrt(a)
        within = -base * ray.sin_gamma - b / (4 * root_a) * np.log(
            ray.inside / (2 * a * base + b + 2 * base * root_a * ray.sin_gamma) ** 2
        )
        return np.asarray(2 * (base * ray.sin_gamma - EARTH_RADIUS_KM * ray.sin_beta + within / a))


def elevations(number: int, lowest_deg: float = 0.3, highest_deg: float = 89.5) -> Floats:
    """Return rising elevations (number,) in radians.

    They are denser towards the horizon, where a degree is hundreds of km of range.
    """
    share = np.linspace(0, 1, number)
    return np.radians(lowest_deg + (highest_deg - lowest_deg) * share**2)


def minimum_group_path(group_path: Floats) -> Floats:
    """Return the smallest group path (F,) of rays (F, E), NaN where none returns.

    The rays are in order of elevation; between them the path is taken for a parabola.
    """
    path = np.where(np.isnan(group_path), np.inf, group_path)
    best = np.argmin(path, axis=1)
    rows = np.arange(path.shape[0])
    here = path[rows, best]
    before = path[rows, np.maximum(best - 1, 0)]
    after = path[rows, np.minimum(best + 1, path.shape[1] - 1)]
    with np.errstate(invalid="ignore", divide="ignore"):
        bend = before + after - 2 * here
        drop = (after - before) ** 2 / (8 * bend)
    inner = np.isfinite(bend) & (bend > 0) & (best > 0) & (best < path.shape[1] - 1)
    lowest = here - np.where(inner, drop, 0.0)
    return np.where(np.isfinite(here), lowest, np.nan)


def reflection_distance(elevation: Any, height_km: Any) -> Floats:
    """Return the ground distance in km at which a straight ray reaches ``height_km``."""
    earth = EARTH_RADIUS_KM
    return earth * (np.arccos(earth * np.cos(elevation) / (earth + height_km)) - elevation)


def sine_at_height(elevation: Any, height_km: Any) -> Floats:
    """Return the sine of a straight ray's angle against the horizontal at ``height_km``."""
    earth = EARTH_RADIUS_KM
    return np.sqrt(1 - (earth * np.cos(elevation) / (earth + height_km)) ** 2)
