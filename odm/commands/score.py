"""`odm score`: a campaign against what is true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from odm.commands.options import AsJson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from odm.catalog.campaign import Campaign
    from odm.scoring.ionogram.sheet import LayerExample, LayerSheet
    from odm.scoring.orbit.cases import Example
    from odm.scoring.orbit.sheet import ScoreSheet

TRUTH = "truth.parquet"


def score(
    campaign: Annotated[str, typer.Argument(help="Folder of a campaign.")],
    truth: Annotated[
        str,
        typer.Option(help="truth.parquet of a simulated archive, or a folder of labels."),
    ],
    out: Annotated[
        str | None, typer.Option(help="Folder for the sheet, figures and cases.")
    ] = None,
    resamples: Annotated[
        int, typer.Option(help="For intervals of half-orbits; 0 for none.", min=0)
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
    from odm.catalog.ionogram.inputs import IONOGRAMS
    from odm.catalog.kinds import kind_of

    one = load_campaign(campaign)
    if kind_of(one.card.kind) is IONOGRAMS:
        layers, ionograms = _layer_sheet(one, truth)
        if out is not None:
            from odm.scoring.ionogram.sheet import write_sheet

            _say(write_sheet(out, layers, one.card.settings["classes"], ionograms), json_)
        print(layers.to_json() if json_ else layers.to_text(brief=brief), end="")
        return
    examples: list[Example] = []
    sheet = _sheet(one, truth, resamples, examples)
    if out is not None:
        _say(_write(out, sheet, examples), json_)
    print(sheet.to_json() if json_ else sheet.to_text(brief=brief), end="")


def _sheet(campaign: Campaign, truth: str, resamples: int, examples: list[Example]) -> ScoreSheet:
    from odm.archive.orbit.listing import list_orbits
    from odm.catalog.outcomes import QUARANTINED
    from odm.core.errors import InputError
    from odm.core.progress import progress
    from odm.findings.regions import RegionSettings
    from odm.scoring.orbit.campaign import rows_by_file, score_rows
    from odm.scoring.orbit.truth import Truth

    card = campaign.card
    known = Truth.load(_folder(truth))
    rows = campaign.outcomes(["name", "findings"]).to_pylist()
    done = {row["name"] for row in rows if row["status"] != QUARANTINED}
    listed = list_orbits(card.archive).entries
    entries = [entry for entry in listed if entry.key.name in done]
    if not entries:
        raise InputError(f"{campaign.folder}: nothing is done yet of what the archive holds now")
    here = {entry.key.name for entry in entries}
    found = rows_by_file(
        region for row in rows if row["name"] in here for region in row["findings"]
    )
    left_out = _left_out("half-orbits", rows, "name", {e.key.identity: e.key.name for e in listed})
    about = {**_about(campaign, truth), **left_out}
    with progress("scoring", sum(known.knows(entry.key) for entry in entries)) as advance:
        return score_rows(
            found,
            entries,
            known,
            regions=RegionSettings(**card.settings["regions"]),
            about=about,
            resamples=resamples,
            examples=examples,
            progress=lambda done, total: advance(1),
        )


def _layer_sheet(campaign: Campaign, truth: str) -> tuple[LayerSheet, list[LayerExample]]:
    from odm.catalog.kinds import list_inputs
    from odm.catalog.outcomes import QUARANTINED
    from odm.core.errors import InputError
    from odm.core.progress import progress
    from odm.datasets.labels.layers import SIMULATED, load_layer_labels
    from odm.images.ionogram import IonogramImageSettings
    from odm.images.layer_truth import read_layers
    from odm.scoring.ionogram.campaign import score_layers

    card = campaign.card
    labels = load_layer_labels(_folder(truth), tuple(card.settings["classes"]))
    here = {one.identity: one.source for one in list_inputs(card.kind, card.archive).inputs}
    with_edges = card.settings["edges"] != "none" and labels.source == SIMULATED
    rows = campaign.outcomes(["source", "findings"]).to_pylist()
    done = [
        row
        for row in rows
        if row["status"] != QUARANTINED and row["source"] == here.get(row["identity"])
    ]
    if not done:
        raise InputError(f"{campaign.folder}: nothing is done yet of what the archive holds now")
    with progress("scoring", len(done), "ionograms") as advance:
        return score_layers(
            done,
            card.archive,
            labels,
            image=IonogramImageSettings.from_dict(dict(card.settings["image"])),
            threshold=card.settings["boxes"]["threshold"],
            about={**_about(campaign, truth), **_left_out("ionograms", rows, "source", here)},
            advance=advance,
            edges=read_layers(_folder(truth)) if with_edges else None,
        )


def _about(campaign: Campaign, truth: str) -> dict[str, Any]:
    card = campaign.card
    return {
        "campaign": str(campaign.folder),
        "archive": card.archive,
        "truth": truth,
        "model": card.model["architecture"],
        "digest": card.model["digest"],
        "settings": dict(card.settings),
    }


def _left_out(
    inputs: str, rows: Sequence[Mapping[str, Any]], file: str, listed: Mapping[str, str]
) -> dict[str, int]:
    """How many inputs are not scored, in words.

    Args:
        inputs: what they are called.
        rows: outcomes.
        file: column that tells one file of an input from another.
        listed: that of each identity in the archive now.
    """
    from odm.catalog.outcomes import QUARANTINED

    good = [row for row in rows if row["status"] != QUARANTINED]
    superseded = [row for row in good if listed.get(row["identity"], row[file]) != row[file]]
    return {
        f"{inputs} in quarantine, not scored": len(rows) - len(good),
        f"{inputs} pending, not scored": len(listed.keys() - {row["identity"] for row in rows}),
        f"{inputs} whose file was superseded, not scored": len(superseded),
    }


def _say(written: list[str], aside: bool) -> None:
    for path in written:
        typer.echo(f"written: {path}", err=aside)


def _folder(truth: str) -> str:
    """The folder that a table of truth lies in: masks and the table of confusers are beside it."""
    from odm.core.errors import InputError
    from odm.core.files import exists

    if not truth.endswith(".parquet"):
        return truth
    folder, slash, name = truth.rpartition("/")
    if name != TRUTH or not exists(truth):
        there = "" if exists(truth) else "is not there; "
        raise InputError(
            f"{truth}: {there}give the {TRUTH} of a simulated archive, or a folder of labels"
        )
    return folder if slash else "."


def _write(folder: str, sheet: ScoreSheet, examples: list[Example]) -> list[str]:
    from odm.core.files import join, write_bytes
    from odm.scoring.orbit.pictures import write_pictures

    written = [join(folder, "sheet.json"), join(folder, "sheet.txt")]
    sheet.write_json(written[0])
    write_bytes(written[1], sheet.to_text().encode())
    return [*written, *write_pictures(folder, sheet, examples)]
