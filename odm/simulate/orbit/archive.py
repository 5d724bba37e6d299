"""A whole archive of simulated half-orbits with its truth.

    OUT/<name>.h5          the half-orbits, as CSES-01 delivers them
    OUT/truth.parquet      a row per nucleus: the catalog's columns, then `TRUTH_FIELDS`
    OUT/confusers.parquet  a row per emission or line that is none
    OUT/ignored.parquet    a row per area where nobody can say; missing where there is none
    OUT/masks/<stem>.png   0, 255 and 128 where nobody can say, (1024, N), top = highest frequency;
                           where there are nuclei or such places
    OUT/simulation.json    all settings, and the names of all half-orbits; written last

Masks of different nuclei never touch, so each 8-connected area of a mask is one nucleus. Anything
that a model learns or scores here is about simulated data only.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from odm.archive.orbit.key import Direction
from odm.core.errors import InputError
from odm.core.files import write_bytes
from odm.core.progress import Advance, unheard
from odm.images.masks import mask_png
from odm.simulate.folder import ArchiveRecipe, SimulatedFile, simulate_archive
from odm.simulate.orbit.groundtrack import LAST_ORBIT, first_half, following
from odm.simulate.orbit.half_orbit import name_half_orbit, simulate_half_orbit
from odm.simulate.orbit.hdf5 import write_half_orbit
from odm.simulate.orbit.recipe import OrbitSimulation
from odm.simulate.orbit.truth import (
    CONFUSER_SCHEMA,
    IGNORED_SCHEMA,
    TRUTH_SCHEMA,
    confuser_rows,
    ignored_rows,
    mask_of,
    nucleus_rows,
)

SIMULATOR_VERSION = 1
"""Changes whenever the same settings give other bytes."""


@dataclass(frozen=True)
class SimulationSummary:
    """What a simulation wrote.

    ``out``: the folder; ``half_orbits``: files; ``with_nuclei``: how many of them have a nucleus;
    ``nuclei``, ``almost_nuclei``, ``confusers`` (the latter included): numbers; ``bytes``: size of
    the files; ``seconds``: time taken.
    """

    out: str
    half_orbits: int
    with_nuclei: int
    nuclei: int
    almost_nuclei: int
    confusers: int
    bytes: int
    seconds: float


def simulate_orbits(
    out: str | Path,
    settings: OrbitSimulation,
    *,
    workers: int = 1,
    advance: Advance = unheard,
) -> SimulationSummary:
    """Simulate an archive of half-orbits with known truth.

    A half-orbit depends on its orbit number, its direction, the seed and the settings, and on
    nothing else: neither on the number of workers nor on the other half-orbits.

    Args:
        out: a folder that is new, empty, or of a simulation with the same settings.
        settings: what to simulate.
        workers: number of processes.
        advance: called after every file.

    Raises:
        InputError: ``out`` holds something else, or orbit numbers do not go so far.
    """
    began = time.monotonic()
    identities = choose_half_orbits(settings)
    recipe = ArchiveRecipe(
        manifest={
            "what": "simulated half-orbits of CSES-01 EFD-VLF; no measurement",
            "simulator_version": SIMULATOR_VERSION,
            "settings": _described(settings),
        },
        settings=settings,
        files={name_half_orbit(settings, *identity)[0].name: identity for identity in identities},
        write_file=_write_file,
        truth=TRUTH_SCHEMA,
        confusers=CONFUSER_SCHEMA,
        ignored=IGNORED_SCHEMA,
    )
    files = simulate_archive(out, recipe, workers, advance)
    confusers = [row for file in files for row in file.confusers]
    return SimulationSummary(
        out=str(Path(out).expanduser()),
        half_orbits=len(files),
        with_nuclei=sum(bool(file.truth) for file in files),
        nuclei=sum(len(file.truth) for file in files),
        almost_nuclei=sum(row["almost_nucleus"] for row in confusers),
        confusers=len(confusers),
        bytes=sum(file.bytes for file in files),
        seconds=time.monotonic() - began,
    )


def _described(settings: OrbitSimulation) -> dict[str, Any]:
    """Return the settings as the manifest has them: the first sky is not named, so that an archive
    from before there were others can be gone on with."""
    described = asdict(settings) | {"start": settings.start_time.isoformat()}
    if settings.sky == OrbitSimulation.sky:
        del described["sky"]
    return described


def choose_half_orbits(settings: OrbitSimulation) -> list[tuple[int, Direction]]:
    """Return orbit number and direction of the half-orbits of an archive.

    Raises:
        InputError: orbit numbers do not go so far, or the start lies before the first orbit.
    """
    start = settings.start_time
    identity = first_half(start)
    later = following(*identity)
    # The name may begin a little before the usual cut-off that `first_half` goes by.
    while name_half_orbit(settings, *identity)[0].start < start:
        identity = next(later)
    if identity[0] + (settings.half_orbits - 1) * settings.every // 2 > LAST_ORBIT:
        raise InputError(
            f"{settings.half_orbits} half-orbits from {start:%Y-%m-%d} go past orbit {LAST_ORBIT}"
        )
    return list(islice(following(*identity, settings.every), settings.half_orbits))


def _write_file(
    folder: Path, settings: OrbitSimulation, identity: tuple[int, Direction]
) -> SimulatedFile:
    """Write one half-orbit with its mask."""
    half_orbit = simulate_half_orbit(settings, *identity)
    path = write_half_orbit(folder, half_orbit, settings)
    mask = mask_of(half_orbit)
    if mask.any():
        write_bytes(folder / "masks" / f"{half_orbit.key.stem}.png", mask_png(mask))
    rows = nucleus_rows(path, half_orbit), confuser_rows(half_orbit)
    return SimulatedFile(*rows, path.stat().st_size, ignored_rows(half_orbit))
