"""List an archive of half-orbits without opening a file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import PurePosixPath

from odm.archive.orbit.key import OrbitKey
from odm.core.errors import InputError
from odm.core.files import list_files, without_options

VLF_PAYLOAD = "EFD_3"
"""Electric field detector, VLF band."""


@dataclass(frozen=True, slots=True)
class OrbitFile:
    """One half-orbit in an archive. ``size`` in bytes, ``modified_ns`` in ns since 1970 (UTC)."""

    key: OrbitKey
    path: str
    size: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class OrbitListing:
    """What an archive holds.

    Attributes:
        archive: the folder or URI that was listed.
        entries: one file per identity, sorted by start time.
        superseded: files that lost against another of the same identity, each with the winner.
        other_payload: half-orbits of another payload or band, by path.
        not_half_orbits: files whose name is not that of a half-orbit, by path.
        unreadable: sub-folders that could not be listed, each with the reason.
    """

    archive: str
    entries: tuple[OrbitFile, ...]
    superseded: tuple[tuple[OrbitFile, OrbitFile], ...] = ()
    other_payload: tuple[str, ...] = ()
    not_half_orbits: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.entries)

    def report(self) -> str:
        """Plain sentences on what was found and what was passed over."""
        lines = [f"{self.archive}: {_count(len(self.entries), 'half-orbit')}"]
        if self.entries:
            size = sum(entry.size for entry in self.entries) / 1e9
            first, last = self.entries[0].key.start, max(e.key.end for e in self.entries)
            lines[0] += f", {size:.2f} GB, {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
        if self.superseded:
            loser, winner = self.superseded[0]
            lines.append(
                f"{_count(len(self.superseded), 'file')} superseded by another of the same "
                f"identity, such as {loser.key} by {winner.key}"
            )
        if self.other_payload:
            lines.append(
                f"{_count(len(self.other_payload), 'half-orbit')} of another payload, such as "
                f"{PurePosixPath(self.other_payload[0]).name}"
            )
        if self.not_half_orbits:
            kinds = Counter(
                PurePosixPath(path).suffix or "no extension" for path in self.not_half_orbits
            )
            shown = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common(4))
            lines.append(
                f"{_count(len(self.not_half_orbits), 'other file')} passed over ({shown}), such as "
                f"{PurePosixPath(self.not_half_orbits[0]).name}"
            )
        lines += self.unreadable
        return "\n".join(lines)


def list_orbits(archive: object, payload: str = VLF_PAYLOAD) -> OrbitListing:
    """List the half-orbits of an archive, nested in any way or flat.

    Of two files with one identity the later level wins, then the later suffix, then the later end,
    then the first path; the other is reported in `OrbitListing.superseded`.

    Args:
        archive: local folder or `pyarrow.fs` URI.
        payload: payload and band of the wanted half-orbits.

    Raises:
        InputError: there is no such folder, or it holds no half-orbit of this payload.
    """
    best: dict[str, OrbitFile] = {}
    losers: list[OrbitFile] = []
    other_payload: list[str] = []
    not_half_orbits: list[str] = []
    files, unreadable = list_files(archive)
    for status in sorted(files, key=lambda status: status.path):
        try:
            key = OrbitKey.parse(without_options(status.path))
        except InputError:
            not_half_orbits.append(status.path)
            continue
        if key.payload != payload:
            other_payload.append(status.path)
            continue
        entry = OrbitFile(key, status.path, status.size, status.modified_ns)
        rival = best.get(key.identity)
        if rival is None:
            best[key.identity] = entry
        elif (entry.key.version, entry.key.end) > (rival.key.version, rival.key.end):
            best[key.identity] = entry
            losers.append(rival)
        else:
            losers.append(entry)
    if not best:
        seen = len(not_half_orbits) + len(other_payload)
        raise InputError(
            f"{archive}: no {payload} half-orbit in this folder"
            + (f" ({_count(seen, 'other file')})" if seen else " (it is empty)")
        )
    entries = sorted(best.values(), key=lambda entry: (entry.key.start, entry.key.identity))
    return OrbitListing(
        archive=str(archive),
        entries=tuple(entries),
        superseded=tuple((loser, best[loser.key.identity]) for loser in losers),
        other_payload=tuple(other_payload),
        not_half_orbits=tuple(not_half_orbits),
        unreadable=tuple(unreadable),
    )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
