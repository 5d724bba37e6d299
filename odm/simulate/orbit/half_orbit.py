"""One simulated half-orbit of EFD-VLF spectra, with everything that is true about it.

Every half-orbit is drawn from generators seeded by (seed, orbit number, direction, purpose), so it
is the same whatever else an archive holds, and one purpose (say, burst mode) does not disturb
another (the nuclei).

Assumed here, without a source: a name starts 0-4 s before the first sample, in 3 % of files up to
95 s (one such file of another payload is known). The modules that this one puts together list the
assumptions of their own: `groundtrack`, `background`, `places`, `regions`, `nuclei`, `almost`,
`confusers`, `lines`, `instrument`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

import numpy as np
from numpy.typing import NDArray

from odm.archive.orbit.key import Direction, OrbitKey
from odm.simulate.orbit import groundtrack
from odm.simulate.orbit.background import draw_background, local_level
from odm.simulate.orbit.confusers import broad_emissions, short_emissions
from odm.simulate.orbit.emission import BINS, Emission, FloatArray, add
from odm.simulate.orbit.emissions import draw_emissions
from odm.simulate.orbit.groundtrack import TRACK_ARRAYS, Track
from odm.simulate.orbit.instrument import (
    BURST,
    component_factors,
    draw_gain,
    draw_looks,
    draw_modes,
    keep_rows,
    observe,
    put_fill_values,
    waveforms,
)
from odm.simulate.orbit.lines import narrow_lines
from odm.simulate.orbit.nuclei import main_part
from odm.simulate.orbit.rays import draw_rays
from odm.simulate.orbit.recipe import OrbitRecipe, Stream
from odm.simulate.orbit.regions import RegionPlacer
from odm.simulate.orbit.scene import Maker, Scene
from odm.simulate.orbit.textures import draw_textures


@dataclass(frozen=True)
class Nucleus:
    """Truth of one nucleus: its emission, shape family, and mask over the kept rows.

    ``mask`` (n, k) bool covers ``rows`` and ``bins`` of the file.
    """

    emission: Emission
    family: str
    mask: NDArray[np.bool_]
    rows: slice
    bins: slice


@dataclass(frozen=True)
class HalfOrbit:
    """One half-orbit as it goes into a file; N rows are those that were not lost.

    Attributes:
        key: its name.
        track: times and places of the N rows.
        amplitude: component -> (N, 1024) float64, mV/m/Hz^0.5, with fill values.
        work_mode: (N,) 1 survey, 2 burst.
        waveform: component -> (25 * burst rows, 2048) float64, mV/m; empty in survey mode.
        background: name of the background variant.
        nuclei: truth.
        confusers: everything that is no nucleus, its rows those of ``full_track``.
        full_track: the track before rows were lost.
        ignored: (N, 1024) bool, where nobody can say whether there is a nucleus.
    """

    key: OrbitKey
    track: Track
    amplitude: dict[str, NDArray[np.float64]]
    work_mode: NDArray[np.int8]
    waveform: dict[str, NDArray[np.float64]]
    background: str
    nuclei: list[Nucleus]
    confusers: list[Emission]
    full_track: Track
    ignored: NDArray[np.bool_]

    def masks(self) -> list[NDArray[np.bool_]]:
        """Return the mask of every nucleus, (1024, N), row 0 being the highest frequency."""
        masks = []
        for nucleus in self.nuclei:
            mask = np.zeros((len(self.track.times), BINS), dtype=bool)
            mask[nucleus.rows, nucleus.bins] = nucleus.mask
            masks.append(np.rot90(mask))
        return masks


def name_half_orbit(
    recipe: OrbitRecipe, number: int, direction: Direction
) -> tuple[OrbitKey, NDArray[np.datetime64]]:
    """Return the name of a half-orbit and its full time axis (N,), at next to no cost."""
    rng = recipe.stream(number, direction, "plan")
    times = groundtrack.row_times(number, direction, groundtrack.draw_cutoffs(rng))
    early = rng.uniform(5, 95) if rng.random() < 0.03 else rng.uniform(0, 4)
    start = groundtrack.as_datetime(times[0]) - timedelta(seconds=int(early))
    end = groundtrack.as_datetime(times[-1] + np.timedelta64(groundtrack.ROW_STEP_MS, "ms"))
    key = OrbitKey("CSES_01", "EFD_3", "L02", "A1", number, direction, start, end, "000")
    return key, times


def simulate_half_orbit(recipe: OrbitRecipe, number: int, direction: Direction) -> HalfOrbit:
    """Draw one half-orbit in memory; the same arguments give the same arrays."""
    stream = partial(recipe.stream, number, direction)
    key, times = name_half_orbit(recipe, number, direction)
    track = groundtrack.fly(number, direction, times)
    modes = draw_modes(stream("modes"), recipe.burst, recipe.burst_rows, len(times))
    scene = MAKERS[recipe.sky](recipe, track, modes, stream)
    kept = scene.kept
    burst = np.flatnonzero(kept & (modes == BURST))
    ignored = np.zeros((len(times), BINS), bool) if scene.ignored is None else scene.ignored
    return HalfOrbit(
        key=key,
        track=replace(track, **{name: getattr(track, name)[kept] for name in TRACK_ARRAYS}),
        amplitude={
            name: values[kept].astype(np.float64) for name, values in scene.amplitude.items()
        },
        work_mode=modes[kept],
        waveform={
            name: waveforms(stream(f"wave_{name}"), scene.power[plane][burst])
            for plane, name in enumerate(recipe.components if burst.size else "")
        },
        background=scene.background,
        nuclei=[_with_truth(emission, family, kept) for emission, family in scene.nuclei],
        confusers=scene.confusers,
        full_track=track,
        ignored=ignored[kept],
    )


def draw_classic(
    recipe: OrbitRecipe, track: Track, modes: NDArray[np.int8], stream: Stream
) -> Scene:
    """Draw named emissions as the first version of this simulator did."""
    rows, order = len(track.times), recipe.components
    rng = stream("background")
    variant = str(rng.choice(recipe.families["background"]))
    background = draw_background(rng, variant, track)

    placer = RegionPlacer(track, recipe)
    nuclei = placer.nuclei(stream("nuclei"))
    almost = placer.almost_nuclei(stream("almost"))
    regions = [*(emission for emission, _ in nuclei), *almost]
    broad = broad_emissions(stream("broad"), track)
    narrow = [
        *short_emissions(stream("short"), track),
        *narrow_lines(stream("lines"), track, modes),
    ]
    factors = component_factors(stream("components"))
    power = _compose(background, factors, broad, regions, narrow, order)

    kept = keep_rows(stream("gaps"), rows, regions)
    gaps = [int(row) for row in np.flatnonzero(np.diff(kept.astype(np.int8)))]
    gain = draw_gain(stream("gain"), rows, gaps)
    noisy = observe(stream, power, order, draw_looks(stream("looks")), gain)
    put_fill_values(stream("fill"), noisy, rows)
    return Scene(
        power=power,
        amplitude=noisy,
        kept=kept,
        nuclei=nuclei,
        confusers=[*broad, *almost, *narrow],
        background=variant,
    )


MAKERS: dict[str, Maker] = {
    "classic": draw_classic,
    "emissions": draw_emissions,
    "textures": draw_textures,
    "rays": draw_rays,
}
"""What draws each of `odm.simulate.orbit.recipe.SKIES`."""


def _compose(
    background: FloatArray,
    factors: FloatArray,
    broad: list[Emission],
    regions: list[Emission],
    narrow: list[Emission],
    components: str,
) -> FloatArray:
    """Noise-free PSD (C, N, K) of ``components`` from a background and emissions."""
    power = np.repeat(background[None], len(components), axis=0)
    ambient = background.copy()
    for emission in broad:
        add(ambient[None], background[emission.window], emission, "z")
        add(power, background[emission.window], emission, components)
    for emission in regions:
        add(power, local_level(ambient, emission.window), emission, components)
    for emission in narrow:
        add(power, background[emission.window], emission, components)
    for plane, name in enumerate(components):
        power[plane] *= factors["xyz".index(name)]
    return power


def _with_truth(emission: Emission, family: str, kept: NDArray[np.bool_]) -> Nucleus:
    rows, bins = emission.window
    first = int(kept[: rows.start].sum())
    mask = main_part(emission.outline()[kept[rows]])
    return Nucleus(emission, family, mask, slice(first, first + len(mask)), bins)
