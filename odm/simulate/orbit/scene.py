"""What a maker of skies draws of one half-orbit: the same for every maker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from odm.simulate.orbit.emission import Emission, FloatArray
from odm.simulate.orbit.groundtrack import Track
from odm.simulate.orbit.recipe import OrbitRecipe, Stream


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a maker of skies draws of one half-orbit, M rows long before any are lost.

    Attributes:
        power: (C, M, 1024) float32 noise-free PSD in (mV/m)^2/Hz of the recipe's components.
        amplitude: component -> (M, 1024) float32 as observed, mV/m/Hz^0.5, with speckle, gain and
            fill values.
        kept: (M,) bool, rows that arrive.
        nuclei: what is a nucleus, each with its shape family.
        confusers: what is none.
        background: name of the background variant.
        ignored: (M, 1024) bool, where nobody can say whether there is a nucleus; None for nowhere.
    """

    power: FloatArray
    amplitude: dict[str, FloatArray]
    kept: NDArray[np.bool_]
    nuclei: list[tuple[Emission, str]]
    confusers: list[Emission]
    background: str
    ignored: NDArray[np.bool_] | None = None


Maker = Callable[[OrbitRecipe, Track, NDArray[np.int8], Stream], Scene]
"""Draws what a half-orbit shows, from its recipe, its full track, the working mode of every row,
and the random generators of the half-orbit by purpose."""
