"""Layers of a catalog, as boxes on the ionogram that they were found in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from odm.archive.files import join
from odm.archive.ionograms import open_ionogram
from odm.images.ionogram_layers import KnownLayer
from odm.images.ionogram_picture import draw_ionogram


def draw_layers(
    path: str, archive: str, source: str, layers: Sequence[Mapping[str, Any]], label: str
) -> None:
    """Draw an ionogram with layers in boxes.

    Args:
        path: of the PNG.
        archive: folder or URI of the ionograms.
        source: the file, as seen from there.
        layers: rows of a catalog.
        label: what the boxes are.

    Raises:
        OdmError: the ionogram cannot be read any more.
    """
    nothing = np.zeros(0)
    known = [
        KnownLayer(
            layer=row["layer"],
            frequency=(row["frequency_min"], row["frequency_max"]),
            group_range=(row["range_min"], row["range_max"]),
            edge_frequency=nothing,
            edge_group_range=nothing,
            edge_snr=nothing,
            kind=f"{row['layer']} {row['confidence']:.2f}",
        )
        for row in layers
    ]
    draw_ionogram(path, open_ionogram(join(archive, source)), layers=known, layers_name=label)
