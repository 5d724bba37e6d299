"""Sweeps of hyperparameters with Optuna, on Ray Tune or in this process, and what they found.

`plan_sweep` checks a sweep and names it, `run_sweep` runs it or goes on with it, `read_sweep` tells
what it found.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
