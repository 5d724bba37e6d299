"""`odm label`: pictures out to people, their labels back in, and how far two people agree."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from odm.commands.options import AsJson, Component, OverwriteImport, print_json
from odm.core.text import table

app = typer.Typer(
    no_args_is_help=True, help="Pictures out to people, their labels back in, their agreement."
)


@app.command("export")
def export(
    archive: Annotated[str, typer.Argument(help="Folder or URI of half-orbits.")],
    out: Annotated[Path, typer.Argument(help="Folder to make.")],
    limits: Annotated[
        tuple[float, float] | None,
        typer.Option(
            help="log10 of the PSD in (mV/m)^2/Hz shown black and white "
            "[default: from percentiles of the chosen half-orbits]; as --limits -9 -6.",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many.")] = None,
    since: Annotated[str | None, typer.Option(help="Start at or after this date (UTC).")] = None,
    until: Annotated[str | None, typer.Option(help="Start before this date (UTC).")] = None,
    keys: Annotated[
        Path | None,
        typer.Option(help="Text file with the wanted half-orbits: a name or identity per line."),
    ] = None,
    component: Component = "z",
    with_truth: Annotated[
        Path | None,
        typer.Option(help="Annotations (or a simulated archive) to write as VOC, YOLO, LabelMe."),
    ] = None,
    json_: AsJson = False,
) -> None:
    """Write a picture per half-orbit for LabelImg or LabelMe: one pixel per value.

    Example: odm label export archive to_label --since 2021-11-05 --limit 100

    Then: labelImg to_label/images to_label/classes.txt labels
    """
    from odm.archive.orbit.listing import list_orbits
    from odm.commands.options import parse_date
    from odm.core.progress import progress
    from odm.datasets.labels.export import export_pictures, select_orbits
    from odm.datasets.labels.regions import load_region_labels

    truth = load_region_labels(with_truth) if with_truth else None
    entries = select_orbits(
        list_orbits(archive).entries,
        since=parse_date(since) if since else None,
        until=parse_date(until) if until else None,
        names=_names(keys),
        limit=limit,
    )
    with progress("exporting", len(entries)) as advance:
        report = export_pictures(entries, out, limits, component, truth, advance)
    if json_:
        facts = {"out": report.out, "pictures": report.pictures, "limits": report.limits}
        print_json(facts | {"bad": [str(error) for error in report.bad]})
        return
    for error in report.bad:
        typer.echo(f"left out: {error}", err=True)
    lower, upper = report.limits
    print(f"{report.out}: {report.pictures} pictures, log10 PSD {lower:g} to {upper:g}")


@app.command("import")
def import_(
    export: Annotated[Path, typer.Argument(help="Folder that odm label export made.")],
    annotations: Annotated[Path, typer.Argument(help="Folder with what people drew.")],
    out: Annotated[Path, typer.Argument(help="Folder to make: masks and annotations.json.")],
    format_: Annotated[
        str, typer.Option("--format", help="auto, voc, yolo, labelme or mask.")
    ] = "auto",
    unlabelled: Annotated[
        str,
        typer.Option(help="Pictures without an annotation file: skip, or empty (no nucleus)."),
    ] = "skip",
    exact_edges: Annotated[
        bool,
        typer.Option(
            "--exact-edges",
            help="Take edges literally. Otherwise a left or top edge at 1 (VOC, YOLO) is read as "
            "0, which LabelImg cannot write, and a LabelMe point at width - 1 or height - 1 as "
            "the image's border.",
        ),
    ] = False,
    overwrite: OverwriteImport = False,
    json_: AsJson = False,
) -> None:
    """Read boxes, polygons or masks that people drew into masks at the size of the data.

    A file without an object says that there is no nucleus; a picture without a file was not
    labelled.

    Example: odm label import to_label labels annotated --format voc
    """
    from dataclasses import asdict

    from odm.datasets.labels.importing import import_annotations

    report = import_annotations(
        export, annotations, out, format_, unlabelled, exact_edges, overwrite
    )
    if json_:
        print_json(asdict(report))
        return
    print(
        f"{report.out}: {report.labelled} half-orbits labelled ({report.source}), "
        f"{report.with_objects} with {report.objects} objects, "
        f"{report.unlabelled} pictures not labelled; digest {report.digest[:12]}"
    )


@app.command("agreement")
def agreement(
    first: Annotated[Path, typer.Argument(help="One person's imported folder.")],
    second: Annotated[Path, typer.Argument(help="The other's.")],
    json_: AsJson = False,
) -> None:
    """Compare two people's labels: overlap, kappa, regions and distance of outlines.

    Example: odm label agreement annotated_by_a annotated_by_b
    """
    from dataclasses import asdict

    from odm.datasets.labels.agreement import compare
    from odm.datasets.labels.regions import load_region_labels

    result = compare(load_region_labels(first), load_region_labels(second))
    if json_:
        print_json(asdict(result))
        return
    print(table([], result.rows()))
    print(result.note)


def _names(path: Path | None) -> list[str]:
    from odm.core.errors import InputError

    if path is None:
        return []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path}: no such text file") from None
    names = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not names:
        raise InputError(f"{path}: names no half-orbit")
    return names
