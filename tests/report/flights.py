"""Campaigns whose half-orbits have tracks, without files and without a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import shapely

from odm.catalog.campaign import Campaign, CampaignCard, open_campaign
from odm.catalog.orbit.inputs import ORBITS
from odm.catalog.outcomes import Input, outcome_table

START = pd.Timestamp("2021-11-01", tz="UTC")
DIGEST = "m" * 64
MONTHS = {"spring": 4, "summer": 7, "autumn": 11, "winter": 1}
PAPER = {  # regions of each season (by month), north and south, as the paper counts them
    "spring": (80, 62), "summer": (71, 53), "autumn": (79, 50), "winter": (36, 22)
}  # fmt: skip
DOUBLE = {"spring": 16, "summer": 14, "autumn": 14, "winter": 7}
"""Half-orbits that bear two: 453 regions on 402."""


def name_of(number: int, digit: int, start: pd.Timestamp = START) -> str:
    """A half-orbit's file name."""
    end = start + pd.Timedelta(minutes=34)
    form = "%Y%m%d_%H%M%S"
    return f"CSES_01_EFD_3_L02_A1_{number:05d}{digit}_{start:{form}}_{end:{form}}_000.h5"


def region(
    number: int = 1,
    index: int = 1,
    *,
    digit: int = 0,
    time: pd.Timestamp = START,
    latitude: float = 55.0,
    longitude: float = 10.0,
    frequency: float = 6200.0,
    **more: Any,
) -> dict[str, Any]:
    """A region of one minute and 1 kHz around a place."""
    start, end = time - pd.Timedelta(seconds=30), time + pd.Timedelta(seconds=30)
    low, high = frequency - 500, frequency + 500
    corners = [(start, low), (end, low), (end, high), (start, high)]
    row = {
        "region_id": f"CSES_01_EFD_3_{number:05d}{digit}_{index:02d}",
        "orbit_number": number,
        "direction": ("descending", "ascending")[digit],
        "time_start": start,
        "time_end": end,
        "time_peak": time,
        "frequency_min": low,
        "frequency_max": high,
        "frequency_peak": frequency,
        "latitude": latitude,
        "longitude": longitude,
        "altitude": 507.0,
        "dip_angle": latitude + 15 * (1 if latitude > 0 else -1),
        "aacgm_latitude": latitude,
        "mlt": 14.0,
        "psd_peak": 1e-6,
        "area_pixels": 1200,
        "bandwidth": high - low,
        "duration": 60.0,
        "confidence": 0.9,
        "flags": [],
        "model": DIGEST,
        "geometry": shapely.to_wkb(shapely.Point(longitude, latitude)),
        "outline": [{"time": one, "frequency": hertz} for one, hertz in corners],
    }
    return {**row, **more}


def track(
    time: pd.Timestamp = START, latitudes: Sequence[float] = range(-65, 66, 5), **more: Any
) -> list[dict[str, Any]]:
    """A point a minute: 30 rows, all valid, by default."""
    return [
        {
            "time": time + pd.Timedelta(minutes=number),
            "latitude": float(latitude),
            "longitude": 10.0,
            "dip_angle": float(latitude),
            "aacgm_latitude": float(latitude),
            "mlt": 14.0,
            "valid_share": 1.0,
            "rows": 30,
            **more,
        }
        for number, latitude in enumerate(latitudes)
    ]


def outcome(
    number: int,
    *findings: dict[str, Any],
    digit: int = 0,
    time: pd.Timestamp = START,
    points: Sequence[dict[str, Any]] | None = None,
    reason: str | None = None,
    source: str | None = None,
) -> pa.Table:
    """The outcome of a half-orbit; in quarantine with a reason."""
    name = name_of(number, digit, time)
    path = source or name
    direction = ("descending", "ascending")[digit]
    one = Input(
        identity=f"CSES_01_EFD_3_{number:05d}{digit}",
        name=path.rpartition("/")[2],
        path=f"/archive/{path}",
        source=path,
        size=1000,
        modified_ns=5,
        key={"satellite": "CSES_01", "payload": "EFD_3", "level": "L02", "orbit_number": number,
             "direction": direction, "start": time.to_pydatetime()},
    )  # fmt: skip
    if reason is not None:
        return outcome_table(ORBITS, one, reason=reason)
    flew = track(time) if points is None else points
    rows = [{**finding, "source": path} for finding in findings]
    return outcome_table(ORBITS, one, findings=rows, track=flew)


def campaign(
    folder: Path, outcomes: Sequence[pa.Table], archive: str = "/nowhere", digest: str = DIGEST
) -> Campaign:
    """A campaign that holds these."""
    card = CampaignCard(
        "orbits", archive, {"digest": digest, "architecture": "log"},
        {"regions": {"threshold": 0.6}},
    )  # fmt: skip
    opened = open_campaign(folder, card)
    opened.commit(list(outcomes))
    return opened


def paper_year(folder: Path, seed: int = 0) -> Campaign:
    """453 regions on 402 half-orbits, drawn so that the paper's counts come out."""
    rng = np.random.default_rng(seed)
    tables, number = [], 21_000
    for season, (north, south) in PAPER.items():
        sides = rng.permutation([1] * north + [-1] * south)
        half_orbits = len(sides) - DOUBLE[season]
        month = MONTHS[season]
        for index in range(half_orbits):
            time = pd.Timestamp(2021 if month > 10 else 2022, month, 1 + index % 28, tz="UTC")
            digit = index % 2
            rows = [
                region(
                    number, 1 + more, digit=digit, time=time + pd.Timedelta(minutes=more),
                    longitude=float(rng.uniform(-180, 180)),
                    latitude=float(side * rng.uniform(42, 68)),
                    frequency=float(np.clip(rng.normal(6200, 900), 1000, 12_400)),
                )
                for more, side in enumerate(sides[index :: half_orbits])
            ]  # fmt: skip
            if number == 21_000:
                rows[0] |= {"frequency_peak": 13_000.0}  # the one above 12.5 kHz
            tables.append(outcome(number, *rows, digit=digit, time=time))
            number += 7
    return campaign(folder, tables)


def real_campaign(folder: Path, number: int = 6) -> Campaign:
    """Files, every other one with a bright spot, and a campaign that found the spots."""
    from odm.archive.orbit.reader import read_orbit, valid_amplitude
    from odm.catalog.orbit.inputs import decimated_track, list_orbit_inputs
    from odm.findings.measure import measure_regions
    from tests.reprocess.small import ROWS, write_archive

    archive = write_archive(folder / "archive", number)
    line, column = np.ogrid[:1024, :ROWS]
    spot = ((1023 - line - 250) / 30) ** 2 + ((column - 50) / 12) ** 2 <= 1
    tables = []
    for index, one in enumerate(list_orbit_inputs(str(archive)).inputs):
        orbit = read_orbit(one.path, "z")
        found = [] if index % 2 else [spot]
        sure = [0.7 + index / 100] * len(found)
        psd = {"z": orbit.psd("z")}
        rows = measure_regions(
            orbit, psd, found, source=one.source, model=DIGEST, confidences=sure
        ) if found else []  # fmt: skip
        flew = decimated_track(orbit, valid_amplitude(orbit.amplitude["z"]).mean(axis=1))
        tables.append(outcome_table(ORBITS, one, findings=rows, track=flew))
    return campaign(folder / "campaign", tables, archive=str(archive))
