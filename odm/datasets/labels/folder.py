"""The folder that `odm label export` makes: pictures for people, and what they are pictures of."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from odm.archive.orbit.key import OrbitKey
from odm.core.errors import InputError
from odm.core.files import as_local, make_folder

CLASSES = ("nucleus",)
"""What people draw. A class's index in a mask is its place here plus 1."""

LABELS = "labels.json"
PICTURES = "images"


Label = TypeVar("Label")


@dataclass(frozen=True)
class Labels(Generic[Label]):
    """A folder of labelled inputs.

    Attributes:
        folder: where it lies; of COCO the file.
        source: the format that it was read from, or ``simulation``.
        images: the label of each input, by the stem of its file name.
        classes: what may be drawn; a class's index in a mask is its place here plus 1.
    """

    folder: Path
    source: str
    images: Mapping[str, Label]
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExportedImage:
    """One picture: the half-orbit and its size in pixels (frequencies by rows of the file)."""

    key: OrbitKey
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class LabelFolder:
    """An export as its ``labels.json`` describes it: enough to import without the archive.

    Attributes:
        folder: where it lies.
        images: by `OrbitKey.stem`; the picture is ``images/<stem>.png``.
        settings: what made the pictures: ``minimum``, ``maximum`` (log10 of (mV/m)^2/Hz) and
            ``component``.
        classes: what may be drawn.
    """

    folder: Path
    images: Mapping[str, ExportedImage]
    settings: Mapping[str, Any]
    classes: tuple[str, ...] = CLASSES

    @classmethod
    def load(cls, folder: str | Path) -> LabelFolder:
        """Read ``labels.json``.

        Raises:
            InputError: the folder was not made by `odm label export`.
        """
        folder = Path(folder)
        path = folder / LABELS
        if not path.is_file():
            raise InputError(f"{folder}: no {LABELS} here; give a folder of odm label export")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            images = [
                ExportedImage(OrbitKey.parse(row["key"]), int(row["height"]), int(row["width"]))
                for row in content["images"]
            ]
            by_stem = {image.key.stem: image for image in images}
            return cls(folder, by_stem, content["picture_settings"], tuple(content["classes"]))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not the list of an export ({error!r})") from None

    def to_json(self) -> bytes:
        """The content of ``labels.json``."""
        content = {
            "kind": "odm label export",
            "version": 1,
            "classes": list(self.classes),
            "picture_settings": dict(self.settings),
            "images": [
                {
                    "image": f"{PICTURES}/{stem}.png",
                    "key": image.key.name,
                    "height": image.height,
                    "width": image.width,
                }
                for stem, image in self.images.items()
            ],
        }
        return json.dumps(content, indent=1).encode()

    def holds(self, folder: Path) -> bool:
        """Whether ``folder`` is the one with the pictures themselves."""
        return folder.resolve() == (self.folder / PICTURES).resolve()


@contextmanager
def new_folder(
    out: str | Path, manifest: str = "", others: Collection[str] = (), overwrite: bool = False
) -> Iterator[Path]:
    """Give a temporary folder beside ``out`` that becomes ``out`` when the body ends well.

    Args:
        out: a folder that is not there yet, or is empty.
        manifest: name of the file by which a folder of an earlier run is known.
        others: what else such a folder may hold.
        overwrite: replace such a folder as a whole.

    Raises:
        InputError: something else is in the way, or the place cannot be written.
    """
    target = usable_folder(out, manifest, others, overwrite)
    there = target.is_dir() and any(target.iterdir())
    make_folder(target.parent)
    temporary = _sibling(target)
    try:
        yield temporary
        temporary.chmod(0o755)  # mkdtemp makes it private; a result is for all
        if there:
            old = _sibling(target)
            target.replace(old)
            temporary.replace(target)
            shutil.rmtree(old)
        else:
            temporary.replace(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def usable_folder(
    out: str | Path, manifest: str = "", others: Collection[str] = (), overwrite: bool = False
) -> Path:
    """Return the absolute path of a place that `new_folder` takes; its arguments are those.

    Raises:
        InputError: something is in the way.
    """
    target = as_local(out).resolve()
    if target.exists() and not target.is_dir():
        raise InputError(f"{target}: a file is in the way of this folder")
    there = {path.name for path in target.iterdir()} if target.is_dir() else set()
    if there and not (manifest in there and there <= {manifest, *others}):
        raise InputError(f"{target}: is not empty; choose a new folder")
    if there and not overwrite:
        raise InputError(f"{target}: is there already; choose a new folder, or --overwrite it")
    return target


def _sibling(target: Path) -> Path:
    try:
        return Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name[:80]}."))
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror})") from None
