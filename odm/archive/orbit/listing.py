"""List an archive of half-orbits without opening a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar

from odm.archive.listing import ArchiveFile, ArchiveListing, check_found, count, one_per_identity
from odm.archive.orbit.key import OrbitKey
from odm.core.errors import InputError
from odm.core.files import list_files, without_options

VLF_PAYLOAD = "EFD_3"
"""Electric field detector, VLF band."""

OrbitFile = ArchiveFile[OrbitKey]


@dataclass(frozen=True)
class OrbitListing(ArchiveListing[OrbitKey]):
    """What an archive of half-orbits holds.

    Attributes:
        other_payload: half-orbits of another payload or band, by path.
    """

    input: ClassVar[str] = "half-orbit"

    other_payload: tuple[str, ...] = ()

    def _span(self) -> str:
        first, last = self.entries[0].key.start, max(entry.key.end for entry in self.entries)
        return f", {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"

    def _passed_over(self) -> list[str]:
        lines = super()._passed_over()
        if self.other_payload:
            lines.append(
                f"{count(len(self.other_payload), 'half-orbit')} of another payload, such as "
                f"{PurePosixPath(self.other_payload[0]).name}"
            )
        return lines


def list_orbits(archive: object, payload: str = VLF_PAYLOAD) -> OrbitListing:
    """List the half-orbits of an archive, nested in any way or flat.

    Of two files with one identity the later level wins, then the later suffix, then the later end,
    then the first path; the other is reported in `OrbitListing.superseded`.

    Args:
        archive: local folder or `pyarrow.fs` URI.
        payload: payload and band of the half-orbits to list.

    Raises:
        InputError: there is no such folder, or it holds no half-orbit of this payload.
    """
    half_orbits: list[OrbitFile] = []
    other_payload: list[str] = []
    other_files: list[str] = []
    files, unreadable = list_files(archive)
    for status in sorted(files, key=lambda status: status.path):
        try:
            key = OrbitKey.parse(without_options(status.path))
        except InputError:
            other_files.append(status.path)
            continue
        if key.payload == payload:
            half_orbits.append(ArchiveFile(key, status.path, status.size, status.modified_ns))
        else:
            other_payload.append(status.path)
    check_found(archive, half_orbits, f"{payload} half-orbit", [*other_files, *other_payload])
    chosen = one_per_identity(
        half_orbits, lambda key: (key.version, key.end), lambda key: (key.start, key.identity)
    )
    passed_over = map(tuple, (other_files, unreadable, other_payload))
    return OrbitListing(str(archive), *chosen, *passed_over)
