"""`odm estimate`: hours of a campaign before it is run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from odm.commands.options import AsJson, ModelFolder, print_json, takes_groups
from odm.core.errors import InputError
from ray_jobs.reprocessing.estimate import ClusterSize, Estimate, Rates
from ray_jobs.reprocessing.estimate import estimate as compute

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@dataclass(frozen=True)
class ClusterOptions:
    """Size and price of a cluster; see `ray_jobs.reprocessing.estimate.ClusterSize`."""

    cpus: Annotated[int | None, typer.Option(help="CPUs of the cluster, without its head.")] = None
    gpus: Annotated[int | None, typer.Option(help="GPUs of the cluster.")] = None
    nodes: Annotated[int | None, typer.Option(help="Nodes of the cluster.")] = None
    price: Annotated[
        float | None, typer.Option(help="Price of the whole cluster, an hour, as you pay it.")
    ] = None


@dataclass(frozen=True)
class CalibrationOptions:
    """What the rates of a cluster are measured with."""

    calibrate: Annotated[
        str | None,
        typer.Option(
            metavar="ARCHIVE",
            help="Measure the rates first, on the cluster, with half-orbits of this archive.",
        ),
    ] = None
    samples: Annotated[int, typer.Option(help="Half-orbits to measure with.")] = 32
    model: ModelFolder = None
    engine: Annotated[str, typer.Option(help="Engine, as that of odm reprocess.")] = "auto"
    device: Annotated[str, typer.Option(help="Device, as that of odm reprocess.")] = "auto"
    address: Annotated[str | None, typer.Option(help="host:port of a Ray cluster.")] = None


@app.command()
@takes_groups
def estimate(
    *,
    rates: Annotated[Path, typer.Option(help="Measured rates; --calibrate writes them.")] = Path(
        "rates.json"
    ),
    inputs: Annotated[
        int | None, typer.Option(help="Number of inputs, such as 11000 half-orbits a year.")
    ] = None,
    cluster: ClusterOptions,
    calibration: CalibrationOptions,
    json_: AsJson = False,
) -> None:
    """Hours and node-hours of an archive on a cluster, and what holds it up.

    After --calibrate the cluster's own size and the archive's own number are the defaults.

    Example: odm estimate --inputs 11000 --cpus 64 --gpus 4 --nodes 9 --price 12.50
    """
    from odm.core.files import write_bytes
    from odm.core.settings import read_config

    size = {"cpus": cluster.cpus, "gpus": cluster.gpus, "nodes": cluster.nodes}
    if calibration.calibrate is not None:
        if calibration.samples < 1:
            raise InputError(f"--samples {calibration.samples}: give 1 or more")
        measured, facts, number = _measure(calibration.calibrate, calibration)
        write_bytes(rates, (measured.model_dump_json(indent=2) + "\n").encode())
        size = {name: facts[name] if value is None else value for name, value in size.items()}
        inputs = number if inputs is None else inputs
    elif not rates.is_file():
        raise InputError(f"{rates}: no such file; odm estimate --calibrate ARCHIVE measures rates")
    known = read_config(rates, Rates)
    if inputs is None or size["cpus"] is None:
        raise InputError("give --inputs and --cpus, or --calibrate ARCHIVE")
    whole = ClusterSize(size["cpus"], size["gpus"] or 0, size["nodes"] or 1, cluster.price)
    result = compute(known, inputs, whole)
    if json_:
        print_json({**asdict(result), "rates": known.model_dump()})
        return
    _show(result, known)


def _measure(archive: str, options: CalibrationOptions) -> tuple[Rates, dict[str, int], int]:
    """Measure the rates; return them with the size of the cluster and of the archive."""
    from odm.catalog.campaign import absolute_archive
    from odm.catalog.kinds import list_inputs
    from odm.reprocess.orbit import prepare_regions
    from odm.reprocess.request import ModelOptions, RegionOptions, Workers
    from ray_jobs.reprocessing.calibrate import calibrate

    # No exports of the model are kept: this machine's folder of them is not seen by others.
    model = ModelOptions(folder=options.model, engine=options.engine, device=options.device)
    prepared = prepare_regions(model, RegionOptions())
    inputs = list_inputs(prepared.stages.kind.name, absolute_archive(archive)).inputs
    workers = Workers(address=options.address)
    rates, facts = calibrate(prepared.stages, prepared.inference, inputs, workers, options.samples)
    return rates, facts, len(inputs)


def _show(result: Estimate, rates: Rates) -> None:
    from odm.core.text import duration, table

    unit = f"a GPU ({rates.gpu})" if rates.gpu else "a core"
    print(
        f"an input: {1e3 * rates.read_s:.1f} ms of a core to read {rates.input_bytes / 1e6:.1f} "
        f"MB, {1e3 * rates.model_s:.1f} ms of {unit} for the model, {1e3 * rates.finish_s:.1f} ms "
        "of a core to finish"
    )
    rows = [
        (name, f"{limit:.1f}/s", "<- holds it up" * (name == result.bottleneck))
        for name, limit in sorted(result.limits.items(), key=lambda item: item[1])
    ]
    print(table([], rows))
    cost = "" if result.cost is None else f", {result.cost:.2f} at this price"
    print(
        f"{result.inputs} inputs: {duration(3600 * result.hours)} at {result.rate:.1f}/s, "
        f"{result.node_hours:.2f} node-hours{cost}"
    )
    if result.cpus_per_gpu is not None:
        print(f"best ratio: {result.cpus_per_gpu:.1f} CPUs for each GPU")
    print(result.advice)
