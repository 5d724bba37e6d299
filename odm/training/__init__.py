"""Training: one loop for every task, in plain torch.

`plan_training` checks a training and names its run, `train_here` runs it in this process. Masks
and boxes are the two tasks; `odm.core.kinds.TASKS` names them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from odm.core.lazy import lazy_names

if TYPE_CHECKING:
    from odm.training.errors import TrainingError as TrainingError
    from odm.training.launch import Launch as Launch
    from odm.training.plans import TrainingPlan as TrainingPlan
    from odm.training.plans import keep_model as keep_model
    from odm.training.plans import plan_training as plan_training
    from odm.training.plans import train_here as train_here
    from odm.training.plans import train_planned as train_planned
    from odm.training.settings import DetectorSettings as DetectorSettings
    from odm.training.settings import SegmenterSettings as SegmenterSettings
    from odm.training.settings import read_settings as read_settings
    from odm.training.task import TrainingTask as TrainingTask

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "DetectorSettings": "odm.training.settings",
        "Launch": "odm.training.launch",
        "SegmenterSettings": "odm.training.settings",
        "TrainingError": "odm.training.errors",
        "TrainingPlan": "odm.training.plans",
        "TrainingTask": "odm.training.task",
        "keep_model": "odm.training.plans",
        "plan_training": "odm.training.plans",
        "read_settings": "odm.training.settings",
        "train_here": "odm.training.plans",
        "train_planned": "odm.training.plans",
    },
)
