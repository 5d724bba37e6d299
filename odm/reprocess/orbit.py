"""Campaigns of half-orbits: reading them, which model looks at them, and their regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from odm.archive.orbit.reader import Orbit
from odm.catalog.orbit.inputs import ORBITS, decimated_track
from odm.catalog.outcomes import Input, OutcomeKind, outcome_table
from odm.core.errors import ArchiveError
from odm.findings.regions import (
    Region,
    RegionSettings,
    find_regions,
    level_of,
    read_thresholds,
    region_rows,
)
from odm.images.canvas import valid_pixels
from odm.images.geometry import OrbitImageSettings, SpectrogramGeometry
from odm.images.spectrogram import geometry_of, read_spectrogram
from odm.reprocess.inference import ImageModel, Inference, find_model
from odm.reprocess.order import Preparation
from odm.reprocess.request import ModelOptions, RegionOptions
from odm.reprocess.stages import Draft, Images, Stages, pixel_shares


@dataclass(frozen=True, slots=True)
class OrbitFacts:
    """A half-orbit without its spectra, and the share of valid values in each of its rows."""

    orbit: Orbit
    valid_by_row: NDArray[np.floating[Any]]


@dataclass(frozen=True)
class OrbitStages(Stages):
    """Reading half-orbits and finishing them with regions.

    Attributes:
        image: how a spectrogram becomes an image, as the model says.
        regions: how a map of probability becomes regions.
        model: digest of the model, for the catalog.
    """

    image: OrbitImageSettings
    regions: RegionSettings
    model: str
    kind: ClassVar[OutcomeKind] = ORBITS

    def is_clear(self, seen: Images) -> bool:
        """See `Stages`."""
        return bool(seen.max() < level_of(self.regions.threshold))

    def _read(self, input: Input) -> Draft:
        image, orbit = read_spectrogram(input.path, self.image)
        valid = _valid_by_row(image, geometry_of(orbit, self.image))
        shares = pixel_shares(image, float(valid.mean()))
        return Draft(input, image, OrbitFacts(orbit, valid), shares)

    def _finish(self, draft: Draft, seen: Images | None) -> pa.Table:
        facts = draft.facts
        rows: list[dict[str, Any]] = []
        if seen is not None:
            geometry = geometry_of(facts.orbit, self.image)
            rows = self._measured(draft.input, find_regions(seen, geometry, self.regions))
        track = decimated_track(facts.orbit, facts.valid_by_row)
        return outcome_table(
            self.kind, draft.input, findings=rows, track=track, shares=draft.shares
        )

    def _measured(self, input: Input, regions: Sequence[Region]) -> list[dict[str, Any]]:
        """Return rows of the catalog; without X and Y where only those are missing or bad."""
        facts = {"source": input.source, "model": self.model}
        try:
            return region_rows(input.path, regions, **facts)[1]
        except ArchiveError:
            components = self.image.component
            return region_rows(input.path, regions, **facts, components=components)[1]


def _valid_by_row(image: Images, geometry: SpectrogramGeometry) -> NDArray[np.float64]:
    """Return the share of valid pixels in each row of the file, (N,)."""
    height, width = geometry.content
    share = valid_pixels(image[:height, :width]).mean(axis=0)
    return np.asarray(share[geometry.column_of_row])


@dataclass(frozen=True)
class RegionInference(Inference):
    """A segmenter over spectrograms.

    Attributes:
        flip, temperature: decide the answers; see `odm.models.predictor.Predictor`.
    """

    flip: bool = False
    temperature: float = 1.0

    def deciding(self) -> dict[str, Any]:
        """See `Inference`."""
        precision = self.options.precision
        return {"flip": self.flip, "temperature": self.temperature, "precision": precision}

    def load(self, threads: int = 0) -> ImageModel:
        """See `Inference`."""
        from odm.models.folder import load_model
        from odm.models.predictor import Predictor

        options = self.predictor_options(threads)
        loaded = load_model(self.folder, expect={"digest": self.digest})
        return Predictor(
            loaded.model,
            flip=self.flip,
            temperature=self.temperature,
            digest=self.digest,
            **options,
        )


def prepare_regions(model: ModelOptions, regions: RegionOptions) -> Preparation[OrbitStages]:
    """Find a segmenter, and the thresholds that are meant.

    Raises:
        InputError: no segmenter, or thresholds that cannot be meant.
    """
    folder, card = find_model(model.folder, "segmenter", ORBITS.inputs)
    thresholds, temperature = read_thresholds(card.thresholds)
    stages = OrbitStages(
        image=OrbitImageSettings.from_dict(dict(card.image)),
        regions=_changed(thresholds, regions),
        model=card.digest,
    )
    inference = RegionInference(
        card.digest,
        model.model_copy(update={"folder": folder}),
        flip=regions.flip,
        temperature=temperature or 1.0,
    )
    return Preparation(
        stages, inference, str(card.architecture["name"]), {"regions": stages.regions.to_dict()}
    )


def _changed(thresholds: RegionSettings, options: RegionOptions) -> RegionSettings:
    values = options.model_dump(exclude={"flip"}, exclude_none=True)
    if values.get("threshold", 1) < thresholds.low_threshold:
        values.setdefault("low_threshold", values["threshold"])  # it cannot stay above
    return replace(thresholds, **values)
