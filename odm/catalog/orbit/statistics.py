"""What a campaign of half-orbits says, in numbers: section 5 of the nucleus paper, and rates.

The paper (doi:10.3389/fspas.2024.1431273) counts regions by season, hemisphere, frequency and dip
angle. Counts alone follow where and when the satellite looked, so beside them stand valid
hours and regions per 100 of them. Intervals are 95 %, by resampling whole 5-day cycles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from odm.catalog.activity import EDGES, Index, utc
from odm.catalog.bins import bin_names, binned
from odm.catalog.orbit.counting import RATE_PER_S, RegionCounter
from odm.catalog.orbit.flown import Flown
from odm.catalog.orbit.matches import conjugate_matches, repeat_matches
from odm.catalog.outcomes import CLEAR, DETECTED, QUARANTINED

if TYPE_CHECKING:
    import pandas as pd

SEASONS = ("spring", "summer", "autumn", "winter")
HEMISPHERES = ("north", "south")
DIRECTIONS = ("ascending", "descending")
FREQUENCY_EDGES = np.arange(0, 25_001, 500.0)
LATITUDE_EDGES = np.arange(-90, 91, 5.0)
DIP_EDGES = np.arange(-90, 91, 2.0)
HOUR_EDGES = np.arange(0, 25, 2.0)
PAPER_FREQUENCY_HZ, AROUND_HZ = 6200.0, 1500.0
UNKNOWN = "unknown"


def orbit_statistics(
    flown: Flown, indices: Sequence[Index] = (), resamples: int = 1000
) -> dict[str, Any]:
    """Compute all statistics of a campaign of half-orbits, as plain values.

    Args:
        flown: the campaign.
        indices: indices of geomagnetic activity.
        resamples: number of resamples for intervals; 0 for none.
    """
    counter = RegionCounter(flown, resamples)
    return {
        "inputs": _inputs(flown),
        "regions": _regions(flown, counter),
        "counts": _counts(flown.regions, counter),
        "frequency": _frequency(flown.regions, counter),
        "latitude": _distribution(
            flown.regions["latitude"], LATITUDE_EDGES, counter, {"abs_40_to_70_deg": (40, 70)}
        ),
        "dip_angle": _distribution(
            flown.regions["dip_angle"], DIP_EDGES, counter, {"abs_58_to_80_deg": (58, 80)}
        ),
        "aacgm_latitude": _distribution(flown.regions["aacgm_latitude"], LATITUDE_EDGES, counter),
        "mlt": _distribution(flown.regions["mlt"], HOUR_EDGES, counter),
        "rates": _rates(flown, counter),
        "matches": {
            "repeat_track": repeat_matches(flown),
            "conjugate_point": conjugate_matches(flown),
        },
        "activity": {index.name: _by_activity(counter, index) for index in indices},
    }


def exposure(flown: Flown) -> pd.DataFrame:
    """Compute valid seconds and regions in cells of geographic latitude, MLT and month.

    Returns:
        A row per cell that was flown or has a region: ``latitude`` and ``mlt`` (lower edges;
        degrees, hours; NaN where unknown, as MLT is near the magnetic equator), ``month``,
        ``valid_seconds``, ``regions``, and ``rate``, regions in 100 valid hours.
    """
    import pandas as pd

    names = ["latitude", "mlt", "month"]
    minutes = _cells(flown.track, utc(flown.track["time"]))
    flew = flown.track["seconds"].groupby([minutes[name] for name in names], dropna=False).sum()
    peaks = _cells(flown.regions, utc(flown.regions["time_peak"]))
    regions = peaks.groupby(names, dropna=False).size()
    cells = pd.merge(
        flew.rename("valid_seconds").reset_index(),
        regions.rename("regions").reset_index(),
        on=names,
        how="outer",
    )
    cells = cells.fillna({"valid_seconds": 0.0, "regions": 0}).astype({"regions": int})
    rate = cells["regions"] / cells["valid_seconds"].where(cells["valid_seconds"] > 0) * RATE_PER_S
    cells = cells.assign(rate=rate)[(cells["valid_seconds"] > 0) | (cells["regions"] > 0)]
    return cells.sort_values(names).reset_index(drop=True)


def _cells(table: pd.DataFrame, times: NDArray[np.datetime64]) -> pd.DataFrame:
    import pandas as pd

    def lower(values: pd.Series, edges: NDArray[np.float64]) -> NDArray[np.float64]:
        bins = binned(values, edges)
        return np.where(bins >= 0, edges[np.maximum(bins, 0)], np.nan)

    return pd.DataFrame(
        {
            "latitude": lower(table["latitude"], LATITUDE_EDGES),
            "mlt": lower(table["mlt"], HOUR_EDGES),
            "month": times.astype("datetime64[M]").astype(str),
        },
        index=table.index,
    )


def _inputs(flown: Flown) -> dict[str, Any]:
    statuses = flown.orbits["status"].value_counts()
    searched = flown.orbits[flown.orbits["status"] != QUARANTINED]
    facts: dict[str, Any] = {
        name: int(statuses.get(name, 0)) for name in (DETECTED, CLEAR, QUARANTINED)
    }
    facts["five_day_cycles"] = int(flown.blocks.size)
    facts["valid_hours"] = float(flown.track["seconds"].sum() / 3600)
    starts = searched["start"].dropna()
    facts["first"] = starts.min().isoformat() if len(starts) else None
    facts["last"] = starts.max().isoformat() if len(starts) else None
    return facts


def _regions(flown: Flown, counter: RegionCounter) -> dict[str, Any]:
    searched = flown.orbits[flown.orbits["status"] != QUARANTINED]
    blocks = flown.block_of(np.flatnonzero(flown.orbits["status"] != QUARANTINED))
    size = flown.blocks.size
    in_orbit = searched["regions"].to_numpy(int)
    regions = np.bincount(blocks, in_orbit, minlength=size).astype(float)
    bearing = np.bincount(blocks, in_orbit > 0, minlength=size).astype(float)
    number, orbits = np.unique(in_orbit, return_counts=True)
    return {
        "total": int(regions.sum()),
        "interval": counter.total(regions),
        "half_orbits_with_a_region": int(bearing.sum()),
        "half_orbits_interval": counter.total(bearing),
        "half_orbits_by_number_of_regions": {
            str(regions_each): int(count)
            for regions_each, count in zip(number, orbits, strict=True)
        },
    }


def _counts(regions: pd.DataFrame, counter: RegionCounter) -> dict[str, Any]:
    hours = bin_names(HOUR_EDGES)
    of_hour = _named(binned(regions["local_time"], HOUR_EDGES), hours)
    both = regions["month_season"].astype(str) + " " + regions["hemisphere"].astype(str)
    pairs = [f"{season} {side}" for season in SEASONS for side in HEMISPHERES]
    return {
        "month_season": counter.by(regions["month_season"], SEASONS),
        "local_season": counter.by(regions["local_season"], SEASONS),
        "hemisphere": counter.by(regions["hemisphere"], HEMISPHERES),
        "month_season_by_hemisphere": counter.by(both, pairs),
        "direction": counter.by(regions["direction"], DIRECTIONS),
        "local_time_h": counter.by(of_hour, hours),
        "month": counter.by(regions["month"], sorted(set(regions["month"]))),
    }


def _frequency(regions: pd.DataFrame, counter: RegionCounter) -> dict[str, Any]:
    facts = _distribution(regions["frequency_peak"], FREQUENCY_EDGES, counter)
    peak = regions["frequency_peak"].to_numpy(float)
    known = np.isfinite(peak)
    facts["shares"] = {
        "below_12500_hz": counter.share(peak < 12_500, known),
        "within_1500_hz_of_6200_hz": counter.share(
            np.abs(peak - PAPER_FREQUENCY_HZ) <= AROUND_HZ, known
        ),
    }
    return facts


def _distribution(
    values: pd.Series,
    edges: NDArray[np.float64],
    counter: RegionCounter,
    shares: dict[str, tuple[float, float]] | None = None,
) -> dict[str, Any]:
    """Compute a histogram, quartiles and shares by absolute value, of known values only."""
    numbers = values.to_numpy(float)
    known = np.isfinite(numbers)
    codes = binned(numbers, edges)
    within = {
        name: counter.share((np.abs(numbers) >= low) & (np.abs(numbers) <= high), known)
        for name, (low, high) in (shares or {}).items()
    }
    quartiles = np.percentile(numbers[known], (25, 50, 75)).tolist() if known.any() else None
    return {
        "known": int(known.sum()),
        "quartiles": quartiles,
        "shares": within,
        "edges": edges.tolist(),
        "regions": np.bincount(codes[codes >= 0], minlength=edges.size - 1).tolist(),
    }


def _rates(flown: Flown, counter: RegionCounter) -> dict[str, Any]:
    regions, track = flown.regions, flown.track
    months = utc(track["time"]).astype("datetime64[M]").astype(str)
    names = sorted(set(months) | set(regions["month"]))
    place = {name: number for number, name in enumerate(names)}

    def by(column: str, edges: NDArray[np.float64]) -> list[dict[str, Any]]:
        return counter.rates(
            binned(regions[column], edges), binned(track[column], edges), bin_names(edges)
        )

    return {
        "unit": "regions in 100 hours of valid data",
        "all": counter.rates(np.zeros(len(regions)), np.zeros(len(track)), ["all"])[0],
        "latitude": by("latitude", LATITUDE_EDGES),
        "aacgm_latitude": by("aacgm_latitude", LATITUDE_EDGES),
        "dip_angle": by("dip_angle", LATITUDE_EDGES),
        "mlt": by("mlt", HOUR_EDGES),
        "month": counter.rates(
            [place[month] for month in regions["month"]],
            [place[month] for month in months],
            names,
        ),
    }


def _by_activity(counter: RegionCounter, index: Index) -> dict[str, Any]:
    """Compute regions, valid hours and rate by an index."""
    edges = EDGES[index.name]
    regions = index.at(utc(counter.flown.regions["time_peak"]))
    minutes = index.at(utc(counter.flown.track["time"]))
    return {
        "bins": counter.rates(binned(regions, edges), binned(minutes, edges), bin_names(edges)),
        "regions_without_value": int(np.isnan(regions).sum()),
    }


def _named(codes: NDArray[np.intp], names: Sequence[str]) -> Any:
    return [names[code] if code >= 0 else UNKNOWN for code in codes]
