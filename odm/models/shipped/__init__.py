"""Models that come with the package, as model folders beside this file.

One that was the default stays beside the one that is, under its own name, so that campaigns go on
with the model that they were begun with. All are trained on simulated data by the recipes that
their cards name; see `odm.core.statement`.
"""

from __future__ import annotations

from pathlib import Path

from odm.core.errors import InputError
from odm.core.files import exists, join

SHIPPED = {
    "segmenter": "nuclei-2",
    "detector": "yolox_nano",
    "layers": "layers_unet",
    "pipeline": "layers",
}
"""Kind of model, and the name of the one that is used where none is named."""
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
    if not _is_model(folder):
        raise InputError(f"this installation of odm carries no {kind}: name a model folder")
    return folder


def shipped_names() -> tuple[str, ...]:
    """Names of all models and pipelines that come with the package, defaults or not."""
    folders = Path(__file__).parent.iterdir()
    return tuple(sorted(folder.name for folder in folders if _is_model(folder)))


def shipped_with(digest: str) -> str | None:
    """Folder of the model or pipeline of the package that has a digest; None where none has."""
    from odm.models.pipeline import read_digest

    folders = (Path(__file__).parent / name for name in shipped_names())
    return next((str(folder) for folder in folders if read_digest(folder) == digest), None)


def _is_model(folder: Path) -> bool:
    return any((folder / card).is_file() for card in _CARDS)


def model_folder(name: object) -> str:
    """The folder that is meant where a model is named.

    Args:
        name: a model or pipeline folder, which comes first, or one of `shipped_names()`.
    """
    text = str(name)
    if text in shipped_names() and not any(exists(join(text, card)) for card in _CARDS):
        return str(Path(__file__).parent / text)
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
