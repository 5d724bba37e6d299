"""Which model looks at half-orbits, and how its answers become regions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from odm.catalog.orbit.inputs import ORBITS
from odm.findings.regions import RegionSettings, read_thresholds
from odm.images.geometry import OrbitImageSettings
from odm.reprocess.models.base import ImageModel, Inference, find_model
from odm.reprocess.order import Preparation
from odm.reprocess.request import ModelOptions, RegionOptions
from odm.reprocess.stages.orbit import OrbitStages


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
