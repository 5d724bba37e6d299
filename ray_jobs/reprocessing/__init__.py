"""Reprocessing on a Ray cluster: a runner of campaigns, and what they will cost.

`run_on_ray` runs the stages of `odm.reprocess` on a cluster; `calibrate` measures what an input
costs there, and `estimate` says how long an archive takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from odm.core.lazy import lazy_names

if TYPE_CHECKING:
    from ray_jobs.reprocessing.estimate import ClusterSize as ClusterSize
    from ray_jobs.reprocessing.estimate import Rates as Rates
    from ray_jobs.reprocessing.runner import run_on_ray as run_on_ray

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "ClusterSize": "ray_jobs.reprocessing.estimate",
        "Rates": "ray_jobs.reprocessing.estimate",
        "run_on_ray": "ray_jobs.reprocessing.runner",
    },
)
