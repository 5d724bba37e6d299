"""`odm simulate`: archives with known truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from odm.commands.options import AsJson, print_json, takes_groups

app = typer.Typer(no_args_is_help=True, help="Make archives whose truth is known.")

Folder = Annotated[str, typer.Argument(help="Folder to make.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same bytes.")]
Difficulty = Annotated[float, typer.Option(help="0 easy to 1 hard.")]
Sky = Annotated[
    str,
    typer.Option(
        help="What draws the spectra: emissions (named ones, of every kind), classic (fewer kinds, "
        "as the first version did), textures, or rays."
    ),
]
Workers = Annotated[int, typer.Option(help="Processes [default 0: one per core].")]


@dataclass(frozen=True)
class IonogramOptions:
    """What simulated ionograms show."""

    seed: Seed = 0
    kind: Annotated[
        str, typer.Option(help="mixed (Es and F), f, es, none (no layer), or any of them.")
    ] = "any"
    difficulty: Difficulty = 0.5
    series: Annotated[
        bool,
        typer.Option("--series", help="One every 15 minutes, with slowly moving layers."),
    ] = False
    ray_model: Annotated[
        str | None, typer.Option(help="quasi-parabolic or layered [default: both].")
    ] = None


@app.command()
def orbits(
    out: Folder,
    half_orbits: Annotated[int, typer.Option(help="How many files.")],
    start: Annotated[str, typer.Option(help="Date of the first, UTC.")] = "2021-11-01",
    prevalence: Annotated[
        float, typer.Option(help="Share of files with a nucleus, as a mean over the seasons.")
    ] = 0.5,
    seed: Seed = 0,
    difficulty: Difficulty = 0.5,
    burst: Annotated[float, typer.Option(help="Share of files in burst mode.")] = 0.0,
    every: Annotated[
        int,
        typer.Option(help="Take each k-th half-orbit, to span more time; both directions occur."),
    ] = 1,
    sky: Sky = "emissions",
    json_: AsJson = False,
    workers: Workers = 0,
) -> None:
    """Simulate CSES-01 EFD-VLF half-orbits with nucleus-shaped regions.

    Beside the files: truth.parquet, confusers.parquet, ignored.parquet, masks/, simulation.json.

    Example: odm simulate orbits archive --half-orbits 8 --start 2021-11-01 --seed 7
    """
    from odm.commands.options import parse_date
    from odm.simulate import OrbitSimulation, simulate_orbits

    settings = OrbitSimulation(
        half_orbits=half_orbits,
        start=parse_date(start),
        prevalence=prevalence,
        seed=seed,
        difficulty=difficulty,
        burst=burst,
        every=every,
        sky=sky,
    )
    summary = _simulate(simulate_orbits, out, settings, half_orbits, "half-orbits", workers)
    _report(
        summary,
        json_,
        f"half-orbits {summary.half_orbits}, of them with a nucleus {summary.with_nuclei}; "
        f"nuclei {summary.nuclei}, almost-nuclei {summary.almost_nuclei}",
    )


@app.command()
@takes_groups
def ionograms(
    out: Folder,
    count: Annotated[int, typer.Option(help="How many files.")],
    *,
    options: IonogramOptions,
    json_: AsJson = False,
    workers: Workers = 0,
) -> None:
    """Simulate backscatter ionograms with Es and F layers.

    Beside the files: truth.parquet, confusers.parquet, masks/ and simulation.json.

    Example: odm simulate ionograms archive --count 40 --seed 7
    """
    from odm.simulate import IonogramSimulation, simulate_ionograms

    settings = IonogramSimulation(count=count, **asdict(options))
    summary = _simulate(simulate_ionograms, out, settings, count, "ionograms", workers)
    _report(
        summary,
        json_,
        f"ionograms {summary.ionograms}, of them without a layer {summary.without_layers}; "
        f"Es layers {summary.es_layers}, F layers {summary.f_layers}",
    )


def _simulate(
    simulate: Callable[..., Any], out: str, settings: object, count: int, noun: str, workers: int
) -> Any:
    """Make an archive of ``count`` files, showing how it goes, and return its summary."""
    import os

    from odm.core.errors import InputError
    from odm.core.progress import progress

    if workers < 0:
        raise InputError(f"workers {workers}: give a whole number, or 0 for one per core")
    processes = workers or len(os.sched_getaffinity(0))
    with progress("simulating", count, noun) as advance:
        return simulate(out, settings, workers=processes, advance=advance)


def _report(summary: Any, as_json: bool, content: str) -> None:
    if as_json:
        print_json(asdict(summary))
        return
    size = f"{summary.bytes / 1e6:.0f} MB in {summary.seconds:.1f} s"
    print(f"{summary.out}: {content}; {size}")
