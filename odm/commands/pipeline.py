"""`odm pipeline`: a detector and a segmenter of layers as one model."""

from __future__ import annotations

from typing import Annotated

import typer

from odm.commands.options import AsJson, print_json


def pipeline(
    out: Annotated[str, typer.Argument(help="Folder to make.")],
    detector: Annotated[
        str, typer.Option(help="Folder of a detector of layers, or a shipped one.")
    ],
    segmenter: Annotated[
        str, typer.Option(help="Folder of a segmenter of the same layers, or a shipped one.")
    ],
    json_: AsJson = False,
) -> None:
    """Join a detector and a segmenter of ionograms in one pipeline folder, under one digest.

    Example: odm pipeline models/layers --detector yolox_nano --segmenter layers_unet
    """
    from odm.core.errors import InputError
    from odm.models.card import read_model_card
    from odm.models.pipeline import save_pipeline
    from odm.models.shipped import model_folder

    members = {"detector": model_folder(detector), "segmenter": model_folder(segmenter)}
    cards = {role: read_model_card(folder) for role, folder in members.items()}
    for role, card in cards.items():
        kind = card.architecture["kind"]
        if kind != role:
            raise InputError(f"{members[role]} is a {kind}, not a {role}")
    layers = cards["detector"].architecture["options"].get("classes", ())
    classes = cards["segmenter"].architecture["options"].get("classes")
    if classes != len(layers) + 1:
        raise InputError(
            f"{segmenter} has {classes} classes: beside {len(layers)} layers ({', '.join(layers)}) "
            f"and the background there are {len(layers) + 1}"
        )
    digest = save_pipeline(out, members)
    if json_:
        print_json({"pipeline": out, "digest": digest, **members})
    else:
        print(f"{out}: {' and '.join(members)}, digest {digest[:12]}")
