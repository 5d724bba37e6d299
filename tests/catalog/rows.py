"""Outcomes made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import shapely

from odm.catalog.campaign import Campaign, CampaignCard, open_campaign
from odm.catalog.orbit.inputs import ORBITS
from odm.catalog.outcomes import Input, outcome_table

START = pd.Timestamp("2021-11-01", tz="UTC")


def an_input(number: int, generation: int = 0, **more: Any) -> Input:
    """Half-orbit ``number``."""
    identity = f"CSES_01_EFD_3_{number:05d}0"
    facts = {
        "identity": identity,
        "name": f"{identity}.h5",
        "path": f"/archive/{identity}.h5",
        "source": f"{identity}.h5",
        "size": 1000,
        "modified_ns": 5,
        "key": {"satellite": "CSES_01", "orbit_number": number, "direction": "descending"},
        "generation": generation,
    }
    return Input(**{**facts, **more})


def a_region(number: int, minute: float = 0, low_hz: float = 5000, **more: Any) -> dict[str, Any]:
    """A region of one minute and 1000 Hz."""
    start = START + pd.Timedelta(minutes=94 * number + minute)
    end = start + pd.Timedelta(minutes=1)
    row = {
        "region_id": f"CSES_01_EFD_3_{number:05d}0_01",
        "orbit_number": number,
        "time_start": start,
        "time_end": end,
        "time_peak": start,
        "frequency_min": low_hz,
        "frequency_max": low_hz + 1000,
        "frequency_peak": low_hz,
        "latitude": 50.0,
        "longitude": 10.0,
        "psd_peak_x": float("nan"),
        "area_pixels": 1000,
        "confidence": 0.9,
        "flags": ["gap", "burst"],
        "source": f"CSES_01_EFD_3_{number:05d}0.h5",
        "model": "m" * 64,
        "geometry": shapely.to_wkb(shapely.Point(10, 50)),
        "outline": [
            {"time": start, "frequency": low_hz},
            {"time": end, "frequency": low_hz},
            {"time": end, "frequency": low_hz + 1000},
        ],
    }
    return {**row, **more}


def outcome(
    number: int,
    *findings: dict[str, Any],
    generation: int = 0,
    reason: str | None = None,
    **more: Any,
) -> pa.Table:
    """The outcome of half-orbit ``number``."""
    one = an_input(number, generation, **more)
    return outcome_table(ORBITS, one, findings=findings, reason=reason)


def campaign(
    folder: Path, *outcomes: pa.Table, digest: str = "m" * 64, **settings: Any
) -> Campaign:
    """A campaign that holds these, a part each."""
    card = CampaignCard("orbits", "/archive", {"digest": digest, "architecture": "log"}, settings)
    opened = open_campaign(folder, card)
    for one in outcomes:
        opened.commit([one])
    return opened


def same(a: pa.Table, b: pa.Table) -> bool:
    """Whether two tables say the same; unlike `equals`, NaN is NaN."""
    return repr(a.to_pylist()) == repr(b.to_pylist())
