"""Two traces where columns are missing: what was not measured says nothing about their power."""

from __future__ import annotations

import numpy as np
import pytest

from odm.findings.edges import EdgeSettings, LayerEdge, matrix_edges
from odm.findings.edges.refine import Split, find_split, leave_faint
from odm.findings.edges.settings import TUNED
from odm.findings.edges.shapes import Columns, one_rise_bank, two_rise_bank
from tests.findings.edge_cases import FREQUENCY, GATE_KM, RANGES, curve, echo, layer_of, snr

MHZ = FREQUENCY / 1e6
SPLIT_MHZ = 0.4
EDGE = curve(slope=60, bend=4)
COLUMNS = FREQUENCY.size
MISSING = {
    "lower third": np.arange(COLUMNS // 3),
    "upper third": np.arange(COLUMNS - COLUMNS // 3, COLUMNS),
    "gaps": np.concatenate([np.arange(at, at + 16) for at in (20, 55, 90)]),
}


def first_of(edge: np.ndarray) -> np.ndarray:
    """The other trace: the same a little higher."""
    ahead = np.interp(MHZ - SPLIT_MHZ, MHZ, edge)
    low = MHZ[0] > MHZ - SPLIT_MHZ
    slope = (edge[1] - edge[0]) / (MHZ[1] - MHZ[0])
    return np.where(low, edge[0] + slope * (MHZ - SPLIT_MHZ - MHZ[0]), ahead)


def power_of(ratio_db: float) -> np.ndarray:
    return echo(EDGE, level_db=28) + echo(first_of(EDGE), level_db=28 + ratio_db)


def split_of(level: np.ndarray) -> Split | None:
    return find_split(Columns.of(level, MHZ, GATE_KM), EDGE / GATE_KM)


@pytest.mark.parametrize("where", MISSING)
def test_missing_columns_do_not_change_what_is_found(where: str) -> None:
    whole = snr(power_of(-7))
    usual = split_of(whole)
    missing = whole.copy()
    missing[MISSING[where]] = np.nan
    found = split_of(missing)
    assert usual is not None and found is not None
    assert np.isfinite(found.line).all()
    assert usual.split_mhz == SPLIT_MHZ
    assert found.split_mhz == pytest.approx(SPLIT_MHZ, abs=0.051)
    assert found.ratio_db == pytest.approx(usual.ratio_db, abs=0.5)
    seen = np.setdiff1d(np.arange(COLUMNS), MISSING[where])
    assert np.median(np.abs(found.line - first_of(EDGE) / GATE_KM)[seen]) < 1.5


@pytest.mark.parametrize("where", MISSING)
def test_a_faint_trace_stays_faint_where_columns_are_missing(where: str) -> None:
    missing = snr(power_of(-12))
    missing[MISSING[where]] = np.nan
    found = split_of(missing)
    assert found is None or (np.isinf(found.apart_km).all() and found.ratio_db < TUNED.faint_db)
    if found is not None:
        seen = np.setdiff1d(np.arange(COLUMNS), MISSING[where])
        assert np.median(np.abs(found.line - EDGE / GATE_KM)[seen]) < 2


@pytest.mark.parametrize("where", ["before", "behind"])
@pytest.mark.parametrize("columns", [slice(None), slice(30, 60)])
def test_missing_ranges_do_not_change_what_is_found(where: str, columns: slice) -> None:
    """As where another layer was cut out, close to the traces."""
    whole = snr(power_of(-7))
    usual = split_of(whole)
    away = RANGES[None] - EDGE[:, None]
    cut = away > 20 if where == "behind" else away < first_of(EDGE)[:, None] - EDGE[:, None] - 20
    cut[np.setdiff1d(np.arange(COLUMNS), np.arange(COLUMNS)[columns])] = False
    found = split_of(np.where(cut, np.float32(np.nan), whole))
    assert usual is not None and found is not None
    assert found.split_mhz == usual.split_mhz
    assert found.ratio_db == pytest.approx(usual.ratio_db, abs=1.0)
    assert np.median(np.abs(found.line - first_of(EDGE) / GATE_KM)) < 1.5


def test_so_few_frequencies_that_none_is_a_split_above_another() -> None:
    mhz = 8 + 0.02 * np.arange(30)
    edge = 700 + 60 * (mhz - 8)
    level = snr(echo(edge, level_db=28) + echo(edge - 60 * 0.7, level_db=22))
    found = find_split(Columns.of(level, mhz, GATE_KM), edge / GATE_KM)
    assert found is None or np.isfinite(found.line).all()


def test_nothing_at_all_was_measured() -> None:
    level = np.full((COLUMNS, RANGES.size), np.nan, np.float32)
    assert split_of(level) is None


@pytest.mark.parametrize(("ratio_db", "columns", "km", "left"), [
    (-15.0, 60, 100.0, True),
    (-15.0, 60, 35.0, False),  # the beginning of the same
    (-6.0, 60, 100.0, False),  # a layer of its own
    (-15.0, 8, 100.0, False),  # nothing but a bend
])  # fmt: skip
@pytest.mark.parametrize("gap", [False, True])
def test_a_path_along_something_faint(
    ratio_db: float, columns: int, km: float, left: bool, gap: bool
) -> None:
    """It is left for the main trace, if it is faint, far ahead and followed for long."""
    other = np.arange(COLUMNS) < columns
    beside = echo(EDGE - km, level_db=30 + ratio_db, length_km=30) * other[:, None]
    level = snr(echo(EDGE, level_db=30) + beside)
    if gap:
        level[30:50] = np.nan
    path = np.where(other, EDGE - km, EDGE) / GATE_KM
    found = leave_faint(Columns.of(level, MHZ, GATE_KM), path, EDGE / GATE_KM)
    assert (found is not None) == left
    if found is not None:
        assert np.isfinite(found.line).all() and np.isinf(found.apart_km).all()
        seen = other & np.isfinite(level).any(axis=1)
        assert np.median(np.abs(found.line - EDGE / GATE_KM)[seen]) < 2


CASES = {**MISSING, "between the traces": np.arange(60, 72)}


@pytest.mark.parametrize("isolate", ["raw", "boxes", "segments"])
@pytest.mark.parametrize("where", [*CASES, "interference"])
def test_edges_to_a_gate_with_columns_missing(where: str, isolate: str) -> None:
    power = power_of(-7)
    values = snr(power)
    gone = CASES.get(where, np.arange(60, 66))
    if where == "interference":  # over all ranges: the traces are not to be seen
        values[gone] = 40 + np.random.default_rng(2).normal(0, 1, (gone.size, 1))
    else:
        values[gone] = np.nan

    def found_in(matrix: np.ndarray) -> LayerEdge:
        (found,) = matrix_edges(
            matrix,
            FREQUENCY,
            RANGES,
            [layer_of("F", power)],
            EdgeSettings("path", isolate),  # type: ignore[arg-type]
            segments=np.where(power > 2, 2, 0).astype(np.uint8),
        )
        return found

    found, usual = found_in(values), found_in(snr(power))
    assert found and not np.isin(FREQUENCY[gone], found.frequency).any()
    assert found.frequency.size >= 0.95 * (COLUMNS - gone.size)
    for one in (found.group_range, found.sigma, found.confidence):
        assert np.isfinite(one).all()
    error = found.group_range - np.interp(found.frequency, FREQUENCY, first_of(EDGE))
    assert np.median(np.abs(error)) <= GATE_KM
    assert np.abs(error).max() <= 2 * GATE_KM
    same = found.group_range - np.interp(found.frequency, usual.frequency, usual.group_range)
    assert (np.abs(same) <= GATE_KM).mean() > 0.9


def test_a_contrast_halfway_between_two_shapes() -> None:
    """One rise takes the even multiple of 1.5 dB, two rises the lower contrast."""
    halfway = np.array([0.75, 2.25, 3.75, 5.25, 6.75, 12.75, 14.25, 99.0])
    one = one_rise_bank(GATE_KM, TUNED.onsets["F"].powers)
    assert one.contrast_class(halfway).tolist() == [0, 1, 1, 3, 3, 7, 8, 8]
    two = two_rise_bank(GATE_KM)
    assert two.contrast_class(np.array([0.0, 5.0, 7.0, 19.0, 99.0])).tolist() == [0, 0, 1, 7, 8]
