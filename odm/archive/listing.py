"""Listing an archive by names alone: one file per identity, and a report on all others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from odm.core.errors import InputError


class ArchiveKey(Protocol):
    """The name of one input of an archive, parsed."""

    @property
    def identity(self) -> str:
        """What two versions or copies of an input share."""

    @property
    def name(self) -> str:
        """The exact file name."""

    @property
    def stem(self) -> str:
        """The file name without its extension."""


Key = TypeVar("Key", bound=ArchiveKey)


@dataclass(frozen=True, slots=True)
class ArchiveFile(Generic[Key]):
    """One input in an archive.

    Attributes:
        key: its name, parsed.
        path: local path or URI.
        size: bytes; the sidecar of an ionogram in ``.npy`` included.
        modified_ns: time of the last change, ns since 1970 (UTC); the later one with a sidecar.
    """

    key: Key
    path: str
    size: int
    modified_ns: int


@dataclass(frozen=True)
class ArchiveListing(Generic[Key]):
    """What an archive holds.

    Attributes:
        archive: the folder or URI that was listed.
        entries: one file per identity, sorted by time, then identity.
        superseded: files that lost against another of the same identity, each with the winner.
        other_files: files whose name is not that of such an input, by path.
        unreadable: sub-folders that could not be listed, each with the reason.
    """

    input: ClassVar[str]
    """Name of one input in a sentence."""

    archive: str
    entries: tuple[ArchiveFile[Key], ...]
    superseded: tuple[tuple[ArchiveFile[Key], ArchiveFile[Key]], ...] = ()
    other_files: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.entries)

    def report(self) -> str:
        """Return sentences on what was found and what was passed over."""
        size = sum(entry.size for entry in self.entries)
        shown = f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
        found = f"{self.archive}: {count(len(self.entries), self.input)}, {shown}{self._span()}"
        return "\n".join([found, *self._passed_over(), *self.unreadable])

    def _span(self) -> str:
        """The first and the last time, to follow a comma."""
        return ""

    def _passed_over(self) -> list[str]:
        lines = []
        if self.superseded:
            loser, winner = self.superseded[0]
            lines.append(
                f"{count(len(self.superseded), 'file')} superseded by another of the same "
                f"identity, such as {loser.key.name} by {winner.key.name}"
            )
        if self.other_files:
            endings = Counter(PurePosixPath(p).suffix or "no extension" for p in self.other_files)
            shown = ", ".join(f"{number} {ending}" for ending, number in endings.most_common(4))
            lines.append(
                f"{count(len(self.other_files), 'other file')} passed over ({shown}), such as "
                f"{PurePosixPath(self.other_files[0]).name}"
            )
        return lines


def one_per_identity(
    files: Iterable[ArchiveFile[Key]], version: Callable[[Key], Any], order: Callable[[Key], Any]
) -> tuple[tuple[ArchiveFile[Key], ...], tuple[tuple[ArchiveFile[Key], ArchiveFile[Key]], ...]]:
    """Choose one file of each identity.

    Args:
        files: of one archive.
        version: of the files of one identity that with the highest is chosen, then that with the
            first path.
        order: by what the chosen ones are sorted.

    Returns:
        The chosen files, and the others, each with the one that was chosen instead.
    """
    chosen: dict[str, ArchiveFile[Key]] = {}
    losers: list[ArchiveFile[Key]] = []
    for file in sorted(files, key=lambda file: file.path):
        rival = chosen.setdefault(file.key.identity, file)
        if rival is file:
            continue
        if version(file.key) > version(rival.key):
            chosen[file.key.identity] = file
            losers.append(rival)
        else:
            losers.append(file)
    return (
        tuple(sorted(chosen.values(), key=lambda file: order(file.key))),
        tuple((loser, chosen[loser.key.identity]) for loser in losers),
    )


def check_found(
    archive: object, entries: Sequence[Any], what: str, passed_over: Sequence[str]
) -> None:
    """Refuse an archive without an input.

    Raises:
        InputError: there is none.
    """
    if not entries:
        number = len(passed_over)
        others = f" ({count(number, 'other file')})" if number else " (it is empty)"
        raise InputError(f"{archive}: no {what} in this folder{others}")


def count(number: int, what: str) -> str:
    """Return ``1 file`` or ``1,234 files``."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")
