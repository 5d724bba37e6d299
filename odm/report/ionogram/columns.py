"""Columns of the page of ionograms, and how it shows them."""

from __future__ import annotations

from odm.report.shared.rows import PageColumns

PAGE_COLUMNS = PageColumns(
    digits={
        "frequency_min": 0, "frequency_max": 0, "range_min": 1, "range_max": 1,
        "minimum_group_range": 1, "edge_frequency_max": 0, "confidence": 4,
    },
    flags=("band_edge", "range_edge", "gap", "other_convention"),
    shown={
        "colour": "layer",
        "map": False,
        "timeline": [
            {"y": "minimum_group_range", "label": "minimum group range, km"},
            {"y": "edge_frequency_max", "label": "highest frequency, MHz", "scale": 1e-6},
        ],
        "hollow": {"category": "edge", "value": "none",
                   "label": "no leading edge, its box stands in"},
        "histograms": [
            {"column": "time", "label": "time (UTC)", "bins": 48, "time": True},
            {"column": "hour", "label": "hour (UTC)", "edges": [0, 24, 1]},
            {"column": "minimum_group_range", "label": "minimum group range, km", "bins": 40},
            {"column": "edge_frequency_max", "label": "highest frequency, MHz", "scale": 1e-6,
             "bins": 40},
            {"column": "confidence", "label": "confidence", "edges": [0, 1, 0.025]},
        ],
        "table": [
            {"column": "time", "label": "time", "kind": "time"},
            {"column": "layer", "label": "layer", "kind": "category"},
            {"column": "minimum_group_range", "label": "least km", "digits": 0},
            {"column": "edge_frequency_max", "label": "to MHz", "scale": 1e-6, "digits": 2},
            {"column": "frequency_min", "label": "from MHz", "scale": 1e-6, "digits": 2},
            {"column": "range_max", "label": "to km", "digits": 0},
            {"column": "confidence", "label": "conf.", "digits": 3},
        ],
        "details": [
            {"column": "minimum_group_range", "label": "minimum group range", "digits": 0,
             "unit": "km"},
            {"column": "edge_frequency_max", "label": "highest frequency", "scale": 1e-6,
             "digits": 2, "unit": "MHz"},
            {"column": "frequency_min", "label": "box, lowest", "scale": 1e-6, "digits": 2,
             "unit": "MHz"},
            {"column": "frequency_max", "label": "box, highest", "scale": 1e-6, "digits": 2,
             "unit": "MHz"},
            {"column": "range_min", "label": "box, nearest", "digits": 0, "unit": "km"},
            {"column": "range_max", "label": "box, furthest", "digits": 0, "unit": "km"},
            {"column": "confidence", "label": "confidence", "digits": 3, "unit": ""},
        ],
    },
)  # fmt: skip
