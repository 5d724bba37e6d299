"""An edge that another layer lies upon: what is seen of it is kept, what is not is left out."""

import numpy as np
import pytest

from odm.findings.edges import EdgeSettings, matrix_edges
from odm.findings.edges.edge import unseen
from odm.findings.edges.shapes import Columns
from odm.findings.layers import Layer
from tests.findings.edge_cases import FREQUENCY, GATE_KM, RANGES, curve, echo, layer_of, snr

GATE = 5.0
MHZ = np.arange(6.0, 16.0, 0.1)
PLACE = np.full(MHZ.size, 60.0)


def level(seen: np.ndarray, height: float = 6.0) -> np.ndarray:
    """(N, 120) clutter of 12 dB, upon which the edge at gate 60 rises where it is ``seen``."""
    rng = np.random.default_rng(4)
    values = 12 + rng.normal(0, 1.5, (MHZ.size, 120))
    values[seen, 60:] += height
    return values.astype(np.float32)


def hidden(values: np.ndarray, covered: np.ndarray, mhz: np.ndarray = MHZ) -> np.ndarray:
    return unseen(Columns.of(values, mhz, GATE), PLACE[: mhz.size], covered)


def test_goes_on_from_the_open_while_a_rise_is_seen() -> None:
    covered = MHZ < 12  # open above
    found = hidden(level(MHZ > 9), covered)
    assert not found[MHZ > 9.2].any()
    assert found[MHZ < 8.8].all()


def test_open_on_both_sides() -> None:
    covered = (MHZ > 8) & (MHZ < 14)
    found = hidden(level((MHZ < 9) | (MHZ > 12)), covered)
    assert not found[(MHZ < 8.8) | (MHZ > 12.2)].any()
    assert found[(MHZ > 9.2) & (MHZ < 11.8)].all()


def test_an_island_that_nothing_leads_to_is_left_out() -> None:
    covered = MHZ < 12
    seen = (MHZ > 10) | (MHZ < 8)
    assert hidden(level(seen), covered)[MHZ < 9.7].all()


def test_without_an_open_end_there_is_none() -> None:
    assert hidden(level(MHZ > 0), np.ones(MHZ.size, bool)).all()


@pytest.mark.parametrize(("gap", "kept"), [(0.5, True), (1.5, False)])
def test_gaps(gap: float, kept: bool) -> None:
    there = (MHZ > 11) | (11 - gap + 0.05 > MHZ)
    mhz = MHZ[there]
    found = hidden(level(MHZ > 0)[there], mhz < 12, mhz)
    assert not found[mhz > 11].any()
    assert (~found[mhz < 10]).all() == kept and found[mhz < 9].all() != kept


def test_open_edges_stay_whatever_they_are() -> None:
    nothing = np.full((MHZ.size, 120), np.nan, np.float32)
    assert not hidden(nothing, np.zeros(MHZ.size, bool)).any()
    covered = MHZ < 12
    found = hidden(nothing, covered)
    np.testing.assert_array_equal(found, covered)


def test_a_hole_in_the_cover_is_no_open_stretch() -> None:
    covered = np.ones(MHZ.size, bool)
    covered[40:42] = False
    assert hidden(level(MHZ > 0), covered).all()


def test_steps_of_a_coarse_sounder() -> None:
    mhz = np.arange(6.0, 26.0, 1.0)
    values = level(MHZ > 0)[: mhz.size]
    assert not hidden(values, mhz < 14, mhz).any()


@pytest.mark.parametrize("seed", range(4))
def test_edge_hidden_by_a_stronger_layer_ends_where_it_is_lost(seed: int) -> None:
    """An F trace within a sporadic E of 38 dB, which ends at 13 MHz."""
    edge = curve()
    own = echo(edge)
    border = FREQUENCY[FREQUENCY.size // 2]
    lowest = float(edge.min()) - 150
    within = (lowest <= RANGES) & (lowest + 900 >= RANGES)
    other = np.where((border > FREQUENCY)[:, None] & within[None], 10**3.8, 0.0)
    segments = np.where(own > 2, 2, 0).astype(np.uint8)
    segments[other > 0] = 1
    layers = [layer_of("F", own), Layer("Es", 1.0, FREQUENCY[0], border, lowest, lowest + 900)]
    found, _ = matrix_edges(
        snr(own + other, looks=2, seed=seed), FREQUENCY, RANGES, layers,
        EdgeSettings("path", "segments"), segments=segments,
    )  # fmt: skip
    assert found.frequency.min() >= border - 0.4e6
    assert (found.frequency >= border).sum() >= 0.9 * np.sum(border <= FREQUENCY)
    truth = np.interp(found.frequency, FREQUENCY, edge)
    assert (np.abs(found.group_range - truth) <= 4 * GATE_KM).mean() > 0.95
