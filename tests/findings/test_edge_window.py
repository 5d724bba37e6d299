"""The end of what was measured, and ranges disturbed at every frequency: no edge is invented."""

import numpy as np
import pytest

from odm.findings.edges import EdgeSettings, LayerEdge, matrix_edges
from odm.findings.layers import Layer
from tests.findings.edge_cases import FREQUENCY, GATE_KM, RANGES, curve, echo, layer_of, snr

TRUTH = curve()


def found_in(values: np.ndarray, ranges: np.ndarray, method: str, way: str) -> LayerEdge:
    power = echo(TRUTH)[:, -ranges.size :]
    segments = np.where((power > 2) & np.isfinite(values), 2, 0).astype(np.uint8)
    (found,) = matrix_edges(
        values, FREQUENCY, ranges, [layer_of("F", echo(TRUTH))], EdgeSettings(method, way),
        segments=segments,
    )  # fmt: skip
    return found


@pytest.mark.parametrize("method", ["path", "feng"])
@pytest.mark.parametrize("way", ["raw", "boxes", "segments"])
@pytest.mark.parametrize("cut", [True, False])
def test_the_end_of_what_was_measured_is_no_edge(method: str, way: str, cut: bool) -> None:
    """Nothing nearer than 1000 km, as rows that are missing or that hold no values."""
    values = snr(echo(TRUTH), looks=4)
    near = RANGES < 1000
    values[:, near] = np.nan
    ranges = RANGES[~near] if cut else RANGES
    found = found_in(values[:, ~near] if cut else values, ranges, method, way)
    assert found and (found.group_range >= 1000).all()
    if method == "path":
        truth = np.interp(found.frequency, FREQUENCY, TRUTH)
        assert (np.abs(found.group_range - truth) <= 3 * GATE_KM).mean() > 0.95
        assert found.frequency.size >= 0.9 * (TRUTH > 1040).sum()
        assert {"outside window", "not measured"} & set(found.flags)


def test_values_missing_on_the_edge_itself() -> None:
    values = snr(echo(TRUTH))
    away = RANGES[None] - TRUTH[:, None]
    values[(away > -20) & (away < 30)] = np.nan
    found = found_in(values, RANGES, "path", "boxes")
    assert (
        not found
        or np.abs(found.group_range - np.interp(found.frequency, FREQUENCY, TRUTH)).max()
        <= 4 * GATE_KM
    )
    assert "not measured" in found.flags


@pytest.mark.parametrize("seed", range(3))
def test_ranges_disturbed_at_every_frequency(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = np.repeat(rng.uniform(0, 40, RANGES.size // 10), 10)
    values = rows[None] + rng.normal(0, 2, (FREQUENCY.size, RANGES.size))
    box = Layer("F", 0.9, FREQUENCY[0], FREQUENCY[-1], 400.0, 1500.0)
    (found,) = matrix_edges(
        values.astype(np.float32), FREQUENCY, RANGES, [box], EdgeSettings("path", "boxes")
    )
    assert not found and "interference" in found.flags


def test_a_disturbed_range_leaves_the_edge_beside_it() -> None:
    values = snr(echo(TRUTH), looks=4)
    values[:, 100:104] += 20  # 500 to 520 km, before the layer
    found = found_in(values, RANGES, "path", "boxes")
    assert np.median(np.abs(found.group_range - np.interp(found.frequency, FREQUENCY, TRUTH))) < 5
    assert found.frequency.size >= 0.8 * FREQUENCY.size


def test_the_top_of_an_edge_that_all_frequencies_have() -> None:
    """A short sweep: where its highest frequencies begin, all lower ones have an echo, too."""
    some = FREQUENCY <= 12e6
    power = echo(TRUTH, length_km=900.0)[some]
    box = Layer("F", 0.9, FREQUENCY[0], 12e6, 500.0, 2500.0)
    (found,) = matrix_edges(
        snr(power, looks=4), FREQUENCY[some], RANGES, [box], EdgeSettings("path", "boxes")
    )
    assert found.frequency.size >= 0.97 * some.sum() and "interference" not in found.flags
