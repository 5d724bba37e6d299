"""A whole archive of simulated half-orbits with its truth.

    OUT/<name>.h5          the half-orbits, as CSES-01 delivers them
    OUT/truth.parquet      a row per nucleus: the catalog's columns, then `TRUTH_FIELDS`
    OUT/confusers.parquet  a row per emission or line that is none
    OUT/masks/<stem>.png   0 and 255, (1024, N), top = highest frequency; where there are nuclei
    OUT/simulation.json    all settings, and the names of all half-orbits; written last

Masks of different nuclei never touch, so each 8-connected area of a mask is one nucleus. Anything
that a model learns or scores here is about simulated data only.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from odm.archive.orbit.key import Direction
from odm.core.errors import InputError
from odm.core.files import write_bytes
from odm.simulate.folder import Progress, claim, finish, run_all, share, whole
from odm.simulate.orbit import groundtrack
from odm.simulate.orbit.half_orbit import FAMILIES, HalfOrbit, Recipe, plan, simulate_half_orbit
from odm.simulate.orbit.truth import write_truth

MASKS = "masks"
TRUTH = "truth.parquet"
CONFUSERS = "confusers.parquet"
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
    *,
    half_orbits: int,
    start: str | date = "2021-11-01",
    prevalence: float = 0.5,
    seed: int = 0,
    difficulty: float = 0.5,
    burst: float = 0.0,
    burst_rows: tuple[int, int] = (20, 60),
    workers: int = 1,
    every: int = 1,
    components: str = "xyz",
    families: Mapping[str, Sequence[str]] | None = None,
    held_out: Mapping[str, Sequence[str]] | None = None,
    progress: Progress | None = None,
) -> SimulationSummary:
    """Simulate an archive of half-orbits with known truth.

    A half-orbit depends on its orbit number, its direction, the seed and the settings, and on
    nothing else: neither on the number of workers nor on the other half-orbits.

    Args:
        out: a folder that is new, empty, or of a simulation with the same settings.
        half_orbits: how many.
        start: the first half-orbit begins at or after this day or time (UTC).
        prevalence: share of half-orbits with a nucleus, on average over a year, 0 to 1.
        seed: 0 or more.
        difficulty: 0 to 1; lowers the contrast of nuclei, and adds almost-nuclei that are more
            alike.
        burst: share of files in burst mode.
        burst_rows: fewest and most rows in burst mode of such a file; each adds 1.2 MB.
        workers: processes.
        every: take each ``every``-th half-orbit, so that few files span many 5-day cycles.
        components: which of the spectra x, y, z the files hold ("z" makes small training sets).
        families: only these variants occur, by kind of family (see `FAMILIES`).
        held_out: these variants do not occur.
        progress: called with (done, all) after every file.

    Raises:
        InputError: a setting that cannot be meant, or ``out`` holds something else.
    """
    began = time.monotonic()
    recipe = Recipe(
        seed=whole("seed", seed, 0),
        prevalence=share("prevalence", prevalence),
        difficulty=share("difficulty", difficulty),
        burst=share("burst", burst),
        burst_rows=_row_range(burst_rows),
        components=_components(components),
        families=_families(families or {}, held_out or {}),
    )
    whole("workers", workers, 1)
    moment = _moment(start)
    chosen = _choose(recipe, moment, whole("half_orbits", half_orbits, 1), every)
    names = [plan(recipe, *identity).key.name for identity in chosen]
    folder = Path(out).expanduser()
    manifest = _claim(folder, recipe, moment, every, names)
    results = []
    tasks = [(folder, recipe, *identity) for identity in chosen]
    for done, result in enumerate(run_all(simulate_one, tasks, workers), start=1):
        results.append(result)
        if progress is not None:
            progress(done, len(chosen))
    nuclei = [row for result in results for row in result["nuclei"]]
    confusers = [row for result in results for row in result["confusers"]]
    write_truth(folder / TRUTH, folder / CONFUSERS, nuclei, confusers)
    finish(folder, manifest)
    return SimulationSummary(
        out=str(folder),
        half_orbits=len(results),
        with_nuclei=sum(bool(result["nuclei"]) for result in results),
        nuclei=len(nuclei),
        almost_nuclei=sum(row["almost_nucleus"] for row in confusers),
        confusers=len(confusers),
        bytes=sum(result["bytes"] for result in results),
        seconds=time.monotonic() - began,
    )


def _choose(recipe: Recipe, start: datetime, count: int, every: int) -> list[tuple[int, Direction]]:
    """Orbit number and direction of the half-orbits to simulate."""
    whole("every", every, 1)
    identity = groundtrack.first_half(start)
    later = groundtrack.following(*identity)
    # The name may begin a little before the usual cut-off that `first_half` goes by.
    while plan(recipe, *identity).key.start < start:
        identity = next(later)
    if identity[0] + (count - 1) * every // 2 > groundtrack.LAST_ORBIT:
        raise InputError(
            f"{count} half-orbits from {start:%Y-%m-%d} go past orbit {groundtrack.LAST_ORBIT}"
        )
    return list(islice(groundtrack.following(*identity, every), count))


def _claim(folder: Path, recipe: Recipe, start: datetime, every: int, names: list[str]) -> bytes:
    """Make the folder ours, or refuse one that holds something else; the manifest's bytes."""
    settings = asdict(recipe) | {"start": start.isoformat(), "every": every}
    content = {
        "what": "simulated half-orbits of CSES-01 EFD-VLF; no measurement",
        "simulator_version": SIMULATOR_VERSION,
        "settings": settings | {"half_orbits": len(names)},
        "keys": names,
    }
    return claim(folder, content)


def simulate_one(task: tuple[Path, Recipe, int, Direction]) -> dict[str, Any]:
    """Write one half-orbit with its mask; its rows of truth, and the size of the file."""
    from odm.simulate.orbit.hdf5 import write_half_orbit
    from odm.simulate.orbit.truth import confuser_rows, mask_png, nucleus_rows

    folder, recipe, number, direction = task
    half: HalfOrbit = simulate_half_orbit(recipe, number, direction)
    path = write_half_orbit(folder, half, recipe)
    if half.nuclei:
        write_bytes(folder / MASKS / f"{half.key.stem}.png", mask_png(half.masks()))
    return {
        "nuclei": nucleus_rows(path, half),
        "confusers": confuser_rows(half),
        "bytes": path.stat().st_size,
    }


def _row_range(rows: tuple[int, int]) -> tuple[int, int]:
    low, high = (whole("burst_rows", row, 1) for row in rows)
    if not low <= high <= 900:
        raise InputError(f"burst_rows {low} to {high}: give two numbers, rising, of at most 900")
    return low, high


def _components(components: str) -> str:
    from odm.archive.orbit.reader import check_components

    return "".join(name for name in "xyz" if name in check_components(components))


def _moment(start: str | date) -> datetime:
    if isinstance(start, datetime):
        moment = start
    elif isinstance(start, date):
        moment = datetime(start.year, start.month, start.day)
    else:
        try:
            moment = datetime.fromisoformat(start)
        except ValueError:
            raise InputError(f"start {start!r} is no date: write it as 2021-11-01") from None
    if moment.tzinfo is not None:
        raise InputError(f"start {start} has a time zone: give it in UTC without one")
    return moment


def _families(
    families: Mapping[str, Sequence[str]], held_out: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """The variants that may occur, of every kind."""
    for kind, names in (*families.items(), *held_out.items()):
        if kind not in FAMILIES:
            raise InputError(f"family {kind!r} is none of {', '.join(FAMILIES)}")
        for name in names:
            if name not in FAMILIES[kind]:
                raise InputError(f"{kind} {name!r} is none of {', '.join(FAMILIES[kind])}")
    allowed = {}
    for kind, known in FAMILIES.items():
        chosen = families.get(kind, known)
        allowed[kind] = tuple(n for n in known if n in chosen and n not in held_out.get(kind, ()))
        if not allowed[kind]:
            raise InputError(f"no {kind} is left: every one is held out")
    return allowed
