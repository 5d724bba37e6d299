"""The plasma along a half-orbit, and what it does to waves: what every source of `rays` uses.

The field is that of a dipole whose dip angle is the one of the track. Density has an equatorial
anomaly, a trough, bubbles and irregular patches; with the mass of the ions it gives the lower
hybrid frequency, the opening of resonance cones, and where turbulence is.

Sources: the lower hybrid frequency as in PlasmaPy's ``lower_hybrid_frequency`` (Stix 1992), for
several ions and densities at which the ion gyrofrequency does not count; the cold-plasma
resonance cone, tangent^2 = -S / P (Stix 1992), by which James et al. (2012) explain the saucers of
DEMETER; whistlers after Eckersley and Helliwell (1965), their nose after Bernard (1973); the
cut-off c / 2h of the Earth-ionosphere waveguide.

Assumed here, without a source: all profiles of density, ions, absorption and irregularities.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from odm.simulate.orbit.groundtrack import ROW_STEP_MS, Track

Floats = NDArray[np.float64]

KM_PER_ROW = 7.6 * ROW_STEP_MS / 1e3
"""Kilometres of flight from one spectrum to the next."""
_RADIUS_KM = 6371.2
_SURFACE_GYRO_HZ = 28.0 * 29_900.0  # 28 Hz/nT times the field of the dipole at its equator
_PLASMA_HZ = 8980.0  # plasma frequency of one electron per cm^3
_PROTON_PER_ELECTRON = 1836.15


@dataclass(frozen=True)
class Plasma:
    """The plasma along a half-orbit, all arrays (M,).

    Attributes:
        sine_dip: absolute sine of the dip angle.
        latitude: magnetic latitude, degrees, of a dipole with this dip angle.
        shell: distance in Earth radii at which the field line crosses the equator.
        gyro: electron gyrofrequency, Hz.
        plasma: electron plasma frequency, Hz.
        lower_hybrid: Hz.
        roughness: strength of irregularities, 0 to about 1.
        absorption_db: of a wave of 10 kHz on its way up through the ionosphere.
        waveguide: lowest cut-off frequency of the Earth-ionosphere waveguide, Hz.
        activity: 0 quiet to 1 disturbed.
        night: whether the half-orbit is in darkness.
    """

    sine_dip: Floats
    latitude: Floats
    shell: Floats
    gyro: Floats
    plasma: Floats
    lower_hybrid: Floats
    roughness: Floats
    absorption_db: Floats
    waveguide: float
    activity: float
    night: bool

    @property
    def equatorial_gyro(self) -> Floats:
        """Electron gyrofrequency where the field line crosses the equator, Hz."""
        return _SURFACE_GYRO_HZ / self.shell**3


def lower_hybrid_frequency(plasma: Floats, gyro: Floats, ion_mass: Floats | float) -> Floats:
    """Return the lower hybrid frequency, Hz.

    Args:
        plasma: electron plasma frequency, Hz.
        gyro: electron gyrofrequency, Hz.
        ion_mass: effective mass of the ions, proton masses: one over the mean of one over mass.
    """
    both = plasma**2 * gyro**2 / (plasma**2 + gyro**2)
    return np.asarray(np.sqrt(both / (ion_mass * _PROTON_PER_ELECTRON)))


def cone_tangent(
    frequency: Floats, plasma: float, gyro: float, lower_hybrid: float
) -> NDArray[np.float64]:
    """Return the tangent between the field and rays at resonance; NaN where there is no cone.

    The frequencies, Hz, are far below the gyrofrequency; there is a cone above the lower hybrid.
    """
    across = (1 + (plasma / gyro) ** 2) * (1 - (lower_hybrid / frequency) ** 2)
    along = (plasma / frequency) ** 2 - 1
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sqrt(across / along))


def whistler_delay(frequency: Floats, dispersion: float, equatorial_gyro: float = np.inf) -> Floats:
    """Return the travel time of a whistler, seconds: dispersion over the root of the frequency.

    Args:
        frequency: Hz, below the gyrofrequency.
        dispersion: s Hz^0.5.
        equatorial_gyro: Hz; with it the delay has a nose at 0.37 of it.
    """
    nose = 0.37
    slope = (3 * nose - 1) / (nose * (1 + nose))
    part = frequency / equatorial_gyro
    return np.asarray(dispersion / np.sqrt(frequency) * (1 - slope * part) / (1 - part))


def wandering(rng: np.random.Generator, rows: int, scale: float) -> Floats:
    """Return a noise of mean 0 and variance 1 along the track, correlated over ``scale`` rows."""
    noise = gaussian_filter1d(rng.standard_normal(rows + int(6 * scale) + 2), scale)
    noise = noise[int(3 * scale) : int(3 * scale) + rows]
    return np.asarray((noise - noise.mean()) / max(float(noise.std()), 1e-9))


def log_draw(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw between two positive numbers, any factor being as likely as any other."""
    return float(low * (high / low) ** rng.random())


def draw_plasma(rng: np.random.Generator, track: Track) -> Plasma:
    """Draw what a half-orbit flies through."""
    rows = len(track.times)
    tangent = np.tan(np.radians(np.clip(track.dip, -89.0, 89.0)))
    latitude = np.degrees(np.arctan(tangent / 2))
    cosine = np.cos(np.radians(latitude))
    radius = 1 + track.altitude / _RADIUS_KM
    gyro = _SURFACE_GYRO_HZ / radius**3 * np.sqrt(1 + 3 * np.sin(np.radians(latitude)) ** 2)
    activity = float(rng.beta(1.2, 2.5))
    roughness = _roughness(rng, latitude, activity, track.night)
    density = _density(rng, latitude, activity, track.night)
    for scale in (1.0, 4.0, 16.0):
        density = density * np.exp(0.25 * roughness * wandering(rng, rows, scale))
    protons = rng.uniform(0.02, 0.5) if track.night else rng.uniform(0.0, 0.12)
    share = protons * np.exp(-((latitude / rng.uniform(20, 60)) ** 2) / 2)
    plasma = _PLASMA_HZ * np.sqrt(density)
    sine_dip = np.abs(np.sin(np.radians(track.dip)))
    upward = rng.uniform(1, 5) if track.night else rng.uniform(8, 22)
    return Plasma(
        sine_dip=sine_dip,
        latitude=latitude,
        shell=radius / cosine**2,
        gyro=gyro,
        plasma=plasma,
        lower_hybrid=lower_hybrid_frequency(plasma, gyro, 1 / (share + (1 - share) / 16)),
        roughness=roughness,
        absorption_db=upward / np.maximum(sine_dip, 0.25),
        waveguide=149_900.0 / (rng.uniform(82, 92) if track.night else rng.uniform(65, 75)),
        activity=activity,
        night=track.night,
    )


def _bump(values: Floats, centre: float, width: float) -> Floats:
    return np.asarray(np.exp(-(((values - centre) / width) ** 2) / 2))


def _density(rng: np.random.Generator, latitude: Floats, activity: float, night: bool) -> Floats:
    """Draw electrons per cm^3 (M,)."""
    density = np.full(
        len(latitude), log_draw(rng, 1e4, 1.2e5) if night else log_draw(rng, 5e4, 5e5)
    )
    tilt = rng.uniform(-0.4, 0.4)
    density *= np.exp(tilt * latitude / 60 - (latitude / rng.uniform(50, 110)) ** 2)
    crest, width = rng.uniform(10, 18), rng.uniform(5, 10)
    for side in (-1, 1):
        density *= 1 + rng.uniform(0, 2.5) * _bump(latitude, side * crest, width)
        place = side * (66 - 12 * activity + rng.normal(0, 2))
        depth = rng.uniform(0.2, 0.85) if night else rng.uniform(0, 0.4)
        density *= 1 - depth * _bump(latitude, place, rng.uniform(1.5, 5))
    for _ in range(int(rng.poisson(2.0 * night))):  # bubbles with steep walls
        away = (latitude - rng.normal(0, 10)) / rng.uniform(0.3, 2.5)
        density *= 1 - rng.uniform(0.3, 0.95) * np.exp(-(away**8))
    return density


def _roughness(rng: np.random.Generator, latitude: Floats, activity: float, night: bool) -> Floats:
    """Draw the strength of irregularities (M,): patches near the poles and the equator."""
    strength = np.full(len(latitude), rng.uniform(0, 0.1))
    for side in (-1, 1):
        for _ in range(int(rng.poisson(1 + 4 * activity))):
            place = side * (68 - 12 * activity + rng.normal(0, 4))
            strength += rng.uniform(0.1, 0.8) * _bump(latitude, place, log_draw(rng, 0.3, 4))
    for _ in range(int(rng.poisson(2.5 if night else 0.4))):
        strength += rng.uniform(0.1, 0.9) * _bump(
            latitude, rng.normal(0, 12), log_draw(rng, 0.3, 4)
        )
    return np.minimum(strength, 1.2)
