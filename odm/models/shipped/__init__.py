"""Models that come with the package, as model folders beside this file.

Trained on simulated data by the recipes that their cards name; see `odm.statement`.
"""

from __future__ import annotations

from pathlib import Path

from odm.archive.errors import InputError

SHIPPED = {"segmenter": "odm_unet_small", "detector": "yolox_nano"}


def shipped_model(kind: str = "segmenter") -> Path:
    """Folder of the model that is used where none is named.

    Args:
        kind: ``segmenter`` for half-orbits, ``detector`` for ionograms.

    Raises:
        InputError: this installation carries none of that kind.
    """
    folder = Path(__file__).parent / SHIPPED[kind]
    if not (folder / "model.json").is_file():
        raise InputError(f"this installation of odm carries no {kind}: name a model folder")
    return folder
