"""`odm estimate`: hours of a campaign before it is run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from odm.commands.options import AsJson
from odm.core.errors import InputError

if TYPE_CHECKING:
    from odm.reprocess.request import ModelOptions
    from ray_jobs.reprocessing.estimate import Estimate, Rates

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def estimate(
    rates: Annotated[Path, typer.Option(help="Measured rates; --calibrate writes them.")] = Path(
        "rates.json"
    ),
    inputs: Annotated[
        int | None,
        typer.Option(
            help="Number of inputs, such as 11000 half-orbits a year.", show_default=False
        ),
    ] = None,
    cpus: Annotated[
        int | None, typer.Option(help="CPUs of the cluster, without its head.", show_default=False)
    ] = None,
    gpus: Annotated[
        int | None, typer.Option(help="GPUs of the cluster.", show_default=False)
    ] = None,
    nodes: Annotated[
        int | None, typer.Option(help="Nodes of the cluster.", show_default=False)
    ] = None,
    price: Annotated[
        float | None,
        typer.Option(
            help="Price of the whole cluster, an hour, as you pay it.", show_default=False
        ),
    ] = None,
    calibrate: Annotated[
        str | None,
        typer.Option(
            metavar="ARCHIVE",
            help="Measure the rates first, on the cluster, with half-orbits of this archive.",
            show_default=False,
        ),
    ] = None,
    samples: Annotated[int, typer.Option(help="Half-orbits to measure with.")] = 32,
    model: Annotated[
        str | None, typer.Option(help="Model folder [default: the one of the package].")
    ] = None,
    engine: Annotated[str, typer.Option(help="Engine, as that of odm reprocess.")] = "auto",
    device: Annotated[str, typer.Option(help="Device, as that of odm reprocess.")] = "auto",
    address: Annotated[str | None, typer.Option(help="host:port of a Ray cluster.")] = None,
    json_: AsJson = False,
) -> None:
    """Hours and node-hours of an archive on a cluster, and what holds it up.

    After --calibrate the cluster's own size and the archive's own number are the defaults.

    Example: odm estimate --inputs 11000 --cpus 64 --gpus 4 --nodes 9 --price 12.50
    """
    from odm.core.files import write_bytes
    from odm.core.settings import read_config
    from odm.reprocess.request import ModelOptions
    from ray_jobs.reprocessing.estimate import ClusterSize, Rates
    from ray_jobs.reprocessing.estimate import estimate as compute

    size = {"cpus": cpus, "gpus": gpus, "nodes": nodes}
    if calibrate is not None:
        if samples < 1:
            raise InputError(f"--samples {samples}: give 1 or more")
        run = ModelOptions(folder=model, engine=engine, device=device)
        measured, facts, number = _measure(calibrate, samples, run, address)
        write_bytes(rates, (measured.model_dump_json(indent=2) + "\n").encode())
        size = {name: facts[name] if value is None else value for name, value in size.items()}
        inputs = number if inputs is None else inputs
    elif not rates.is_file():
        raise InputError(f"{rates}: no such file; odm estimate --calibrate ARCHIVE measures rates")
    known = read_config(rates, Rates)
    if inputs is None or size["cpus"] is None:
        raise InputError("give --inputs and --cpus, or --calibrate ARCHIVE")
    found = compute(
        known, inputs, ClusterSize(size["cpus"], size["gpus"] or 0, size["nodes"] or 1, price)
    )
    if json_:
        print(json.dumps({**found.to_dict(), "rates": known.model_dump()}, indent=2))
        return
    _show(found, known)


def _measure(
    archive: str, samples: int, model: ModelOptions, address: str | None
) -> tuple[Rates, dict[str, int], int]:
    from odm.catalog.campaign import absolute_archive
    from odm.catalog.kinds import list_inputs
    from odm.reprocess.models.orbit import prepare_regions
    from odm.reprocess.request import RegionOptions, Workers
    from ray_jobs.reprocessing.calibrate import calibrate

    # No exports of the model are kept: this machine's folder of them is not seen by others.
    prepared = prepare_regions(model, RegionOptions())
    inputs = list_inputs(prepared.stages.kind.name, absolute_archive(archive)).inputs
    workers = Workers(address=address)
    rates, facts = calibrate(prepared.stages, prepared.inference, inputs, workers, samples)
    return rates, facts, len(inputs)


def _show(found: Estimate, rates: Rates) -> None:
    from odm.core.text import duration, table

    where = f"a GPU ({rates.gpu})" if rates.gpu else "a core"
    print(
        f"an input: {1e3 * rates.read_s:.1f} ms of a core to read {rates.input_bytes / 1e6:.1f} "
        f"MB, {1e3 * rates.model_s:.1f} ms of {where} for the model, {1e3 * rates.finish_s:.1f} ms "
        "of a core to finish"
    )
    rows = [
        (name, f"{limit:.1f}/s", "<- holds it up" * (name == found.bottleneck))
        for name, limit in sorted(found.limits.items(), key=lambda item: item[1])
    ]
    print(table([], rows))
    cost = "" if found.cost is None else f", {found.cost:.2f} at this price"
    print(
        f"{found.inputs} inputs: {duration(3600 * found.hours)} at {found.rate:.1f}/s, "
        f"{found.node_hours:.2f} node-hours{cost}"
    )
    if found.cpus_per_gpu is not None:
        print(f"best ratio: {found.cpus_per_gpu:.1f} CPUs for each GPU")
    print(found.advice)
