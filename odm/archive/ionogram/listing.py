"""List an archive of ionograms without opening a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from odm.archive.ionogram.key import ENDINGS, IonogramKey
from odm.archive.listing import ArchiveFile, ArchiveListing, check_found, one_per_identity
from odm.core.files import FileStatus, list_files, without_options

IonogramFile = ArchiveFile[IonogramKey]


@dataclass(frozen=True)
class IonogramListing(ArchiveListing[IonogramKey]):
    """What an archive of ionograms holds."""

    input: ClassVar[str] = "ionogram"


def list_ionograms(archive: object) -> IonogramListing:
    """List the ionograms of an archive by name, at any depth, without opening one.

    Of two files with one identity the first path is taken; the other is in
    `IonogramListing.superseded`. The pictures and tables of a simulation are passed over.

    Raises:
        InputError: there is no such folder, or it holds no ionogram.
    """
    ionograms: list[IonogramFile] = []
    other_files: list[str] = []
    files, unreadable = list_files(archive)
    root = without_options(archive).rstrip("/")
    sidecars = {file.path: file for file in files if without_options(file.path).endswith(".json")}
    for status in sorted(files, key=lambda status: status.path):
        place = without_options(status.path)
        if not place.lower().endswith(ENDINGS):
            other_files.append(status.path)
            continue
        key = IonogramKey.parse(place.removeprefix(root).replace("\\", "/").lstrip("/"))
        ionograms.append(ArchiveFile(key, status.path, *_fingerprint(status, sidecars)))
    check_found(archive, ionograms, "ionogram", other_files)
    # As text: a time that the name does not give comes first.
    chosen = one_per_identity(
        ionograms, lambda key: 0, lambda key: (str(key.time or ""), key.identity)
    )
    return IonogramListing(str(archive), *chosen, tuple(other_files), tuple(unreadable))


def _fingerprint(status: FileStatus, sidecars: Mapping[str, FileStatus]) -> tuple[int, int]:
    """Size and time of the last change of an ionogram, with its sidecar where it has one."""
    if without_options(status.path).lower().endswith(".npy"):
        from odm.archive.ionogram.matrix import sidecar

        axes = sidecars.get(sidecar(status.path))
        if axes is not None:
            return status.size + axes.size, max(status.modified_ns, axes.modified_ns)
    return status.size, status.modified_ns
