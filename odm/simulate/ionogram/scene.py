"""What one simulated ionogram shows: the ionosphere, the sounder, the disturbances, as numbers.

Everything is drawn from (seed, index) alone. In a series neighbouring scenes are blends of the same
two anchors, so that layers move slowly; the sounder stays the same.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np

from odm.simulate.ionogram.recipe import (
    RAY_MODELS,
    SCENE_KINDS,
    IonogramRecipe,
)

KIND_SHARES = {"mixed": 0.45, "f": 0.22, "es": 0.22, "none": 0.11}
"""Shares of the kinds where any may occur."""
LAYERED_SHARE = 0.35
"""Share of the ionograms from the second ray model, where both may occur."""
ABSENT_DB = -60.0
_ANCHOR_EVERY = 16
"""Ionograms of a series from one anchor to the next: 4 hours."""


@dataclass(frozen=True, slots=True)
class FLayer:
    """The F layer at the sounder, and how it changes with ground distance.

    ``gradient``: relative change of the critical frequency per 1000 km; ``tilt_km``: change of the
    height per 1000 km; ``wave``: relative amplitude of a travelling disturbance of ``wave_km``
    wavelength, ``wave_height_km`` its amplitude in height; ``level_db``: SNR where it is strongest.
    """

    critical_mhz: float
    peak_km: float
    thickness_km: float
    gradient: float
    tilt_km: float
    wave: float
    wave_km: float
    wave_phase: float
    wave_height_km: float
    level_db: float


@dataclass(frozen=True, slots=True)
class EsLayer:
    """A patch of sporadic E between two ground distances below it (km).

    Below ``blanketing`` times the critical frequency it lets nothing through.
    """

    critical_mhz: float
    blanketing: float
    height_km: float
    thickness_km: float
    near_km: float
    far_km: float
    level_db: float


@dataclass(frozen=True, slots=True)
class Conditions:
    """All else above the sounder.

    ``e_mhz``, ``f1_share``: critical frequencies of E (MHz) and F1 (of F2's; 0 for none), used by
    the layered model alone, ``e_db`` the E layer's level; ``x_db``: X mode against O, with
    ``x_mhz`` between their traces; ``side_db``: echoes of azimuths beside the beam, where the
    ionosphere differs by ``side_share`` and ``side_km``; ``absorption_db``: at 10 MHz, overhead,
    there and back; ``hop2_db``: the second hop against the first; ``vertical_db``: SNR of the
    vertical echo.
    """

    e_mhz: float
    e_db: float
    f1_share: float
    x_db: float
    x_mhz: float
    side_db: float
    side_share: float
    side_km: float
    absorption_db: float
    hop2_db: float
    vertical_db: float
    interference: float
    meteors: float
    irregularities_db: float


@dataclass(frozen=True, slots=True)
class Sounder:
    """The instrument.

    ``gate_km``: range step; ``low_angle_deg``, ``lobe_deg``: where the antenna's pattern begins
    and has its maximum; ``looks``: independent samples in each value; ``pulse_km``: width of the
    pulse at half power; ``side_lobe_db``, ``side_lobe_km``: of the code, near the echo;
    ``pedestal_db``: of the code, in all ranges; ``by_column``: noise is measured at each frequency,
    so that interference lowers echoes, else it stands out as columns; ``repeat_km``: an echo from
    beyond appears that much nearer; ``response_db``: unevenness over frequency;
    ``near_loss_db``: sensitivity lost at short range; ``leak_db``: direct signal at range 0.
    """

    gate_km: float
    low_angle_deg: float
    lobe_deg: float
    looks: float
    pulse_km: float
    side_lobe_db: float
    side_lobe_km: float
    pedestal_db: float
    by_column: bool
    repeat_km: float
    response_db: float
    near_loss_db: float
    leak_db: float
    smooth_speckle: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """One ionogram to be made."""

    kind: str
    ray_model: str
    f: FLayer
    es: EsLayer
    remote_es: EsLayer
    conditions: Conditions
    sounder: Sounder


def draw_scene(recipe: IonogramRecipe, index: int) -> Scene:
    """Draw the scene of one ionogram; the same recipe and index give the same."""

    def draw(number: int, stream: int) -> Scene:
        rng = np.random.default_rng([recipe.seed, number, stream])
        kind = recipe.kind
        if kind == "any":
            kind = str(rng.choice(SCENE_KINDS, p=[KIND_SHARES[name] for name in SCENE_KINDS]))
        ray_model = RAY_MODELS[int(rng.random() < LAYERED_SHARE)]
        return _draw(rng, kind, recipe.ray_model or ray_model, recipe.difficulty)

    if not recipe.series:
        return draw(index, 0)
    anchor, step = divmod(index, _ANCHOR_EVERY)
    share = 0.5 - 0.5 * np.cos(np.pi * step / _ANCHOR_EVERY)
    before, after = draw(anchor, 1), draw(anchor + 1, 1)
    fixed = draw(0, 2)
    return replace(
        _blend(before, after, float(share)),
        kind=(before if share < 0.5 else after).kind,
        ray_model=recipe.ray_model or fixed.ray_model,
        sounder=fixed.sounder,
    )


def _blend(before: Any, after: Any, share: float) -> Any:
    """Mix two scenes, or two parts of them, number by number; the rest is that of ``before``."""
    changed: dict[str, Any] = {}
    for field in fields(before):
        first, second = getattr(before, field.name), getattr(after, field.name)
        if is_dataclass(first):
            changed[field.name] = _blend(first, second, share)
        elif isinstance(first, float):
            changed[field.name] = first + share * (second - first)
    return replace(before, **changed)


def _draw(rng: np.random.Generator, kind: str, ray_model: str, hard: float) -> Scene:
    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    def perhaps(chance: float, low: float, high: float, otherwise: float) -> float:
        value = between(low, high)  # always drawn: what follows must not depend on the chance
        return value if rng.random() < chance else otherwise

    f_level = between(24 - 9 * hard, 42 - 12 * hard)
    faint = perhaps(0.5, -8, 1, ABSENT_DB)
    es_level = between(20 - 7 * hard, 38 - 10 * hard)
    remote_level = between(18 - 7 * hard, 34 - 10 * hard)
    local, remote = rng.random() < 0.8, rng.random() < 0.4
    has_es = kind in ("mixed", "es")
    f = FLayer(
        critical_mhz=between(5, 12),
        peak_km=between(250, 350),
        thickness_km=between(60, 130),
        gradient=float(np.clip(rng.normal(0, 0.07), -0.18, 0.18)),
        tilt_km=float(rng.normal(0, 12)),
        wave=perhaps(0.7, 0.0, 0.012 + 0.03 * hard, 0.0),
        wave_km=between(180, 600),
        wave_phase=between(0, 2 * np.pi),
        wave_height_km=perhaps(0.7, 0.0, 8.0, 0.0),
        level_db=f_level if kind in ("mixed", "f") else faint,
    )

    def patch(near_km: float, length_km: tuple[int, int], level_db: float, weak: bool) -> EsLayer:
        return EsLayer(
            critical_mhz=between(3, 9) if weak else between(5, 12),
            blanketing=between(0.35, 0.9),
            height_km=between(98, 122),
            thickness_km=between(2, 6),
            near_km=near_km,
            far_km=near_km + between(*length_km),
            level_db=level_db,
        )

    shown = es_level if has_es and (local or not remote) else ABSENT_DB
    es = patch(0.0, (180, 900), shown, kind == "mixed")
    shown = remote_level if has_es and remote else ABSENT_DB
    remote_es = patch(between(380, 800), (100, 400), shown, weak=False)
    conditions = Conditions(
        e_mhz=perhaps(0.6, 1.2, 3.6, between(0.4, 1.0)) if kind == "mixed" else between(0.4, 1.0),
        e_db=between(6, 20),
        f1_share=perhaps(0.5, 0.6, 0.75, 0.0),
        x_db=perhaps(0.5, -22, -1, ABSENT_DB),
        x_mhz=between(0.2, 0.6),
        side_db=perhaps(0.7, -20, -8, ABSENT_DB),
        side_share=between(-0.05, 0.015),
        side_km=between(-6, 20),
        absorption_db=between(2, 16),
        hop2_db=perhaps(0.8, -24, -9, ABSENT_DB),
        vertical_db=perhaps(0.6, 5, 24, ABSENT_DB),
        interference=between(0.1, 0.5) + 0.6 * hard,
        meteors=between(0, 14) + 20 * hard * rng.random(),
        irregularities_db=perhaps(0.06 + 0.14 * hard, 4, 16, ABSENT_DB),
    )
    return Scene(kind, ray_model, f, es, remote_es, conditions, _sounder(rng, hard))


def _sounder(rng: np.random.Generator, hard: float) -> Sounder:
    return Sounder(
        gate_km=float(rng.choice([5.0, 6.0, 7.5])),
        low_angle_deg=float(rng.uniform(2.5, 6)),
        lobe_deg=float(rng.uniform(12, 35)),
        looks=float(rng.choice([2, 3, 4, 6, 8] if hard < 0.5 else [1, 2, 3, 4, 6])),
        pulse_km=float(rng.uniform(7, 30)),
        side_lobe_db=float(rng.uniform(-34, -15)),
        side_lobe_km=float(rng.uniform(20, 90)),
        pedestal_db=float(rng.uniform(-60, -38)),
        by_column=bool(rng.random() < 0.5),
        repeat_km=float(rng.choice([5000.0, 6000.0, 7500.0])),
        response_db=float(rng.uniform(0, 4)),
        near_loss_db=float(rng.uniform(0, 6)),
        leak_db=float(rng.uniform(10, 35)) if rng.random() < 0.4 else ABSENT_DB,
        smooth_speckle=bool(rng.random() < 0.5),
    )
