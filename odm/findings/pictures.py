"""Findings of a catalog, drawn on the inputs that they were found in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from odm.archive.ionogram.reader import open_ionogram
from odm.archive.orbit.reader import read_orbit
from odm.core.files import join
from odm.findings.layer_rows import edge_of_row
from odm.findings.outlines import outline_mask
from odm.images.layer_truth import KnownLayer
from odm.images.pictures.ionogram import draw_ionogram
from odm.images.pictures.orbit import draw_orbit

Rows = Sequence[Mapping[str, Any]]


def draw_regions(path: str, archive: str, source: str, regions: Rows, label: str) -> None:
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


def draw_layers(path: str, archive: str, source: str, layers: Rows, label: str) -> None:
    """Draw an ionogram with layers in boxes, and their leading edges where they have some.

    Args:
        path: path of the PNG.
        archive: folder or URI of the ionograms.
        source: the file, as seen from there.
        layers: rows of a catalog.
        label: what the boxes are.

    Raises:
        OdmError: the ionogram cannot be read any more.
    """
    known = [layer_of_row(row) for row in layers]
    draw_ionogram(path, open_ionogram(join(archive, source)), layers=known, layers_name=label)


def layer_of_row(row: Mapping[str, Any]) -> KnownLayer:
    """Return a row of a catalog as it is drawn: its edge is left open across gaps."""
    edge = edge_of_row(row)
    frequency, ranges = edge.frequency, edge.group_range
    if frequency.size > 1:
        steps = np.diff(frequency)
        gaps = np.flatnonzero(steps > 2.5 * np.median(steps)) + 1
        frequency, ranges = np.insert(frequency, gaps, np.nan), np.insert(ranges, gaps, np.nan)
    return KnownLayer(
        layer=row["layer"],
        frequency=(row["frequency_min"], row["frequency_max"]),
        group_range=(row["range_min"], row["range_max"]),
        edge_frequency=frequency,
        edge_group_range=ranges,
        edge_snr=np.full(frequency.size, np.inf),
        kind=f"{row['layer']} {row['confidence']:.2f}",
        found=True,
    )
