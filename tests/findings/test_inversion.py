import numpy as np
import pytest

from odm.findings import inversion
from odm.findings.edges import LayerEdge
from odm.findings.inversion import CHANGES, invert, least_path, least_rays
from odm.physics.raytrace import (
    QuasiParabola,
    Rays,
    elevations,
    minimum_group_path,
    trace,
)


def edge_of(
    layer: str, values: tuple[float, ...], low: float, high: float, noise_km: float = 0.0
) -> LayerEdge:
    mhz = np.arange(low, high, 0.1)
    path = least_path(mhz, np.array(values))
    there = np.isfinite(path)
    path = path + np.random.default_rng(3).normal(0, noise_km, path.size)
    sigma = np.full(there.sum(), max(noise_km, 2.0))
    return LayerEdge(layer, mhz[there] * 1e6, path[there], sigma, np.ones(there.sum()))


def test_check_values_of_the_formula() -> None:
    # F2 with f_c = 8 MHz, h_m = 300 km, y_m = 100 km, after Croft and Hoogasian (1968).
    found = least_path(np.array([8.0, 10, 14, 18, 22, 26]), np.array([8.0, 300.0, 100.0]))
    assert found == pytest.approx([724, 919, 1345, 1853, 2532, 3787], abs=4)


@pytest.mark.parametrize(
    ("layer", "values"), [("F", (8.0, 300.0, 100.0)), ("Es", (6.0, 110.0, 5.0))]
)
def test_an_edge_gives_its_layer_back(layer: str, values: tuple[float, ...]) -> None:
    edge = edge_of(layer, values, 7, 24)
    found = invert(edge)
    assert found and found.reason == ""
    assert found.critical_frequency / 1e6 == pytest.approx(values[0], rel=0.02)
    assert found.peak_height == pytest.approx(values[1], abs=5)
    assert found.misfit < 2
    assert np.all(found.sigmas > 0)
    rays = trace(10.0, elevations(2000), QuasiParabola(*values))
    landed = rays.ground_range[int(np.nanargmin(rays.group_path))]
    at = int(np.abs(edge.frequency - 10e6).argmin())
    assert found.ground_range[at] == pytest.approx(landed, abs=10)
    assert np.all(found.ground_range < edge.group_range)
    assert np.all(found.ground_range_sigma > 0)


def test_a_noisy_edge_stays_within_its_errors() -> None:
    quiet = invert(edge_of("F", (8.0, 300.0, 100.0), 7, 24))
    noisy = invert(edge_of("F", (8.0, 300.0, 100.0), 7, 24, noise_km=12.0))
    # Its parameters' errors are mostly what changes of the layer with distance leave open.
    assert noisy.misfit > 5 * quiet.misfit
    assert noisy.ground_range_sigma.min() > 12.0
    assert abs(noisy.critical_frequency - 8e6) < 4 * noisy.sigmas[0]


def test_what_an_edge_does_not_determine() -> None:
    nothing = invert(LayerEdge("F", *(np.empty(0),) * 4))
    assert not nothing and nothing.reason == "there is no edge"
    assert np.isnan(nothing.critical_frequency)
    short = invert(edge_of("F", (8.0, 300.0, 100.0), 10, 11))
    assert not short and "too few" in short.reason
    # A straight piece high up tells neither height nor critical frequency apart.
    mhz = np.arange(14, 16, 0.1)
    vague = LayerEdge("F", mhz * 1e6, 1300 + 0 * mhz, np.full(mhz.size, 60.0), np.ones(mhz.size))
    found = invert(vague)
    assert not found and ("open" in found.reason or "nearer" in found.reason)
    assert np.isnan(found.ground_range).all()


F, ES, THIN_F = ("F", (8.0, 300.0, 100.0)), ("Es", (6.0, 110.0, 5.0)), ("F", (3.0, 220.0, 35.0))


@pytest.mark.parametrize(("layer", "values"), [F, ES, THIN_F])
@pytest.mark.parametrize("ways", [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1)])
def test_derivatives_are_those_of_the_least_path(
    monkeypatch: pytest.MonkeyPatch, layer: str, values: tuple[float, ...], ways: tuple[int, int]
) -> None:
    """To 3 %, and 10 % at the highest frequency of all, where kilometres go by the thousand a MHz:
    against central differences over so many rays that none lies between them."""
    here = np.array(values)
    one, two = CHANGES[layer]
    changes = (ways[0] * one, ways[1] * two)
    mhz = np.linspace(0.8 * here[0], 7 * here[0], 400)
    highest = int(np.flatnonzero(np.isfinite(least_path(mhz, here, changes)))[-1])
    around = int(np.abs(mhz - here[0]).argmin())  # the critical frequency
    chosen = np.unique([*range(0, 400, 20), *range(around - 2, around + 3), highest - 3, highest])
    mhz = mhz[chosen]
    path, slopes = least_path(mhz, here, changes), inversion._slopes(mhz, here, changes)
    gone = chosen > highest
    assert gone.any() and np.array_equal(np.isnan(path), gone)
    assert np.array_equal(np.isnan(slopes), np.repeat(gone[:, None], 3, axis=1))
    monkeypatch.setattr(inversion, "LEAST_RAYS", 3000)
    assert np.nanmax(np.abs(path - least_path(mhz, here, changes))) < 0.2
    for number, step in enumerate(np.diag(1e-4 * here)):
        beside = [least_path(mhz, here + side * step, changes) for side in (1, -1)]
        central = (beside[0] - beside[1]) / (2 * step[number])
        # At the highest one the lower of the two may let it through.
        known = np.isfinite(central)
        assert (known | gone)[:-1].all() and known.sum() >= (~gone).sum() - 1
        least = (5.0, 0.05, 0.05)[number]  # km per MHz, and per km
        off = np.abs(slopes[known, number] - central[known])
        share = np.where(chosen[known] == highest, 0.1, 0.03)
        assert (off <= share * np.abs(central[known]) + least).all()


@pytest.mark.parametrize("changes", [(0.07, 0.0), (-0.07, 0.0), (0.0, 12.0), (0.05, -10.0)])
def test_a_layer_that_changes_with_distance_lies_within_the_errors(
    changes: tuple[float, float],
) -> None:
    """One edge does not tell such changes: what they move the result by has to be in its errors."""
    mhz, values = np.arange(8, 22, 0.1), np.array([8.0, 300.0, 100.0])
    rays = least_rays(mhz, values, changes)
    path = rays.group_path
    there = np.isfinite(path) & (path < 3500)
    sigma = np.full(there.sum(), 4.0)
    found = invert(LayerEdge("F", mhz[there] * 1e6, path[there], sigma, np.ones(there.sum())))
    assert found
    assert abs(found.critical_frequency / 1e6 - 8.0) > 0.1
    assert abs(found.critical_frequency - 8e6) < 2 * found.sigmas[0]
    assert abs(found.peak_height - 300) < 2 * found.sigmas[1]
    off = np.abs(found.ground_range - rays.ground_range[there])
    assert (off < 2 * found.ground_range_sigma).mean() > 0.8


def ground_of_least(rays: Rays) -> np.ndarray:
    """Return the ground range (F,) in km of the ray of least group path.

    The rays (F, E) are in order of elevation. Around its least the path hardly depends on the
    elevation, and the ground range does: the least is taken between the grid's rays.
    """
    path = np.where(np.isnan(rays.group_path), np.inf, rays.group_path)
    best = np.clip(path.argmin(axis=1), 1, path.shape[1] - 2)
    rows = np.arange(path.shape[0])
    before, here, after = (path[rows, best + step] for step in (-1, 0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        bend = before + after - 2 * here
        usable = np.isfinite(bend) & (bend > 0)
        step = np.where(usable, np.clip(0.5 * (before - after) / bend, -1, 1), 0.0)
    towards = np.where(step < 0, best - 1, best + 1)
    ground = rays.ground_range[rows, best]
    beside = rays.ground_range[rows, towards]
    return np.asarray(np.where(usable, ground + np.abs(step) * (beside - ground), ground))


@pytest.mark.parametrize(
    "values", [(8.0, 300.0, 100.0), (6.0, 110.0, 5.0), (9.0, 105.0, 2.0), (12.0, 350.0, 60.0)]
)
def test_least_rays_are_those_of_a_grid_without_end(values: tuple[float, ...]) -> None:
    mhz = np.arange(6.0, 30.0, 0.5)
    found = least_rays(mhz, np.array(values))
    fine = trace(mhz[:, None], elevations(12000)[None], QuasiParabola(*values))
    there = np.isfinite(found.group_path)
    # The highest frequency may have a ray between those of one grid and none in the other.
    assert abs(int(there.sum()) - int(np.isfinite(minimum_group_path(fine.group_path)).sum())) <= 1
    both = there & np.isfinite(minimum_group_path(fine.group_path))
    path, ground = minimum_group_path(fine.group_path), ground_of_least(fine)
    assert np.abs(found.group_path - path)[both].max() < 0.1
    inner = both & (mhz < mhz[both][-1])
    assert np.abs(found.ground_range - ground)[inner].max() < 1.0
