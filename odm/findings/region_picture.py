"""Regions of a catalog, outlined on the spectrogram that they were found in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from odm.archive.orbit.reader import read_orbit
from odm.core.files import join
from odm.findings.outlines import outline_mask
from odm.images.pictures.orbit import draw_orbit


def draw_regions(
    path: str, archive: str, source: str, regions: Sequence[Mapping[str, Any]], label: str
) -> None:
    """Draw a half-orbit with regions outlined.

    Args:
        path: path of the PNG.
        archive: folder or URI of the half-orbits.
        source: the file, as seen from there.
        regions: rows of a catalog.
        label: what the outlines are.

    Raises:
        OdmError: the half-orbit cannot be read any more.
    """
    orbit = read_orbit(join(archive, source), "z")
    masks = [outline_mask(region["outline"], orbit.times, orbit.frequency) for region in regions]
    outlines = [mask for mask in masks if mask is not None]
    confidences = ", ".join(f"{region['confidence']:.2f}" for region in regions)
    name = f"{label}, confidence {confidences}"
    draw_orbit(path, orbit, outlines=outlines, outline_name=name)
