"""`odm review`: what a person marked in a report, put to use."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from odm.commands.options import ArchiveNow, AsJson, OverwriteImport, print_json

app = typer.Typer(no_args_is_help=True, help="What a person marked in a report, put to use.")
app.callback()(lambda: None)  # or its one command would have no name of its own


@app.command("import")
def import_(
    campaign: Annotated[str, typer.Argument(help="Folder of the campaign reported on.")],
    marks: Annotated[str, typer.Argument(help="File that the page exported.")],
    out: Annotated[
        str | None, typer.Option(help="Folder for annotations, to make [default: none are made].")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="The campaign that it was compared with.")
    ] = None,
    archive: ArchiveNow = None,
    overwrite: OverwriteImport = False,
    json_: AsJson = False,
) -> None:
    """Estimate precision and recall from marks, and make annotations for the next training.

    A half-orbit or ionogram becomes an annotation when all that was found in it is marked right or
    wrong, and nothing was missed or what was missed is drawn. OUT of half-orbits is as odm label
    import makes it; OUT of ionograms holds LabelImg's XML, for odm dataset ionograms.

    Example: odm review import campaign review.json --out reviewed
    """
    from dataclasses import asdict

    from odm.catalog.campaign import load_campaign
    from odm.core.kinds import KINDS
    from odm.report import import_review, read_marks

    opened = load_campaign(campaign)
    compared = None if against is None else load_campaign(against)
    report = import_review(
        opened, read_marks(marks), out, against=compared, archive=archive, overwrite=overwrite
    )
    for problem in report.problems:
        typer.echo(f"left out: {problem}", err=True)
    if json_:
        print_json(asdict(report))
        return
    marked = ", ".join(f"{number} {name}" for name, number in report.marked.items())
    kind = KINDS.find(opened.card.kind)
    print(f"{kind.findings} marked: {marked}")
    for name in ("precision", "recall"):
        print(f"{name}: {_text(report.estimate[name])}")
    if out is not None:
        print(
            f"{out}: {report.annotated} {kind.inputs} annotated, {report.objects} objects in them; "
            f"{report.open} left open; digest {report.digest[:12]}"
        )


def _text(share: dict[str, Any]) -> str:
    if share["value"] is None:
        return f"unknown: {share['why']}"
    interval = share["interval"]
    ends = "" if interval is None else f" [{interval[0]:.3f}, {interval[1]:.3f}]"
    return f"{share['value']:.3f}{ends}"
