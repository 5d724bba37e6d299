"""Sweeps of hyperparameters with Optuna, on Ray Tune or in this process, and what they found.

`plan_sweep` checks a sweep and names it, `run_sweep` runs it or goes on with it, `read_sweep` tells
what it found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from odm.core.lazy import lazy_names

if TYPE_CHECKING:
    from tuning.folder import SweepFolder as SweepFolder
    from tuning.placement import SweepPlacement as SweepPlacement
    from tuning.retrain import retrain_best as retrain_best
    from tuning.spaces import make_space as make_space
    from tuning.spaces import read_space as read_space
    from tuning.stopping import Rule as Rule
    from tuning.summary import read_sweep as read_sweep
    from tuning.sweep import SearchOptions as SearchOptions
    from tuning.sweep import plan_sweep as plan_sweep
    from tuning.sweep import run_sweep as run_sweep

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "Rule": "tuning.stopping",
        "SearchOptions": "tuning.sweep",
        "SweepFolder": "tuning.folder",
        "SweepPlacement": "tuning.placement",
        "make_space": "tuning.spaces",
        "plan_sweep": "tuning.sweep",
        "read_space": "tuning.spaces",
        "read_sweep": "tuning.summary",
        "retrain_best": "tuning.retrain",
        "run_sweep": "tuning.sweep",
    },
)
