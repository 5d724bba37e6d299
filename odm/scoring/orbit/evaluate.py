"""Evaluate a segmentation method on one part of a data set, calibrated on another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from odm.core.cache import EXPORTS, user_cache
from odm.core.errors import OdmError
from odm.core.kinds import ORBITS
from odm.datasets.orbit import OrbitDataset, OrbitSample
from odm.datasets.splits import PARTS
from odm.images.geometry import OrbitImageSettings
from odm.scoring.evaluation import (
    CALIBRATION,
    MODEL_FOLDER,
    Bench,
    Calibration,
    EvaluationSettings,
    Meter,
    Part,
    few_warning,
)
from odm.scoring.matching import OVERLAPS
from odm.scoring.orbit.maps import LabelledOrbits, MapSource, fit_thresholds, score_archive
from odm.scoring.orbit.methods import SegmentationMethod, differing_images, open_method
from odm.scoring.orbit.pictures import region_figures
from odm.scoring.orbit.sheet import RegionSheet
from odm.scoring.orbit.tally import Tempering
from odm.scoring.orbit.truth import Truth
from odm.scoring.sheet import BY_PEOPLE

RESAMPLES = 1000


class SegmenterBench(Bench):
    """A segmentation method that runs, with the images that it is to see.

    Args:
        model: a model folder, the name of a method without learning, or a method.
        settings: what is scored and how.
        meter: shows progress.
    """

    kind = ORBITS
    figures = staticmethod(region_figures)
    images: OrbitImageSettings

    def __init__(
        self,
        model: SegmentationMethod | str | Path,
        settings: EvaluationSettings,
        meter: Meter | None = None,
    ) -> None:
        from odm.models.predictor import Predictor

        super().__init__(settings, meter)
        method = model if isinstance(model, SegmentationMethod) else open_method(model)
        self.method, self.learned = method, method.learned
        self.title = self.model = method.name
        self.folder, self.card = method.folder, method.card
        self.flip = bool(settings.flip)
        self.predictor = Predictor(
            method.segmenter,
            **asdict(settings.running),
            flip=self.flip,
            exports=user_cache(EXPORTS),
            digest=None if method.card is None else method.card.digest,
        )

    @property
    def source(self) -> MapSource:
        return MapSource(self.predictor, self.images, self.settings.running.batch)

    def check(self, scored: Part, validation: Part) -> None:
        self.method.check_classes(scored.data.annotations.classes)
        assert isinstance(scored.data, OrbitDataset)
        self.images = self.method.image or _images_of(self.method, scored.data)

    def stored(self) -> Calibration | None:
        if self.method.temperature is None:
            return None
        return Calibration(self.method.regions, self.method.temperature, MODEL_FOLDER)

    def default(self) -> Calibration:
        return Calibration(self.method.regions)

    def calibrate(
        self, part: Part, scored: Part, start: Calibration, temper: bool
    ) -> tuple[Calibration, list[str]]:
        fit = self.settings.fit_thresholds
        if part.is_empty and self.settings.calibrate_on == "auto" and not fit:
            return start, ["the data set has no validation part: the temperature stays 1"]
        self.method.check_classes(part.data.annotations.classes)
        shared = _shared(part, scored)
        words = part.words + (f", {shared} of them are scored" if shared else "")
        orbits = _labelled(part)
        number = len(orbits.entries)
        notes: list[str] = []
        facts = part.facts(RegionSheet.SEED) | {"half_orbits": number, "flip": self.flip}
        calibration = start
        if temper:
            self.predictor.temperature = 1.0
            with self.metered("calibrating", number) as advance:
                scorer = score_archive(self.source, orbits, start.settings, advance=advance)
            fitted = scorer.sheet(resamples=0).calibration
            temperature = round(fitted["temperature"], 4)
            calibration = replace(calibration, temperature=temperature, fitted_on=words)
            facts["temperature"] = temperature
            facts["ece"] = {"before": fitted["ece"], "after": fitted["scaled"]["ece"]}
        if fit:
            self.predictor.temperature = calibration.temperature
            overlap = self.settings.overlap or OVERLAPS[0]
            with self.metered("choosing thresholds", number) as advance:
                best = fit_thresholds(
                    self.source, orbits, start.settings, overlap=overlap, advance=advance
                )
            calibration = replace(calibration, settings=best.regions, thresholds_on=words)
            facts["regions"] = {"f1": best.f1, "overlap": overlap, "nuclei": best.nuclei}
            if best.f1:
                notes += few_warning(self.kind, best.nuclei, number)
            else:
                notes.append("no thresholds find a true region: they stay what they were")
        if shared:
            notes.append(
                f"calibrated on {shared} of the very half-orbits that are scored, which flatters "
                "the scores"
            )
        return replace(calibration, facts=facts), notes

    def sheet(
        self, part: Part, calibration: Calibration, about: dict[str, Any]
    ) -> tuple[RegionSheet, Sequence[Any]]:
        orbits, temperature = _labelled(part), calibration.temperature
        settings = calibration.settings
        self.predictor.temperature = temperature
        with self.metered("scoring", len(orbits.entries)) as advance:
            scorer = score_archive(self.source, orbits, settings, examples=True, advance=advance)
        tempering = None
        if calibration.fitted_on:
            tempering = Tempering(temperature, calibration.fitted_on)
        running = {
            "engine": self.predictor.engine,
            "device": str(self.predictor.device),
            "precision": self.settings.running.precision,
            "flip": self.flip,
        }
        thresholds = "the defaults" if self.card is None else MODEL_FOLDER
        about |= {
            "image": self.images.to_dict(),
            "run": running,
            "temperature": temperature,
            "temperature from": calibration.fitted_on or "nowhere: not calibrated",
            "thresholds from": calibration.thresholds_on or thresholds,
            "archive": str(part.data.archive),
            "regions": settings.to_dict(),
        }
        resamples = RESAMPLES if self.settings.resamples is None else self.settings.resamples
        sheet = scorer.sheet(about, resamples=resamples, tempering=tempering)
        if part.seed is None:
            sheet = replace(sheet, caveat=BY_PEOPLE)
        return sheet, scorer.examples

    def notes(self, part: Part, calibration: Calibration) -> list[str]:
        notes = []
        differing = differing_images(self.images, part.data.config.image)
        if differing:
            notes.append(f"the images are the method's, not the data set's: {differing}")
        known = {} if self.card is None else self.card.metrics.get(CALIBRATION, {})
        used = MODEL_FOLDER in (calibration.fitted_on, calibration.thresholds_on or MODEL_FOLDER)
        if used and (known.get("data"), known.get("part")) == (part.data.digest, part.name):
            notes.append("the model folder was calibrated on these half-orbits")
        if not any(sample.has_object for sample in _samples(part)):
            notes.append(f"nothing is drawn in {part.name}: there is no recall")
        return notes


def _samples(part: Part) -> list[OrbitSample]:
    if part.name in PARTS and part.is_empty:
        raise OdmError(
            f"the data set has no labelled half-orbit for {part.name}; odm dataset show tells what "
            "each part holds"
        )
    return part.data.samples(part.name)


def _labelled(part: Part) -> LabelledOrbits:
    return LabelledOrbits(_samples(part), Truth.load(str(part.data.annotations.folder)))


def _shared(part: Part, scored: Part) -> int:
    """Count half-orbits of a part, or hemispheres of them, that another part shows too."""
    theirs = {(sample.key.stem, sample.hemisphere) for sample in _samples(scored)}
    known = {stem for stem, _ in theirs}
    return sum(
        sample.key.stem in known
        if sample.hemisphere is None
        else bool({(sample.key.stem, sample.hemisphere), (sample.key.stem, None)} & theirs)
        for sample in _samples(part)
    )


def _images_of(method: SegmentationMethod, data: OrbitDataset) -> OrbitImageSettings:
    """Return the data set's images, but native ones for a method with scales in native pixels.

    Those need limits: where the data set has none, they are estimated from what is for training.
    """
    own = data.settings
    if method.learned:
        return own
    limits = data.estimated_limits()[0] if own.minimum is None else own.limits
    return OrbitImageSettings(*limits, component=own.component)
