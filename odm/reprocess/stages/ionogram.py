"""The stages of ionograms: layers in boxes, with their leading edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from odm.archive.ionogram.reader import open_ionogram
from odm.catalog.ionogram.inputs import IONOGRAMS
from odm.catalog.outcomes import Input, OutcomeKind, outcome_table
from odm.core.errors import ArchiveError
from odm.core.threads import one_thread
from odm.findings.edges import EdgeSettings
from odm.findings.layer_rows import IonogramFacts, edge_rows, facts_of, find_edges, layer_rows
from odm.findings.layers import SeenLayers
from odm.images.ionogram import IonogramImageSettings, ionogram_image
from odm.reprocess.stages.base import Draft, Stages, pixel_shares


@dataclass(frozen=True)
class IonogramStages(Stages):
    """Reading ionograms and finishing them with layers.

    Attributes:
        image: how an ionogram becomes an image, as the model says.
        model: digest of the model, for the catalog.
        edges: how leading edges are found; None to find none.
        invert: whether layers are computed from edges.
    """

    image: IonogramImageSettings
    model: str
    edges: EdgeSettings | None = None
    invert: bool = False
    kind: ClassVar[OutcomeKind] = IONOGRAMS

    @property
    def finishing_leads(self) -> bool:
        """Whether edges are found: they are ten times the work of boxes."""
        return self.edges is not None

    def is_clear(self, seen: SeenLayers) -> bool:
        """See `Stages`."""
        return not seen

    def _read(self, input: Input) -> Draft:
        ionogram = open_ionogram(input.path)
        image = ionogram_image(ionogram, self.image)
        facts = facts_of(ionogram)
        if not image.any():
            raise ArchiveError(input.path, nothing_to_see(facts, self.image))
        return Draft(input, image, facts, pixel_shares(image, float((image > 0).mean())))

    def _finish(self, draft: Draft, seen: SeenLayers | None) -> pa.Table:
        input, facts = draft.input, draft.facts
        layers = seen.layers if seen is not None else ()
        rows = layer_rows(
            layers,
            facts,
            self.image,
            identity=input.identity,
            source=input.source,
            model=self.model,
        )
        if rows and seen is not None and self.edges is not None:
            # The file once more: an ionogram is larger than its image, and would travel twice.
            ionogram = open_ionogram(input.path)
            with one_thread():
                edges = find_edges(ionogram, layers, self.edges, seen.segments, self.image)
                columns = edge_rows(edges, with_inversion=self.invert)
            rows = [row | edge for row, edge in zip(rows, columns, strict=True)]
        return outcome_table(
            self.kind, input, findings=rows, shares=draft.shares, facts=facts.columns()
        )


def nothing_to_see(facts: IonogramFacts, window: IonogramImageSettings) -> str:
    """Say why the model has nothing to look at; "clear" would not be true."""
    frequency, group_range = np.sort(facts.frequency / 1e6), np.sort(facts.group_range)
    low, high = window.frequency_min / 1e6, window.frequency_max / 1e6
    overlap = frequency[0] <= high and low <= frequency[-1]
    if overlap and group_range[0] <= window.range_max and window.range_min <= group_range[-1]:
        return (
            "no value within the model's window: what was measured there is NaN, or off the scale"
        )
    return (
        f"outside the model's window: it has {frequency[0]:g} to {frequency[-1]:g} MHz and "
        f"{group_range[0]:g} to {group_range[-1]:g} km, the window "
        f"{low:g} to {high:g} MHz and "
        f"{window.range_min:g} to {window.range_max:g} km"
    )
