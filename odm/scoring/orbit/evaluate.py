"""Evaluate a segmentation method on one part of a data set, calibrated on another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from odm.core.cache import EXPORTS, user_cache
from odm.core.errors import OdmError
from odm.datasets.orbit import OrbitDataset, OrbitSample
from odm.datasets.splits import PARTS
from odm.images.geometry import OrbitImageSettings
from odm.scoring.evaluation import (
    CALIBRATION,
    MODEL_FOLDER,
    VALIDATION,
    Bench,
    Calibration,
    Evaluation,
    EvaluationSettings,
    Meter,
    Part,
    few_warning,
)
from odm.scoring.matching import OVERLAPS
from odm.scoring.orbit.archive import LabelledOrbits, MapSource, score_archive
from odm.scoring.orbit.methods import SegmentationMethod, differing_images, open_method
from odm.scoring.orbit.pictures import region_figures
from odm.scoring.orbit.tally import Tempering
from odm.scoring.orbit.thresholds import fit_thresholds
from odm.scoring.orbit.truth import Truth
from odm.scoring.sheet import BY_PEOPLE

RESAMPLES = 1000


def evaluate_segmenter(
    model: SegmentationMethod | str | Path,
    dataset: OrbitDataset | str | Path,
    settings: EvaluationSettings,
    meter: Meter | None = None,
) -> Evaluation:
    """Score a method; see `odm.scoring.evaluation.evaluate_model`."""
    method = model if isinstance(model, SegmentationMethod) else open_method(model)
    scored = _OrbitPart(_opened(dataset), settings.part)
    method.check_classes(scored.data.annotations.classes)
    bench = _RegionBench(method, scored.data, settings, meter)
    source = scored.data if settings.validation is None else _opened(settings.validation)
    return bench.evaluate(scored, _OrbitPart(source, VALIDATION))


class _OrbitPart(Part[OrbitDataset]):
    """One part of a data set of half-orbits."""

    @property
    def samples(self) -> list[OrbitSample]:
        if self.name in PARTS and self.is_empty:
            raise OdmError(
                f"the data set has no labelled half-orbit for {self.name}; odm dataset show tells "
                "what each part holds"
            )
        return self.data.samples(self.name)

    @property
    def labelled(self) -> LabelledOrbits:
        return LabelledOrbits(self.samples, Truth.load(str(self.data.annotations.folder)))

    def shared(self, scored: Part[OrbitDataset]) -> int:
        theirs = {(sample.key.stem, sample.hemisphere) for sample in scored.samples}
        known = {stem for stem, _ in theirs}
        return sum(
            sample.key.stem in known
            if sample.hemisphere is None
            else bool({(sample.key.stem, sample.hemisphere), (sample.key.stem, None)} & theirs)
            for sample in self.samples
        )


class _RegionBench(Bench[OrbitDataset]):
    """A segmentation method that runs, with the images that it is to see."""

    INPUTS = "half-orbits"

    def __init__(
        self,
        method: SegmentationMethod,
        data: OrbitDataset,
        settings: EvaluationSettings,
        meter: Meter | None,
    ) -> None:
        from odm.models.predictor import Predictor

        super().__init__(settings, meter)
        self.method, self.card, self.learned = method, method.card, method.learned
        self.images = method.image or _images_of(method, data)
        self.flip = bool(settings.flip)
        running = settings.running
        self.predictor = Predictor(
            method.segmenter,
            batch=running.batch,
            engine=running.engine,
            device=running.device,
            precision=running.precision,
            flip=self.flip,
            exports=user_cache(EXPORTS),
            digest=None if method.card is None else method.card.digest,
        )
        self.source = MapSource(self.predictor, self.images, running.batch)

    def stored(self) -> Calibration | None:
        if self.method.temperature is None:
            return None
        return Calibration(self.method.regions, self.method.temperature, MODEL_FOLDER)

    def default(self) -> Calibration:
        return Calibration(self.method.regions)

    def calibrate(
        self, part: Part[OrbitDataset], scored: Part[OrbitDataset], start: Calibration, temper: bool
    ) -> tuple[Calibration, list[str]]:
        assert isinstance(part, _OrbitPart)
        fit = self.settings.fit_thresholds
        if part.is_empty and self.settings.calibrate_on == "auto" and not fit:
            return start, ["the data set has no validation part: the temperature stays 1"]
        self.method.check_classes(part.data.annotations.classes)
        shared = part.shared(scored)
        words = part.words + (f", {shared} of them are scored" if shared else "")
        orbits = part.labelled
        number = len(orbits.entries)
        notes: list[str] = []
        facts: dict[str, Any] = {
            "data": part.data.digest,
            "part": part.name,
            "seed": part.seed,
            "half_orbits": number,
            "flip": self.flip,
        }
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
                notes += few_warning(best.nuclei, "regions", number, self.INPUTS)
            else:
                notes.append("no thresholds find a true region: they stay what they were")
        if shared:
            notes.append(
                f"calibrated on {shared} of the very half-orbits that are scored, which flatters "
                "the scores"
            )
        return replace(calibration, facts=facts), notes

    def score(
        self, part: Part[OrbitDataset], calibration: Calibration, notes: Sequence[str]
    ) -> Evaluation:
        assert isinstance(part, _OrbitPart)
        orbits, temperature = part.labelled, calibration.temperature
        self.predictor.temperature = temperature
        with self.metered("scoring", len(orbits.entries)) as advance:
            scorer = score_archive(
                self.source, orbits, calibration.settings, examples=True, advance=advance
            )
        tempering = None
        if calibration.fitted_on:
            tempering = Tempering(temperature, calibration.fitted_on, applied=True)
        resamples = self.settings.resamples
        sheet = scorer.sheet(
            self._about(part, calibration),
            resamples=RESAMPLES if resamples is None else resamples,
            tempering=tempering,
        )
        if part.seed is None:
            sheet = replace(sheet, caveat=BY_PEOPLE)
        return Evaluation(
            sheet,
            scorer.examples,
            region_figures,
            notes=(*self._notes(part, calibration), *notes),
            model=self.method.name,
            folder=self.method.folder,
            part=part.name,
            data=part.data.digest,
            seed=part.seed,
            calibration=calibration,
        )

    def _about(self, part: _OrbitPart, calibration: Calibration) -> dict[str, Any]:
        card = self.card
        about: dict[str, Any] = {"model": self.method.name}
        if card is not None:
            about |= {"folder": self.method.folder, "digest": card.digest}
        about |= {"data": f"{part.name} of data set {part.data.digest}"}
        if part.seed is not None:
            about["seed"] = part.seed
        about["image"] = self.images.to_dict()
        about["run"] = {
            "engine": self.predictor.engine,
            "device": str(self.predictor.device),
            "precision": self.settings.running.precision,
            "flip": self.flip,
        }
        about["temperature"] = calibration.temperature
        about["temperature from"] = calibration.fitted_on or "nowhere: not calibrated"
        about["thresholds from"] = calibration.thresholds_on or (
            "the defaults" if card is None else MODEL_FOLDER
        )
        return about | {
            "archive": str(part.data.archive),
            "regions": calibration.settings.to_dict(),
        }

    def _notes(self, part: _OrbitPart, calibration: Calibration) -> list[str]:
        notes = []
        differing = differing_images(self.images, part.data.settings)
        if differing:
            notes.append(f"the images are the method's, not the data set's: {differing}")
        notes += self.training_note(part)
        known = {} if self.card is None else self.card.metrics.get(CALIBRATION, {})
        used = MODEL_FOLDER in (
            calibration.fitted_on,
            calibration.thresholds_on or MODEL_FOLDER,
        )
        if used and (known.get("data"), known.get("part")) == (part.data.digest, part.name):
            notes.append("the model folder was calibrated on these half-orbits")
        if not any(sample.has_object for sample in part.samples):
            notes.append(f"nothing is drawn in {part.name}: there is no recall")
        return notes


def _images_of(method: SegmentationMethod, data: OrbitDataset) -> OrbitImageSettings:
    """Return the data set's images, but native ones for a method with scales in native pixels."""
    if method.learned:
        return data.settings
    own = data.settings
    return OrbitImageSettings(own.minimum, own.maximum, component=own.component)


def _opened(dataset: OrbitDataset | str | Path) -> OrbitDataset:
    return dataset if isinstance(dataset, OrbitDataset) else OrbitDataset.load(dataset)
