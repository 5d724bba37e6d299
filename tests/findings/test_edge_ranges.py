"""Edges on ranges that are rounded, fine and coarse."""

import numpy as np
import pytest

from odm.core.errors import InputError
from odm.findings.edges import EdgeSettings, matrix_edges
from tests.findings.edge_cases import (
    FREQUENCY,
    GATE_KM,
    RANGES,
    curve,
    echo,
    errors,
    layer_of,
    snr,
)

HALF = GATE_KM / 2


def test_ranges_that_were_rounded_in_a_file() -> None:
    """Steps of 5.04 km, the first of 5: a step's error must not grow along the ranges."""
    truth = curve()
    ranges = np.concatenate([[0.0], 5.0 + 5.04 * np.arange(RANGES.size - 1)])
    power = np.stack([np.interp(ranges, RANGES, row) for row in echo(truth)])
    (found,) = matrix_edges(
        snr(power), FREQUENCY, ranges, [layer_of("F", echo(truth))], EdgeSettings("path", "boxes")
    )
    assert np.abs(errors(found, truth)).max() <= HALF


@pytest.mark.parametrize("gate_km", [0.5, 1.0, 2.0])
def test_fine_gates_are_averaged(gate_km: float) -> None:
    truth = curve()
    ranges = np.arange(0, RANGES[-1], gate_km)
    power = np.stack([np.interp(ranges, RANGES, row) for row in echo(truth)])
    for way in ("boxes", "segments"):
        (found,) = matrix_edges(
            snr(power), FREQUENCY, ranges, [layer_of("F", echo(truth))], EdgeSettings("path", way),
            segments=np.where(power > 2, 2, 0).astype(np.uint8),
        )  # fmt: skip
        assert found.frequency.size >= 0.95 * FREQUENCY.size
        assert np.median(np.abs(errors(found, truth))) <= HALF


def test_gates_too_coarse_to_see_a_rise_in() -> None:
    ranges = np.arange(0, 5000, 30.0)
    values = np.zeros((FREQUENCY.size, ranges.size), np.float32)
    with pytest.raises(InputError, match="at most 25 km"):
        matrix_edges(values, FREQUENCY, ranges, [layer_of("F", echo(curve()))])
