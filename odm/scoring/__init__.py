"""Scores: what was found against what is true, for models and for campaigns.

`evaluate_model` scores a model on a data set and `score_campaign` a campaign; both return an
`Evaluation`, whose sheet is a `RegionSheet` for half-orbits and a `LayerSheet` for ionograms.
"""

from typing import TYPE_CHECKING

from odm.core.lazy import lazy_names

if TYPE_CHECKING:
    from odm.scoring.campaigns import score_campaign as score_campaign
    from odm.scoring.evaluation import Calibration as Calibration
    from odm.scoring.evaluation import Evaluation as Evaluation
    from odm.scoring.evaluation import EvaluationSettings as EvaluationSettings
    from odm.scoring.evaluation import Running as Running
    from odm.scoring.evaluation import evaluate_model as evaluate_model
    from odm.scoring.evaluation import save_evaluations as save_evaluations
    from odm.scoring.ionogram.boxes import BoxCounts as BoxCounts
    from odm.scoring.ionogram.boxes import ScoredIonogram as ScoredIonogram
    from odm.scoring.ionogram.sheet import LayerSheet as LayerSheet
    from odm.scoring.ionogram.summary import layer_sheet as layer_sheet
    from odm.scoring.matching import box_overlaps as box_overlaps
    from odm.scoring.matching import mask_overlaps as mask_overlaps
    from odm.scoring.matching import match_boxes as match_boxes
    from odm.scoring.matching import match_findings as match_findings
    from odm.scoring.orbit.archive import LabelledOrbits as LabelledOrbits
    from odm.scoring.orbit.archive import MapSource as MapSource
    from odm.scoring.orbit.archive import score_archive as score_archive
    from odm.scoring.orbit.methods import SegmentationMethod as SegmentationMethod
    from odm.scoring.orbit.methods import open_method as open_method
    from odm.scoring.orbit.sheet import RegionSheet as RegionSheet
    from odm.scoring.orbit.thresholds import fit_thresholds as fit_thresholds
    from odm.scoring.orbit.truth import Truth as Truth
    from odm.scoring.pixels import confusion_matrix as confusion_matrix
    from odm.scoring.pixels import pixel_metrics as pixel_metrics
    from odm.scoring.sheet import ScoreSheet as ScoreSheet

_HOMES = {
    "BoxCounts": "ionogram.boxes",
    "Calibration": "evaluation",
    "Evaluation": "evaluation",
    "EvaluationSettings": "evaluation",
    "LabelledOrbits": "orbit.archive",
    "LayerSheet": "ionogram.sheet",
    "MapSource": "orbit.archive",
    "RegionSheet": "orbit.sheet",
    "Running": "evaluation",
    "ScoreSheet": "sheet",
    "ScoredIonogram": "ionogram.boxes",
    "SegmentationMethod": "orbit.methods",
    "Truth": "orbit.truth",
    "box_overlaps": "matching",
    "confusion_matrix": "pixels",
    "evaluate_model": "evaluation",
    "fit_thresholds": "orbit.thresholds",
    "layer_sheet": "ionogram.summary",
    "mask_overlaps": "matching",
    "match_boxes": "matching",
    "match_findings": "matching",
    "open_method": "orbit.methods",
    "pixel_metrics": "pixels",
    "save_evaluations": "evaluation",
    "score_archive": "orbit.archive",
    "score_campaign": "campaigns",
}
__getattr__, __dir__, __all__ = lazy_names(
    __name__, {name: f"{__name__}.{module}" for name, module in _HOMES.items()}
)
