"""`odm evaluate`: the score sheet of a model on one part of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from odm.commands.options import AsJson


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            help="A model folder, a model of the package (odm_unet_small), or a method without "
            "learning: canny, log."
        ),
    ],
    dataset: Annotated[Path, typer.Argument(help="A dataset.yaml.")],
    part: Annotated[str, typer.Option(help="test, validation or train.")] = "test",
    calibrate_on: Annotated[
        str,
        typer.Option(
            help="Where the temperature is from: validation; scored (the same half-orbits, and "
            "labelled so); none; auto (the model folder unless --validation is given, else "
            "validation)."
        ),
    ] = "auto",
    fit_thresholds: Annotated[
        bool,
        typer.Option(
            "--fit-thresholds", help="Choose the thresholds of regions for the best F1 there."
        ),
    ] = False,
    validation: Annotated[
        Path | None,
        typer.Option(help="Another dataset.yaml, whose validation part is used for that."),
    ] = None,
    overlap: Annotated[
        float | None,
        typer.Option(help="IoU of that F1 [default: 0.25].", min=0.01, max=1),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the sheet, figures and cases.")
    ] = None,
    save: Annotated[
        bool,
        typer.Option(
            "--save", help="Write temperature, thresholds and scores back into the model folder."
        ),
    ] = False,
    batch: Annotated[int, typer.Option(help="Images given to the model at once.", min=1)] = 2,
    engine: Annotated[str, typer.Option(help="auto, eager, compile, onnx or openvino.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    precision: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "float32",
    flip: Annotated[
        bool | None, typer.Option("--flip", help="Average with the image reversed in time.")
    ] = None,
    resamples: Annotated[
        int | None,
        typer.Option(help="Resamples for intervals; 0 for none [default: 1000].", min=0),
    ] = None,
    json_: AsJson = False,
) -> None:
    """Score a model on one part of a data set, calibrated on its validation part.

    A detector is scored on a data set of ionograms: layers in boxes. Its threshold is chosen
    whenever it is calibrated, and --fit-thresholds or --validation calibrate it anew; --flip,
    --overlap and --resamples are not for it.

    Example: odm evaluate runs/odm_unet-0123456789ab/model dataset.yaml --out scores
    """
    from odm.core.errors import InputError
    from odm.core.files import exists, join
    from odm.core.progress import progress
    from odm.models.card import CARD
    from odm.models.shipped import model_folder, own_folder
    from odm.scoring.evaluation import EvaluationSettings, Running, evaluate_model

    model = own_folder(model) if save else model_folder(model)
    if save and not exists(join(model, CARD)):
        raise InputError(f"--save: {model} has no model folder to save to")
    if save and calibrate_on == "none":
        raise InputError("--save writes the calibration: it cannot go with --calibrate-on none")
    settings = EvaluationSettings(
        part=part,
        calibrate_on=calibrate_on,
        fit_thresholds=fit_thresholds,
        validation=validation,
        running=Running(batch, engine, device, precision),  # type: ignore[arg-type]
        flip=flip,
        overlap=overlap,
        resamples=resamples,
    )
    evaluation = evaluate_model(model, dataset, settings, progress)
    for note in evaluation.notes:
        typer.echo(f"note: {note}", err=True)
    sheet = evaluation.sheet
    try:
        if save:
            digest = evaluation.save().digest
            sheet.about["saved as"] = digest
            typer.echo(f"saved: {model} has digest {digest}", err=json_)
    finally:  # what cannot be saved has its scores all the same
        print(sheet.to_json() if json_ else sheet.to_text(), end="")
        if out is not None:
            for path in evaluation.write(out):
                typer.echo(f"written: {path}", err=json_)
