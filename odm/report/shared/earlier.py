"""What an earlier report left in a folder: files that it wrote and a new one no longer has.

A report names its files in ``provenance.json`` and its pictures in its page. Nothing else is ever
removed, nor what was changed after the report was finished.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from odm.report.shared.pictures import FOLDER

PAGE, PROVENANCE = "index.html", "provenance.json"
_PLAIN = re.compile(r"[a-z_]+\.(?:html|json|csv|png|pdf)")
_PICTURE = re.compile(rf'"src":"({FOLDER}/\d{{6,}}\.jpg)"')


@dataclass(frozen=True)
class EarlierReport:
    """A report that lies in a folder.

    Attributes:
        folder: its folder.
        names: names of the files that it wrote, relative to the folder.
        finished_ns: when it was finished, in ns since 1970.
    """

    folder: Path
    names: frozenset[str]
    finished_ns: int

    def remove_all_but(self, kept: Iterable[str]) -> list[str]:
        """Remove what the new report does not hold, and the folder of pictures if it is empty.

        Returns:
            A sentence on what was removed, if anything was.
        """
        removed = 0
        for name in sorted(self.names - set(kept)):
            path = self.folder / name
            if path.is_file() and path.stat().st_mtime_ns <= self.finished_ns:
                path.unlink()
                removed += 1
        pictures = self.folder / FOLDER
        if removed and pictures.is_dir() and not any(pictures.iterdir()):
            pictures.rmdir()
        return [f"files of an earlier report that were removed: {removed}"] if removed else []


def earlier_report(folder: str) -> EarlierReport:
    """Return the earlier report in a folder; one without files if none can be read."""
    place = Path(folder)
    try:
        content = json.loads((place / PROVENANCE).read_bytes())
        listed = [name for name in content["odm"]["files"] if _PLAIN.fullmatch(name)]
        finished_ns = (place / PROVENANCE).stat().st_mtime_ns
        page = (place / PAGE).read_text("utf-8") if PAGE in listed else ""
    except (OSError, ValueError, KeyError, TypeError):
        return EarlierReport(place, frozenset(), 0)
    return EarlierReport(place, frozenset([*listed, *pictures_in(page)]), finished_ns)


def pictures_in(page: str) -> list[str]:
    """Return the names of the pictures that lie beside a page."""
    # Quotes in other texts of a page are escaped.
    return _PICTURE.findall(page)
