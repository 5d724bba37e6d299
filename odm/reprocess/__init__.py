"""From an archive to a campaign: a request, its stages, and a runner for one machine.

`open_order` makes a `ReprocessRequest` ready, and `reprocess` runs it with a runner, such as
`run_local`, or `ray_jobs.reprocessing.run_on_ray` on a cluster. A kind of input brings its
`Stages`, which read and finish inputs, and its `Inference`, which names and loads a model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from odm.core.lazy import lazy_names

if TYPE_CHECKING:
    from odm.reprocess.driver import Runner as Runner
    from odm.reprocess.driver import Summary as Summary
    from odm.reprocess.driver import check_summary as check_summary
    from odm.reprocess.driver import reprocess as reprocess
    from odm.reprocess.models.base import Inference as Inference
    from odm.reprocess.order import Order as Order
    from odm.reprocess.order import Preparation as Preparation
    from odm.reprocess.order import open_order as open_order
    from odm.reprocess.request import LayerOptions as LayerOptions
    from odm.reprocess.request import ModelOptions as ModelOptions
    from odm.reprocess.request import RegionOptions as RegionOptions
    from odm.reprocess.request import ReprocessRequest as ReprocessRequest
    from odm.reprocess.request import Workers as Workers
    from odm.reprocess.runners.local import run_local as run_local
    from odm.reprocess.stages.base import Draft as Draft
    from odm.reprocess.stages.base import InputResult as InputResult
    from odm.reprocess.stages.base import Stages as Stages

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "Draft": "odm.reprocess.stages.base",
        "Inference": "odm.reprocess.models.base",
        "InputResult": "odm.reprocess.stages.base",
        "LayerOptions": "odm.reprocess.request",
        "ModelOptions": "odm.reprocess.request",
        "Order": "odm.reprocess.order",
        "Preparation": "odm.reprocess.order",
        "RegionOptions": "odm.reprocess.request",
        "ReprocessRequest": "odm.reprocess.request",
        "Runner": "odm.reprocess.driver",
        "Stages": "odm.reprocess.stages.base",
        "Summary": "odm.reprocess.driver",
        "Workers": "odm.reprocess.request",
        "check_summary": "odm.reprocess.driver",
        "open_order": "odm.reprocess.order",
        "reprocess": "odm.reprocess.driver",
        "run_local": "odm.reprocess.runners.local",
    },
)
