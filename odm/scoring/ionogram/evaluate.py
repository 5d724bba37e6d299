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

from odm.core.errors import InputError, OdmError
from odm.core.statement import SIMULATED_DATA
from odm.datasets.ionogram import IonogramDataset, IonogramSample, load_ionogram_sample
from odm.datasets.labels.layers import SIMULATED
from odm.findings.layers import LayerFinder
from odm.scoring.ionogram.layers import ScoredIonogram, fit_boxes, layer_sheet
from odm.scoring.ionogram.sheet import LayerExample, LayerSheet
from odm.scoring.orbit.evaluate import BY_PEOPLE, CALIBRATE_ON, Meter, Running
from odm.scoring.orbit.sheet import plain
from odm.scoring.orbit.thresholds import warn_of_few
from odm.scoring.orbit.truth import simulation_seed

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
        part, data, seed: the part, the digest of the data set, and the seed of a simulation.
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
    seed: int | None
    facts: dict[str, Any]


def evaluate_detector(
    model: object,
    dataset: IonogramDataset | str | Path,
    *,
    part: str = "test",
    calibrate_on: str = "auto",
    fit: bool = False,
    validation: IonogramDataset | str | Path | None = None,
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
        fit: calibrate, whatever the folder holds; on the validation part unless ``calibrate_on``
            says ``scored``. A detector's threshold is chosen together with its temperature.
        validation: another data set, on whose validation part it is calibrated; implies ``fit``.
        running: engine, device, batch.
        meter: shows progress.

    Raises:
        InputError: no detector, no such part, or a setting that cannot be meant.
        OdmError: an empty part, or classes that disagree.
        ArchiveError: an ionogram is bad.
    """
    if calibrate_on not in CALIBRATE_ON:
        raise InputError(f"calibrate on {calibrate_on!r}: give {', '.join(CALIBRATE_ON)}")
    if fit and calibrate_on == "none":
        raise InputError("thresholds of a detector are calibrated: they cannot go with none")
    if validation is not None and calibrate_on in ("none", "scored"):
        raise InputError(f"calibrate on {calibrate_on} needs no other data set for validation")
    data = _opened(dataset)
    other = data if validation is None else _opened(validation)
    bench = _Bench(model, data, running or Running(), meter)
    bench.check_classes(other)
    scored = bench.find(data, part)
    settings, fitted_on, facts = bench.finder.settings, "", {}
    stored = CALIBRATION in bench.card.metrics
    notes = []
    if calibrate_on == "auto" and stored and not fit and validation is None:
        fitted_on = "the model folder"
    elif calibrate_on != "none":
        source = part if calibrate_on == "scored" else "validation"
        places = _paths(other, source), _paths(data, part)
        # The digest alone does not say what the files hold.
        same = other.digest == data.digest and places[0] == places[1]
        found = scored if same else bench.find(other, source)
        temperature, threshold = fit_boxes(found, len(bench.finder.class_names))
        settings = replace(settings, temperature=temperature, threshold=threshold)
        fitted_on = f"{source} of data set {other.digest[:12]}"
        facts = {"data": other.digest, "part": source, "ionograms": len(found)}
        facts |= {"simulation_seed": simulation_seed(other)}
        facts |= {"temperature": temperature, "threshold": threshold}
        layers = sum(len(one.truth) for one in found)
        notes += warn_of_few(layers, "layers", len(found), "ionograms")
        if places[0] & places[1]:
            notes.append("calibrated on the very ionograms that are scored")
    return bench.evaluation(part, scored, settings, fitted_on, facts, notes)


def _opened(dataset: IonogramDataset | str | Path) -> IonogramDataset:
    return dataset if isinstance(dataset, IonogramDataset) else IonogramDataset.load(dataset)


def _paths(data: IonogramDataset, part: str) -> set[str]:
    return {sample.path for sample in data.samples(part)}


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
        self.check_classes(data)

    def check_classes(self, data: IonogramDataset) -> None:
        """Raise unless the data set has the classes of the model."""
        if data.config.classes != self.finder.class_names:
            raise OdmError(
                f"the data set has the classes {', '.join(data.config.classes)} and {self.folder} "
                f"{', '.join(self.finder.class_names)}: they cannot be compared"
            )

    def find(self, data: IonogramDataset, part: str) -> list[ScoredIonogram]:
        """Boxes of every score, exact ones of temperature 1, with the truth."""
        from odm.models.boxes import ANY_SCORE

        every = replace(self.finder.settings, threshold=ANY_SCORE.threshold, temperature=1.0)
        samples = data.samples(part)
        meter = self.meter("finding layers", len(samples)) if self.meter else nullcontext()
        with meter as advance:
            found = []
            for (sample, truth), boxes in self.finder.stream(
                self._images(samples), every, exact=True
            ):
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
        notes: Sequence[str],
    ) -> LayerEvaluation:
        """The sheet, examples and notes."""
        seed = simulation_seed(self.data)
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
        if seed is not None:
            about["seed"] = seed
        caveat = SIMULATED_DATA[:1].upper() + SIMULATED_DATA[1:] if simulated else BY_PEOPLE
        sheet = layer_sheet(tempered, names, settings.threshold, about, caveat)
        shown = [one.above(settings.threshold) for one in tempered]
        notes = [*notes]
        if part == "train" and self.card.training_data == self.data.digest:
            notes.append("the model was trained on these ionograms")
        if self.finder.image != self.data.settings:
            notes.append("the images are the model's, not the data set's")
        return LayerEvaluation(
            sheet, settings, fitted_on, names, self._examples(part, shown), tuple(notes), part,
            self.data.digest, seed, facts,
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


def save_detector(folder: object, done: LayerEvaluation, name: str = "") -> ModelCard:
    """Save a detector again with temperature and threshold of an evaluation, and the scores.

    The digest covers temperature and threshold, so it changes where they do; the weights stay what
    they were.

    Args:
        folder: of the model.
        done: its evaluation. Earlier scores stay where they are of another part or data set and
            were made with the same temperature and threshold.
        name: of what was scored, for readers of the card.

    Raises:
        InputError: the evaluation was not calibrated.
    """
    from odm.models.folder import load_model, save_again

    if not done.fitted_on:
        raise InputError(f"{folder} was not calibrated: there is nothing to save")
    loaded = load_model(folder)
    card = loaded.card
    thresholds = done.settings.to_dict()
    same = thresholds == dict(card.thresholds)
    others = [
        one
        for one in card.metrics.get(SCORES, [])
        if same and (one["data"], one["part"]) != (done.data, done.part)
    ]
    entry = _entry(done, name)
    metrics: dict[str, Any] = {**card.metrics, SCORES: [*others, entry]}
    if done.facts:
        metrics[CALIBRATION] = done.facts
    return save_again(folder, loaded, thresholds=thresholds, metrics=metrics)


def _entry(done: LayerEvaluation, name: str) -> dict[str, Any]:
    """The scores that a model's card shows, with their data and seed."""
    sheet = done.sheet
    names = ("truths", "precision", "recall", "f1", "precision_interval", "recall_interval", "ap25",
             "ap50", "ap")  # fmt: skip
    found: dict[str, Any] = plain(
        {
            **({"name": name} if name else {}),
            "data": done.data,
            "part": done.part,
            "simulation_seed": done.seed,
            "ionograms": sheet.counts["ionograms"],
            "threshold": sheet.threshold,
            "layers": {
                f"{row['layer']} at {row['overlap']:g}": {one: row[one] for one in names}
                for row in sheet.layers
            },
            "layer_free": sheet.layer_free,
            "ece": sheet.calibration["ece"],
            "statement": sheet.caveat,
        }
    )
    return found
