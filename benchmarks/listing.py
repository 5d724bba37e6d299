"""Listing: 100,000 names, nested by year and month and flat, without opening a file.

Goal: 10 s or less and 500 MB or less.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

from common import report

from odm.archive.orbit.listing import list_orbits

NUMBER = 100_000


def make(folder: Path, nested: bool) -> None:
    """Empty files with the names of consecutive half-orbits since 2018."""
    first = datetime(2018, 7, 27, 23, 41)
    made = set()
    for number in range(NUMBER):
        start = first + number * timedelta(days=5) / 152
        end = start + timedelta(minutes=35)
        place = folder / f"{start:%Y/%m}" if nested else folder
        if place not in made:
            place.mkdir(parents=True, exist_ok=True)
            made.add(place)
        name = (
            f"CSES_01_EFD_3_L02_A1_{2672 + number // 2:05d}{number % 2}_"
            f"{start:%Y%m%d_%H%M%S}_{end:%Y%m%d_%H%M%S}_000.h5"
        )
        os.close(os.open(place / name, os.O_CREAT))


def main() -> None:
    """Make the names, list them, report."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    rows = []
    for nested in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), nested)
            started = time.perf_counter()
            listing = list_orbits(folder)
            seconds = time.perf_counter() - started
        assert len(listing) == NUMBER
        rows.append(
            {
                "archive": "nested by year and month" if nested else "flat",
                "half_orbits": len(listing),
                "seconds": round(seconds, 2),
            }
        )
        del listing
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    report("listing", rows, peak_memory_MB=round(peak))


if __name__ == "__main__":
    main()
