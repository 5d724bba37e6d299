"""`IonogramKey`: the name of an ionogram, parsed once and carried through the whole system."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

from odm.core.errors import InputError

_CHIRP = re.compile(
    r"lfm_ionogram-(?P<link>.+)-(?P<id>\d{3,})-(?P<seconds>\d{9,11}\.\d{1,6})\.(?:h5|hdf5)"
)
"""chirpsounder2: transmitter, station, channel, number of the transmitter, seconds since 1970."""

_VIPIR = re.compile(r"(?P<link>[A-Z0-9]{4,5})_(?P<date>\d{7})(?P<clock>\d{6})\.ngi")
"""URSI code of the station, year, day of the year, time of day."""

_PLAIN = re.compile(
    r"(?P<link>.+?)[_-](?P<date>(?:19|20)\d{6})[_T-]?(?P<clock>\d{6})\.(?:npz|npy|h5|hdf5|ngi)"
)
"""Anything, then a date and a time of day."""

ENDINGS = (".npz", ".npy", ".h5", ".hdf5", ".ngi")
"""Endings of files that may be ionograms."""


@dataclass(frozen=True, slots=True)
class IonogramKey:
    """One ionogram: link (or station) and time (naive UTC) where the name says them.

    ``path`` is relative to the archive, with ``/``; it is the identity where the name says nothing.
    """

    link: str
    time: datetime | None
    path: str

    @classmethod
    def parse(cls, path: str) -> IonogramKey:
        """Read a path relative to the archive; its last part is the name.

        Raises:
            InputError: an absolute path or URI, which is relative to nothing.
        """
        text = str(path).replace("\\", "/")
        if not text or text.startswith("/") or "://" in text:
            raise InputError(f"{path}: give the path of an ionogram relative to its archive")
        name = PurePosixPath(text).name
        return cls(*_link_and_time(name), text)

    @classmethod
    def of_name(cls, path: object) -> IonogramKey:
        """Return the key of a file by its name alone, wherever it lies."""
        from odm.core.files import without_options

        return cls.parse(PurePosixPath(without_options(path).replace("\\", "/")).name)

    @property
    def identity(self) -> str:
        """Link and time, which two copies of an ionogram share; else the relative path."""
        if self.time is None:
            return self.path
        fraction = f".{self.time:%f}" if self.time.microsecond else ""
        return f"{self.link}_{self.time:%Y%m%d_%H%M%S}{fraction}"

    @property
    def name(self) -> str:
        """The exact file name."""
        return PurePosixPath(self.path).name

    @property
    def stem(self) -> str:
        """The file name without its extension."""
        return PurePosixPath(self.path).stem

    def __str__(self) -> str:
        return self.identity


def _link_and_time(name: str) -> tuple[str, datetime | None]:
    if match := _CHIRP.fullmatch(name):
        whole, _, part = match["seconds"].partition(".")
        time = datetime.fromtimestamp(int(whole), UTC).replace(tzinfo=None)
        time += timedelta(microseconds=int(part.ljust(6, "0")))
        return f"{match['link']}-{match['id']}", time
    for pattern, date in ((_VIPIR, "%Y%j"), (_PLAIN, "%Y%m%d")):
        if match := pattern.fullmatch(name):
            with suppress(ValueError):  # digits that are no date
                time = datetime.strptime(match["date"] + match["clock"], f"{date}%H%M%S")
                return match["link"], time
    return "", None
