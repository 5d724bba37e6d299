"""Half-orbits from rays and dispersion: a maker of skies that follows waves to the satellite.

Each half-orbit draws a plasma along its track (`rays_plasma`), from which follow the lower hybrid
frequency, cut-offs, resonance cones, absorption and turbulence; then the sources on the ground
(`rays_ground`), in space (`rays_space`) and on board (`rays_receiver`), whose power is added up
(`rays_sky`). Nuclei are clouds of wave packets (`rays_nuclei`, `rays_places`) above the ambient
level. Nothing but the nuclei themselves knows whether there are any. The families of a recipe,
which name variants of another sky, do not apply, and the working mode changes nothing.

Ignored are look-alikes (`rays_doubts`), nuclei weaker than 3 dB, and those most of which is hidden
by losses, saturation or stronger waves.

Assumed here, without a source: a third of the half-orbits is quiet; quantisation adds white noise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from odm.simulate.orbit.emission import add
from odm.simulate.orbit.groundtrack import Track
from odm.simulate.orbit.rays_doubts import look_alikes
from odm.simulate.orbit.rays_ground import (
    add_power_lines,
    add_storms,
    add_transmitters,
    add_whistlers,
)
from odm.simulate.orbit.rays_places import (
    Surroundings,
    footprint,
    level_around,
    place_faint,
    place_nuclei,
)
from odm.simulate.orbit.rays_plasma import draw_plasma, log_draw
from odm.simulate.orbit.rays_receiver import (
    add_spacecraft,
    draw_receiver,
    draw_sunlight,
    observe,
)
from odm.simulate.orbit.rays_sky import Sky, start_sky
from odm.simulate.orbit.rays_space import (
    add_chorus,
    add_cones,
    add_hiss,
    add_lower_hybrid_noise,
    add_turbulence,
)
from odm.simulate.orbit.recipe import OrbitRecipe, Stream
from odm.simulate.orbit.scene import Scene


def draw_rays(recipe: OrbitRecipe, track: Track, modes: NDArray[np.int8], stream: Stream) -> Scene:
    """Draw a half-orbit from what arrives at the satellite."""
    sky, quiet = _draw_sky(recipe, track, stream)
    ambient = sky.power[-1].copy()
    receiver = draw_receiver(stream("gaps"), stream("gain"), ambient)
    confusers = sky.confusers()
    where = Surroundings(track, receiver.kept, receiver.hidden(ambient), ambient, confusers)
    nuclei, doubtful = place_nuclei(stream("nuclei"), where, recipe.prevalence, recipe.difficulty)
    counted = [emission for emission, _ in nuclei]
    doubtful = [*doubtful, *place_faint(stream("almost"), where, [*counted, *doubtful])]
    ignored = look_alikes(ambient) | footprint(doubtful, len(modes), margin=4)
    ignored &= ~footprint(counted, len(modes), margin=3)
    power = sky.power.copy()
    for emission in [*counted, *doubtful]:
        for plane, name in enumerate(recipe.components):
            level = level_around(sky.power[plane], emission)
            add(power[plane : plane + 1], level, emission, name)
    return Scene(
        power=power,
        amplitude={
            name: observe(stream(name), power[plane], receiver)
            for plane, name in enumerate(recipe.components)
        },
        kept=receiver.kept,
        nuclei=nuclei,
        confusers=confusers,
        background="quiet" if quiet else "busy",
        ignored=ignored,
    )


def _draw_sky(recipe: OrbitRecipe, track: Track, stream: Stream) -> tuple[Sky, bool]:
    """Draw all sources; and whether the half-orbit is quiet."""
    rng = stream("background")
    plasma = draw_plasma(rng, track)
    quiet = bool(rng.random() < 1 / 3)
    busy = rng.uniform(0.05, 0.4) if quiet else log_draw(rng, 0.4, 1.8)
    sunlit = draw_sunlight(rng, track)
    sky = start_sky(rng, plasma, recipe.components, sunlit)
    short, broad, lines = stream("short"), stream("broad"), stream("lines")
    add_storms(short, sky, 0.2 + busy)
    add_whistlers(short, sky, busy)
    for add_source in (
        add_hiss,
        add_chorus,
        add_cones,
        add_lower_hybrid_noise,
        add_turbulence,
    ):
        add_source(broad, sky, busy)
    add_transmitters(lines, sky, busy)
    add_power_lines(lines, sky, busy)
    add_spacecraft(lines, sky, sunlit, busy)
    if rng.random() < 0.3:  # quantisation
        few = float(np.quantile(sky.quiet, rng.uniform(0, 0.4)))
        sky.power += np.float32(few * rng.uniform(0.2, 2))
    return sky, quiet
