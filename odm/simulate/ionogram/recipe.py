"""Settings of simulated ionograms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from odm.core.checks import check_choice, check_share, check_whole

SceneKind = Literal["mixed", "f", "es", "none"]
SCENE_KINDS: tuple[SceneKind, ...] = get_args(SceneKind)
RayModel = Literal["quasi-parabolic", "layered"]
RAY_MODELS: tuple[RayModel, ...] = get_args(RayModel)


@dataclass(frozen=True, kw_only=True)
class IonogramRecipe:
    """Settings that decide the content of every ionogram of an archive.

    Attributes:
        seed: 0 or more.
        kind: ``mixed`` (Es and F), ``f``, ``es``, ``none`` (no layer), or ``any`` of them.
        difficulty: 0 to 1: weaker echoes, fewer looks, more of what disturbs.
        series: one every 15 minutes of one sounder, with slowly moving layers; else each is drawn
            anew.
        ray_model: ``quasi-parabolic`` or ``layered``; None for both.

    Raises:
        InputError: a setting that cannot be meant.
    """

    seed: int = 0
    kind: str = "any"
    difficulty: float = 0.5
    series: bool = False
    ray_model: str | None = None

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, (*SCENE_KINDS, "any"))
        if self.ray_model is not None:
            check_choice("ray model", self.ray_model, RAY_MODELS)
        object.__setattr__(self, "seed", check_whole("seed", self.seed, 0))
        object.__setattr__(self, "difficulty", check_share("difficulty", self.difficulty))


@dataclass(frozen=True, kw_only=True)
class IonogramSimulation(IonogramRecipe):
    """Settings of an archive of ``count`` simulated ionograms."""

    count: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("count", self.count, 1)
