"""Evaluate a detector on one part of a data set of ionograms, calibrated on another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from odm.core.errors import InputError, OdmError
from odm.core.kinds import IONOGRAMS
from odm.datasets.ionogram import IonogramSample, load_ionogram_sample
from odm.findings.layers import LayerFinder
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
from odm.scoring.ionogram.boxes import ScoredIonogram, fit_boxes
from odm.scoring.ionogram.campaign import caveat_of
from odm.scoring.ionogram.pictures import LayerExample, layer_figures, spread
from odm.scoring.ionogram.sheet import LayerSheet, layer_sheet

if TYPE_CHECKING:
    from odm.models.card import ModelCard

SEGMENTERS_ONLY = ("flip", "overlap", "resamples")
"""Settings that mean nothing for a detector."""


def _paths(part: Part) -> frozenset[str]:
    return frozenset(sample.path for sample in part.data.samples(part.name))


class DetectorBench(Bench):
    """A detector that runs, and what it found in the parts of a data set.

    Its threshold is chosen together with its temperature, so that to fit thresholds, or to name
    another data set for validation, is to calibrate it anew.

    Args:
        model: its folder.
        settings: what is scored and how.
        meter: shows progress.
    """

    kind = IONOGRAMS
    figures = staticmethod(layer_figures)
    card: ModelCard

    def __init__(
        self, model: object, settings: EvaluationSettings, meter: Meter | None = None
    ) -> None:
        from odm.models.card import read_model_card

        super().__init__(settings, meter)
        calibrate_on = settings.calibrate_on
        for name in SEGMENTERS_ONLY:
            if getattr(settings, name) is not None:
                raise InputError(f"--{name} is for a segmenter: {model} is a detector")
        if settings.fit_thresholds and calibrate_on == "none":
            raise InputError("thresholds of a detector are calibrated: they cannot go with none")
        if settings.validation is not None and calibrate_on in ("none", "scored"):
            raise InputError(f"calibrate on {calibrate_on} needs no other data set for validation")
        self.folder = self.model = str(model)
        self.finder = LayerFinder.open(model, **asdict(settings.running))
        self.card = read_model_card(model)
        self.title = self.card.architecture["name"]
        self._scored: dict[tuple[str, frozenset[str]], list[ScoredIonogram]] = {}

    def check(self, scored: Part, validation: Part) -> None:
        for data in (scored.data, validation.data):
            if data.config.classes != self.finder.class_names:
                raise OdmError(
                    f"the data set has the classes {', '.join(data.config.classes)} and "
                    f"{self.folder} {', '.join(self.finder.class_names)}: they cannot be compared"
                )

    def stored(self) -> Calibration | None:
        known = CALIBRATION in self.card.metrics
        return replace(self.default(), fitted_on=MODEL_FOLDER) if known else None

    def default(self) -> Calibration:
        settings = self.finder.settings
        return Calibration(settings, settings.temperature)

    def calibrate(
        self, part: Part, scored: Part, start: Calibration, temper: bool
    ) -> tuple[Calibration, list[str]]:
        found = self._find(part)
        temperature, threshold = fit_boxes(found, len(self.finder.class_names))
        facts = part.facts(LayerSheet.SEED) | {"ionograms": len(found)}
        facts |= {"temperature": temperature, "threshold": threshold}
        layers = sum(len(ionogram.truth) for ionogram in found)
        notes = few_warning(self.kind, layers, len(found))
        if _paths(part) & _paths(scored):
            notes.append("calibrated on the very ionograms that are scored")
        settings = replace(start.settings, temperature=temperature, threshold=threshold)
        return Calibration(settings, temperature, part.words, part.words, facts), notes

    def _find(self, part: Part) -> list[ScoredIonogram]:
        """Return boxes of every score, exact ones of temperature 1, with the truth."""
        from odm.models.boxes import ANY_SCORE

        samples = part.data.samples(part.name)
        # The digest alone does not say what the files hold.
        place = part.data.digest, _paths(part)
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

    def sheet(
        self, part: Part, calibration: Calibration, about: dict[str, Any]
    ) -> tuple[LayerSheet, Sequence[Any]]:
        temperature, threshold = calibration.temperature, calibration.settings.threshold
        tempered = [ionogram.tempered(temperature) for ionogram in self._find(part)]
        about |= {
            "engine": self.finder.predictor.engine,
            "temperature": temperature,
            "temperature and threshold from": calibration.fitted_on
            or "the model folder, not calibrated",
        }
        caveat = caveat_of(part.data.annotations)
        samples = part.data.samples(part.name)
        examples = [
            LayerExample(
                load_ionogram_sample(samples[number], self.finder.image)[0],
                tempered[number].above(threshold),
            )
            for number in spread(len(samples))
        ]
        return layer_sheet(tempered, self.finder.class_names, threshold, about, caveat), examples

    def notes(self, part: Part, calibration: Calibration) -> list[str]:
        same = self.finder.image == part.data.config.image
        return [] if same else ["the images are the model's, not the data set's"]
