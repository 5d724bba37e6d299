import numpy as np
import pytest

from odm.core.errors import InputError
from odm.findings.edges import EdgeSettings, LayerEdge, matrix_edges
from odm.findings.layers import Layer
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

ALL = [(m, i) for m in ("path", "feng") for i in ("raw", "boxes", "segments")]
HALF = GATE_KM / 2


def one_edge(
    values: np.ndarray,
    power: np.ndarray,
    name: str = "F",
    method: str = "path",
    isolate: str = "boxes",
) -> LayerEdge:
    segments = np.where(power > 2, 1 if name == "Es" else 2, 0).astype(np.uint8)
    (found,) = matrix_edges(
        values,
        FREQUENCY,
        RANGES,
        [layer_of(name, power)],
        EdgeSettings(method, isolate),
        segments=segments,
    )
    return found


@pytest.mark.parametrize("isolate", ["raw", "boxes", "segments"])
@pytest.mark.parametrize("pulse", [8.0, 15.0, 25.0])
def test_without_noise_to_half_a_gate(isolate: str, pulse: float) -> None:
    truth = curve()
    power = echo(truth, pulse_km=pulse)
    found = one_edge(snr(power), power, isolate=isolate)
    assert found.frequency.size >= 0.97 * FREQUENCY.size
    assert np.abs(errors(found, truth)).max() <= HALF
    assert np.all(found.sigma > 0) and np.all((found.confidence > 0.5) & (found.confidence <= 1))


@pytest.mark.parametrize(("method", "isolate"), ALL)
def test_speckle_of_two_looks(method: str, isolate: str) -> None:
    truth = curve()
    power = echo(truth)
    found = one_edge(snr(power, looks=2), power, method=method, isolate=isolate)
    error = errors(found, truth)
    allowed = 1 if method == "path" else 6  # a threshold's edge lies before the pulse's peak
    assert np.median(np.abs(error)) <= allowed * GATE_KM
    assert found.frequency.size >= 0.9 * FREQUENCY.size
    if method == "path":
        assert (np.abs(error) <= 4 * GATE_KM).mean() > 0.95
        assert (np.abs(error) <= 3 * found.sigma).mean() > 0.8


def test_soft_edge_of_sporadic_e() -> None:
    truth = curve(base=300, slope=30, bend=1)
    power = echo(truth, power=1.0, level_db=28)
    found = one_edge(snr(power), power, "Es", isolate="segments")
    # How softly it begins is not known: that is worth a few gates, and sigma says so.
    error = np.abs(errors(found, truth))
    assert np.median(error) <= 3 * GATE_KM
    assert (error <= 2.5 * found.sigma).mean() > 0.9


def test_a_gap_stays_one() -> None:
    truth = curve()
    power = echo(truth)
    values = snr(power, looks=4)
    values[40:48] = np.nan
    found = one_edge(values, power)
    assert "gaps" in found.flags
    assert not np.isin(FREQUENCY[40:48], found.frequency).any()
    assert np.isin(FREQUENCY[[38, 39, 48, 49]], found.frequency).all()
    assert np.abs(errors(found, truth)).max() <= 2 * GATE_KM


def test_a_ripple_is_followed() -> None:
    truth = curve(bend=0) + 25 * np.sin(2 * np.pi * FREQUENCY / 2.5e6)
    assert (np.diff(truth) < -1).any()
    power = echo(truth)
    found = one_edge(snr(power), power)
    assert np.abs(errors(found, truth)).max() <= GATE_KM


def test_a_steep_end_is_followed() -> None:
    x = FREQUENCY / 1e6 - 6
    truth = 500 + 30 * x + 1000 * np.exp((x - 14) / 1.2)
    assert np.diff(truth).max() / 0.1 > 600  # km per MHz
    power = echo(truth)
    found = one_edge(snr(power, looks=4), power)
    assert (np.abs(errors(found, truth)) <= 4 * GATE_KM).mean() > 0.97
    assert found.frequency_max == FREQUENCY[-1]


def test_crossing_layers() -> None:
    es, f = curve(base=350, slope=60, bend=0), curve(base=700, slope=20, bend=0)
    es_power, f_power = (
        echo(es, level_db=20, power=0.25, length_km=60),
        echo(f, level_db=30, length_km=120),
    )
    values = snr(es_power + f_power, looks=4)
    segments = np.zeros(values.shape, np.uint8)
    segments[es_power > 2] = 1
    segments[(f_power > 2) & (f_power > es_power)] = 2
    layers = [layer_of("Es", es_power), layer_of("F", f_power)]
    found = matrix_edges(
        values, FREQUENCY, RANGES, layers, EdgeSettings("path", "segments"), segments=segments
    )
    assert [one.layer for one in found] == ["Es", "F"]
    for one, truth, before in zip(found, (es, f), (True, False), strict=True):
        # Up to the crossing sporadic E comes first, behind it F.
        clear = (one.frequency < 13e6) if before else np.ones(one.frequency.size, bool)
        error = np.abs(errors(one, truth))[clear]
        assert clear.sum() >= 60
        assert np.median(error) <= 2 * GATE_KM
        assert (error <= 4 * GATE_KM).mean() > 0.9


def test_boxes_of_others_cut_an_edge() -> None:
    truth = curve()
    power = echo(truth)
    other = Layer("Es", 0.9, FREQUENCY[0], FREQUENCY[50], 0.0, 1100.0)
    found = matrix_edges(
        snr(power), FREQUENCY, RANGES, [layer_of("F", power), other], EdgeSettings("path", "boxes")
    )[0]
    gone = truth < 1100 - 40
    assert not np.isin(FREQUENCY[gone & (FREQUENCY[50] > FREQUENCY)], found.frequency).any()
    assert np.isin(FREQUENCY[60:], found.frequency).all()


def test_interference_on_the_edge() -> None:
    truth = curve()
    power = echo(truth)
    clean = one_edge(snr(power), power)
    values = snr(power)
    # 40 dB over three whole columns hide the echo; the neighbours must not notice.
    noise = np.full((3, RANGES.size), 40.0) + np.random.default_rng(2).normal(0, 1, (3, 1))
    values[70:73] = noise
    found = one_edge(values, power)
    assert not np.isin(FREQUENCY[70:73], found.frequency).any()
    kept = np.isin(clean.frequency, found.frequency)
    assert kept.sum() == clean.frequency.size - 3
    assert np.abs(found.group_range - clean.group_range[kept]).max() <= GATE_KM
    # A burst over a part of one column, before the edge, does no harm either.
    values = snr(power)
    values[70, :80] = 25
    burst = one_edge(values, power)
    assert np.abs(errors(burst, truth)).max() <= GATE_KM


@pytest.mark.parametrize(("method", "isolate"), ALL)
def test_no_layer(method: str, isolate: str) -> None:
    values = snr(np.zeros((FREQUENCY.size, RANGES.size)), looks=2)
    segments = np.zeros(values.shape, np.uint8)
    settings = EdgeSettings(method, isolate)
    (found,) = matrix_edges(values, FREQUENCY, RANGES, [], settings, segments=segments)
    assert not found and found.flags == ("no layer",)
    assert found.frequency_max is None and found.minimum_group_range is None
    box = Layer("F", 0.9, 8e6, 18e6, 500.0, 2000.0)
    (found,) = matrix_edges(values, FREQUENCY, RANGES, [box], settings, segments=segments)
    assert not found and found.flags


@pytest.mark.parametrize("method", ["path", "feng"])
def test_one_pixel(method: str) -> None:
    values = snr(np.zeros((FREQUENCY.size, RANGES.size)), looks=4)
    values[50, 200] = 30
    segments = np.zeros(values.shape, np.uint8)
    segments[50, 200] = 2
    pixel = Layer("F", 0.9, FREQUENCY[50], FREQUENCY[50], RANGES[200], RANGES[200])
    for isolate, box in (("boxes", pixel), ("segments", pixel), ("raw", pixel)):
        settings = EdgeSettings(method, isolate)
        (found,) = matrix_edges(values, FREQUENCY, RANGES, [box], settings, segments=segments)
        assert not found and found.flags


def test_an_edge_outside_the_window() -> None:
    power = echo(np.full(FREQUENCY.size, RANGES[-1] + 200))
    box = Layer("F", 0.9, 8e6, 18e6, RANGES[-1] + 100, RANGES[-1] + 900)
    (found,) = matrix_edges(snr(power), FREQUENCY, RANGES, [box], EdgeSettings("path", "boxes"))
    assert not found and found.flags == ("outside window",)
    # One that leaves the window is found up to where it does.
    truth = curve(base=1800, slope=60, bend=0)
    power = echo(truth)
    found = one_edge(snr(power, looks=4), power)
    assert 0.7 < found.frequency.size / (truth < RANGES[-1]).sum() <= 1.0
    assert found.group_range.max() < RANGES[-1]


@pytest.mark.parametrize(("method", "isolate"), ALL)
def test_all_interference(method: str, isolate: str) -> None:
    rng = np.random.default_rng(5)
    power = echo(curve())
    values = (40 + 10 * rng.random((FREQUENCY.size, 1)) + rng.normal(0, 0.5, power.shape)).astype(
        np.float32
    )
    found = one_edge(values, power, method=method, isolate=isolate)
    assert not found and found.flags


def test_all_missing() -> None:
    power = echo(curve())
    found = one_edge(np.full(power.shape, np.nan, np.float32), power)
    assert not found and found.flags == ("not measured",)


def test_the_side_of_another_box_of_the_class_is_no_edge() -> None:
    """Two sporadic E layers, boxes that overlap: the farther begins within the nearer one's box,
    and what it has behind that box must not pass for its beginning."""
    near, far, later = (np.full(FREQUENCY.size, km) for km in (400.0, 700.0, 1020.0))
    near = near + 20 * (FREQUENCY / 1e6 - 6)
    there = (FREQUENCY >= 11e6)[:, None]
    power = echo(near, length_km=400.0)
    power = power + np.where(there, echo(far, length_km=500.0) + echo(later, level_db=32.0), 0)
    boxes = [
        Layer("Es", 0.9, FREQUENCY[0], FREQUENCY[-1], 390.0, 1000.0),
        Layer("Es", 0.9, 11e6, FREQUENCY[-1], 690.0, 1500.0),
    ]
    _, found = matrix_edges(
        snr(power, looks=4), FREQUENCY, RANGES, boxes, EdgeSettings("path", "segments"),
        segments=np.where(power > 2, 1, 0).astype(np.uint8),
    )  # fmt: skip
    assert not found or np.abs(found.group_range - 700).max() < 60


def test_what_an_edge_says_of_itself() -> None:
    (found,) = matrix_edges(snr(echo(curve())), FREQUENCY, RANGES, [layer_of("F", echo(curve()))])
    assert np.abs(errors(found, curve())).max() <= HALF
    assert found.frequency_max == FREQUENCY[-1]
    assert found.minimum_group_range == pytest.approx(600, abs=HALF)


def test_wrong_use() -> None:
    layers = [layer_of("F", echo(curve()))]
    values = snr(echo(curve()))
    with pytest.raises(InputError, match="edge 'best' is none of path, feng"):
        EdgeSettings("best")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="layers 'polygons' is none of raw, boxes, segments"):
        EdgeSettings("path", "polygons")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="need segments of"):
        matrix_edges(values, FREQUENCY, RANGES, layers, EdgeSettings("path", "segments"))
    with pytest.raises(InputError, match="a layer 'G' is none of Es, F"):
        matrix_edges(values, FREQUENCY, RANGES, [Layer("G", 1.0, 6e6, 9e6, 1.0, 2.0)])
    with pytest.raises(InputError, match="even steps"):
        matrix_edges(values, FREQUENCY, RANGES**1.1, layers)


def test_a_later_echo_at_lower_frequencies_is_no_part_of_the_edge() -> None:
    """As behind the box of a layer in front, where the second hop is the first that is left."""
    edge = curve()
    early = np.arange(FREQUENCY.size) < 25
    power = echo(np.where(early, edge + 500, edge))
    power[25:29] = 0
    (found,) = matrix_edges(snr(power, 8), FREQUENCY, RANGES, [layer_of("F", power)])
    assert "pieces left out" in found.flags
    assert found.frequency[0] > FREQUENCY[24]
    truth = np.interp(found.frequency, FREQUENCY, edge)
    assert np.median(np.abs(found.group_range - truth)) < 5


def two_traces(
    ratio_db: float, split_mhz: float = 0.4, level_db: float = 28.0, bend: float = 4.0
) -> tuple[np.ndarray, np.ndarray]:
    """The edge of the ordinary trace, and the power of both: the other one a little higher."""
    edge = curve(slope=60, bend=bend)
    ahead = np.interp(FREQUENCY - split_mhz * 1e6, FREQUENCY, edge, left=np.nan)
    ahead[np.isnan(ahead)] = edge[0] - 60 * split_mhz
    return edge, echo(edge, level_db=level_db) + echo(ahead, level_db=level_db + ratio_db)


@pytest.mark.parametrize(("ratio_db", "ahead"), [(-7.0, True), (-8.5, True), (-13.0, False)])
def test_the_first_of_two_traces_unless_it_is_faint(ratio_db: float, ahead: bool) -> None:
    edge, power = two_traces(ratio_db)
    found = one_edge(snr(power, looks=3), power)
    first = np.interp(FREQUENCY - 0.4e6, FREQUENCY, edge)
    error = np.abs(errors(found, first if ahead else edge))[found.frequency > 7e6]
    assert np.median(error) <= GATE_KM
    assert (error <= 4 * GATE_KM).mean() > 0.95


@pytest.mark.parametrize("ratio_db", [-16.0, -20.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_faint_trace_far_ahead_is_not_followed(ratio_db: float, seed: int) -> None:
    """Strong traces: also the faint one is well above the noise, and 140 km ahead at the end."""
    edge, power = two_traces(ratio_db, 0.7, level_db=40, bend=5)
    found = one_edge(snr(power, looks=3, seed=seed), power)
    error = np.abs(errors(found, edge))
    assert found.frequency.size >= 0.9 * FREQUENCY.size
    assert np.median(error) <= GATE_KM
    assert (error <= 4 * GATE_KM).mean() > 0.95


def test_a_soft_beginning_of_an_f_layer() -> None:
    """Close to overhead the antenna lets the power grow over many gates."""
    truth = curve(slope=30, bend=1)
    power = echo(truth, power=1.0, level_db=28)
    error = np.abs(errors(one_edge(snr(power, looks=4), power), truth))
    assert np.median(error) <= 3 * GATE_KM  # a caustic's shape alone would be ten off


def test_axes_that_fall_and_values_that_are_not_finite() -> None:
    truth = curve()
    power = echo(truth)
    values = snr(power, looks=4)
    layers = [layer_of("F", power)]
    segments = np.where(power > 2, 2, 0).astype(np.uint8)
    settings = EdgeSettings("path", "segments")
    (usual,) = matrix_edges(values, FREQUENCY, RANGES, layers, settings, segments=segments)
    for way in ((slice(None, None, -1), slice(None)), (slice(None), slice(None, None, -1))):
        (found,) = matrix_edges(
            values[way], FREQUENCY[way[0]], RANGES[way[1]], layers, settings, segments=segments[way]
        )
        assert np.array_equal(found.frequency, usual.frequency)
        assert np.allclose(found.group_range, usual.group_range)
    values[50:53] = -np.inf
    values[60] = np.inf
    (found,) = matrix_edges(values, FREQUENCY, RANGES, layers, settings, segments=segments)
    assert not np.isin(FREQUENCY[[50, 51, 52, 60]], found.frequency).any()
    assert np.median(np.abs(errors(found, truth))) <= GATE_KM


def test_few_or_uneven_frequencies() -> None:
    truth = curve()
    power = echo(truth)
    values, layers = snr(power, looks=4), [layer_of("F", power)]
    for method, isolate in ALL:
        settings = EdgeSettings(method, isolate)
        segments = np.where(power > 2, 2, 0).astype(np.uint8)
        for few in (1, 2, 5):
            (found,) = matrix_edges(
                values[:few], FREQUENCY[:few], RANGES, layers, settings, segments=segments[:few]
            )
            assert not found and found.flags
    some = np.unique(np.geomspace(1, FREQUENCY.size, 90).astype(int)) - 1  # closer at the low end
    (found,) = matrix_edges(values[some], FREQUENCY[some], RANGES, layers)
    assert found.frequency.size > 0.8 * some.size
    assert np.median(np.abs(errors(found, truth))) <= GATE_KM
    with pytest.raises(InputError, match="frequencies that rise"):
        matrix_edges(values, np.roll(FREQUENCY, 1), RANGES, layers)
    with pytest.raises(InputError, match="does not fit axes"):
        matrix_edges(values.T, FREQUENCY, RANGES, layers)


@pytest.mark.parametrize("name", ["Es", "F"])
@pytest.mark.parametrize("looks", [1, 4])
def test_noise_alone_gives_no_edge(name: str, looks: int) -> None:
    """A detector or a segmenter may err: nothing but speckle is there."""
    for seed in range(6):
        values = snr(np.zeros((FREQUENCY.size, RANGES.size)), looks=looks, seed=seed)
        box = Layer(name, 0.9, 8e6, 18e6, 500.0, 2000.0)
        segments = np.where(np.abs(RANGES - 900) < 150, 1 if name == "Es" else 2, 0)
        segments = np.repeat(segments[None], FREQUENCY.size, axis=0).astype(np.uint8)
        for isolate in ("raw", "boxes", "segments"):
            settings = EdgeSettings("path", isolate)
            (found,) = matrix_edges(values, FREQUENCY, RANGES, [box], settings, segments=segments)
            assert not found and found.flags
