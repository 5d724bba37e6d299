"""Half-orbits and masks small enough to count by hand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.archive.orbit.listing import list_orbits
from odm.archive.orbit.reader import Orbit
from odm.images.geometry import OrbitImageSettings, SpectrogramGeometry
from odm.scoring.calibration import LEVELS, level_probabilities
from odm.scoring.orbit.maps import LabelledOrbits
from odm.scoring.orbit.tally import Finding, ScoredOrbit
from odm.scoring.orbit.truth import Truth

LINES, COLUMNS = 40, 60
NATIVE = OrbitImageSettings(-9.0, -5.0, mode="native", height=64, width=64)


def times(gaps: Mapping[int, float] | None = None, rows: int = COLUMNS) -> NDArray[np.datetime64]:
    """Rows 2.048 s apart, and ``gaps[row]`` more seconds before some of them."""
    seconds = np.full(rows, 2.048)
    for row, gap_s in (gaps or {}).items():
        seconds[row] += gap_s
    elapsed = np.cumsum(seconds) * 1e9
    return np.datetime64("2021-11-01T00:00:00", "ns") + elapsed.astype("timedelta64[ns]")


def geometry(
    gaps: Mapping[int, float] | None = None, settings: OrbitImageSettings = NATIVE
) -> SpectrogramGeometry:
    """Return the geometry of a half-orbit of 60 rows and 40 frequencies."""
    return SpectrogramGeometry(
        times(gaps),
        np.arange(LINES) * 100.0,
        np.linspace(40, 50, COLUMNS),
        np.linspace(-179, 179, COLUMNS),
        settings,
    )


def orbit_of(one: SpectrogramGeometry) -> Orbit:
    """A half-orbit without spectra on this geometry."""
    rows = one.times.size
    return Orbit(
        path="made/by/hand.h5",
        key=None,
        amplitude={},
        times=one.times,
        frequency=one.frequency,
        latitude=np.linspace(40, 50, rows),
        longitude=np.full(rows, 10.0),
        altitude=np.full(rows, 507.0),
        file_magnetic_latitude=np.full(rows, 45.0),
        file_magnetic_longitude=np.full(rows, 100.0),
        work_mode=np.ones(rows, dtype=np.int8),
        orbit_number=1,
        direction="ascending",
    )


def box(line: int, column: int, height: int = 10, width: int = 10) -> NDArray[np.bool_]:
    """A native mask (K, N) with one filled box."""
    mask = np.zeros((LINES, COLUMNS), dtype=bool)
    mask[line : line + height, column : column + width] = True
    return mask


def on_canvas(values: NDArray[Any]) -> NDArray[Any]:
    """A native array (K, N) on the canvas of `NATIVE`."""
    canvas = np.zeros((NATIVE.height, NATIVE.width), dtype=values.dtype)
    canvas[:LINES, :COLUMNS] = values
    return canvas


def finding(mask: NDArray[np.bool_], confidence: float = 1.0, **row: Any) -> Finding:
    """A region with what is given of its row."""
    return Finding(mask, {"confidence": confidence, **row})


def half_orbit(
    truth: list[Finding], found: list[Finding], block: int = 0, **more: Any
) -> ScoredOrbit:
    """A half-orbit to be scored."""
    return ScoredOrbit(block=block, shape=(LINES, COLUMNS), truth=truth, found=found, **more)


def temperature_table(temperature: float) -> NDArray[np.uint8]:
    """(256,) new level of each level: ``table[levels]`` is a map at this temperature."""
    p = level_probabilities()
    scaled = np.log(p / (1 - p)) / temperature
    return np.rint(LEVELS / (1 + np.exp(-scaled))).astype(np.uint8)


def labelled_orbits(archive: Path, truth: Truth | None = None) -> LabelledOrbits:
    """All half-orbits of an archive with labels; by default those of a simulated one."""
    known = truth or Truth.load(str(archive))
    return LabelledOrbits([e for e in list_orbits(archive).entries if known.knows(e.key)], known)
