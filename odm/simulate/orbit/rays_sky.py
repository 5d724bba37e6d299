"""What arrives at a satellite from all sources, added up in units of power.

A source gives the power of its waves over a window of rows and frequencies, in units of the quiet
background at one reference frequency, so that its strength in dB says how far it stands out there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from odm.simulate.orbit.emission import BINS, FREQUENCY, Emission, FloatArray
from odm.simulate.orbit.rays_plasma import Plasma, log_draw

HZ = FREQUENCY + 0.5 * FREQUENCY[1]
"""(1024,) Hz, middle of each bin, so that no power law is infinite."""
BIN_HZ = float(FREQUENCY[1])


@dataclass
class Sky:
    """The sum of all sources of one half-orbit of M rows.

    Attributes:
        plasma: what the satellite flies through.
        quiet: (1024,) float32 background of a receiver without any wave.
        components: which of x, y, z there are.
        power: (C, M, 1024) float32, what has arrived.
        discrete: (kind, row, bin, power, strength in x, y and z) of single sources.
    """

    plasma: Plasma
    quiet: FloatArray
    components: str
    power: FloatArray
    discrete: list[tuple[str, int, int, FloatArray, tuple[float, float, float]]] = field(
        default_factory=list
    )

    @property
    def rows(self) -> int:
        """Number of rows M."""
        return int(self.power.shape[1])

    def unit(self, hertz: float, strength_db: float) -> float:
        """Return the power that stands out by so many dB at a frequency."""
        level = float(np.interp(hertz, HZ, self.quiet))
        return level * float(10 ** (strength_db / 10) - 1)

    def arrive(
        self,
        rng: np.random.Generator,
        kind: str,
        corner: tuple[int, int],
        power: NDArray[np.floating],
        *,
        listed: bool = True,
    ) -> None:
        """Add the power (n, k) of a source, cut off at the ends of the half-orbit.

        Args:
            rng: draws how strong the source is in each component.
            kind: what it is.
            corner: row and bin of the first value, which may lie outside.
            power: never negative.
            listed: whether it is a confuser of its own, or part of the background.
        """
        strength = tuple(float(part) for part in np.exp(rng.normal(0, 0.35, 3)))
        row, bin_ = corner
        part = power[max(0, -row) : self.rows - row, max(0, -bin_) : BINS - bin_]
        row, bin_ = max(0, row), max(0, bin_)
        if self.rows <= row or bin_ >= BINS or not part.size:
            return
        part = np.ascontiguousarray(part, dtype=np.float32)
        tall, wide = part.shape
        for plane, name in enumerate(self.components):
            factor = np.float32(strength["xyz".index(name)])
            self.power[plane, row : row + tall, bin_ : bin_ + wide] += factor * part
        if listed:
            self.discrete.append((kind, row, bin_, part, (strength[0], strength[1], strength[2])))

    def confusers(self) -> list[Emission]:
        """Return the single sources as excess over the quiet background, those that show."""
        emissions = []
        for kind, row, bin_, power, strength in self.discrete:
            level = self.quiet[bin_ : bin_ + power.shape[1]] / np.float32(strength[2])
            excess = 10 * np.log10(1 + power / level)
            if float(excess.max()) >= 1.0:
                emissions.append(Emission(kind, row, bin_, excess.astype(np.float32), strength))
        return emissions


def draw_quiet(rng: np.random.Generator) -> FloatArray:
    """Draw the spectrum (1024,) of receiver, antenna and thermal noise, (mV/m)^2/Hz."""
    knee, slope = log_draw(rng, 150, 4000), rng.uniform(0.4, 2.4)
    spectrum = 1 + (knee / HZ) ** slope
    spectrum *= (1 + HZ / 8e3) ** rng.uniform(-1.5, 0.8)
    if rng.random() < 0.4:  # the antenna's capacity and the input make a wide resonance
        middle, width = rng.uniform(3e3, 25e3), rng.uniform(0.4, 1.2)
        spectrum *= 1 + rng.uniform(0, 2) * np.exp(-((np.log(HZ / middle) / width) ** 2) / 2)
    return np.asarray(10 ** rng.uniform(-8.6, -6.6) * spectrum, dtype=np.float32)


def start_sky(
    rng: np.random.Generator, plasma: Plasma, components: str, sunlit: NDArray[np.floating]
) -> Sky:
    """Return a sky with nothing but the quiet background.

    Args:
        rng: the generator.
        plasma: what the satellite flies through.
        components: which of x, y, z there are.
        sunlit: (M,) 0 in the shadow to 1 in sunlight; photoelectrons add noise at low frequencies.
    """
    quiet = draw_quiet(rng)
    coupling = (plasma.plasma / np.median(plasma.plasma)) ** rng.uniform(-0.4, 0.4)
    corner, share = log_draw(rng, 300, 6000), rng.uniform(0, 2) * (rng.random() < 0.6)
    noise = (share / (1 + (HZ / corner) ** 2)).astype(np.float32)
    background = quiet * coupling.astype(np.float32)[:, None]
    background *= 1 + noise * sunlit.astype(np.float32)[:, None]
    tilt = [rng.normal(0, 0.3, 2) for _ in "xyz"]
    factors = [np.exp(level + slope * np.log(HZ / 5e3)) for level, slope in tilt]
    chosen = np.stack([factors["xyz".index(name)] for name in components]).astype(np.float32)
    return Sky(plasma, quiet, components, background * chosen[:, None, :])
