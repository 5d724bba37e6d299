"""Ray tracing: published check values, and two methods against each other."""

from __future__ import annotations

import numpy as np
import pytest

from odm.physics.raytrace import (
    EARTH_RADIUS_KM,
    QuasiParabola,
    elevations,
    minimum_group_path,
    reflection_distance,
    sine_at_height,
    trace,
)
from odm.physics.raytrace_profile import NODES, Profile, layered_profile, trace_profile

F2 = QuasiParabola(8.0, 300.0, 100.0)
ES = QuasiParabola(6.0, 110.0, 5.0)

CHECKS = [
    (F2, 8, 724, 407), (F2, 10, 919, 684), (F2, 14, 1345, 1173), (F2, 18, 1853, 1704),
    (F2, 22, 2532, 2388), (F2, 26, 3787, 3622), (ES, 10, 402, None), (ES, 18, 769, None),
    (ES, 26, 1266, None), (ES, 30, 1677, None),
]  # fmt: skip
"""Layer, MHz, minimum group path and its ground range in km."""


@pytest.mark.parametrize(("layer", "mhz", "path", "ground"), CHECKS)
def test_minimum_group_paths(
    layer: QuasiParabola, mhz: float, path: float, ground: float | None
) -> None:
    rays = trace(np.array([[mhz]]), elevations(4000)[None], layer)
    assert minimum_group_path(rays.group_path)[0] == pytest.approx(path, abs=1)
    if ground is not None:
        there = rays.ground_range[0, np.nanargmin(rays.group_path[0])]
        assert there == pytest.approx(ground, abs=1)
    # The grid of the simulator is coarser and must do as well.
    coarse = trace(np.array([[mhz]]), elevations(340)[None], layer)
    assert minimum_group_path(coarse.group_path)[0] == pytest.approx(path, abs=1)


def test_nothing_returns_above_the_highest_frequency() -> None:
    paths = trace(np.array([[27.0], [28.5], [40.0]]), elevations(2000)[None], F2).group_path
    lowest = minimum_group_path(paths)
    assert np.isfinite(lowest[0])
    assert np.isnan(lowest[1:]).all()


def test_low_frequencies_are_shortest_straight_up() -> None:
    """Below 0.85 of the critical frequency the minimum is overhead."""
    rays = trace(np.array([[4.0]]), elevations(2000, highest_deg=89.99)[None], F2)
    assert np.nanargmin(rays.group_path[0]) == 1999
    # A parabolic layer's virtual height: h_b + y/2 x log((1 + x) / (1 - x)), for a flat earth.
    ratio = 4.0 / 8.0
    virtual = 200 + 50 * ratio * np.log((1 + ratio) / (1 - ratio))
    assert rays.group_path[0, -1] / 2 == pytest.approx(virtual, abs=2)


def test_far_below_the_critical_frequency_a_layer_is_a_mirror() -> None:
    mirror = QuasiParabola(100.0, 300.0, 1.0)
    beta = np.radians([[10.0, 30.0, 60.0]])
    rays = trace(np.array([[1.0]]), beta, mirror)
    distance = 2 * reflection_distance(beta, 299.0)
    radius = EARTH_RADIUS_KM + 299.0
    slant = radius * sine_at_height(beta, 299.0) - EARTH_RADIUS_KM * np.sin(beta)
    np.testing.assert_allclose(rays.ground_range, distance, atol=0.1)
    np.testing.assert_allclose(rays.group_path, 2 * slant, atol=0.1)


def quasi_parabola_profile(layer: QuasiParabola) -> Profile:
    """Return the profile of a quasi-parabola, for checking one ray model against the other."""
    height = np.linspace(layer.peak_height - layer.semi_thickness, layer.peak_height, NODES)
    radius = EARTH_RADIUS_KM + height
    base = radius[0]
    below = (radius - radius[-1]) * base / (layer.semi_thickness * radius)
    return Profile(height, layer.critical_frequency**2 * np.maximum(1 - below**2, 0.0), 0.0)


@pytest.mark.parametrize("layer", [F2, ES])
def test_the_integrated_rays_agree_with_the_closed_form(layer: QuasiParabola) -> None:
    mhz = np.array([8.0, 10, 14, 18, 22, 26])[:, None]
    beta = elevations(230)[None]
    closed = trace(mhz, beta, layer)
    summed, low = trace_profile(mhz, beta, quasi_parabola_profile(layer))
    assert not low.any()
    np.testing.assert_allclose(
        minimum_group_path(summed.group_path), minimum_group_path(closed.group_path), atol=1
    )
    apart = np.abs(summed.ground_range - closed.ground_range)
    assert np.nanmedian(apart) < 0.5
    # Right at the peak's frequency the one may return and the other not.
    both = np.isfinite(summed.group_path) & np.isfinite(closed.group_path)
    assert both.sum() > 0.99 * np.isfinite(closed.group_path).sum()


def test_the_layers_below_delay_what_the_f_layer_returns() -> None:
    mhz, beta = np.array([[12.0]]), elevations(230)[None]
    night, _ = trace_profile(mhz, beta, layered_profile(0.5, 0.0, 8.0, 290.0, 45.0))
    day, low = trace_profile(mhz, beta, layered_profile(3.4, 4.8, 8.0, 290.0, 45.0))
    f_night = minimum_group_path(night.group_path)[0]
    f_day = minimum_group_path(np.where(low, np.nan, day.group_path))[0]
    e_day = minimum_group_path(np.where(low, day.group_path, np.nan))[0]
    assert 10 < f_day - f_night < 150
    assert e_day < f_day
