"""`odm review`: what a person marked in a report, put to use."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from odm.commands.options import AsJson

app = typer.Typer(no_args_is_help=True, help="What a person marked in a report, put to use.")


@app.callback()
def _group() -> None:
    pass


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
    archive: Annotated[
        str | None, typer.Option(help="Where the archive is now [default: where it was].")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier import at OUT.")
    ] = False,
    json_: AsJson = False,
) -> None:
    """Estimate precision and recall from marks, and make annotations for the next training.

    A half-orbit or ionogram becomes an annotation when all that was found in it is marked right or
    wrong, and nothing was missed or what was missed is drawn. Of half-orbits OUT is as odm label
    import makes it; of ionograms it holds LabelImg's XML, for odm dataset ionograms.

    Example: odm review import campaign review.json --out reviewed
    """
    import json
    from dataclasses import asdict

    from odm.catalog.campaign import load_campaign
    from odm.catalog.kinds import kind_of
    from odm.report.review.importing import import_review
    from odm.report.review.marks import read_marks

    opened = load_campaign(campaign)
    other = None if against is None else load_campaign(against)
    given = read_marks(marks)
    report = import_review(opened, given, out, against=other, archive=archive, overwrite=overwrite)
    for problem in report.problems:
        typer.echo(f"left out: {problem}", err=True)
    if json_:
        print(json.dumps(asdict(report), indent=2))
        return
    marked = ", ".join(f"{number} {name}" for name, number in report.marked.items())
    kind = kind_of(opened.card.kind)
    print(f"{kind.findings} marked: {marked}")
    for name in ("precision", "recall"):
        print(f"{name}: {_text(report.estimate[name])}")
    if out is not None:
        print(
            f"{out}: {report.annotated} {kind.inputs} annotated, {report.objects} objects in them; "
            f"{report.open} left open; digest {report.digest[:12]}"
        )


def _text(answer: dict[str, Any]) -> str:
    if answer["value"] is None:
        return f"unknown: {answer['why']}"
    low_high = answer["interval"]
    ends = "" if low_high is None else f" [{low_high[0]:.3f}, {low_high[1]:.3f}]"
    return f"{answer['value']:.3f}{ends}"
