"""Leading edges of a campaign of ionograms against the truth of a simulation.

Only where the true edge can be seen (6 dB) is anything compared. A true layer that was not found,
or whose edge was not, counts with all its frequencies as not covered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from odm.findings.edges import LayerEdge
from odm.findings.layer_rows import edge_of_row
from odm.images.layer_truth import KnownLayer
from odm.scoring.ionogram.boxes import box_overlaps
from odm.scoring.ionogram.edge_errors import EdgeErrors, edge_errors, summary

Row = Mapping[str, Any]

LEAST_OVERLAP = 0.25
"""IoU from which a found layer is taken for a true one: the boxes' own."""


@dataclass
class EdgeScores:
    """Edges of ionograms, one after the other.

    Attributes:
        errors: of each true layer that can be seen.
        false: by layer: found edges that belong to no true layer.
    """

    errors: list[EdgeErrors] = field(default_factory=list)
    false: dict[str, int] = field(default_factory=dict)

    def add(self, rows: Sequence[Row], truth: Sequence[KnownLayer], gate_km: float) -> None:
        """Another ionogram.

        Args:
            rows: of the catalog.
            truth: its layers.
            gate_km: its range step.
        """
        pairs = matched(rows, truth)
        for number, known in enumerate(truth):
            if known.edge_frequency.size < 2:
                continue
            row = rows[pairs[number]] if number in pairs else None
            found = LayerEdge.without_points(known.layer) if row is None else edge_of_row(row)
            one = edge_errors(
                found, known.edge_frequency, known.edge_group_range, known.edge_snr, gate_km,
                layer=known.layer,
            )  # fmt: skip
            if one.error.size:
                self.errors.append(one)
        for number, row in enumerate(rows):
            if number not in pairs.values() and row.get("edge_frequency"):
                self.false[row["layer"]] = self.false.get(row["layer"], 0) + 1

    def rows(self, classes: Sequence[str]) -> list[dict[str, Any]]:
        """A row for each layer; see `odm.scoring.ionogram.edge_errors.summary`."""
        return [
            {"layer": name}
            | summary([one for one in self.errors if one.about["layer"] == name])
            | {"false_edges": self.false.get(name, 0)}
            for name in classes
        ]


def matched(rows: Sequence[Row], truth: Sequence[KnownLayer]) -> dict[int, int]:
    """For each true layer the found one that is it, by their places: of one class, by the largest
    overlap of their boxes, each at most once."""
    if not rows or not truth:
        return {}
    overlaps = box_overlaps(
        np.array([[*known.frequency, *known.group_range] for known in truth])[:, [0, 2, 1, 3]],
        np.array(
            [
                [row[name] for name in ("frequency_min", "range_min", "frequency_max", "range_max")]
                for row in rows
            ]
        ),
    )
    for one, known in enumerate(truth):
        for other, row in enumerate(rows):
            if row["layer"] != known.layer:
                overlaps[one, other] = 0
    pairs: dict[int, int] = {}
    while overlaps.max() >= LEAST_OVERLAP:
        best, its = divmod(int(overlaps.argmax()), len(rows))
        pairs[best] = its
        overlaps[best, :] = 0
        overlaps[:, its] = 0
    return pairs
