"""What the page knows of half-orbits: plain columns, and how to show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from odm.catalog.activity import utc
from odm.catalog.orbit.statistics import DIRECTIONS, HEMISPHERES, SEASONS
from odm.report.shared.sides import SIDES

if TYPE_CHECKING:
    import pandas as pd

FLAGS = ("gap", "pass_end", "band_edge", "known_line", "burst", "low_valid_share")
_DIGITS = {
    "latitude": 4, "longitude": 4, "dip_angle": 3, "aacgm_latitude": 3, "mlt": 3,
    "local_time": 3, "frequency_peak": 2, "frequency_min": 2, "frequency_max": 2,
    "confidence": 4, "area_pixels": 0, "duration": 1,
}  # fmt: skip

HISTOGRAMS = [
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
TABLE = [
    {"column": "time", "label": "time of the peak", "kind": "time"},
    {"column": "frequency_peak", "label": "kHz", "scale": 1e-3, "digits": 2},
    {"column": "latitude", "label": "lat °", "digits": 1},
    {"column": "longitude", "label": "lon °", "digits": 1},
    {"column": "dip_angle", "label": "dip °", "digits": 1},
    {"column": "mlt", "label": "MLT h", "digits": 1},
    {"column": "area_pixels", "label": "pixels", "digits": 0},
    {"column": "confidence", "label": "conf.", "digits": 3},
]
DETAILS = [
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


def region_columns(regions: pd.DataFrame, sides: Sequence[int] | None = None) -> dict[str, Any]:
    """Regions as columns for the page.

    Args:
        regions: as `odm.catalog.orbit.flown.Flown.regions`.
        sides: per region, an index into `odm.report.shared.sides.SIDES`, where two are compared.
    """
    numbers = {name: rounded(regions[name].to_numpy(float), digits)
               for name, digits in _DIGITS.items()}  # fmt: skip
    seconds = utc(regions["time_peak"]).astype("datetime64[ms]").astype(np.int64)
    with np.errstate(divide="ignore", invalid="ignore"):
        psd = np.log10(regions["psd_peak"].to_numpy(float))
    categories = {
        "month_season": category("season by month", regions["month_season"], SEASONS),
        "local_season": category("season at the place", regions["local_season"], SEASONS),
        "hemisphere": category("hemisphere", regions["hemisphere"], HEMISPHERES),
        "direction": category("direction", regions["direction"], DIRECTIONS),
    }
    if sides is not None:
        categories["side"] = side_category(sides)
    return {
        "numbers": {
            **numbers,
            "time": (seconds / 1000).tolist(),
            "psd": rounded(psd, 2),
        },
        "categories": categories,
        "flags": flag_bits(regions["flags"], FLAGS),
        "shown": {
            "histograms": HISTOGRAMS, "table": TABLE, "details": DETAILS,
            "colour": "month_season", "map": True,
        },
    }  # fmt: skip


def rounded(values: Any, digits: int) -> list[Any]:
    """Numbers for JSON: None where unknown, whole numbers without a point."""
    numbers = np.asarray(values, dtype=float)
    known = np.isfinite(numbers)
    short = np.round(numbers, digits)
    if digits == 0:
        return [int(value) if good else None for value, good in zip(short, known, strict=True)]
    return [float(value) if good else None for value, good in zip(short, known, strict=True)]


def side_category(sides: Sequence[int]) -> dict[str, Any]:
    """By which of two campaigns each finding was found."""
    codes = [int(side) for side in sides]
    return {"label": "found by", "values": list(SIDES), "codes": codes}


def flag_bits(column: pd.Series, names: Sequence[str]) -> dict[str, Any]:
    """A column of lists of flags as a bit for each."""
    bits = {name: 1 << number for number, name in enumerate(names)}
    return {
        "names": list(names),
        "bits": [sum(bits.get(flag, 0) for flag in (() if one is None else one)) for one in column],
    }


def category(label: str, column: pd.Series, values: Sequence[str]) -> dict[str, Any]:
    """A column of words as codes: the place in ``values``, or -1."""
    place = {name: number for number, name in enumerate(values)}
    return {"label": label, "values": list(values), "codes": [place.get(one, -1) for one in column]}
