"""Models that come with the package, as model folders beside this file.

Trained on simulated data by the recipes that their cards name; see `odm.core.statement`.
"""

from __future__ import annotations

from pathlib import Path

from odm.core.errors import InputError
from odm.core.files import exists, join

SHIPPED = {
    "segmenter": "odm_unet_small",
    "detector": "yolox_nano",
    "layers": "layers_unet",
    "pipeline": "layers",
}
_CARDS = ("model.json", "pipeline.json")


def shipped_model(kind: str = "segmenter") -> Path:
    """Folder of the model that is used where none is named.

    Args:
        kind: ``segmenter`` for half-orbits; for ionograms ``detector``, ``layers`` for the
            segmenter beside it, and ``pipeline`` for both.

    Raises:
        InputError: this installation carries none of that kind.
    """
    folder = Path(__file__).parent / SHIPPED[kind]
    if not any((folder / name).is_file() for name in _CARDS):
        raise InputError(f"this installation of odm carries no {kind}: name a model folder")
    return folder


def model_folder(name: object) -> str:
    """The folder that is meant where a model is named.

    Args:
        name: a model or pipeline folder, which comes first, or one of `SHIPPED` by its name.
    """
    text = str(name)
    if text in SHIPPED.values() and not any(exists(join(text, card)) for card in _CARDS):
        folder = Path(__file__).parent / text
        if any((folder / card).is_file() for card in _CARDS):
            return str(folder)
    return text


def own_folder(name: object) -> str:
    """The folder of a model that is to be written to.

    Raises:
        InputError: it belongs to the package.
    """
    folder = model_folder(name)
    if folder != str(name):
        raise InputError(f"--save: {name} belongs to the package: copy {folder} and name the copy")
    return folder
