"""Ground backscatter of the layers: rays to power over frequency and group range.

The power in a range gate is the sum over rays of the elevation interval that falls into it (time
focusing: a sharp lower edge, diffuse above), times the antenna's gain both ways, the ground's
backscatter, the spatial spreading and the absorption (Croft 1972, Reviews of Geophysics 10, 73).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from odm.physics.raytrace import (
    EARTH_RADIUS_KM,
    Floats,
    QuasiParabola,
    Rays,
    elevations,
    minimum_group_path,
    reflection_distance,
    sine_at_height,
    trace,
)
from odm.physics.raytrace_profile import layered_profile, trace_profile
from odm.simulate.ionogram.scene import ABSENT_DB, EsLayer, Scene, Sounder

STEP_MHZ = 0.1
FREQUENCY_MHZ = np.round(np.arange(60, 301) * STEP_MHZ, 1)
"""(241,) from 6 to 30 MHz."""

RANGE_END_KM = 5000.0
_MARGIN = 8
"""Columns below the lowest frequency that are traced, too: X traces lie to the right of O's."""

_ELEVATIONS = {"quasi-parabolic": 340, "layered": 230}
_SEEN_THROUGH = 0.01
"""A ray of which less than this is turned back, or let through, counts for no edge."""
_NEAR_EDGE_KM, _FAR_EDGE_KM = 60.0, 200.0
"""Distances over which a patch of sporadic E begins and ends."""


@dataclass
class LayerEcho:
    """The echo of one layer, noise-free, before the sounder's pulse.

    Attributes:
        layer: ``Es`` or ``F``.
        what: ``F``, ``E``, ``local Es`` or ``remote Es``.
        power: (F, G) first hop, per gate, in units of the noise.
        hop2: (F, G) second hop, and what appears nearer than it is; no part of the layer's truth.
        edge: (F,) minimum group path in km, NaN where there is none.
        o_edge: (F,) edge of the O mode alone, where the X mode comes first.
    """

    layer: str
    what: str
    power: Floats
    hop2: Floats
    edge: Floats
    o_edge: Floats = field(default_factory=lambda: np.empty(0))


class _Fan(NamedTuple):
    """Rays (F, E) with their weight per radian, and those that count for the edge.

    ``unscreened``: the weight were there no layer in front; None where there is none.
    """

    rays: Rays
    weight: Floats
    counted: NDArray[np.bool_]
    unscreened: Floats | None = None


def group_ranges(sounder: Sounder) -> NDArray[np.float64]:
    """Return the gate centres (G,) in km."""
    return np.arange(0.0, RANGE_END_KM + 1e-6, sounder.gate_km)


def layer_echoes(scene: Scene, rng: np.random.Generator) -> list[LayerEcho]:
    """All layers of a scene, those too weak to be seen included."""
    frequency, elevation = _rays_traced(scene)
    ground = _ground_texture(rng)
    echoes = []
    f_fan, e_fan = _f_fans(scene, frequency, elevation, ground)
    if scene.f.level_db > ABSENT_DB:
        echoes.append(_echo(scene, "F", "F", f_fan, elevation, scene.f.level_db))
    for what, patch in (("local Es", scene.es), ("remote Es", scene.remote_es)):
        if patch.level_db > ABSENT_DB:
            fan = _es_fan(scene, patch, frequency, elevation, ground)
            echoes.append(_echo(scene, "Es", what, fan, elevation, patch.level_db))
    if e_fan is not None and scene.kind == "mixed":
        echoes.append(_echo(scene, "Es", "E", e_fan, elevation, scene.conditions.e_db))
    return echoes


def layer_rays(scene: Scene) -> Rays:
    """Rays (F, E) of the F layer that count for its edge; the last rows are `FREQUENCY_MHZ`."""
    frequency, elevation = _rays_traced(scene)
    fan, _ = _f_fans(scene, frequency, elevation, np.ones(1))
    return _only(fan.rays, fan.counted)


def box_of(mask: NDArray[np.bool_], ranges: Floats) -> dict[str, float]:
    """Return the box of a mask (F, G): centres of its outermost values in Hz and km."""
    columns, gates = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return {
        "frequency_min": float(FREQUENCY_MHZ[columns[0]] * 1e6),
        "frequency_max": float(FREQUENCY_MHZ[columns[-1]] * 1e6),
        "range_min": float(ranges[gates[0]]),
        "range_max": float(ranges[gates[-1]]),
    }


def _rays_traced(scene: Scene) -> tuple[Floats, Floats]:
    """Return the frequencies (F, 1) in MHz and the elevations (1, E) in radians to trace."""
    frequency = np.round(np.arange(-_MARGIN, 0) * STEP_MHZ + FREQUENCY_MHZ[0], 1)
    frequency = np.concatenate([frequency, FREQUENCY_MHZ])[:, None]
    return frequency, elevations(_ELEVATIONS[scene.ray_model])[None]


def _f_fans(
    scene: Scene, frequency: Floats, elevation: Floats, ground: Floats
) -> tuple[_Fan, _Fan | None]:
    """Rays of the F layer, and of the E layer where the model has one."""
    f = scene.f
    distance = reflection_distance(elevation, f.peak_km - 0.6 * f.thickness_km)
    phase = 2 * np.pi * distance / f.wave_km + f.wave_phase
    far = np.minimum(distance, 2200.0) / 1000
    stretch = 1 + f.gradient * far + f.wave * np.sin(phase)
    lift = f.tilt_km * far + f.wave_height_km * np.sin(phase + 0.8)
    if scene.ray_model == "quasi-parabolic":
        layer = QuasiParabola(f.critical_mhz * stretch, f.peak_km + lift, f.thickness_km)
        rays = trace(frequency, elevation, layer)
        low_turn = None
    else:
        c = scene.conditions
        profile = layered_profile(
            c.e_mhz, c.f1_share * f.critical_mhz, f.critical_mhz, f.peak_km, 0.45 * f.thickness_km
        )
        rays, low_turn = trace_profile(frequency, elevation, profile, stretch)
        # A raised layer is farther by the way up and down.
        higher = 2 * lift * sine_at_height(elevation, f.peak_km)
        rays = Rays(rays.group_path + np.where(low_turn, 0, higher), rays.ground_range)
    through = _transmission(scene, frequency, elevation, rays)
    weight = _weight(scene, rays, frequency, elevation, ground)
    if low_turn is None:
        return _Fan(rays, weight * through, through > _SEEN_THROUGH, weight), None
    upper = _only(rays, ~low_turn)
    lower = _only(rays, low_turn)
    f_fan = _Fan(upper, weight * through, through > _SEEN_THROUGH, weight)
    return f_fan, _Fan(lower, weight, np.ones_like(low_turn))


def _only(rays: Rays, chosen: NDArray[np.bool_]) -> Rays:
    return Rays(
        np.where(chosen, rays.group_path, np.nan), np.where(chosen, rays.ground_range, np.nan)
    )


def _reflectivity(patch: EsLayer, frequency: Floats, elevation: Floats) -> Floats:
    """Share of the power that a patch turns back: all below its blanketing frequency."""
    vertical = frequency * sine_at_height(elevation, patch.height_km)
    low = patch.blanketing * patch.critical_mhz
    return np.clip((patch.critical_mhz - vertical) / (patch.critical_mhz - low), 0, 1)


def _inside(patch: EsLayer, distance: Floats) -> Floats:
    """1 within a patch, 0 outside, with smooth edges."""
    fall = np.clip((patch.far_km - distance) / _FAR_EDGE_KM + 0.5, 0, 1)
    inside = fall**2 * (3 - 2 * fall)
    if patch.near_km > 0:
        rise = np.clip((distance - patch.near_km) / _NEAR_EDGE_KM + 0.5, 0, 1)
        inside *= rise**2 * (3 - 2 * rise)
    return np.asarray(inside)


def _transmission(scene: Scene, frequency: Floats, elevation: Floats, rays: Rays) -> Floats:
    """What patches of sporadic E leave of the F echo: each is passed up and down, twice."""
    passed = np.ones(rays.group_path.shape)
    for patch in (scene.es, scene.remote_es):
        if patch.level_db <= ABSENT_DB:
            continue
        reflected = _reflectivity(patch, frequency, elevation)
        up = reflection_distance(elevation, patch.height_km)
        down = np.nan_to_num(rays.ground_range) - up
        passed *= (1 - reflected * _inside(patch, up)) * (1 - reflected * _inside(patch, down))
    return np.asarray(passed**2)


def _es_fan(
    scene: Scene, patch: EsLayer, frequency: Floats, elevation: Floats, ground: Floats
) -> _Fan:
    layer = QuasiParabola(patch.critical_mhz, patch.height_km, patch.thickness_km)
    rays = trace(frequency, elevation, layer)
    there = _inside(patch, rays.ground_range / 2)
    reflected = _reflectivity(patch, frequency, elevation) ** 2
    weight = _weight(scene, rays, frequency, elevation, ground) * there * reflected
    # A patch ends softly: what is seen of it begins well outside its half-way line.
    counted = (there > 0.05) & (reflected > 0.3 * _SEEN_THROUGH)
    return _Fan(rays, np.nan_to_num(weight), counted)


def _weight(
    scene: Scene, rays: Rays, frequency: Floats, elevation: Floats, ground: Floats
) -> Floats:
    """Received power per radian of elevation, up to a factor."""
    distance = rays.ground_range
    with np.errstate(invalid="ignore"):
        spread = np.abs(np.gradient(distance, elevation[0], axis=1))
        spread = np.maximum(np.nan_to_num(spread, nan=3e4), 400.0)  # km per radian; no caustic
        around = EARTH_RADIUS_KM * np.sin(np.maximum(distance, 150.0) / EARTH_RADIUS_KM)
    thin = np.cos(elevation) / (around * np.sin(elevation) * spread)
    oblique = sine_at_height(elevation, 80.0)
    loss_db = scene.conditions.absorption_db * (10.8 / (frequency + 0.8)) ** 2 / oblique
    place = np.clip(np.nan_to_num(distance) / 10, 0, ground.size - 1).astype(np.intp)
    gain = _antenna(scene.sounder, elevation)
    return np.nan_to_num(thin * gain**2 * ground[place] * 10 ** (-loss_db / 10))


def _antenna(sounder: Sounder, elevation: Floats) -> Floats:
    """Power gain: nothing at the horizon, a broad lobe, little overhead."""
    degrees = np.degrees(elevation)
    low = (degrees / sounder.low_angle_deg) ** 2
    above = np.maximum(degrees - sounder.lobe_deg, 0) / 28
    return low / (1 + low) * (0.03 + 0.97 * np.exp(-(above**2)))


def _ground_texture(rng: np.random.Generator) -> Floats:
    """Backscatter of the ground per 10 km of distance: land, sea, mountains."""
    distance = np.arange(0, 8000, 10.0)
    decibels = np.zeros(distance.size)
    for _ in range(5):
        length, phase = rng.uniform(150, 1500), rng.uniform(0, 2 * np.pi)
        decibels += rng.normal(0, 1.1) * np.sin(2 * np.pi * distance / length + phase)
    coast = rng.uniform(300, 3500)
    decibels += rng.normal(0, 2.5) * np.tanh((distance - coast) / 60)
    return 10 ** (decibels / 10)


def _echo(
    scene: Scene, layer: str, what: str, fan: _Fan, elevation: Floats, level_db: float
) -> LayerEcho:
    gates = group_ranges(scene.sounder)
    gate, repeat = scene.sounder.gate_km, scene.sounder.repeat_km
    power, folded = deposit(fan.rays.group_path, fan.weight, elevation[0], gate, gates.size, repeat)
    reference: Floats = power
    if fan.unscreened is not None and scene.kind in ("mixed", "es"):
        # Its level is that of a free view: a layer behind another is not raised for it.
        path = fan.rays.group_path
        reference, _ = deposit(path, fan.unscreened, elevation[0], gate, gates.size, repeat)
    peak = float(np.percentile(reference[_MARGIN:], 99.9)) or float(reference.max()) or 1.0
    factor = 10 ** (level_db / 10) / peak
    power *= factor
    hop2 = folded * factor
    c = scene.conditions
    if c.hop2_db > ABSENT_DB:
        weight = fan.weight * factor * 10 ** (c.hop2_db / 10)
        double = 2 * fan.rays.group_path
        hop2 += sum(deposit(double, weight, elevation[0], gate, gates.size, repeat))
    o_edge = minimum_group_path(np.where(fan.counted, fan.rays.group_path, np.nan))
    edge: Floats = o_edge.copy()
    own = power.copy()
    shift = round(c.x_mhz / STEP_MHZ)
    if c.x_db > ABSENT_DB:
        power[shift:] += 10 ** (c.x_db / 10) * own[:-shift]
        if c.x_db > -10:  # what an operator sees is the earlier of the two
            edge[shift:] = np.fmin(edge[shift:], o_edge[:-shift])
    if c.side_db > ABSENT_DB:
        power += 10 ** (c.side_db / 10) * _elsewhere(own, c.side_share, c.side_km / gate)
    cut = slice(_MARGIN, None)
    return LayerEcho(layer, what, power[cut], hop2[cut], edge[cut], o_edge[cut])


def _elsewhere(power: Floats, share: float, gates: float) -> Floats:
    """The echo of another azimuth: the same, stretched in frequency and shifted in range."""
    mhz = FREQUENCY_MHZ[0] + STEP_MHZ * (np.arange(power.shape[0]) - _MARGIN)
    columns = (mhz / (1 + share) - mhz[0]) / STEP_MHZ
    source = np.clip(np.rint(columns), 0, mhz.size - 1).astype(np.intp)
    return np.roll(power[source], round(gates), axis=1)


def deposit(
    path: Floats, weight: Floats, elevation: Floats, gate_km: float, gates: int, repeat_km: float
) -> tuple[Floats, Floats]:
    """Share the power of ray tubes out among range gates.

    Each pair of neighbouring rays spreads its power evenly over the group paths between them, so
    the result has no gaps and no grain, however few the rays.

    Args:
        path: (F, E) km, NaN for a ray that does not return.
        weight: (F, E) power per radian.
        elevation: (E,) radians.
        gate_km: gate g covers (g ± 1/2) times this.
        gates: number of gates.
        repeat_km: what lies beyond appears this much nearer, once.

    Returns:
        (F, gates) where it belongs, and (F, gates) what is from beyond.
    """
    columns = round(repeat_km / gate_km)
    nearer, farther = np.fmin(path[:, :-1], path[:, 1:]), np.maximum(path[:, :-1], path[:, 1:])
    amounts = 0.5 * (weight[:, :-1] + weight[:, 1:]) * np.diff(elevation)
    rows, tubes = np.nonzero(np.isfinite(farther) & (amounts > 0))
    amount = amounts[rows, tubes]
    low = nearer[rows, tubes] / gate_km + 0.5
    high = np.maximum(farther[rows, tubes] / gate_km + 0.5, low + 0.01)
    farthest = float(np.max(high, initial=0.0))
    total = columns if farthest <= columns else 2 * columns
    # A tube's power up to x is slope * (max(x - low, 0) - max(x - high, 0)); summed over tubes at
    # every gate's border by counting the slopes that have begun there.
    slope = amount / (high - low)
    size = path.shape[0] * (total + 2)
    place = [
        rows * (total + 2) + np.minimum(np.ceil(x).astype(np.intp), total + 1) for x in (low, high)
    ]
    shape = (path.shape[0], total + 2)
    rise = np.bincount(place[0], slope, size) - np.bincount(place[1], slope, size)
    moved = np.bincount(place[0], slope * low, size) - np.bincount(place[1], slope * high, size)
    upto = np.cumsum(rise.reshape(shape), axis=1) * np.arange(total + 2)
    upto -= np.cumsum(moved.reshape(shape), axis=1)
    power = np.maximum(np.diff(upto[:, : total + 1], axis=1), 0.0)
    beyond = power[:, columns:] if total > columns else np.zeros_like(power)
    room = ((0, 0), (0, max(gates - columns, 0)))
    here, folded = (np.pad(part[:, :columns], room)[:, :gates] for part in (power, beyond))
    return here, folded
