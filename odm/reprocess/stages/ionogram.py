"""The stages of ionograms; see `odm.reprocess.stages.orbit`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from odm.archive.ionogram.reader import open_ionogram
from odm.catalog.ionogram.inputs import IONOGRAMS
from odm.catalog.outcomes import Input, OutcomeKind, outcome_table
from odm.core.errors import ArchiveError
from odm.core.threads import one_thread
from odm.findings.edges import EdgeSettings, edge_rows, edges_found
from odm.findings.layer_rows import IonogramFacts, facts_of, layer_rows
from odm.findings.layers import SeenLayers
from odm.images.canvas import clipped_share
from odm.images.ionogram import IonogramImageSettings, ionogram_image
from odm.reprocess.stages.orbit import Draft, Result, guarded


@dataclass(frozen=True)
class IonogramStages:
    """Ionograms: layers in boxes, with their leading edges.

    Attributes:
        image: how an ionogram becomes an image; the model's.
        model: digest, for the catalog.
        edges: how edges are found; None for none.
        invert: whether layers are computed from edges.
    """

    image: IonogramImageSettings
    model: str
    edges: EdgeSettings | None = None
    invert: bool = False
    kind: OutcomeKind = IONOGRAMS

    @property
    def finishing_leads(self) -> bool:
        """Edges are ten times the work of boxes."""
        return self.edges is not None

    def read(self, one: Input) -> Draft | Result:
        """See `Stages`."""
        found: Draft | Result = guarded(self.kind, one, lambda: self._read(one))
        return found

    def _read(self, one: Input) -> Draft:
        ionogram = open_ionogram(one.path)
        image = ionogram_image(ionogram, self.image)
        if not image.any():
            raise ArchiveError(one.path, nothing_to_see(facts_of(ionogram), self.image))
        low, high = clipped_share(image)
        shares = {
            "valid_share": float((image > 0).mean()),
            "clipped_low": low,
            "clipped_high": high,
        }
        return Draft(one, image, facts_of(ionogram), shares)

    def is_clear(self, seen: SeenLayers) -> bool:
        """See `Stages`."""
        return not seen

    def finish(self, draft: Draft, seen: SeenLayers | None) -> Result:
        """See `Stages`."""
        found = guarded(self.kind, draft.one, lambda: self._finish(draft, seen or SeenLayers(())))
        assert isinstance(found, Result)
        return found

    def _finish(self, draft: Draft, seen: SeenLayers) -> Result:
        one, facts = draft.one, draft.about
        assert isinstance(facts, IonogramFacts)
        rows: list[dict[str, Any]] = layer_rows(
            seen.layers,
            facts,
            self.image,
            identity=one.identity,
            source=one.source,
            model=self.model,
        )
        if rows and self.edges is not None:
            # The file once more: an ionogram is larger than its image, and would travel twice.
            ionogram = open_ionogram(one.path)
            with one_thread():
                found = edges_found(ionogram, seen.layers, self.edges, seen.segments, self.image)
                edges = edge_rows(found, with_inversion=self.invert)
            rows = [row | edge for row, edge in zip(rows, edges, strict=True)]
        outcome = outcome_table(
            self.kind, one, findings=rows, shares=draft.shares, facts=facts.columns()
        )
        return Result(one, outcome)


def nothing_to_see(facts: IonogramFacts, window: IonogramImageSettings) -> str:
    """Why the model has nothing to look at: "clear" would not be true."""
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
