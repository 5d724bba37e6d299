"""`odm reprocess`: a model over an archive, into a campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from odm.commands.options import AsJson
from odm.commands.runners import find_runner

if TYPE_CHECKING:
    from odm.catalog.selection import Wish
    from odm.reprocess.driver import Order, Runner, Summary

app = typer.Typer(no_args_is_help=True, help="Run a model over an archive, into a campaign.")

Folder = Annotated[str, typer.Argument(help="Folder to make, or to go on with.")]
Model = Annotated[str | None, typer.Option(help="Model folder [default: the one of the package].")]
Local = Annotated[bool, typer.Option("--local", help="Without Ray, on this machine.")]
Limit = Annotated[int | None, typer.Option(help="At most so many now, earliest first.")]
Since = Annotated[str | None, typer.Option(help="First day or time, UTC.")]
Until = Annotated[str | None, typer.Option(help="Day or time before which, UTC.")]
RetryQuarantined = Annotated[
    bool, typer.Option("--retry-quarantined", help="Do quarantined ones again.")
]
Refresh = Annotated[
    bool, typer.Option("--refresh", help="Do those again whose file has changed since.")
]
MaxQuarantined = Annotated[
    float, typer.Option(help="Share in quarantine above which the exit code is 1.")
]
TakeOver = Annotated[
    bool, typer.Option("--take-over", help="Even if another driver is at work here.")
]
Precision = Annotated[str, typer.Option(help="float32, or bfloat16 on a GPU.")]
Batch = Annotated[int, typer.Option(help="Images a call [default 0: by the device].", min=0)]
Engine = Annotated[str, typer.Option(help="auto, eager, compile, onnx, openvino.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1.")]
ReaderProcesses = Annotated[int, typer.Option(help="Reading processes [default 0: by cores].")]
Models = Annotated[int, typer.Option(help="Copies of the model, on Ray [default 0].")]
Threads = Annotated[int, typer.Option(help="CPU threads of each copy [default 0].")]
Address = Annotated[str | None, typer.Option(help="Of a Ray cluster.")]
ObjectStore = Annotated[
    int, typer.Option(help="Shared memory of a Ray started here [default 0: Ray's].")
]
AsJson = AsJson


@app.callback()
def _group() -> None:
    pass


@app.command()
def orbits(
    archive: Annotated[str, typer.Argument(help="Folder or URI of half-orbits.")],
    campaign: Folder,
    model: Model = None,
    local: Local = False,
    limit: Limit = None,
    since: Since = None,
    until: Until = None,
    retry_quarantined: RetryQuarantined = False,
    refresh: Refresh = False,
    max_quarantined: MaxQuarantined = 0.05,
    take_over: TakeOver = False,
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
    precision: Precision = "float32",
    batch: Batch = 0,
    engine: Engine = "auto",
    device: Device = "auto",
    readers: ReaderProcesses = 0,
    models: Models = 0,
    threads: Threads = 0,
    address: Address = None,
    object_store_mb: ObjectStore = 0,
    json_: AsJson = False,
) -> None:
    """Find regions in half-orbits; the same command again does what is left to do.

    It may be killed at any moment. Bad files are quarantined with their reason; `odm status` shows
    them. What decides an outcome (model, thresholds, flip, precision) belongs to the campaign.

    Example: odm reprocess orbits archive campaign --since 2021-11-01 --until 2021-12-01
    """
    wish = _wish(since, until, limit, retry_quarantined, refresh)
    run = _here() if local else find_runner("reprocess orbits", "reprocessing")
    from odm.reprocess.model import Workers
    from odm.reprocess.orbits import orbit_order

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
    _run(order, run, as_json=json_)


@app.command()
def ionograms(
    archive: Annotated[str, typer.Argument(help="Folder or URI of ionograms.")],
    campaign: Folder,
    model: Model = None,
    local: Local = False,
    limit: Limit = None,
    since: Since = None,
    until: Until = None,
    retry_quarantined: RetryQuarantined = False,
    refresh: Refresh = False,
    max_quarantined: MaxQuarantined = 0.05,
    take_over: TakeOver = False,
    threshold: Annotated[
        float | None, typer.Option(help="Least confidence of a layer [default: the model's].")
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(
            help="boxes or segments: how a layer is cut out for its leading edge [default: "
            "segments, if the model is a pipeline with a segmenter]."
        ),
    ] = None,
    edge: Annotated[
        str, typer.Option(help="path, feng or none: how leading edges are found.")
    ] = "path",
    invert: Annotated[
        bool,
        typer.Option(help="Compute critical frequency, height and thickness from each edge."),
    ] = True,
    precision: Precision = "float32",
    batch: Batch = 0,
    engine: Engine = "auto",
    device: Device = "auto",
    readers: ReaderProcesses = 0,
    models: Models = 0,
    threads: Threads = 0,
    address: Address = None,
    object_store_mb: ObjectStore = 0,
    json_: AsJson = False,
) -> None:
    """Find layers and their leading edges in ionograms; again, it does what is left to do.

    As with half-orbits: it may be killed at any moment, bad files are quarantined with their
    reason, and model, threshold, edges and precision belong to the campaign. --since and --until
    go by the time in a file's name. Edges need ranges of the backscatter convention; layers of
    other ionograms have none, and say so.

    Example: odm reprocess ionograms archive campaign --local
    """
    wish = _wish(since, until, limit, retry_quarantined, refresh)
    run = _here() if local else find_runner("reprocess ionograms", "reprocessing")
    from odm.reprocess.ionograms import ionogram_order
    from odm.reprocess.model import Workers

    order = ionogram_order(
        archive,
        campaign,
        model=model,
        threshold=threshold,
        layers=layers,
        edge=edge,
        invert=invert,
        wish=wish,
        workers=Workers(readers, models, threads, address, object_store_mb),
        max_quarantined=max_quarantined,
        take_over=take_over,
        precision=precision,
        batch=batch,
        engine=engine,
        device=device,
    )
    _run(order, run, as_json=json_)


def _wish(
    since: str | None, until: str | None, limit: int | None, retry_quarantined: bool, refresh: bool
) -> Wish:
    from odm.catalog.selection import Wish
    from odm.commands.options import parse_date

    return Wish(
        since=parse_date(since) if since else None,
        until=parse_date(until) if until else None,
        limit=limit,
        retry_quarantined=retry_quarantined,
        refresh=refresh,
    )


def _here() -> Runner:
    from odm.reprocess.runners.local import run_local

    return run_local


def _run(order: Order, run: Any, *, as_json: bool) -> None:
    from odm.reprocess.driver import check, reprocess

    summary = reprocess(order, run)
    inputs = order.stages.kind.inputs
    _show(summary, inputs, as_json=as_json)
    check(summary, order.max_quarantined, inputs)


def _show(summary: Summary, inputs: str, *, as_json: bool) -> None:
    import json

    from odm.core.text import speed

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
