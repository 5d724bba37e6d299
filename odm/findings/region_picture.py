"""A region of a catalog, outlined on the spectrogram that it was found in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from odm.archive.orbit.reader import read_orbit
from odm.core.files import join
from odm.findings.outlines import outline_mask
from odm.images.pictures.orbit import draw_orbit


def draw_region(
    path: str, archive: str, source: str, region: Mapping[str, Any], label: str
) -> None:
    """Draw a half-orbit with one region outlined.

    Args:
        path: of the PNG.
        archive: folder or URI of the half-orbits.
        source: the file, as seen from there.
        region: a row of a catalog.
        label: what the outline is.

    Raises:
        OdmError: the half-orbit cannot be read any more.
    """
    orbit = read_orbit(join(archive, source), "z")
    mask = outline_mask(region["outline"], orbit.times, orbit.frequency)
    draw_orbit(path, orbit, outlines=[] if mask is None else [mask], outline_name=label)
