"""`odm reprocess`: a model over an archive, into a campaign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odm.commands.options import CampaignOptions, RunOptions, parse_date, takes_groups
from odm.commands.runners import find_runner

if TYPE_CHECKING:
    from pydantic import BaseModel

    from odm.reprocess.driver import Summary

app = typer.Typer(no_args_is_help=True, help="Run a model over an archive, into a campaign.")

Folder = Annotated[str, typer.Argument(help="Folder to make, or to go on with.")]


@dataclass(frozen=True)
class RegionOptions:
    """How regions are found; see `odm.reprocess.request.RegionOptions`."""

    threshold: Annotated[
        float | None, typer.Option(help="Threshold of the probability [default: the model's].")
    ] = None
    low_threshold: Annotated[
        float | None, typer.Option(help="Down to which a region grows [default: the model's].")
    ] = None
    minimum_area: Annotated[
        int | None, typer.Option(help="Pixels of a region [default: the model's].")
    ] = None
    minimum_confidence: Annotated[
        float | None,
        typer.Option(help="Least confidence of a region [default: the model's]."),
    ] = None
    flip: Annotated[
        bool, typer.Option("--flip", help="Average with the image reversed in time.")
    ] = False


@dataclass(frozen=True)
class LayerOptions:
    """How layers and edges are found; see `odm.reprocess.request.LayerOptions`."""

    threshold: Annotated[
        float | None, typer.Option(help="Least confidence of a layer [default: the model's].")
    ] = None
    layers: Annotated[
        str | None,
        typer.Option(
            help="boxes or segments: how a layer is cut out for its leading edge [default: "
            "segments, if the model is a pipeline with a segmenter]."
        ),
    ] = None
    edge: Annotated[str, typer.Option(help="path, feng or none: how leading edges are found.")] = (
        "path"
    )
    invert: Annotated[
        bool,
        typer.Option(help="Compute critical frequency, height and thickness from each edge."),
    ] = True


@app.command()
@takes_groups
def orbits(
    archive: Annotated[str, typer.Argument(help="Folder or URI of half-orbits.")],
    campaign: Folder,
    *,
    options: CampaignOptions,
    findings: RegionOptions,
    run: RunOptions,
) -> None:
    """Find regions in half-orbits; the same command again does what is left to do.

    It may be killed at any moment. Bad files are quarantined with their reason; `odm status` shows
    them. What decides an outcome (model, thresholds, flip, precision) belongs to the campaign.

    Example: odm reprocess orbits archive campaign --since 2021-11-01 --until 2021-12-01
    """
    _reprocess("orbits", archive, campaign, options, findings, run)


@app.command()
@takes_groups
def ionograms(
    archive: Annotated[str, typer.Argument(help="Folder or URI of ionograms.")],
    campaign: Folder,
    *,
    options: CampaignOptions,
    findings: LayerOptions,
    run: RunOptions,
) -> None:
    """Find layers and their leading edges in ionograms; again, it does what is left to do.

    As with half-orbits: it may be killed at any moment, bad files are quarantined with their
    reason, and model, threshold, edges and precision belong to the campaign. --since and --until
    go by the time in a file's name. Edges need ranges of the backscatter convention; layers of
    other ionograms have none, and say so.

    Example: odm reprocess ionograms archive campaign --local
    """
    _reprocess("ionograms", archive, campaign, options, findings, run)


def _reprocess(
    kind: str,
    archive: str,
    campaign: str,
    options: CampaignOptions,
    findings: RegionOptions | LayerOptions,
    run: RunOptions,
) -> None:
    from odm.catalog.selection import Selection
    from odm.core.kinds import KINDS
    from odm.reprocess.driver import check_summary, reprocess
    from odm.reprocess.order import open_order
    from odm.reprocess.request import ModelOptions, ReprocessRequest, Workers
    from odm.reprocess.runners.local import run_local

    named = {**vars(options), **vars(run)}
    for name in ("since", "until"):
        named[name] = parse_date(named[name]) if named[name] else None

    def chosen(group: type[BaseModel]) -> dict[str, Any]:
        return {name: named[name] for name in group.model_fields if name in named}

    selection = Selection(**chosen(Selection))
    runner = run_local if options.local else find_runner(f"reprocess {kind}", "reprocessing")
    request = ReprocessRequest(
        kind=kind,
        archive=archive,
        campaign=campaign,
        findings=KINDS.find(kind).load("options")(**vars(findings)),
        model=ModelOptions(folder=options.model, **chosen(ModelOptions)),
        selection=selection,
        workers=Workers(**chosen(Workers)),
        max_quarantined=options.max_quarantined,
        take_over=options.take_over,
    )
    order = open_order(request)
    summary = reprocess(order, runner)
    inputs = order.stages.kind.inputs
    _show(summary, inputs, as_json=run.json_)
    check_summary(summary, options.max_quarantined, inputs)


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
