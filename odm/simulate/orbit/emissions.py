"""The sky `emissions`: named emissions as in `classic`, mended and in wider variety.

Mended: the number of almost-nuclei does not depend on how common nuclei are; regions may touch
everything but each other; what nobody can decide is ignored. Wider: spectra and mottle
(`emissions_background`), waves (`emissions_waves`), lines and bursts (`emissions_streaks`), the
receiver (`emissions_receiver`), nuclei (`emissions_nuclei`, `emissions_places`). The broad and
short emissions, lines and almost-nuclei of `classic` are drawn too, with other strengths.

Only nuclei know where nuclei are: everything else is drawn before them.

Ignored are nuclei that are not counted, and smooth blobs of the background
(`emissions_doubts`).

Assumed here, without a source: how busy a half-orbit is, that is, how often it has each of the
added emissions, is uniform between 0.2 and 1.4 times what is stated for them, and one half-orbit in
five has none; emissions of `classic` are 0.6-2 times as strong in dB as there.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from odm.simulate.orbit.confusers import broad_emissions, short_emissions
from odm.simulate.orbit.emission import Emission, FloatArray, add
from odm.simulate.orbit.emissions_background import wide_background
from odm.simulate.orbit.emissions_doubts import smooth_blobs
from odm.simulate.orbit.emissions_places import (
    Placed,
    Surroundings,
    footprint,
    level_around,
    place_almost,
    place_faint,
    place_nuclei,
)
from odm.simulate.orbit.emissions_receiver import Receiver, draw_receiver, observe, speckle
from odm.simulate.orbit.emissions_streaks import STREAKS
from odm.simulate.orbit.emissions_waves import WAVES, log_uniform
from odm.simulate.orbit.groundtrack import Track
from odm.simulate.orbit.instrument import component_factors, put_fill_values
from odm.simulate.orbit.lines import narrow_lines
from odm.simulate.orbit.recipe import OrbitRecipe, Stream, emission_kinds
from odm.simulate.orbit.scene import Scene

_SMOOTH = (*WAVES, "broadened_transmitter")
"""Added emissions that are wide enough to be part of the level that a nucleus lies on."""


def draw_emissions(
    recipe: OrbitRecipe, track: Track, modes: NDArray[np.int8], stream: Stream
) -> Scene:
    """Draw a half-orbit of named emissions."""
    rng, rows = stream("background"), len(modes)
    variant = str(rng.choice(recipe.families["background"]))
    background = wide_background(rng, variant, track)
    kinds = emission_kinds(recipe)
    busy = 0.0 if rng.random() < 0.2 else float(rng.uniform(0.2, 1.4))
    added = _draw_added(stream("waves"), track, busy, kinds)
    broad = stream("broad")
    smooth = [
        *_scaled(broad, broad_emissions(broad, track)),
        *(emission for kind in _SMOOTH for emission in added[kind]),
    ]

    planes = recipe.components if "z" in recipe.components else recipe.components + "z"
    power = np.repeat(background[None], len(planes), axis=0)
    for emission in smooth:
        add(power, background[emission.window], emission, planes)
    ambient = power[planes.index("z")].copy()
    all_factors = component_factors(stream("components"))
    factors = np.stack([all_factors["xyz".index(name)] for name in planes])
    receiver = draw_receiver(stream("receiver"), track, ambient * factors[planes.index("z")], kinds)

    almost = place_almost(stream("almost"), track, receiver.kept, recipe)
    for emission in almost:
        add(power, level_around(ambient, emission.window), emission, planes)
    sharp = _draw_sharp(stream, track, modes, added)
    for emission in sharp:
        add(power, background[emission.window], emission, planes)
    power *= factors
    ambient *= factors[planes.index("z")]

    confusers = [*smooth, *almost, *sharp]
    where = Surroundings(track, receiver, ambient, power[planes.index("z")], confusers)
    placed = place_nuclei(stream("nuclei"), where, recipe)
    place_faint(stream("faint"), where, recipe, placed)
    ignored = smooth_blobs(ambient) | footprint(placed.doubtful, rows, margin=4)
    ignored &= ~footprint([emission for emission, _ in placed.nuclei], rows, margin=3)
    ratios = factors / factors[planes.index("z")]
    _add_nuclei(power, ambient, placed, dict(zip(planes, ratios, strict=True)))
    power = power[: len(recipe.components)]
    return Scene(
        power=power,
        amplitude=_observed(recipe, receiver, power, stream),
        kept=receiver.kept,
        nuclei=placed.nuclei,
        confusers=confusers,
        background=variant,
        ignored=ignored,
    )


def _draw_added(
    rng: np.random.Generator, track: Track, busy: float, kinds: tuple[str, ...]
) -> dict[str, list[Emission]]:
    """Draw what `classic` lacks; a kind that is held out leaves the others as they are."""
    makers = WAVES | STREAKS
    parts = dict(zip(makers, rng.spawn(len(makers)), strict=True))
    return {
        kind: draw(parts[kind], track, busy) if kind in kinds else []
        for kind, draw in makers.items()
    }


def _draw_sharp(
    stream: Stream, track: Track, modes: NDArray[np.int8], added: dict[str, list[Emission]]
) -> list[Emission]:
    """Return lines, bursts and streaks, which lie on top of everything but nuclei."""
    short = stream("short")
    return [
        *(emission for kind in added if kind not in _SMOOTH for emission in added[kind]),
        *_scaled(short, short_emissions(short, track)),
        *narrow_lines(stream("lines"), track, modes),
    ]


def _add_nuclei(
    power: FloatArray, ambient: FloatArray, placed: Placed, ratios: dict[str, FloatArray]
) -> None:
    """Add nuclei to the ``power`` (C, M, 1024) of the components named in ``ratios``.

    ``ambient`` (M, 1024) is the level in Z, and ``ratios`` the factors (1, 1024) to that of others.
    """
    for emission in placed.all():
        level = level_around(ambient, emission.window)
        for plane, (name, ratio) in enumerate(ratios.items()):
            here = level * ratio[:, emission.window[1]]
            add(power[plane : plane + 1], here, emission, name)


def _scaled(rng: np.random.Generator, emissions: list[Emission]) -> list[Emission]:
    """Return emissions of another strength."""
    return [
        replace(one, excess_db=one.excess_db * np.float32(log_uniform(rng, 0.6, 2)))
        for one in emissions
    ]


def _observed(
    recipe: OrbitRecipe, receiver: Receiver, power: FloatArray, stream: Stream
) -> dict[str, FloatArray]:
    """Return the amplitude of every component, with fill values."""
    shared = receiver.looks[0]
    common = speckle(stream("shared"), shared, power.shape[1:]) if shared else None
    amplitude = {
        name: observe(receiver, power[plane], common, stream(name))
        for plane, name in enumerate(recipe.components)
    }
    put_fill_values(stream("fill"), amplitude, power.shape[1])
    return amplitude
