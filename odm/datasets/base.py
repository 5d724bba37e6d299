"""Data sets of any kind: ``dataset.yaml`` says which archive, annotations, images and split."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Self, TypeVar

from pydantic import BeforeValidator

from odm.archive.listing import ArchiveFile, ArchiveKey, ArchiveListing
from odm.core.checks import check_keys
from odm.core.errors import InputError
from odm.core.files import is_uri, write_bytes
from odm.core.kinds import KINDS, Kind
from odm.core.settings import Settings, parse_config, read_yaml
from odm.datasets.labels.folder import Labels
from odm.datasets.splits import PARTS, PURGED

DRAWN = "drawn "
"""Begin of the kind of a data set that is drawn while a training runs."""


class DatasetConfig(Settings):
    """The content of ``dataset.yaml``; relative paths are relative to the file.

    Attributes:
        version: format of the file.
        kind: kind of inputs; half-orbits where the file says none.
        archive: folder or URI of the inputs.
        annotations: folder or file of labels, or a simulated archive.
    """

    version: Literal[1] = 1
    kind: str | None = None
    archive: str
    annotations: str
    if TYPE_CHECKING:
        # Each kind has its own; as a field here it would come first in the file.
        split: Any


def known_keys_of(settings: type) -> BeforeValidator:
    """Return a validator that refuses unknown keys of a dataclass of settings, naming the nearest
    known one."""

    def check(value: object) -> object:
        if isinstance(value, dict):
            check_keys(value, settings.__dataclass_fields__)  # type: ignore[attr-defined]
        return value

    return BeforeValidator(check)


Key = TypeVar("Key", bound=ArchiveKey)
Label = TypeVar("Label")


@dataclass(frozen=True, slots=True)
class Sample(ABC, Generic[Key, Label]):
    """One labelled input of a data set; small, and safe to send to another process.

    Attributes:
        key: the input.
        path: its file.
        size: size of the file, bytes.
        part: train, validation, test or purged.
        labelled: its label.
    """

    key: Key
    path: str
    size: int
    part: str
    labelled: Label

    @property
    @abstractmethod
    def has_object(self) -> bool:
        """Whether anything was drawn in it."""


Config = TypeVar("Config", bound=DatasetConfig)
AnySample = TypeVar("AnySample", bound=Sample[Any, Any])
AnyLabels = TypeVar("AnyLabels", bound=Labels[Any])


class Dataset(ABC, Generic[Config, AnySample, AnyLabels]):
    """An opened data set.

    Args:
        config: its settings.
        base: folder that relative paths start from.

    Raises:
        InputError: the archive or the annotations are not there.
    """

    kind: ClassVar[Kind]
    config_type: ClassVar[type[DatasetConfig]]
    command: ClassVar[str]
    """Command that makes such a data set."""
    heading: ClassVar[str]
    """Comment at the head of ``dataset.yaml``, which gives units."""

    def __init__(self, config: Config, base: str | Path = ".") -> None:
        self.config = config
        self.archive = _absolute(config.archive, base)
        self.listing: ArchiveListing[Any] = self.kind.load("archive")(self.archive)
        self.annotations = self._load_labels(_absolute(config.annotations, base))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read ``dataset.yaml``.

        Raises:
            InputError: a setting that cannot be, no archive or annotations there, or a data set of
                another kind.
        """
        content = read_yaml(path)
        kind = _kind_of(content, path)
        if kind is not cls.kind:
            raise InputError(
                f"{path}: is a data set of {kind.inputs}; this needs one of {cls.kind.inputs} "
                f"({cls.command})"
            )
        config: Any = parse_config(content, cls.config_type, path)
        return cls(config, Path(path).parent)

    @classmethod
    def create(cls, path: str | Path, config: Config) -> Self:
        """Check and write ``dataset.yaml``.

        Args:
            path: the file to write.
            config: settings with paths as seen from here; relative ones are rewritten as seen from
                the file.

        Raises:
            InputError: the archive or the annotations are not there or have no input in common, or
                the file cannot be written.
        """
        import yaml

        if not cls(config).all_samples:
            raise InputError(
                f"{config.annotations}: labels none of the {cls.kind.inputs} in {config.archive} "
                "(names must agree exactly)"
            )
        base = Path(path).expanduser().resolve().parent
        places = {
            name: _seen_from(getattr(config, name), base) for name in ("archive", "annotations")
        }
        content = config.model_copy(update=places).model_dump(mode="json", exclude_none=True)
        write_bytes(path, (cls.heading + yaml.safe_dump(content, sort_keys=False)).encode())
        return cls.load(path)

    @property
    def recipe(self) -> dict[str, Any]:
        """What a simulator draws the samples from; empty, as these are files."""
        return {}

    @cached_property
    def all_samples(self) -> tuple[AnySample, ...]:
        """Every labelled input of the archive, purged ones included, sorted by time."""
        labels = self.annotations.images
        return tuple(
            self._sample(entry, labels[entry.key.stem])
            for entry in self.listing.entries
            if entry.key.stem in labels
        )

    def samples(self, part: str) -> list[AnySample]:
        """Return the samples of one part, sorted by time.

        Args:
            part: ``train``, ``validation`` or ``test``.

        Raises:
            InputError: no such part, or it is empty.
        """
        if part not in PARTS:
            raise InputError(f"part {part!r} of a data set: give {', '.join(PARTS)}")
        samples = [sample for sample in self.all_samples if sample.part == part]
        if not samples:
            remedy = self.config.split.remedy
            raise InputError(f"the data set has no labelled {self.kind.input} for {part}{remedy}")
        return samples

    @cached_property
    def parts(self) -> list[dict[str, Any]]:
        """What each part holds, as plain values; ``purged`` last."""
        return [
            {"part": part}
            | self._counts([sample for sample in self.all_samples if sample.part == part])
            for part in (*PARTS, PURGED)
        ]

    @cached_property
    def warnings(self) -> list[str]:
        """Sentences on what would surprise: empty parts, and labels without an input."""
        absent = len(self.annotations.images) - len(self.all_samples)
        sentence = f"{absent} labelled {self.kind.inputs} are not in the archive (by exact name)"
        return [*self._part_warnings(), *([sentence] if absent else [])]

    @property
    def headline(self) -> str:
        """A line on what there is."""
        number = f"{len(self.all_samples)} labelled of {len(self.listing)} {self.kind.inputs}"
        return f"{number} in {self.archive}"

    @property
    def settings_text(self) -> str:
        """A line on images and split for people; empty where there is nothing to say."""
        return ""

    def describe(self) -> dict[str, Any]:
        """Return the data set as plain values, for JSON."""
        return {
            "digest": self.digest,
            "archive": self.archive,
            self.kind.inputs.replace("-", "_"): len(self.listing),
            "labelled": len(self.all_samples),
            "annotations_from": self.annotations.source,
            **self._described_settings(),
            "parts": self.parts,
            "warnings": self.warnings,
        }

    @property
    @abstractmethod
    def digest(self) -> str:
        """SHA-256 that names the data set by its settings and content, not by where it lies."""

    @abstractmethod
    def _load_labels(self, place: str) -> AnyLabels:
        """Load the labels."""

    @abstractmethod
    def _sample(self, entry: ArchiveFile[Any], label: Any) -> AnySample:
        """Make the sample of a labelled input."""

    @abstractmethod
    def _counts(self, samples: Sequence[AnySample]) -> dict[str, Any]:
        """Count what a part holds."""

    @abstractmethod
    def _part_warnings(self) -> list[str]:
        """Say which parts are empty although the split asks for them."""

    def _described_settings(self) -> dict[str, Any]:
        """Settings that `describe` repeats."""
        return {}


def open_dataset(path: str | Path) -> Dataset[Any, Any, Any]:
    """Open a data set of any kind.

    Args:
        path: the ``dataset.yaml``.

    Raises:
        InputError: the file, its archive or its annotations cannot be used.
    """
    dataset: type[Dataset[Any, Any, Any]] = _kind_of(read_yaml(path), path).load("dataset")
    return dataset.load(path)


def drawn_kind(path: str | Path) -> Kind | None:
    """Return the kind of inputs that a data set has drawn while a training runs; None if it is one
    of files.

    Raises:
        InputError: the file cannot be read, or is of an unknown kind.
    """
    said = _said_kind(read_yaml(path))
    return _known_kind(said.removeprefix(DRAWN), path) if said.startswith(DRAWN) else None


def _kind_of(content: object, path: object) -> Kind:
    said = _said_kind(content)
    if said.startswith(DRAWN):
        raise InputError(
            f"{path}: a data set of {said} has no files: only odm train segmenter and odm dataset "
            "draw take it"
        )
    return _known_kind(said, path)


def _known_kind(name: str, path: object) -> Kind:
    try:
        return KINDS.find(name)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _said_kind(content: object) -> str:
    said = content.get("kind") if isinstance(content, dict) else None
    return "orbits" if said is None else str(said)


def _absolute(path: str, base: str | Path) -> str:
    """An absolute path, since samples travel to workers that run elsewhere."""
    return path if is_uri(path) else str(Path(base, Path(path).expanduser()).resolve())


def _seen_from(path: str, base: Path) -> str:
    """A relative path as seen from another folder; URIs and absolute paths as they are."""
    if is_uri(path):
        return path
    local = Path(path).expanduser()
    return str(local) if local.is_absolute() else os.path.relpath(local.resolve(), base)
