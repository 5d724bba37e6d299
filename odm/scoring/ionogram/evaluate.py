"""Evaluate a detector on one part of a data set of ionograms, calibrated on another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from odm.core.errors import InputError, OdmError
from odm.datasets.ionogram import IonogramDataset, IonogramSample, load_ionogram_sample
from odm.findings.layers import LayerFinder
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
from odm.scoring.ionogram.boxes import ScoredIonogram, fit_boxes
from odm.scoring.ionogram.campaign import caveat_of
from odm.scoring.ionogram.pictures import LayerExample, layer_figures, spread
from odm.scoring.ionogram.summary import layer_sheet

SEGMENTERS_ONLY = ("flip", "overlap", "resamples")
"""Settings that mean nothing for a detector."""


def evaluate_detector(
    model: object,
    dataset: IonogramDataset | str | Path,
    settings: EvaluationSettings,
    meter: Meter | None = None,
) -> Evaluation:
    """Score a detector; see `odm.scoring.evaluation.evaluate_model`.

    Its threshold is chosen together with its temperature, so that to fit thresholds, or to name
    another data set for validation, is to calibrate it anew.
    """
    calibrate_on = settings.calibrate_on
    for name in SEGMENTERS_ONLY:
        if getattr(settings, name) is not None:
            raise InputError(f"--{name} is for a segmenter: {model} is a detector")
    if settings.fit_thresholds and calibrate_on == "none":
        raise InputError("thresholds of a detector are calibrated: they cannot go with none")
    if settings.validation is not None and calibrate_on in ("none", "scored"):
        raise InputError(f"calibrate on {calibrate_on} needs no other data set for validation")
    data = _opened(dataset)
    source = data if settings.validation is None else _opened(settings.validation)
    bench = _LayerBench(model, settings, meter)
    for each in (data, source):
        bench.check_classes(each)
    return bench.evaluate(_IonogramPart(data, settings.part), _IonogramPart(source, VALIDATION))


def _opened(dataset: IonogramDataset | str | Path) -> IonogramDataset:
    return dataset if isinstance(dataset, IonogramDataset) else IonogramDataset.load(dataset)


class _IonogramPart(Part[IonogramDataset]):
    """One part of a data set of ionograms."""

    @property
    def samples(self) -> list[IonogramSample]:
        return self.data.samples(self.name)

    @property
    def paths(self) -> frozenset[str]:
        return frozenset(sample.path for sample in self.samples)

    def shared(self, scored: Part[IonogramDataset]) -> int:
        return len(self.paths & {sample.path for sample in scored.samples})


class _LayerBench(Bench[IonogramDataset]):
    """A detector that runs, and what it found in the parts of a data set."""

    INPUTS = "ionograms"

    def __init__(self, model: object, settings: EvaluationSettings, meter: Meter | None) -> None:
        from odm.models.card import read_model_card

        super().__init__(settings, meter)
        self.folder = str(model)
        running = settings.running
        self.finder = LayerFinder.open(
            model,
            batch=running.batch,
            engine=running.engine,
            device=running.device,
            precision=running.precision,
        )
        self.card = read_model_card(model)
        self._scored: dict[tuple[str, frozenset[str]], list[ScoredIonogram]] = {}

    def check_classes(self, data: IonogramDataset) -> None:
        """Raise unless the data set has the classes of the model."""
        if data.config.classes != self.finder.class_names:
            raise OdmError(
                f"the data set has the classes {', '.join(data.config.classes)} and {self.folder} "
                f"{', '.join(self.finder.class_names)}: they cannot be compared"
            )

    def stored(self) -> Calibration | None:
        assert self.card is not None
        known = CALIBRATION in self.card.metrics
        return replace(self.default(), fitted_on=MODEL_FOLDER) if known else None

    def default(self) -> Calibration:
        settings = self.finder.settings
        return Calibration(settings, settings.temperature)

    def calibrate(
        self,
        part: Part[IonogramDataset],
        scored: Part[IonogramDataset],
        start: Calibration,
        temper: bool,
    ) -> tuple[Calibration, list[str]]:
        found = self._find(part)
        temperature, threshold = fit_boxes(found, len(self.finder.class_names))
        facts = {
            "data": part.data.digest,
            "part": part.name,
            "ionograms": len(found),
            "simulation_seed": part.seed,
            "temperature": temperature,
            "threshold": threshold,
        }
        layers = sum(len(ionogram.truth) for ionogram in found)
        notes = few_warning(layers, "layers", len(found), self.INPUTS)
        if part.shared(scored):
            notes.append("calibrated on the very ionograms that are scored")
        settings = replace(start.settings, temperature=temperature, threshold=threshold)
        return Calibration(settings, temperature, part.words, part.words, facts), notes

    def _find(self, part: Part[IonogramDataset]) -> list[ScoredIonogram]:
        """Return boxes of every score, exact ones of temperature 1, with the truth."""
        from odm.models.boxes import ANY_SCORE

        samples = list(part.samples)
        # The digest alone does not say what the files hold.
        place = part.data.digest, frozenset(sample.path for sample in samples)
        if place not in self._scored:
            every = replace(self.finder.settings, threshold=ANY_SCORE.threshold, temperature=1.0)
            found = self._scored[place] = []
            with self.metered("finding layers", len(samples)) as advance:
                for (sample, truth), boxes in self.finder.stream(
                    self._images(samples), every, exact=True
                ):
                    group = sample.labelled.ray_model
                    found.append(ScoredIonogram(sample.key.identity, truth, *boxes, group=group))
                    advance(1)
        return self._scored[place]

    def _images(self, samples: Sequence[IonogramSample]) -> Iterator[tuple[Any, Any]]:
        for sample in samples:
            image, truth = load_ionogram_sample(sample, self.finder.image)
            yield (sample, truth), image

    def score(
        self, part: Part[IonogramDataset], calibration: Calibration, notes: Sequence[str]
    ) -> Evaluation:
        assert self.card is not None
        data, threshold = part.data, calibration.settings.threshold
        temperature = calibration.temperature
        tempered = [ionogram.tempered(temperature) for ionogram in self._find(part)]
        about = {
            "model": self.card.architecture["name"],
            "folder": self.folder,
            "digest": self.card.digest,
            "data": f"{part.name} of data set {data.digest}",
            "engine": self.finder.predictor.engine,
            "temperature": temperature,
            "temperature and threshold from": calibration.fitted_on
            or "the model folder, not calibrated",
        }
        if part.seed is not None:
            about["seed"] = part.seed
        caveat = caveat_of(data.annotations)
        names = self.finder.class_names
        own_notes = self.training_note(part)
        if self.finder.image != data.settings:
            own_notes.append("the images are the model's, not the data set's")
        return Evaluation(
            layer_sheet(tempered, names, threshold, about, caveat),
            self._examples(part.samples, tempered, threshold),
            layer_figures,
            notes=(*own_notes, *notes),
            model=self.folder,
            folder=self.folder,
            part=part.name,
            data=data.digest,
            seed=part.seed,
            calibration=calibration,
        )

    def _examples(
        self,
        samples: Sequence[IonogramSample],
        tempered: Sequence[ScoredIonogram],
        threshold: float,
    ) -> list[LayerExample]:
        return [
            LayerExample(
                load_ionogram_sample(samples[number], self.finder.image)[0],
                tempered[number].above(threshold),
            )
            for number in spread(len(samples))
        ]
