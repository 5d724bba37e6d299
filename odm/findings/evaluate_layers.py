"""Evaluate a detector on one part of a data set of ionograms, calibrated on another.

    evaluate_detector("runs/…/model", "dataset.yaml").sheet

does what `odm evaluate` does with a detector. `save_detector` writes the calibration and the scores
into the model folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from odm.archive.errors import InputError, OdmError
from odm.archive.ionogram_samples import IonogramDataset, IonogramSample, load_ionogram_sample
from odm.findings.evaluate import BY_PEOPLE, CALIBRATE_ON, Meter, Running
from odm.findings.layer_scores import ScoredIonogram, fit_boxes, layer_sheet
from odm.findings.layer_sheet import LayerExample, LayerSheet
from odm.findings.layers import LayerFinder
from odm.findings.score_sheet import plain
from odm.images.layer_labels import SIMULATED
from odm.statement import SIMULATED_DATA

if TYPE_CHECKING:
    from odm.models.boxes import BoxSettings
    from odm.models.card import ModelCard

EXAMPLES = 12
SCORES, CALIBRATION = "scores", "calibration"
"""Where `ModelCard.metrics` holds the scores, and how the model was calibrated."""


@dataclass(frozen=True, slots=True)
class LayerEvaluation:
    """A detector's scores on one part of a data set.

    Attributes:
        sheet: all scores.
        settings: threshold and temperature that they were made with.
        fitted_on: what those are from, in words; empty where they are the defaults.
        class_names: by class index.
        examples: ionograms to look at.
        notes: sentences on what would surprise.
        part, data: the part, and the digest of the data set.
        facts: figures of the calibration.
    """

    sheet: LayerSheet
    settings: BoxSettings
    fitted_on: str
    class_names: tuple[str, ...]
    examples: list[LayerExample]
    notes: tuple[str, ...]
    part: str
    data: str
    facts: dict[str, Any]


def evaluate_detector(
    model: object,
    dataset: IonogramDataset | str | Path,
    *,
    part: str = "test",
    calibrate_on: str = "auto",
    running: Running | None = None,
    meter: Meter | None = None,
) -> LayerEvaluation:
    """Score a detector on one part of a data set.

    Args:
        model: its folder.
        dataset: a data set of ionograms, or its ``dataset.yaml``.
        part: ``train``, ``validation`` or ``test``.
        calibrate_on: where temperature and threshold are from. ``auto``: the model folder, else
            the validation part. ``validation``; ``scored``: the very part that is scored;
            ``none``: the folder's threshold, whatever it is from.
        running: engine, device, batch.
        meter: shows progress.

    Raises:
        InputError: no detector, no such part, or a setting that cannot be meant.
        OdmError: an empty part, or classes that disagree.
        ArchiveError: an ionogram is bad.
    """
    if calibrate_on not in CALIBRATE_ON:
        raise InputError(f"calibrate on {calibrate_on!r}: give {', '.join(CALIBRATE_ON)}")
    data = dataset if isinstance(dataset, IonogramDataset) else IonogramDataset.load(dataset)
    bench = _Bench(model, data, running or Running(), meter)
    scored = bench.find(part)
    settings, fitted_on, facts = bench.finder.settings, "", {}
    stored = CALIBRATION in bench.card.metrics
    if calibrate_on == "auto" and stored:
        fitted_on = "the model folder"
    elif calibrate_on != "none":
        source = part if calibrate_on == "scored" else "validation"
        found = scored if source == part else bench.find(source)
        temperature, threshold = fit_boxes(found, len(bench.finder.class_names))
        settings = replace(settings, temperature=temperature, threshold=threshold)
        fitted_on = f"{source} of data set {data.digest[:12]}"
        facts = {"data": data.digest, "part": source, "ionograms": len(found)}
        facts |= {"temperature": temperature, "threshold": threshold}
    return bench.evaluation(part, scored, settings, fitted_on, facts)


class _Bench:
    """A detector that runs, and what it found in the parts of a data set."""

    def __init__(
        self, model: object, data: IonogramDataset, running: Running, meter: Meter | None
    ) -> None:
        from odm.models.card import read_model_card

        self.folder, self.data, self.meter = str(model), data, meter
        self.finder = LayerFinder.open(
            model,
            batch=running.batch,
            engine=running.engine,
            device=running.device,
            precision=running.precision,
        )
        self.card = read_model_card(model)
        if data.config.classes != self.finder.class_names:
            raise OdmError(
                f"the data set has the classes {', '.join(data.config.classes)} and {model} "
                f"{', '.join(self.finder.class_names)}: they cannot be compared"
            )

    def find(self, part: str) -> list[ScoredIonogram]:
        """Boxes of every score, at temperature 1, with the truth."""
        from odm.models.boxes import ANY_SCORE

        samples = self.data.samples(part)
        meter = self.meter("finding layers", len(samples)) if self.meter else nullcontext()
        with meter as advance:
            found = []
            for (sample, truth), boxes in self.finder.stream(self._images(samples), ANY_SCORE):
                group = sample.labelled.ray_model
                found.append(ScoredIonogram(sample.key.identity, truth, *boxes, group=group))
                if advance is not None:
                    advance(1)
        return found

    def _images(self, samples: Sequence[IonogramSample]) -> Iterator[tuple[Any, Any]]:
        for sample in samples:
            image, truth = load_ionogram_sample(sample, self.finder.image)
            yield (sample, truth), image

    def evaluation(
        self,
        part: str,
        scored: list[ScoredIonogram],
        settings: BoxSettings,
        fitted_on: str,
        facts: dict[str, Any],
    ) -> LayerEvaluation:
        """The sheet, examples and notes."""
        names = self.finder.class_names
        tempered = [one.tempered(settings.temperature) for one in scored]
        simulated = self.data.annotations.source == SIMULATED
        about = {
            "model": self.card.architecture["name"],
            "folder": self.folder,
            "digest": self.card.digest,
            "data": f"{part} of data set {self.data.digest}",
            "engine": self.finder.predictor.engine,
            "temperature": settings.temperature,
            "temperature and threshold from": fitted_on or "the model folder, not calibrated",
        }
        caveat = SIMULATED_DATA[:1].upper() + SIMULATED_DATA[1:] if simulated else BY_PEOPLE
        sheet = layer_sheet(tempered, names, settings.threshold, about, caveat)
        shown = [one.above(settings.threshold) for one in tempered]
        notes = []
        if fitted_on.startswith(f"{part} of"):
            notes.append("calibrated on the very ionograms that are scored")
        if part == "train" and self.card.training_data == self.data.digest:
            notes.append("the model was trained on these ionograms")
        if self.finder.image != self.data.settings:
            notes.append("the images are the model's, not the data set's")
        return LayerEvaluation(
            sheet, settings, fitted_on, names, self._examples(part, shown), tuple(notes), part,
            self.data.digest, facts,
        )  # fmt: skip

    def _examples(self, part: str, shown: list[ScoredIonogram]) -> list[LayerExample]:
        """Evenly spread over the part: not chosen by how good they are."""
        samples = self.data.samples(part)
        chosen = np.unique(np.linspace(0, len(samples) - 1, EXAMPLES).astype(int))
        return [
            LayerExample(one.name, image, one.truth, one.edges, one.scores, one.classes)
            for index in chosen
            for one in [shown[index]]
            for image in [load_ionogram_sample(samples[index], self.finder.image)[0]]
        ]


def save_detector(folder: object, done: LayerEvaluation) -> ModelCard:
    """Save a detector again with temperature and threshold of an evaluation, and the scores.

    The digest covers temperature and threshold, so it changes where they do; the weights stay what
    they were.

    Raises:
        InputError: the evaluation was not calibrated.
    """
    from odm.models.folder import load_model, save_again

    if not done.fitted_on:
        raise InputError(f"{folder} was not calibrated: there is nothing to save")
    loaded = load_model(folder)
    card = loaded.card
    entry = {"data": done.data, "part": done.part, **_entry(done.sheet)}
    others = [
        one
        for one in card.metrics.get(SCORES, [])
        if (one["data"], one["part"]) != (done.data, done.part)
    ]
    metrics: dict[str, Any] = {**card.metrics, SCORES: [*others, entry]}
    if done.facts:
        metrics[CALIBRATION] = done.facts
    return save_again(folder, loaded, thresholds=done.settings.to_dict(), metrics=metrics)


def _entry(sheet: LayerSheet) -> dict[str, Any]:
    """The scores that a model's card shows."""
    names = ("truths", "precision", "recall", "f1", "precision_interval", "recall_interval", "ap25",
             "ap50", "ap")  # fmt: skip
    found: dict[str, Any] = plain(
        {
            "ionograms": sheet.counts["ionograms"],
            "threshold": sheet.threshold,
            "layers": {
                f"{row['layer']} at {row['overlap']:g}": {name: row[name] for name in names}
                for row in sheet.layers
            },
            "layer_free": sheet.layer_free,
            "ece": sheet.calibration["ece"],
            "statement": sheet.caveat,
        }
    )
    return found
