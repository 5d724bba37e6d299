"""Going on with a campaign of 100,000 half-orbits of which all but one are done.

Measured in a fresh process: time and memory from its start to knowing what is left to do, and how
many half-orbits were opened for it.

    python benchmarks/resume.py [--half-orbits 100000] [--parts 400]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from common import report

from odm.archive.orbit.listing import list_orbits
from odm.catalog.campaign import CampaignCard, open_campaign
from odm.catalog.orbit.inputs import ORBITS, list_orbit_inputs
from odm.catalog.outcomes import outcome_table
from odm.simulate.orbit.groundtrack import first_half, following

SCAN = """
import json, resource, sys, time
opened = []
sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "open" else None)
began = time.monotonic()
from odm.catalog.campaign import load_campaign
from odm.catalog.orbit.inputs import list_orbit_inputs
from odm.catalog.selection import LEDGER_COLUMNS, Selection, select
campaign = load_campaign(sys.argv[1])
listing = list_orbit_inputs(campaign.card.archive)
listed = time.monotonic()
selection = select(listing, campaign.outcomes(LEDGER_COLUMNS), Selection())
print(json.dumps({
    "listing_s": round(listed - began, 2),
    "seconds": round(time.monotonic() - began, 2),
    "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    "half_orbits_opened": sum(str(name).endswith(".h5") for name in opened),
    "to_do": len(selection.todo),
}))
"""


def main() -> None:
    """Make the archive's names and the outcomes, then scan."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half-orbits", type=int, default=100_000)
    parser.add_argument("--parts", type=int, default=400)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "archive"
        _names(archive, options.half_orbits)
        campaign = Path(folder) / "campaign"
        _outcomes(archive, campaign, options.parts)
        for _ in range(3):
            command = [sys.executable, "-c", SCAN, str(campaign)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            rows.append(json.loads(done.stdout))
        size_mb = sum(path.stat().st_size for path in campaign.rglob("*.parquet")) / 1e6
    report("resume", rows, half_orbits=options.half_orbits, parts_mb=round(size_mb, 1))


def _names(archive: Path, number: int) -> None:
    """Empty files with the names of half-orbits: a listing looks no further."""
    from datetime import datetime

    from odm.archive.orbit.key import OrbitKey

    archive.mkdir()
    start = datetime(2018, 8, 1)
    orbit, direction = first_half(start)
    pairs = following(orbit, direction)
    for count in range(number):
        orbit, direction = next(pairs)
        begin = start + timedelta(minutes=47.37 * count)
        end = begin + timedelta(minutes=34)
        key = OrbitKey("CSES_01", "EFD_3", "L02", "A1", orbit, direction, begin, end)
        folder = archive / f"{begin:%Y%m}"
        folder.mkdir(exist_ok=True)
        (folder / key.name).touch()


def _outcomes(archive: Path, folder: Path, parts: int) -> None:
    """Outcomes of all inputs but the last, with tracks, in so many parts."""
    card = CampaignCard(ORBITS.name, str(archive), {"digest": "0" * 64, "architecture": "none"})
    campaign = open_campaign(folder, card)
    inputs = list_orbit_inputs(str(archive)).inputs[:-1]
    track = [
        {"time": index * 60_000, "latitude": index / 3, "longitude": index / 7, "dip_angle": 1 / 3,
         "aacgm_latitude": index / 11, "mlt": index / 13, "valid_share": 1.0, "rows": 29}
        for index in range(35)
    ]  # fmt: skip
    like = outcome_table(ORBITS, inputs[0], track=track)
    each = -(-len(inputs) // parts)
    for first in range(0, len(inputs), each):
        some = inputs[first : first + each]
        table = like.take(pa.array([0] * len(some)))
        columns: dict[str, list[Any]] = {
            "identity": [one.identity for one in some],
            "name": [one.name for one in some],
            "source": [one.source for one in some],
            "size": [one.size for one in some],
            "modified_ns": [one.modified_ns for one in some],
            "digest": [f"{first + index:032x}" for index in range(len(some))],
        }
        for name, values in columns.items():
            place = table.schema.get_field_index(name)
            field = table.schema.field(place)
            table = table.set_column(place, field, pa.array(values, field.type))
        campaign.commit([table])
    assert len(list_orbits(archive)) == len(inputs) + 1


if __name__ == "__main__":
    main()
