"""A report on 500, 5,000 and 50,000 regions: time and size, and the page in headless Chromium.

The regions are those of a small simulated archive, outlines and all, drawn again and again over the
tracks of half-orbits; no model runs. Beside that, pictures: milliseconds per half-orbit drawn.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from common import report

from odm.archive.orbit.reader import read_orbit, valid_amplitude
from odm.catalog.campaign import Campaign, CampaignCard, open_campaign
from odm.catalog.orbit.inputs import ORBITS, decimated_track, list_orbit_inputs
from odm.catalog.outcomes import Input
from odm.report import ReportOptions, write_report
from odm.report.orbit.pictures import OrbitDrawing
from odm.simulate.orbit.archive import simulate_orbits
from odm.simulate.orbit.recipe import OrbitSimulation

SIZES = (500, 5000, 50_000)
PER_HALF_ORBIT = 453 / 402  # as in the paper's year
ARCHIVE_HALF_ORBITS = 3
FILTERS = 10
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
FILTER = """() => new Promise((done) => {
  const box = document.querySelector("input[data-value=spring]");
  const started = performance.now();
  box.click();
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - started), 0));
})"""


def truths(archive: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[Input]]:
    """Rows of the truth, one track, and the inputs of a simulated archive."""
    simulate_orbits(
        str(archive),
        OrbitSimulation(half_orbits=ARCHIVE_HALF_ORBITS, prevalence=1.0, seed=11),
        workers=1,
    )
    inputs = list(list_orbit_inputs(str(archive)).inputs)
    orbit = read_orbit(inputs[0].path)
    track = decimated_track(orbit, valid_amplitude(orbit.amplitude["z"]).mean(axis=1))
    names = ORBITS.finding.names
    rows = pq.read_table(archive / "truth.parquet").to_pylist()
    return [{name: row[name] for name in names} for row in rows], track, inputs


def enlarged(
    folder: Path,
    regions: int,
    rows: list[dict[str, Any]],
    track: list[dict[str, Any]],
    archive: Path,
) -> Campaign:
    """A campaign of so many regions: the true ones at other times and longitudes."""
    rng = np.random.default_rng(regions)
    card = CampaignCard("orbits", str(archive), {"digest": "0" * 64, "architecture": "truth"})
    one = open_campaign(folder, card)
    half_orbits = round(regions / PER_HALF_ORBIT)
    many = np.ones(half_orbits, dtype=int)
    many[: regions - half_orbits] = 2
    many = rng.permutation(many)
    index = np.arange(half_orbits)
    ahead = (index * (5 * 86400 * 1000 / 152)).astype("timedelta64[ms]")
    names = [f"CSES_01_EFD_3_{20_000 + n // 2:05d}{n % 2}" for n in index]
    owner = np.repeat(index, many)
    found = _found(rows, ahead[owner], rng, [names[n] for n in owner])
    columns = {
        "identity": names,
        "name": [f"{name}.h5" for name in names],
        "source": [f"{name}.h5" for name in names],
        "orbit_number": 20_000 + index // 2,
        "direction": np.array(["descending", "ascending"], dtype=object)[index % 2],
        "start": np.datetime64(track[0]["time"], "ms") + ahead,
        "generation": np.zeros(half_orbits, dtype=int),
        "status": ["detected"] * half_orbits,
        "findings": pa.ListArray.from_arrays(np.append(0, np.cumsum(many)), found),
        "track": _flown(track, ahead),
        "digest": [f"{n:032x}" for n in index],
    }
    arrays = [
        pa.array(columns[field.name]).cast(field.type)
        if field.name in columns
        else pa.nulls(half_orbits, field.type)
        for field in ORBITS.schema
    ]
    one.commit([pa.Table.from_arrays(arrays, schema=ORBITS.schema)])
    return one


def _found(
    rows: list[dict[str, Any]], ahead: Any, rng: np.random.Generator, names: list[str]
) -> pa.StructArray:
    """True regions drawn again, later, elsewhere and of another confidence."""
    drawn = pa.array(rows, pa.struct(list(ORBITS.finding))).take(
        pa.array(rng.integers(len(rows), size=len(names)))
    )
    columns = {field.name: drawn.field(field.name) for field in ORBITS.finding}
    for name in ("time_start", "time_end", "time_peak"):
        stamps = columns[name].to_numpy(zero_copy_only=False).astype("datetime64[ns]")
        columns[name] = pa.array(stamps + ahead).cast(ORBITS.finding.field(name).type)
    columns["longitude"] = pa.array(rng.uniform(-180, 180, len(names)))
    columns["confidence"] = pa.array(rng.uniform(0.6, 1, len(names)))
    columns["month_season"] = columns["local_season"] = pa.nulls(len(names), pa.string())
    columns["region_id"] = pa.array([f"{name}_{place:05d}" for place, name in enumerate(names)])
    columns["source"] = pa.array([f"{name}.h5" for name in names])
    return pa.StructArray.from_arrays(list(columns.values()), fields=list(ORBITS.finding))


def _flown(track: list[dict[str, Any]], ahead: Any) -> pa.ListArray:
    """The same track, later each time."""
    assert ORBITS.track is not None
    points = pa.array(track, pa.struct(list(ORBITS.track)))
    many = pa.array(np.tile(np.arange(len(track)), len(ahead)))
    columns = {field.name: points.field(field.name).take(many) for field in ORBITS.track}
    stamps = columns["time"].to_numpy(zero_copy_only=False).astype("datetime64[ms]")
    later = stamps + np.repeat(ahead, len(track))
    columns["time"] = pa.array(later).cast(ORBITS.track.field("time").type)
    items = pa.StructArray.from_arrays(list(columns.values()), fields=list(ORBITS.track))
    return pa.ListArray.from_arrays(np.arange(len(ahead) + 1) * len(track), items)


def renderer_cpu_s() -> float:
    """CPU seconds of the Chromium process that has used the most to draw a page (Linux)."""
    used = [0.0]
    for process in Path("/proc").iterdir():
        try:
            if b"--type=renderer" in (process / "cmdline").read_bytes():
                ticks = (process / "stat").read_text().rpartition(")")[2].split()[11:13]
                used.append(sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK"))
        except (OSError, ValueError):  # no process, or gone
            continue
    return max(used)


def in_browser(page: Path) -> dict[str, Any]:
    """Seconds to the first picture of the page, milliseconds to a filter change, and the CPU time
    of the page for each, which other work on the machine does not change."""
    chromium = shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        return {"first_picture_s": "no Chromium", "filter_ms": ""}
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=FLAGS)
        window = browser.new_page(viewport={"width": 1400, "height": 900})
        started = time.perf_counter()
        window.goto(page.as_uri())
        window.wait_for_selector("body[data-ready=yes]")
        first, opened = time.perf_counter() - started, renderer_cpu_s()
        filters = [window.evaluate(FILTER) for _ in range(FILTERS)]
        filtered = renderer_cpu_s()
        browser.close()
    return {
        "first_picture_s": round(first, 2),
        "first_picture_cpu_s": round(opened, 2),
        "filter_ms": round(statistics.median(filters)),
        "filter_cpu_ms": round((filtered - opened) / FILTERS * 1e3),
    }


def main() -> None:
    """Build the campaigns, write their reports, open their pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    sizes = parser.parse_args().sizes
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = folder / "archive"
        true, track, inputs = truths(archive)
        started = time.perf_counter()
        for one in inputs:
            OrbitDrawing(read_orbit(one.path)).whole({})
        picture_ms = (time.perf_counter() - started) / len(inputs) * 1e3
        for size in sizes:
            campaign = enlarged(folder / str(size), size, true, track, archive)
            out = folder / f"out{size}"
            started, used = time.perf_counter(), time.process_time()
            write_report(campaign, str(out), options=ReportOptions(pictures=0))
            wall, cpu = time.perf_counter() - started, time.process_time() - used
            rows.append(
                {
                    "regions": size,
                    "half_orbits": round(size / PER_HALF_ORBIT),
                    "report_s": round(wall, 1),
                    "cpu_s": round(cpu, 1),
                    "page_MB": round((out / "index.html").stat().st_size / 1e6, 2),
                    **in_browser(out / "index.html"),
                }
            )
            print(rows[-1], flush=True)
    report("report", rows, ms_per_half_orbit_drawn=round(picture_ms, 1))


if __name__ == "__main__":
    main()
