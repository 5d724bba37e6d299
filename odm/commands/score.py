"""`odm score`: a campaign against what is true."""

from __future__ import annotations

from typing import Annotated

import typer

from odm.commands.options import AsJson, CampaignFolder


def score(
    campaign: CampaignFolder,
    truth: Annotated[
        str,
        typer.Option(help="truth.parquet of a simulated archive, or a folder of labels."),
    ],
    out: Annotated[
        str | None, typer.Option(help="Folder for the sheet, figures and cases.")
    ] = None,
    resamples: Annotated[
        int, typer.Option(help="Resamples for intervals of half-orbits; 0 for none.", min=0)
    ] = 1000,
    brief: Annotated[bool, typer.Option("--brief", help="The first tables only.")] = False,
    json_: AsJson = False,
) -> None:
    """Score what a campaign found, at the thresholds it was run with; of layers edges too.

    Inputs in quarantine, those that are pending, and those whose file has been superseded since,
    are not scored; the sheet says how many.

    Example: odm score campaign --truth archive/truth.parquet --out scores
    """
    from odm.catalog.campaign import load_campaign
    from odm.core.progress import progress
    from odm.scoring.campaigns import score_campaign

    evaluation = score_campaign(load_campaign(campaign), truth, resamples, progress)
    if out is not None:
        for path in evaluation.write(out):
            typer.echo(f"written: {path}", err=json_)
    sheet = evaluation.sheet
    print(sheet.to_json() if json_ else sheet.to_text(brief=brief), end="")
