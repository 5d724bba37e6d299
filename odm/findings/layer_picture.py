"""Layers of a catalog, as boxes and edges on the ionogram that they were found in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from odm.archive.ionogram.reader import open_ionogram
from odm.core.files import join
from odm.findings.edges import edge_of_row
from odm.images.layer_truth import KnownLayer
from odm.images.pictures.ionogram import draw_ionogram


def draw_layers(
    path: str, archive: str, source: str, layers: Sequence[Mapping[str, Any]], label: str
) -> None:
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
    known = [found_layer(row) for row in layers]
    draw_ionogram(path, open_ionogram(join(archive, source)), layers=known, layers_name=label)


def found_layer(row: Mapping[str, Any]) -> KnownLayer:
    """Make a row of a catalog ready to be drawn; its edge is left open across gaps."""
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
