"""`odm reprocess`: a model over an archive, into a campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from odm.commands.runners import find_runner

if TYPE_CHECKING:
    from odm.reprocess.drive import Runner, Summary

app = typer.Typer(no_args_is_help=True, help="Run a model over an archive, into a campaign.")


@app.callback()
def _group() -> None:
    pass


@app.command()
def orbits(
    archive: Annotated[str, typer.Argument(help="Folder or URI of half-orbits.")],
    campaign: Annotated[str, typer.Argument(help="Folder to make, or to go on with.")],
    model: Annotated[
        str | None, typer.Option(help="Model folder [default: the one of the package].")
    ] = None,
    local: Annotated[bool, typer.Option("--local", help="Without Ray, on this machine.")] = False,
    limit: Annotated[int | None, typer.Option(help="At most so many now, earliest first.")] = None,
    since: Annotated[str | None, typer.Option(help="First day or time, UTC.")] = None,
    until: Annotated[str | None, typer.Option(help="Day or time before which, UTC.")] = None,
    retry_quarantined: Annotated[
        bool, typer.Option("--retry-quarantined", help="Do quarantined ones again.")
    ] = False,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Do those again whose file has changed since.")
    ] = False,
    max_quarantined: Annotated[
        float, typer.Option(help="Share in quarantine above which the exit code is 1.")
    ] = 0.05,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Even if another driver is at work here.")
    ] = False,
    threshold: Annotated[
        float | None, typer.Option(help="Of the probability [default: the model's].")
    ] = None,
    low_threshold: Annotated[
        float | None, typer.Option(help="Down to which a region grows [default: the model's].")
    ] = None,
    minimum_area: Annotated[
        int | None, typer.Option(help="Pixels of a region [default: the model's].")
    ] = None,
    flip: Annotated[
        bool, typer.Option("--flip", help="Average with the image reversed in time.")
    ] = False,
    precision: Annotated[str, typer.Option(help="float32, or bfloat16 on a GPU.")] = "float32",
    batch: Annotated[int, typer.Option(help="Images a call [default 0: by the device].")] = 0,
    engine: Annotated[str, typer.Option(help="auto, eager, compile, onnx, openvino.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1.")] = "auto",
    readers: Annotated[int, typer.Option(help="Reading processes [default 0: by cores].")] = 0,
    models: Annotated[int, typer.Option(help="Copies of the model, on Ray [default 0].")] = 0,
    threads: Annotated[int, typer.Option(help="CPU threads of each copy [default 0].")] = 0,
    address: Annotated[str | None, typer.Option(help="Of a Ray cluster.")] = None,
    object_store_mb: Annotated[
        int, typer.Option(help="Shared memory of a Ray started here [default 0: Ray's].")
    ] = 0,
    json_: Annotated[bool, typer.Option("--json", help="As JSON, for a script.")] = False,
) -> None:
    """Find regions in half-orbits; the same command again does what is left to do.

    It may be killed at any moment. Bad files are quarantined with their reason; `odm status` shows
    them. What decides an outcome (model, thresholds, flip, precision) belongs to the campaign.

    Example: odm reprocess orbits archive campaign --since 2021-11-01 --until 2021-12-01
    """
    from odm.catalog.selection import Wish
    from odm.commands.dates import parse_date
    from odm.reprocess.model import Workers
    from odm.reprocess.orbits import orbit_order

    wish = Wish(
        since=parse_date(since) if since else None,
        until=parse_date(until) if until else None,
        limit=limit,
        retry_quarantined=retry_quarantined,
        refresh=refresh,
    )
    run = _here() if local else find_runner("reprocess orbits", "reprocessing")
    order = orbit_order(
        archive,
        campaign,
        model=model,
        regions={
            "threshold": threshold,
            "low_threshold": low_threshold,
            "minimum_area": minimum_area,
        },
        wish=wish,
        workers=Workers(readers, models, threads, address, object_store_mb),
        max_quarantined=max_quarantined,
        take_over=take_over,
        flip=flip,
        precision=precision,
        batch=batch,
        engine=engine,
        device=device,
    )
    from odm.reprocess.drive import check, reprocess

    summary = reprocess(order, run)
    _show(summary, order.stages.kind.inputs, as_json=json_)
    check(summary, max_quarantined, order.stages.kind.inputs)


def _here() -> Runner:
    from odm.reprocess.local import run_local

    return run_local


def _show(summary: Summary, inputs: str, *, as_json: bool) -> None:
    import json

    from odm.progress import speed

    if as_json:
        print(json.dumps(summary.to_dict(), indent=2))
        return
    for note in summary.notes:
        typer.echo(f"note: {note}", err=True)
    counts = ", ".join(f"{number} {name}" for name, number in summary.counts.items())
    now = f"{summary.done} done now in {summary.seconds:.1f} s"
    if summary.first_s is not None:
        now += f", the first after {summary.first_s:.1f} s"
    if summary.rate:
        now += f", then {speed(summary.rate)}"
    elif not (summary.done or summary.pending):
        now = "nothing was left to do"
    print(
        f"{summary.campaign}: {summary.chosen} {inputs}: {counts}, {summary.pending} pending; {now}"
    )
