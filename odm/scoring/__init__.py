"""Scores: what was found against what is true, for models and for campaigns.

`evaluate_model` scores a model on a data set and `score_campaign` a campaign; both return an
`Evaluation`, whose sheet is a `RegionSheet` for half-orbits and a `LayerSheet` for ionograms.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
