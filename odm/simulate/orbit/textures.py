"""Half-orbits from spectra and textures: a maker of skies that names no emission.

A mean spectrum along a random curve, its slow change along the orbit, and a random number of the
layers of `textures_layers` are added in dB. Nuclei (`textures_nuclei`, `textures_places`) are added
in power relative to the ambient level, which is smoothed over about 31 pixels. Half of the
half-orbits are calm: few layers, faint ones. Neither layers nor damage know whether there is a
nucleus. The families of a recipe, which name variants of another sky, do not apply.

What nobody can decide is ignored: smooth bumps of the layers that look like a nucleus
(`textures_doubts`), nuclei weaker than 3 dB, nuclei most of which is hidden, and nuclei that do not
stand out of what they lie on.

Assumed here, without a source: all of the numbers, which are meant to be wider than what any
instrument shows.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from odm.simulate.orbit.emission import BINS, DECIBEL, FREQUENCY, Emission, FloatArray, add
from odm.simulate.orbit.groundtrack import Track
from odm.simulate.orbit.recipe import OrbitRecipe, Stream
from odm.simulate.orbit.scene import Scene
from odm.simulate.orbit.textures_doubts import confusers_of, doubtful_bumps
from odm.simulate.orbit.textures_fields import log_uniform, random_curve, soft_step
from odm.simulate.orbit.textures_layers import LAYERS
from odm.simulate.orbit.textures_places import Surroundings, footprint, place_faint, place_nuclei
from odm.simulate.orbit.textures_receiver import draw_damage, received, speckle

_LIMIT_DB = 20.0  # where layers add up to more, their sum is compressed


def draw_textures(
    recipe: OrbitRecipe, track: Track, modes: NDArray[np.int8], stream: Stream
) -> Scene:
    """Draw a half-orbit from spectra and textures; the working mode changes nothing."""
    rows = len(modes)
    rng = stream("background")
    calm = bool(rng.random() < 0.5)
    decibels = _mean_spectrum(rng) + _changes(rng, track, calm)
    excess, confusers = _draw_layers(stream("broad"), rows, calm)
    ambient = np.exp(DECIBEL * (decibels + excess)).astype(np.float32)

    damage = draw_damage(stream("gaps"), rows)
    where = Surroundings(track, damage, ambient, confusers)
    placed = place_nuclei(stream("nuclei"), where, recipe.prevalence, recipe.difficulty)
    place_faint(stream("almost"), where, placed)
    ignored = doubtful_bumps(ambient) | footprint(placed.doubtful, rows, margin=4)
    nuclei = [emission for emission, _ in placed.nuclei]
    ignored &= ~footprint(nuclei, rows, margin=3)

    power = ambient * _component_factors(stream("components"), recipe.components)
    for emission in placed.all():
        for plane, name in enumerate(recipe.components):
            level = _surrounding(power[plane], emission)
            add(power[plane : plane + 1], level, emission, name)
    return Scene(
        power=power,
        amplitude={
            name: received(
                stream("fill"),
                power[plane],
                speckle(stream("looks"), stream(name), (rows, BINS)),
                damage,
            )
            for plane, name in enumerate(recipe.components)
        },
        kept=damage.kept,
        nuclei=placed.nuclei,
        confusers=confusers,
        background="calm" if calm else "rich",
        ignored=ignored,
    )


def _mean_spectrum(rng: np.random.Generator) -> FloatArray:
    """Draw a spectrum (1024,) in dB: slopes of any sign between knees, and bumps."""
    octave = np.log2(FREQUENCY + rng.uniform(30, 400))
    knees = np.sort(rng.uniform(octave[0], octave[-1], int(rng.integers(1, 6))))
    places = np.concatenate([octave[:1], knees, octave[-1:]])
    slopes = np.clip(rng.normal(-3.0, 4.0, len(places) - 1), -12, 8)
    heights = np.concatenate([[0.0], np.cumsum(slopes * np.diff(places))])
    spectrum = np.interp(octave, places, heights)
    blur = log_uniform(rng, 1, 25)
    spectrum = cv2.GaussianBlur(spectrum[None], (0, 0), blur, borderType=cv2.BORDER_REPLICATE)[0]
    for _ in range(int(rng.integers(0, 5))):
        away = (FREQUENCY - rng.uniform(0, 16e3)) / log_uniform(rng, 150, 5000)
        spectrum += rng.uniform(-8, 12) * np.exp(-(away**2) / 2)
    spectrum *= min(1.0, 40 / float(np.ptp(spectrum)))
    ripple = log_uniform(rng, 0.05, 1.0) * random_curve(rng, BINS, log_uniform(rng, 3, 60))
    level = rng.uniform(-86, -66) - np.median(spectrum)
    return np.asarray(spectrum + ripple + level, dtype=np.float32)


def _changes(rng: np.random.Generator, track: Track, calm: bool) -> FloatArray:
    """Draw how the spectrum changes along the orbit, (M, 1024) dB: few times few spectra."""
    rows = len(track.times)
    change = np.zeros((rows, BINS), np.float32)
    for _ in range(int(rng.integers(1, 3 if calm else 6))):
        kind = int(rng.integers(3))
        if kind == 0:
            course = random_curve(rng, rows, log_uniform(rng, 15, 400))
        elif kind == 1:
            start = rng.uniform(0, rows)
            course = soft_step(np.arange(rows, dtype=np.float32), start, log_uniform(rng, 1, 200))
        else:
            polar = (np.abs(track.latitude) / 66).astype(np.float32)
            course = polar ** np.float32(rng.uniform(1, 8)) * (
                1 + np.float32(rng.uniform(-0.8, 0.8)) * np.sign(track.latitude)
            )
        spectrum = random_curve(rng, BINS, log_uniform(rng, 15, 500))
        if rng.random() < 0.4:
            spectrum = soft_step(spectrum, rng.uniform(-1, 1), log_uniform(rng, 0.05, 1.5))
        strength = log_uniform(rng, 0.2, 2) if calm else log_uniform(rng, 0.5, 6)
        change += np.float32(strength) * course.astype(np.float32)[:, None] * spectrum
    flicker = np.float32(log_uniform(rng, 0.02, 0.5))
    return change + flicker * rng.standard_normal((rows, 1), dtype=np.float32)


def _draw_layers(
    rng: np.random.Generator, rows: int, calm: bool
) -> tuple[FloatArray, list[Emission]]:
    """Draw the sum of all layers, (M, 1024) dB, and what stands out of them."""
    count = int(rng.integers(0, 3)) if calm else int(rng.integers(2, 8))
    excess = np.zeros((rows, BINS), np.float32)
    confusers: list[Emission] = []
    for kind in rng.choice(tuple(LAYERS), count):
        strength = log_uniform(rng, 1, 8) if calm else log_uniform(rng, 2, 28)
        layer = LAYERS[kind](rng, rows, strength)
        excess += layer
        if kind != "cloud":
            confusers += confusers_of(str(kind), layer)
    high = np.abs(excess) > _LIMIT_DB
    over = np.abs(excess[high]) - np.float32(_LIMIT_DB)
    excess[high] = np.sign(excess[high]) * (_LIMIT_DB + 15 * np.tanh(over / 15))
    return excess, confusers


def _component_factors(rng: np.random.Generator, components: str) -> FloatArray:
    """Draw the power of the components relative to a common field, (C, 1, 1024)."""
    factors = [
        rng.normal(0, 2) + log_uniform(rng, 0.1, 1.5) * random_curve(rng, BINS, 200.0)
        for _ in "xyz"
    ]
    chosen = [factors["xyz".index(name)] for name in components]
    return np.exp(DECIBEL * np.stack(chosen)).astype(np.float32)[:, None, :]


def _surrounding(power: FloatArray, emission: Emission) -> FloatArray:
    """Return the ambient level over the window of an emission: ``power`` (M, 1024) smoothed."""
    rows, bins = emission.window
    top, left = max(0, rows.start - 24), max(0, bins.start - 24)
    part = power[top : rows.stop + 24, left : bins.stop + 24]
    smooth = cv2.GaussianBlur(part, (49, 49), 9.0, borderType=cv2.BORDER_REFLECT)
    inner = smooth[rows.start - top :, bins.start - left :]
    return np.ascontiguousarray(inner[: rows.stop - rows.start, : bins.stop - bins.start])
