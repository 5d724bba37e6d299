"""One half-orbit that is drawn, and the file of the user's cache that keeps its image.

Nothing here imports torch, so that a process that only draws starts in a second.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

import odm.images.relative
import odm.images.spectrogram
import odm.simulate.orbit.recipe
from odm.archive.orbit.key import Direction
from odm.core.cache import user_cache
from odm.core.errors import InputError
from odm.core.faults import first_line
from odm.core.files import make_folder, replace_file
from odm.images.geometry import OrbitImageSettings, SpectrogramGeometry
from odm.images.masks import IGNORED
from odm.images.spectrogram import spectrogram_image
from odm.simulate.orbit.emission import FREQUENCY
from odm.simulate.orbit.half_orbit import simulate_half_orbit
from odm.simulate.orbit.recipe import SKIES, OrbitRecipe

DRAWN = "drawn"
"""Sub-folder of the cache."""
STALE_S = 10.0
"""Seconds after which a process that said that it draws a half-orbit is taken for dead."""

DAMAGED = (
    OSError, EOFError, KeyError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile
)  # fmt: skip

Drawn = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Image (H, W) or (H, W, C), 0 where invalid, and mask (H, W) of 0, 1 and `IGNORED`."""


class Maker(Protocol):
    """What makes images with masks of half-orbits, by their number and direction of flight."""

    @property
    def image(self) -> OrbitImageSettings:
        """How they become images."""
        ...

    @property
    def sky(self) -> str:
        """Name of what they show."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides what is made."""
        ...

    def make(self, number: int, direction: Direction) -> Drawn:
        """Make one anew.

        Raises:
            InputError: it can no longer be made.
        """
        ...


@dataclass(frozen=True)
class SkyMaker:
    """Draws half-orbits of one sky, all with a nucleus or all without; a `Maker`.

    Attributes:
        recipe: what draws them.
        image: how they become images.
        code: see `code_digest`.
    """

    recipe: OrbitRecipe
    image: OrbitImageSettings
    code: str

    @property
    def sky(self) -> str:
        """Name of the sky."""
        return self.recipe.sky

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that decides what is drawn: another one after every change of the code."""
        facts = {"recipe": asdict(self.recipe), "image": self.image.to_dict(), "code": self.code}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def check_code(self) -> None:
        """Check that the code that runs here is the one that is meant.

        Raises:
            InputError: it was changed since the data set was opened.
        """
        if self.code != code_digest(self.recipe.sky):
            raise InputError(
                f"the code that draws the sky {self.recipe.sky} was changed after the data set was "
                "opened: start again"
            )

    def make(self, number: int, direction: Direction) -> Drawn:
        """Draw a half-orbit.

        Raises:
            InputError: see `check_code`.
        """
        self.check_code()
        half = simulate_half_orbit(self.recipe, number, direction)
        image = spectrogram_image(half.amplitude[self.image.component], self.image)
        native = np.rot90(half.ignored).astype(np.uint8) * np.uint8(IGNORED)
        for mask in half.masks():
            native[mask] = 1
        track = half.track
        places = (track.times, FREQUENCY, track.latitude, track.longitude)
        return image, SpectrogramGeometry(*places, self.image).mask_from_native(native)


@dataclass(frozen=True)
class Drawing:
    """A half-orbit that is drawn when it is needed.

    Attributes:
        maker: what draws it.
        number: its orbit number.
        direction: its direction of flight.
    """

    maker: Maker
    number: int
    direction: Direction

    @property
    def path(self) -> Path:
        """Its file in the cache of this machine."""
        name = f"{self.number:05d}{self.direction.digit}.npz"
        return user_cache(DRAWN, self.maker.digest[:20], name)

    def draw(self) -> Drawn:
        """Return its image and mask, newly drawn.

        Raises:
            InputError: see `Maker.make`.
        """
        return self.maker.make(self.number, self.direction)

    def read(self) -> Drawn | None:
        """Return what the cache keeps of it; None where that is nothing, or damaged."""
        path = self.path
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                image, mask = arrays["image"], arrays["mask"]
            os.utime(path)  # what is in use is the last to go
        except DAMAGED:
            return None
        fits = mask.shape == (self.maker.image.height, self.maker.image.width)
        return (image, mask) if fits else None

    def keep(self, drawn: Drawn) -> None:
        """Put it into the cache, from where it is read whole or not at all.

        Raises:
            InputError: the cache cannot be written.
            OdmError: no space is left on the device.
        """
        with replace_file(self.path) as temporary, temporary.open("wb") as file:
            np.savez(file, image=drawn[0], mask=drawn[1])

    @contextmanager
    def claimed(self) -> Iterator[bool]:
        """Say to other processes that this one draws it; whether none of them did so before.

        It is a courtesy, so that several trainings share the work: what a dead process has left
        behind counts for `STALE_S`, and nobody has to heed it.

        Raises:
            InputError: the cache cannot be written.
        """
        claim = self.path.with_suffix(".claim")
        if is_claimed(self):
            yield False
            return
        try:
            make_folder(claim.parent)
            claim.unlink(missing_ok=True)
            claim.touch(exist_ok=False)
        except FileExistsError:
            yield False
            return
        except OSError as error:
            raise InputError(f"{claim.parent}: cannot be written ({first_line(error)})") from None
        try:
            yield True
        finally:
            claim.unlink(missing_ok=True)


def is_claimed(drawing: Drawing) -> bool:
    """Whether a process has said of late that it draws this half-orbit."""
    try:
        modified_s = drawing.path.with_suffix(".claim").stat().st_mtime
    except OSError:
        return False
    return time.time() - modified_s < STALE_S


def draw_into_cache(drawing: Drawing) -> bool:
    """Draw a half-orbit that the cache does not have; False if another process draws it now.

    Raises:
        InputError: the cache cannot be written.
        OdmError: no space is left on the device.
    """
    with drawing.claimed() as ours:
        if ours and drawing.read() is None:
            drawing.keep(drawing.draw())
        return ours


@lru_cache(maxsize=16)
def code_digest(sky: str) -> str:
    """SHA-256 of the code that draws a sky and makes its images.

    Files of the simulator that are named after another sky are left out, as skies share no code.
    """
    simulator = Path(odm.simulate.orbit.recipe.__file__).parent
    others = [other for other in SKIES if other != sky]
    files = [
        path
        for path in simulator.glob("*.py")
        if not any(path.stem == other or path.stem.startswith(f"{other}_") for other in others)
    ]
    files += [Path(str(room.__file__)) for room in (odm.images.relative, odm.images.spectrogram)]
    files.append(Path(__file__))
    digest = hashlib.sha256()
    for path in sorted(files, key=lambda path: path.name):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def make_room(limit_bytes: float) -> None:
    """Remove the files of the cache that were used last the longest ago, down to a size."""
    found = []
    for path in user_cache(DRAWN).glob("*/*"):
        try:
            status = path.stat()
        except OSError:  # another process was faster
            continue
        found.append((status.st_mtime, status.st_size, path))
    excess = sum(size for _, size, _ in found) - limit_bytes
    for _, size, path in sorted(found):
        if excess <= 0:
            return
        path.unlink(missing_ok=True)
        excess -= size
