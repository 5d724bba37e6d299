"""Columns of the page of half-orbits, and how it shows them."""

from __future__ import annotations

from odm.report.shared.rows import PageColumns

_HISTOGRAMS = [
    {"column": "time", "label": "time (UTC)", "bins": 48, "time": True},
    {"column": "frequency_peak", "label": "frequency of the peak, kHz", "scale": 1e-3,
     "edges": [0, 25_000, 500]},
    {"column": "dip_angle", "label": "dip angle, degrees", "edges": [-90, 90, 4]},
    {"column": "latitude", "label": "geographic latitude, degrees", "edges": [-90, 90, 5]},
    {"column": "mlt", "label": "magnetic local time, hours", "edges": [0, 24, 1]},
    {"column": "local_time", "label": "local time, hours", "edges": [0, 24, 1]},
    {"column": "confidence", "label": "confidence", "edges": [0, 1, 0.025]},
    {"column": "area_pixels", "label": "size, pixels", "bins": 40},
]  # fmt: skip
_TABLE = [
    {"column": "time", "label": "time of the peak", "kind": "time"},
    {"column": "frequency_peak", "label": "kHz", "scale": 1e-3, "digits": 2},
    {"column": "latitude", "label": "lat °", "digits": 1},
    {"column": "longitude", "label": "lon °", "digits": 1},
    {"column": "dip_angle", "label": "dip °", "digits": 1},
    {"column": "mlt", "label": "MLT h", "digits": 1},
    {"column": "area_pixels", "label": "pixels", "digits": 0},
    {"column": "confidence", "label": "conf.", "digits": 3},
]
_DETAILS = [
    {"column": "latitude", "label": "latitude", "digits": 2, "unit": "°"},
    {"column": "longitude", "label": "longitude", "digits": 2, "unit": "°"},
    {"column": "frequency_peak", "label": "peak", "scale": 1e-3, "digits": 3, "unit": "kHz"},
    {"column": "frequency_min", "label": "from", "scale": 1e-3, "digits": 2, "unit": "kHz"},
    {"column": "frequency_max", "label": "to", "scale": 1e-3, "digits": 2, "unit": "kHz"},
    {"column": "duration", "label": "duration", "digits": 0, "unit": "s"},
    {"column": "dip_angle", "label": "dip angle", "digits": 1, "unit": "°"},
    {"column": "aacgm_latitude", "label": "AACGM latitude", "digits": 1, "unit": "°"},
    {"column": "mlt", "label": "MLT", "digits": 1, "unit": "h"},
    {"column": "local_time", "label": "local time", "digits": 1, "unit": "h"},
    {"column": "psd", "label": "log10 of the peak PSD", "digits": 2, "unit": "(mV/m)²/Hz"},
    {"column": "area_pixels", "label": "size", "digits": 0, "unit": "pixels"},
    {"column": "confidence", "label": "confidence", "digits": 3, "unit": ""},
]

PAGE_COLUMNS = PageColumns(
    digits={
        "latitude": 4, "longitude": 4, "dip_angle": 3, "aacgm_latitude": 3, "mlt": 3,
        "local_time": 3, "frequency_peak": 2, "frequency_min": 2, "frequency_max": 2,
        "confidence": 4, "area_pixels": 0, "duration": 1,
    },
    flags=("gap", "pass_end", "band_edge", "known_line", "burst", "low_valid_share"),
    shown={
        "histograms": _HISTOGRAMS, "table": _TABLE, "details": _DETAILS,
        "colour": "month_season", "map": True,
    },
)  # fmt: skip
