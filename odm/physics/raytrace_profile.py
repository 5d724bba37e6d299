"""The second ray model: rays through a profile of several layers, integrated shell by shell.

E, F1 and F2 with a valley between them, each of another shape than the quasi-parabola of
`odm.physics.raytrace`: an echo of the F layer here is late because the ray was slowed in the E
layer, too. What is learned or checked with one formula alone can so be tried against another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.physics.raytrace import EARTH_RADIUS_KM, Rays

NODES = 90
"""Shells between the base and the highest peak."""

_E_HEIGHT_KM = 110.0
"""Height of the E layer's peak."""
_CHAPMAN_BELOW = 3.2
"""Scale heights below the peak at which the Chapman layer is taken to begin."""


@dataclass(frozen=True, slots=True)
class Profile:
    """An ionosphere by height.

    Attributes:
        height: (N,) km, rising.
        plasma2: (N,) squared plasma frequency, MHz².
        valley: km; a ray that turns below this height is one of the E layer.
    """

    height: NDArray[np.float64]
    plasma2: NDArray[np.float64]
    valley: float


def layered_profile(
    e_mhz: float, f1_mhz: float, f2_mhz: float, f2_height: float, scale_height: float
) -> Profile:
    """Return a parabolic E layer with a shallow valley, an F1 ledge and an alpha-Chapman F2 layer.

    Args:
        e_mhz, f1_mhz, f2_mhz: critical frequencies, MHz; 0 for an F1 that is not there.
        f2_height: peak height of the F2 layer, km.
        scale_height: scale height of the F2 layer, km.
    """
    e_height = _E_HEIGHT_KM
    height = np.linspace(e_height - 18.0, f2_height, NODES)
    z = (height - f2_height) / scale_height
    chapman = np.exp(np.clip(0.5 * (1 - z - np.exp(-z)), -60, 0))
    # Cut off smoothly, or the layer would reach down to the ground.
    taper = np.clip((z + _CHAPMAN_BELOW) / 0.8, 0, 1)
    f2 = f2_mhz**2 * chapman * taper**2 * (3 - 2 * taper)
    rise = np.clip(1 - ((height - e_height) / 18.0) ** 2, 0, None)
    above = 0.8 + 0.2 * np.exp(-(((height - e_height) / 12.0) ** 2))
    e = e_mhz**2 * np.where(height <= e_height, rise, above)
    fade = np.clip((f2_height - height) / (f2_height - e_height), 0, 1)
    e = e * np.where(height > e_height, fade, 1.0)
    f1_height = e_height + 0.42 * (f2_height - e_height)
    f1 = f1_mhz**2 * np.clip(1 - ((height - f1_height) / 45.0) ** 2, 0, None)
    return Profile(height, np.maximum(np.maximum(e, f1), f2), e_height + 8.0)


def trace_profile(
    frequency: Any, elevation: Any, profile: Profile, stretch: Any = 1.0
) -> tuple[Rays, NDArray[np.bool_]]:
    """Return group path and ground range of rays, and which of them turn in the E layer.

    Within a shell r²µ² is taken for a straight line in r, so that ∫ dr / √(r²µ² - r₀²cos²β) is
    exact there and the turning point is no special case.

    Args:
        frequency: (F, 1) MHz, or broadcasting with ``elevation``.
        elevation: (1, E) radians at the ground.
        profile: the ionosphere.
        stretch: factor on the plasma frequency, broadcasting like the others.

    Returns:
        `Rays` (F, E) and a mask (F, E).
    """
    inverse2 = np.square(stretch / np.asarray(frequency, dtype=np.float64))
    cosine = EARTH_RADIUS_KM * np.cos(elevation)
    cosine2 = cosine**2
    radius = EARTH_RADIUS_KM + profile.height
    shape = np.broadcast_shapes(np.shape(inverse2), np.shape(cosine2))
    path, angle = np.zeros(shape), np.zeros(shape)
    going = np.ones(shape, dtype=bool)
    low_turn = np.zeros(shape, dtype=bool)
    before = radius[0] ** 2 * (1 - profile.plasma2[0] * inverse2) - cosine2
    going &= before > 0
    before = np.maximum(np.broadcast_to(before, shape), 1e-9)
    root = np.sqrt(before)
    for node in range(1, radius.size):
        after = radius[node] ** 2 * (1 - profile.plasma2[node] * inverse2) - cosine2
        turns = going & (after <= 0)
        later = np.sqrt(np.maximum(after, 0.0))
        share = np.where(turns, before / (before - after), 1.0)
        step = np.where(going, share * (radius[node] - radius[node - 1]), 0.0)
        both = root + later
        amount = 2 * step / both  # integral of dr / sqrt
        middle = radius[node - 1] + step / 3 * (root + 2 * later) / both
        path += amount * middle
        angle += amount / middle
        if profile.height[node] <= profile.valley:
            low_turn |= turns
        going &= ~turns
        before, root = np.maximum(after, 1e-9), np.maximum(later, 1e-5)
        if not going.any():
            break
    group_path = 2 * (
        path + np.sqrt(radius[0] ** 2 - cosine2) - EARTH_RADIUS_KM * np.sin(elevation)
    )
    below = np.arccos(cosine / radius[0]) - elevation
    ground = 2 * EARTH_RADIUS_KM * (angle * cosine + below)
    lost = going | ~np.isfinite(group_path)  # through the peak
    return Rays(np.where(lost, np.nan, group_path), np.where(lost, np.nan, ground)), low_turn
