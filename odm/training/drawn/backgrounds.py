"""Half-orbits without labels, prepared to be what a training shows beside drawn ones.

backgrounds.json          format, image settings, number of half-orbits of each part, digest
train/00000.npz           image as measured; its mask is `IGNORED` where there may be a nucleus
validation/00000.npz      image with nuclei planted in it, and their mask

A folder is complete once it has its JSON; `odm.training.adapting` makes it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from odm.archive.orbit.key import Direction
from odm.core.errors import InputError
from odm.core.files import replace_file, write_bytes
from odm.core.settings import Settings
from odm.images.geometry import OrbitImageSettings
from odm.training.drawn.drawing import DAMAGED, Drawn

ARCHIVE = "archive"
"""Stands for the name of a sky."""
INDEX = "backgrounds.json"
FORMAT = 1


class BackgroundSettings(Settings):
    """Prepared half-orbits among those that are drawn.

    Attributes:
        folder: where they are; relative to the file of settings.
        share: of the half-orbits in use; the rest is drawn.
    """

    folder: str
    share: float = Field(default=0.7, gt=0, le=1)


@dataclass(frozen=True)
class BackgroundMaker:
    """Reads the prepared half-orbits of one part by their number; a `Maker`.

    Attributes:
        folder: of all parts.
        part: ``train`` or ``validation``.
        content: digest of the folder.
        image: how they became images.
    """

    folder: str
    part: str
    content: str
    image: OrbitImageSettings

    @property
    def sky(self) -> str:
        """What they show, in place of a sky's name."""
        return ARCHIVE

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides what is read."""
        return hashlib.sha256(f"{self.content}/{self.part}".encode()).hexdigest()

    def make(self, number: int, direction: Direction) -> Drawn:
        """Read one.

        Raises:
            InputError: it is not there, or damaged.
        """
        path = background_path(self.folder, self.part, number)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return arrays["image"], arrays["mask"]
        except DAMAGED as error:
            raise InputError(f"{path}: cannot be read ({error}); start again") from None


@dataclass(frozen=True)
class Backgrounds:
    """An opened folder.

    Attributes:
        folder: its place.
        counts: number of half-orbits by part.
        image: how they became images.
        digest: SHA-256 of what they were made of.
    """

    folder: Path
    counts: dict[str, int]
    image: OrbitImageSettings
    digest: str

    @classmethod
    def open(cls, folder: str | Path) -> Backgrounds:
        """Open a folder.

        Raises:
            InputError: it is none, or not complete.
        """
        path = Path(folder) / INDEX
        try:
            content = json.loads(path.read_bytes())
            image = OrbitImageSettings.from_dict(content["image"])
            return cls(Path(folder), dict(content["counts"]), image, str(content["digest"]))
        except (OSError, ValueError, KeyError, TypeError):
            raise InputError(
                f"{folder}: holds no prepared half-orbits ({INDEX} is not there or damaged)"
            ) from None

    def maker(self, part: str) -> BackgroundMaker:
        """What reads the half-orbits of a part."""
        return BackgroundMaker(str(self.folder), part, self.digest, self.image)


def background_path(folder: str | Path, part: str, number: int) -> Path:
    """File of a prepared half-orbit."""
    return Path(folder) / part / f"{number:05d}.npz"


def keep_background(folder: Path, part: str, number: int, drawn: Drawn) -> None:
    """Write a prepared half-orbit, whole or not at all."""
    path = background_path(folder, part, number)
    with replace_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, image=drawn[0], mask=drawn[1])


def close_folder(
    folder: Path, counts: dict[str, int], image: OrbitImageSettings, made_of: dict[str, Any]
) -> Backgrounds:
    """Write the JSON that makes a folder complete, and open it."""
    facts = {"made_of": made_of, "image": image.to_dict(), "counts": counts}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    content = {"format": FORMAT, **facts, "digest": digest}
    write_bytes(folder / INDEX, (json.dumps(content, indent=2) + "\n").encode())
    return Backgrounds.open(folder)
