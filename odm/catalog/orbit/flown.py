"""A campaign of half-orbits as plain tables: what was found, and where there was a look at all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from odm.archive.orbit.key import ORBITS_PER_CYCLE
from odm.catalog.findings import CampaignTables, flattened, frame
from odm.catalog.outcomes import QUARANTINED
from odm.physics.coordinates import local_season, local_time, month_season

if TYPE_CHECKING:
    import pandas as pd

ROW_S = 2.048
"""Seconds that one row of a half-orbit stands for."""

_ORBIT_COLUMNS = ("identity", "name", "source", "orbit_number", "direction", "start", "status",
                  "reason")  # fmt: skip
COLUMNS = (*_ORBIT_COLUMNS, "findings", "track")
"""Columns that are read of a campaign's outcomes."""


@dataclass(frozen=True)
class Flown:
    """A campaign in three tables.

    Attributes:
        regions: a row per region: the catalog's columns, without geometry and outline, and
            ``orbit``, the row in ``orbits``, and ``place``, the row in ``outlines``.
        orbits: a row per outcome, those in quarantine included.
        track: a row per minute flown: the columns of the track, ``orbit`` and ``seconds``, the
            valid seconds in that minute. A half-orbit in quarantine has none.
        outlines: outlines of the regions, as they are in the outcomes.
    """

    regions: pd.DataFrame
    orbits: pd.DataFrame
    track: pd.DataFrame
    outlines: Any

    @cached_property
    def blocks(self) -> NDArray[np.int64]:
        """5-day ground-track cycles with a half-orbit that was searched, ascending."""
        searched = self.orbits.loc[self.orbits["status"] != QUARANTINED, "cycle"]
        return np.unique(searched.to_numpy(dtype=np.int64))

    @property
    def tables(self) -> CampaignTables:
        """Regions and half-orbits alone, as for any kind."""
        from odm.catalog.orbit.inputs import ORBITS

        owner = self.regions["orbit"].to_numpy(dtype=np.intp)
        return CampaignTables(ORBITS, self.regions, self.orbits, owner)

    def block_of(self, orbit: Any) -> NDArray[np.intp]:
        """Return the index in `blocks` of rows of ``orbits``."""
        cycles = self.orbits["cycle"].to_numpy(dtype=np.int64)[np.asarray(orbit, dtype=np.intp)]
        return np.searchsorted(self.blocks, cycles)


def flown_of(outcomes: pa.Table) -> Flown:
    """Put outcomes of half-orbits into tables.

    Args:
        outcomes: table with `COLUMNS`, a row for each identity; or without any column, where
            nothing is done yet.
    """
    import pandas as pd

    from odm.catalog.orbit.inputs import ORBITS

    if not outcomes.num_rows:
        outcomes = ORBITS.schema.empty_table()
    orbits = outcomes.select(_ORBIT_COLUMNS).to_pandas()
    orbits["orbit_number"] = orbits["orbit_number"].fillna(-1).astype(np.int64)
    orbits["cycle"] = orbits["orbit_number"] // ORBITS_PER_CYCLE
    findings, owner = flattened(outcomes["findings"])
    kept = [name for name in ORBITS.finding.names if name not in ("geometry", "outline")]
    regions = frame(findings, kept)
    regions["orbit"] = owner
    regions["place"] = np.arange(len(regions))
    points, owner = flattened(outcomes["track"])
    assert ORBITS.track is not None
    track = frame(points, ORBITS.track.names)
    track["orbit"] = owner
    track["seconds"] = (track["rows"] * track["valid_share"]).fillna(0.0) * ROW_S
    orbits["regions"] = np.bincount(regions["orbit"], minlength=len(orbits))
    orbits["seconds"] = np.bincount(track["orbit"], track["seconds"], minlength=len(orbits))
    _complete(regions)
    assert isinstance(orbits, pd.DataFrame)
    return Flown(regions, orbits, track, findings.field("outline"))


def _complete(regions: pd.DataFrame) -> None:
    """Fill in what follows from time and place, where a row lacks it."""
    times = regions["time_peak"].dt.tz_localize(None).to_numpy("datetime64[ns]")
    latitude = regions["latitude"].to_numpy(float)
    values = {
        "hemisphere": np.where(latitude >= 0, "north", "south"),
        "month_season": month_season(times),
        "local_season": local_season(times, latitude),
        "local_time": local_time(times, regions["longitude"].to_numpy(float)),
    }
    for name, value in values.items():
        lacking = regions[name].isna().to_numpy()
        if lacking.any():
            regions[name] = np.where(lacking, value, regions[name].to_numpy())
    nowhere = ~np.isfinite(latitude)  # neither north nor south, whatever the row says
    if nowhere.any():
        regions.loc[nowhere, ["hemisphere", "local_season"]] = None
    regions["month"] = times.astype("datetime64[M]").astype(str)
    regions["local_time"] = regions["local_time"].astype(float)
