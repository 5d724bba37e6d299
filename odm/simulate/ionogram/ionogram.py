"""One simulated backscatter ionogram: SNR over frequency and range, and each layer's truth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.physics.raytrace import Floats
from odm.simulate.folder import Rows
from odm.simulate.ionogram.backscatter import (
    FREQUENCY_MHZ,
    LayerEcho,
    box_of,
    group_ranges,
    layer_echoes,
)
from odm.simulate.ionogram.clutter import (
    draw_clutter,
    gaps,
    interference,
    near_loss,
    pulse_only,
    receive,
    speckle,
    uneven,
)
from odm.simulate.ionogram.recipe import IonogramRecipe
from odm.simulate.ionogram.scene import Scene, draw_scene

FIRST = datetime(2022, 8, 15)
"""Time of index 0 (UTC); one ionogram follows another after `STEP`."""
STEP = timedelta(minutes=15)

SEEN_DB = 3.0
"""Noise-free SNR from which a value belongs to a layer's mask."""
LEAST_PEAK_DB = 8.0
LEAST_PIXELS, LEAST_COLUMNS = 80, 6
"""A layer with less than these is none that a person would mark."""
_LEAST_SHARE = 0.01
"""Areas smaller than this share of the largest one are specks."""

_ONE_TO_THE_EYE = 0.25
"""Two echoes of a class are one layer if they share more than this part of the smaller one."""

EDGE_SEEN_DB = 6.0
"""SNR from which an edge can be seen; where it is lower, no method should be judged."""

RESOLUTION_DB = 1 / 16
"""Resolution of the SNR in the files."""


@dataclass(frozen=True)
class LayerTruth:
    """What is true of one layer.

    Attributes:
        layer, what: class (``Es``, ``F``) and which one of it.
        mask: (F, G) where its noise-free echo is at least `SEEN_DB` above the noise.
        edge: (F,) minimum group path, km; NaN where none or beyond the ranges.
        o_edge: (F,) that of the O mode alone.
        edge_snr: (F,) dB, the layer's noise-free SNR at the edge.
        peak_snr: dB, the largest noise-free SNR.
    """

    layer: str
    what: str
    mask: NDArray[np.bool_]
    edge: Floats
    o_edge: Floats
    edge_snr: Floats
    peak_snr: float


@dataclass(frozen=True)
class SimulatedIonogram:
    """``snr``: (F, G) float32 dB, NaN where nothing was measured; ``frequency``: Hz;
    ``group_range``: km; ``layers``: those that can be seen; ``confusers``: rows of what is none."""

    scene: Scene
    link: str
    time: datetime
    frequency: NDArray[np.float64]
    group_range: NDArray[np.float64]
    snr: NDArray[np.float32]
    layers: list[LayerTruth]
    confusers: Rows

    @property
    def stem(self) -> str:
        """``SIM7_20220815_001500``: link and time, as `IonogramKey` reads them."""
        return f"{self.link}_{self.time:%Y%m%d_%H%M%S}"


def name_ionogram(recipe: IonogramRecipe, index: int) -> str:
    """Return the stem of the ionogram number ``index``, without simulating it."""
    return f"SIM{recipe.seed}_{FIRST + index * STEP:%Y%m%d_%H%M%S}"


def simulate_ionogram(recipe: IonogramRecipe, index: int) -> SimulatedIonogram:
    """Draw the ionogram number ``index`` in memory; the same arguments give the same arrays."""
    scene = draw_scene(recipe, index)
    rng = np.random.default_rng([recipe.seed, index, 3])
    # The ground does not change from one ionogram of a series to the next.
    ground = np.random.default_rng([recipe.seed, 0 if recipe.series else index, 4])
    ranges = group_ranges(scene.sounder)
    echoes = layer_echoes(scene, ground)
    response = uneven(scene.sounder, ground)[:, None]
    loss = near_loss(scene.sounder, ranges)[None]
    clutter = draw_clutter(scene, ranges, rng)
    noise = interference(scene, (FREQUENCY_MHZ.size, ranges.size), rng)
    missing = gaps(noise.shape, recipe.difficulty, rng)
    power = clutter.power.copy()
    for echo in echoes:
        echo.power *= response
        power += echo.power + echo.hop2 * response
    expected = (receive(power, scene.sounder) + noise) * loss
    snr = _measured(scene, expected, noise, rng)
    snr[missing] = np.nan
    layers, confusers = _truths(scene, echoes, noise, missing, ranges, clutter.rows)
    return SimulatedIonogram(
        scene=scene,
        link=f"SIM{recipe.seed}",
        time=FIRST + index * STEP,
        frequency=FREQUENCY_MHZ * 1e6,
        group_range=ranges,
        snr=snr,
        layers=layers,
        confusers=confusers,
    )


def _measured(
    scene: Scene, expected: Floats, noise: Floats, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Speckled power over the noise that the sounder takes for its own, in dB."""
    power = expected.astype(np.float32) * speckle(noise.shape, scene.sounder, rng)
    floor = np.median(power, axis=1 if scene.sounder.by_column else None, keepdims=True)
    snr = 10 * np.log10(np.maximum(power / floor, 1e-4))
    return np.round(snr / RESOLUTION_DB).astype(np.float32) * np.float32(RESOLUTION_DB)


def _truths(
    scene: Scene,
    echoes: list[LayerEcho],
    noise: Floats,
    missing: NDArray[np.bool_],
    ranges: Floats,
    clutter: Rows,
) -> tuple[list[LayerTruth], Rows]:
    """Return the layers that can be seen, and the rows of all else that can."""
    layers: list[LayerTruth] = []
    confusers = list(clutter)
    inside = ranges[-1] + 0.5 * scene.sounder.gate_km
    for echo in echoes:
        undisturbed = pulse_only(echo.power, scene.sounder)
        seen = undisturbed / noise
        seen[missing] = 0
        # A column of interference, or one that is missing, does not cut a layer in two.
        strong = undisturbed >= 10 ** (SEEN_DB / 10)
        main = main_areas(strong)
        seen[strong & ~main] = 0
        mask = main & (seen >= 10 ** (SEEN_DB / 10))
        peak_db = float(10 * np.log10(max(seen.max(), 1e-6)))
        columns = int(mask.any(axis=1).sum())
        if mask.sum() < LEAST_PIXELS or columns < LEAST_COLUMNS or peak_db < LEAST_PEAK_DB:
            if mask.any():
                faint = {"kind": f"faint {echo.what}", "peak_snr": peak_db}
                confusers.append(faint | box_of(mask, ranges))
            continue
        layer = LayerTruth(
            layer=echo.layer,
            what=echo.what,
            mask=mask,
            edge=np.where(echo.edge <= inside, echo.edge, np.nan),
            o_edge=np.where(echo.o_edge <= inside, echo.o_edge, np.nan),
            edge_snr=edge_snr(seen, echo.edge, scene.sounder.gate_km, scene.sounder.pulse_km),
            peak_snr=peak_db,
        )
        _add(layers, layer)
    return layers, confusers


def _add(layers: list[LayerTruth], layer: LayerTruth) -> None:
    """Add a layer; E and sporadic E that lie upon each other are one to the eye."""
    for number, known in enumerate(layers):
        common = (known.mask & layer.mask).sum()
        smaller = min(known.mask.sum(), layer.mask.sum())
        if known.layer == layer.layer and common > _ONE_TO_THE_EYE * smaller:
            del layers[number]
            _add(layers, _merge(known, layer))
            return
    layers.append(layer)


def _merge(layer: LayerTruth, second: LayerTruth) -> LayerTruth:
    """Merge two layers; the edge is the first that can be seen, else the first."""
    layers = (layer, second)
    shown = np.stack(
        [np.where(part.edge_snr >= EDGE_SEEN_DB, part.edge, np.inf) for part in layers]
    )
    first = np.stack([np.nan_to_num(part.edge, nan=np.inf) for part in layers])
    later = np.where(np.isfinite(shown).any(axis=0), shown[1] < shown[0], first[1] < first[0])
    edges = {
        name: np.where(later, getattr(second, name), getattr(layer, name))
        for name in ("edge", "o_edge", "edge_snr")
    }
    return LayerTruth(
        layer=layer.layer,
        what=f"{layer.what} and {second.what}",
        mask=layer.mask | second.mask,
        peak_snr=max(layer.peak_snr, second.peak_snr),
        **edges,
    )


def main_areas(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Remove areas that are specks beside the largest one."""
    number, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if number < 2:
        return mask
    area = stats[:, cv2.CC_STAT_AREA].copy()
    area[0] = 0
    return np.asarray((area >= max(6, _LEAST_SHARE * area.max()))[labels])


def edge_snr(snr: Floats, edge: Floats, gate_km: float, pulse_km: float) -> Floats:
    """Return (F,) dB: the largest of ``snr`` (F, G; a ratio) within a pulse behind the edge."""
    gates = snr.shape[1]
    first = np.clip(np.nan_to_num(edge, nan=0.0) / gate_km, 0, gates - 1)
    near = first.astype(np.intp)[:, None] + np.arange(int(pulse_km / gate_km) + 2)
    values = np.take_along_axis(snr, np.minimum(near, gates - 1), axis=1).max(axis=1)
    return np.where(np.isfinite(edge), 10 * np.log10(np.maximum(values, 1e-4)), np.nan)
