"""`odm simulate`: archives with known truth."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Make archives whose truth is known.")


@app.callback()
def _group() -> None:
    pass


@app.command()
def orbits(
    out: Annotated[str, typer.Argument(help="Folder to make.")],
    half_orbits: Annotated[int, typer.Option(help="How many files.")],
    start: Annotated[str, typer.Option(help="Date of the first, UTC.")] = "2021-11-01",
    prevalence: Annotated[
        float, typer.Option(help="Share of files with a nucleus, as a mean over the seasons.")
    ] = 0.5,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
    difficulty: Annotated[float, typer.Option(help="0 easy to 1 hard.")] = 0.5,
    burst: Annotated[float, typer.Option(help="Share of files in burst mode.")] = 0.0,
    every: Annotated[
        int,
        typer.Option(help="Take each k-th half-orbit, to span more time; both directions occur."),
    ] = 1,
    json_: Annotated[bool, typer.Option("--json", help="As JSON, for a script.")] = False,
    workers: Annotated[int, typer.Option(help="Processes [default 0: one per core].")] = 0,
) -> None:
    """Simulate CSES-01 EFD-VLF half-orbits with nucleus-shaped regions.

    Beside the files: truth.parquet, confusers.parquet, masks/ and simulation.json.

    Example: odm simulate orbits archive --half-orbits 8 --start 2021-11-01 --seed 7
    """
    import json
    import os
    from dataclasses import asdict

    from odm.commands.dates import parse_date
    from odm.core.errors import InputError
    from odm.core.progress import progress
    from odm.simulate.orbit.archive import simulate_orbits

    if workers < 0:
        raise InputError(f"workers {workers}: give a whole number, or 0 for one per core")
    processes = workers or len(os.sched_getaffinity(0))
    with progress("simulating", half_orbits) as advance:
        summary = simulate_orbits(
            out,
            half_orbits=half_orbits,
            start=parse_date(start),
            prevalence=prevalence,
            seed=seed,
            difficulty=difficulty,
            burst=burst,
            every=every,
            workers=processes,
            progress=lambda done, total: advance(1),
        )
    if json_:
        print(json.dumps(asdict(summary), indent=2))
        return
    print(
        f"{summary.out}: half-orbits {summary.half_orbits}, of them with a nucleus "
        f"{summary.with_nuclei}; nuclei {summary.nuclei}, almost-nuclei {summary.almost_nuclei}; "
        f"{summary.bytes / 1e6:.0f} MB in {summary.seconds:.1f} s"
    )


@app.command()
def ionograms(
    out: Annotated[str, typer.Argument(help="Folder to make.")],
    count: Annotated[int, typer.Option(help="How many files.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
    kind: Annotated[
        str, typer.Option(help="mixed (Es and F), f, es, none (no layer), or any of them.")
    ] = "any",
    difficulty: Annotated[float, typer.Option(help="0 easy to 1 hard.")] = 0.5,
    series: Annotated[
        bool,
        typer.Option("--series", help="One every 15 minutes, with slowly moving layers."),
    ] = False,
    ray_model: Annotated[
        str | None, typer.Option(help="quasi-parabolic or layered [default: both].")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="As JSON, for a script.")] = False,
    workers: Annotated[int, typer.Option(help="Processes [default 0: one per core].")] = 0,
) -> None:
    """Simulate backscatter ionograms with Es and F layers.

    Beside the files: truth.parquet, confusers.parquet, masks/ and simulation.json.

    Example: odm simulate ionograms archive --count 40 --seed 7
    """
    import json
    import os
    from dataclasses import asdict

    from odm.core.errors import InputError
    from odm.core.progress import progress
    from odm.simulate.ionogram.archive import simulate_ionograms

    if workers < 0:
        raise InputError(f"workers {workers}: give a whole number, or 0 for one per core")
    with progress("simulating", count, "ionograms") as advance:
        summary = simulate_ionograms(
            out,
            count=count,
            seed=seed,
            kind=kind,
            difficulty=difficulty,
            series=series,
            ray_model=ray_model,
            workers=workers or len(os.sched_getaffinity(0)),
            progress=lambda done, total: advance(1),
        )
    if json_:
        print(json.dumps(asdict(summary), indent=2))
        return
    print(
        f"{summary.out}: ionograms {summary.ionograms}, of them without a layer "
        f"{summary.without_layers}; Es layers {summary.es_layers}, F layers {summary.f_layers}; "
        f"{summary.bytes / 1e6:.0f} MB in {summary.seconds:.1f} s"
    )
