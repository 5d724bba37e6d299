"""`odm evaluate`: the score sheet of a model on one part of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from odm.commands.options import AsJson

if TYPE_CHECKING:
    from odm.scoring.ionogram.evaluate import LayerEvaluation
    from odm.scoring.orbit.cases import Example
    from odm.scoring.orbit.sheet import ScoreSheet


SEGMENTERS_ONLY = ("flip", "overlap", "resamples")
"""Options that mean nothing for a detector."""


def evaluate(
    context: typer.Context,
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
    overlap: Annotated[float, typer.Option(help="IoU of that F1.", min=0.01, max=1)] = 0.25,
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
        bool, typer.Option("--flip", help="Average with the image reversed in time.")
    ] = False,
    resamples: Annotated[int, typer.Option(help="For intervals; 0 for none.", min=0)] = 1000,
    json_: AsJson = False,
) -> None:
    """Score a model on one part of a data set, calibrated on its validation part.

    A detector is scored on a data set of ionograms: layers in boxes. Its threshold is chosen
    whenever it is calibrated, and --fit-thresholds or --validation calibrate it anew; --flip,
    --overlap and --resamples are not for it.

    Example: odm evaluate runs/odm_unet-0123456789ab/model dataset.yaml --out scores
    """
    from odm.core.errors import InputError
    from odm.core.progress import progress
    from odm.models.shipped import model_folder, own_folder
    from odm.scoring.ionogram.evaluate import evaluate_detector
    from odm.scoring.orbit.evaluate import Running, evaluate_model
    from odm.scoring.orbit.methods import open_method
    from odm.scoring.orbit.save import save_evaluation

    model = own_folder(model) if save else model_folder(model)
    if _is_detector(model):
        for name in SEGMENTERS_ONLY:
            source = context.get_parameter_source(name)
            if source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP"):
                raise InputError(f"--{name} is for a segmenter: {model} is a detector")
        found = evaluate_detector(
            model,
            dataset,
            part=part,
            calibrate_on=calibrate_on,
            fit=fit_thresholds,
            validation=validation,
            running=Running(batch, engine, device, precision),  # type: ignore[arg-type]
            meter=lambda what, total: progress(what, total, "ionograms"),
        )
        _finish_detector(model, found, out, save, json_)
        return
    method = open_method(model)
    if save and method.card is None:
        raise InputError(f"--save: {model} has no model folder to save to")
    if save and calibrate_on == "none":
        raise InputError("--save writes the calibration: it cannot go with --calibrate-on none")
    done = evaluate_model(
        method,
        dataset,
        part=part,
        calibrate_on=calibrate_on,  # type: ignore[arg-type]  # checked there
        fit=fit_thresholds,
        validation=validation,
        overlap=overlap,
        running=Running(batch, engine, device, precision, flip),  # type: ignore[arg-type]
        resamples=resamples,
        meter=progress,
    )
    for note in done.notes:
        typer.echo(f"note: {note}", err=True)
    try:
        if save:
            card = save_evaluation(method, done)
            done.sheet.about["saved as"] = card.digest
            typer.echo(f"saved: {model} has digest {card.digest}", err=json_)
    finally:  # what cannot be saved has its scores all the same
        print(done.sheet.to_json() if json_ else done.sheet.to_text(), end="")
        if out is not None:
            for path in _write(out, done.sheet, done.examples):
                typer.echo(f"written: {path}", err=json_)


def _is_detector(model: str) -> bool:
    from odm.core.files import exists, join
    from odm.models.card import CARD, read_model_card

    return exists(join(model, CARD)) and read_model_card(model).architecture["kind"] == "detector"


def _finish_detector(
    model: str, done: LayerEvaluation, out: Path | None, save: bool, json_: bool
) -> None:
    from odm.scoring.ionogram.evaluate import save_detector
    from odm.scoring.ionogram.sheet import write_sheet

    for note in done.notes:
        typer.echo(f"note: {note}", err=True)
    if save:
        card = save_detector(model, done)
        done.sheet.about["saved as"] = card.digest
        typer.echo(f"saved: {model} has digest {card.digest}", err=json_)
    if out is not None:
        for path in write_sheet(out, done.sheet, done.class_names, done.examples):
            typer.echo(f"written: {path}", err=json_)
    print(done.sheet.to_json() if json_ else done.sheet.to_text(), end="")


def _write(folder: Path, sheet: ScoreSheet, examples: list[Example]) -> list[str]:
    from odm.core.files import join, write_bytes
    from odm.scoring.orbit.pictures import write_pictures

    written = [join(folder, "sheet.json"), join(folder, "sheet.txt")]
    sheet.write_json(written[0])
    write_bytes(written[1], sheet.to_text().encode())
    return [*written, *write_pictures(folder, sheet, examples)]
