"""Reading: what a half-orbit costs, against a bare h5py slice, in page cache and on one core.

Goals: raw Z at 0.9 x the rate of the bare slice or more; Z with coordinates, times and image in
12 ms or less; a 300 MB burst file at 1.2 x the time of a survey file or less.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import cv2
import h5py
from common import interleaved, report, spread

from odm.archive.orbit.reader import open_orbit, read_orbit, read_spectrum
from odm.images.geometry import OrbitImageSettings
from odm.images.spectrogram import read_spectrogram
from odm.simulate.orbit.archive import simulate_orbits
from odm.simulate.orbit.recipe import OrbitSimulation

NATIVE = OrbitImageSettings(-9.0, -6.0)
RESIZED = OrbitImageSettings(-9.0, -6.0, mode="resized", height=512, width=512)


def bare_slice(path: Path) -> object:
    """The fastest that h5py can do."""
    with h5py.File(path, "r") as file:
        return file["A133_P"][...]


def main() -> None:
    """Simulate the two files, time, report."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for kind, burst, rows in (("survey", 0.0, (20, 60)), ("burst", 1.0, (225, 225))):
            out = Path(folder) / kind
            simulate_orbits(
                out, OrbitSimulation(half_orbits=1, seed=1, burst=burst, burst_rows=rows)
            )
            (files[kind],) = out.glob("*.h5")
        cases = {}
        for kind, path in files.items():
            cases |= {
                f"{kind}: bare h5py slice of Z": lambda path=path: bare_slice(path),
                f"{kind}: raw Z": lambda path=path: read_spectrum(path),
                f"{kind}: Z, coordinates, times": lambda path=path: read_orbit(path),
                f"{kind}: native image, coordinates, times": lambda path=path: read_spectrogram(
                    path, NATIVE
                ),
                f"{kind}: 512 x 512 image, coordinates, times": lambda path=path: read_spectrogram(
                    path, RESIZED
                ),
                f"{kind}: open_orbit (xarray)": lambda path=path: open_orbit(path),
            }
        seconds = interleaved(cases, repeats=60, warm_up=5)
        sizes = {kind: path.stat().st_size / 1e6 for kind, path in files.items()}
    rows, median = [], {}
    for name, values in seconds.items():
        median[name], low, high = spread(values)
        rows.append(
            {
                "case": name,
                "file_MB": round(sizes[name.split(":")[0]]),
                "ms": round(1e3 * median[name], 2),
                "ms_quartiles": f"{1e3 * low:.2f}-{1e3 * high:.2f}",
            }
        )
    image = "native image, coordinates, times"
    raw = median["survey: bare h5py slice of Z"] / median["survey: raw Z"]
    report(
        "reading",
        rows,
        raw_Z_rate_over_bare_slice=round(raw, 3),
        image_ms=round(1e3 * median[f"survey: {image}"], 2),
        burst_over_survey=round(median[f"burst: {image}"] / median[f"survey: {image}"], 3),
    )


if __name__ == "__main__":
    main()
