"""Read the half-orbits that the page shows and make their pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from odm.archive.orbit.reader import read_orbit
from odm.core.errors import OdmError
from odm.core.files import join, local_path, make_folder, write_bytes
from odm.report.orbit.crops import Crop, OrbitPictures

INSIDE = 500
"""Pictures of regions inside the page; more lie in a folder beside it."""
FOLDER = "pictures"


@dataclass
class Pictures:
    """What was drawn.

    Attributes:
        regions: row of the page → facts of its picture.
        orbits: index of a half-orbit → facts of the whole picture.
        problems: why others have none.
    """

    regions: dict[int, dict[str, Any]] = field(default_factory=dict)
    orbits: dict[int, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Wanted:
    """A region whose picture is wanted.

    Attributes:
        row: of the page.
        orbit: index of its half-orbit.
        facts: times and frequencies, as in the catalog.
        outline: as in the catalog.
    """

    row: int
    orbit: int
    facts: Mapping[str, Any]
    outline: Sequence[Mapping[str, Any]]


def gather(
    out: str,
    archive: str,
    sources: Mapping[int, str],
    regions: Sequence[Wanted],
    whole: Mapping[int, Mapping[int, Sequence[Mapping[str, Any]]]],
    *,
    inside: int = INSIDE,
    advance: Callable[[int], None] | None = None,
) -> Pictures:
    """Draw regions and whole half-orbits, each half-orbit read once.

    Args:
        out: folder of the page.
        archive: folder or URI.
        sources: index of a half-orbit → its file, relative to the archive.
        regions: the most wanted first: these come inside the page.
        whole: index of a half-orbit → row of the page → outline to draw on all of it.
        inside: how many pictures of regions come inside the page.
        advance: called with 1 after each half-orbit.
    """
    place = {one.row: number for number, one in enumerate(regions)}
    by_orbit: dict[int, list[Wanted]] = {orbit: [] for orbit in whole}
    for one in regions:
        by_orbit.setdefault(one.orbit, []).append(one)
    found = Pictures()
    if len(regions) > inside and local_path(out) is not None:
        make_folder(join(out, FOLDER))
    for orbit, wanted in by_orbit.items():
        try:
            pictures = OrbitPictures(read_orbit(join(archive, sources[orbit]), "z"))
        except OdmError as error:
            found.problems.append(str(error))
            continue
        finally:
            if advance is not None:
                advance(1)
        for one in wanted:
            crop = pictures.region(one.facts, one.outline)
            beside = place[one.row] >= inside
            name = write_beside(out, one.row, crop) if beside else None
            found.regions[one.row] = crop.facts(name)
        if orbit in whole:
            found.orbits[orbit] = pictures.whole(whole[orbit]).facts()
    return found


def write_beside(out: str, row: int, crop: Crop) -> str:
    """Write a picture beside the page, named by number: a name from a file could be anything."""
    name = f"{FOLDER}/{row:06d}.jpg"
    write_bytes(join(out, name), crop.jpeg)
    return name
