"""Training on Ray: `train_on_ray` runs a plan on workers of Ray Train."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odm.core.lazy import lazy_names

if TYPE_CHECKING:
    from ray_jobs.training.train import train_on_ray as train_on_ray

__getattr__, __dir__, __all__ = lazy_names(__name__, {"train_on_ray": "ray_jobs.training.train"})
