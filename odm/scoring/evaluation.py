"""`Evaluation`: the scores of a model or a campaign, whatever kind of input it is for.

    evaluate_model("runs/…/model", "dataset.yaml").sheet

does what `odm evaluate` does. How a model runs and is scored is its task's own affair: a `Bench`
does it, and the task's entry in `odm.core.kinds` names the function that sets one up.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from odm.core.errors import InputError
from odm.core.files import exists, join, read_bytes, write_bytes
from odm.core.kinds import SEGMENTER, TASKS, Kind
from odm.datasets.base import Dataset
from odm.datasets.labels.regions import SIMULATION
from odm.findings.regions import TEMPERATURE
from odm.images.pictures.figure import write_figure
from odm.scoring.sheet import ScoreSheet, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from odm.models.card import ModelCard

Meter = Callable[[str, int, str], AbstractContextManager[Callable[..., None]]]
"""Function of what is done, on how many inputs, and what those are called, that gives a function
to call with the number just finished, as `odm.core.progress.progress` does."""
Figures = Callable[[Any, Sequence[Any]], Mapping[str, "Figure"]]
"""Function of a sheet and examples that draws pictures by file name."""

CALIBRATE_ON = ("auto", "validation", "scored", "none")
SCORES, CALIBRATION = "scores", "calibration"
"""Keys of `ModelCard.metrics` that hold scores, and how the model was calibrated."""
MODEL_FOLDER = "the model folder"
VALIDATION = "validation"
FEW = 30
"""Number of true findings below which chance moves thresholds more than the model does."""


@dataclass(frozen=True, slots=True)
class Running:
    """How a model is run; see `odm.models.predictor.Predictor`."""

    batch: int = 2
    engine: str = "auto"
    device: str = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSettings:
    """What is scored, how it is calibrated before, and how the model is run.

    Attributes:
        part: ``test``, ``validation`` or ``train``.
        calibrate_on: where the temperature is from, and with it the threshold of a detector.
            ``auto``: from the model folder, else, for a learned model, from the validation part.
            ``validation``, which ``auto`` means too where `validation` is given. ``scored``: the
            very part that is scored, and the sheet says so. ``none``: nothing is calibrated.
        fit_thresholds: choose the thresholds anew, for the best F1, on the same part (on
            validation for ``auto`` and ``none``).
        validation: another data set, or its ``dataset.yaml``, whose validation part is used.
        running: engine, device, batch.
        flip: average with the image reversed in time. This and the next two are for a segmenter.
        overlap: IoU of the F1 that thresholds are chosen for; 0.25 by default.
        resamples: number of resamples for intervals, 0 for none; 1000 by default.
    """

    part: str = "test"
    calibrate_on: str = "auto"
    fit_thresholds: bool = False
    validation: Any = None
    running: Running = field(default_factory=Running)
    flip: bool | None = None
    overlap: float | None = None
    resamples: int | None = None

    def __post_init__(self) -> None:
        if self.calibrate_on not in CALIBRATE_ON:
            raise InputError(f"calibrate on {self.calibrate_on!r}: give {', '.join(CALIBRATE_ON)}")


@dataclass(frozen=True)
class Calibration:
    """What is settled about a model before it is scored.

    Attributes:
        settings: how its output becomes findings, thresholds included.
        temperature: logits are divided by it.
        fitted_on: what the temperature is from, in words; empty where it is 1 for want of one.
        thresholds_on: what the thresholds were fitted on; empty where they were not.
        facts: figures for the model's card.
    """

    settings: Any
    temperature: float = 1.0
    fitted_on: str = ""
    thresholds_on: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def thresholds(self) -> dict[str, Any]:
        """What the model's card holds as thresholds."""
        return {**self.settings.to_dict(), TEMPERATURE: self.temperature}


@dataclass(frozen=True)
class Part:
    """One part of a data set.

    Attributes:
        data: the data set.
        name: ``test``, ``validation`` or ``train``.
    """

    data: Dataset[Any, Any, Any]
    name: str

    @property
    def is_empty(self) -> bool:
        """Whether nothing is labelled in it."""
        return not any(sample.part == self.name for sample in self.data.all_samples)

    @property
    def words(self) -> str:
        """What it is, in words."""
        return f"{self.name} of data set {self.data.digest[:12]}"

    def facts(self, seed_key: str) -> dict[str, Any]:
        """Return what a model's card says of it."""
        return {"data": self.data.digest, "part": self.name, seed_key: self.seed}

    @property
    def seed(self) -> int | None:
        """The seed of the simulated archive that the data set is of; None for measured data."""
        for folder in (str(self.data.annotations.folder), self.data.archive):
            path = join(folder, SIMULATION)
            if exists(path):
                return int(json.loads(read_bytes(path)).get("settings", {}).get("seed", 0))
        return None


@dataclass(frozen=True)
class Evaluation:
    """The scores of a model on one part of a data set, or of a campaign.

    Attributes:
        sheet: all scores.
        examples: inputs to look at.
        figures: draws the pictures.
        notes: sentences on what would surprise.
        model: what messages call the model; this and the following are for a model only.
        folder: the model's folder, if it has one.
        part: what was scored.
        calibration: what the scores were made with.
    """

    sheet: Any
    examples: Sequence[Any]
    figures: Figures
    notes: tuple[str, ...] = ()
    model: str = ""
    folder: str | None = None
    part: Part | None = None
    calibration: Calibration | None = None

    def write(self, folder: object) -> list[str]:
        """Write ``sheet.json``, ``sheet.txt`` and the pictures; return their paths."""
        texts = {"sheet.json": self.sheet.to_json(), "sheet.txt": self.sheet.to_text()}
        for name, text in texts.items():
            write_bytes(join(folder, name), text.encode())
        figures = self.figures(self.sheet, self.examples)
        for name, figure in figures.items():
            write_figure(join(folder, name), figure, tight=True)
        return [join(folder, name) for name in (*texts, *figures)]

    def save(self, name: str = "") -> ModelCard:
        """Write calibration and scores into the model's folder; see `save_evaluations`."""
        return save_evaluations([self], [name] if name else [])


def save_evaluations(evaluations: Sequence[Evaluation], names: Sequence[str] = ()) -> ModelCard:
    """Save a model again with the temperature and thresholds it was scored with, and the scores.

    The digest covers the thresholds, so it changes where they do; the weights stay what they were.

    Args:
        evaluations: of one model, all with one calibration. Earlier scores stay where they are of
            another part or data set and were made with the same temperature and thresholds.
        names: of what was scored, one for each, where the digest of a data set says too little: it
            covers names and labels, not what the files hold.

    Returns:
        The new card.

    Raises:
        InputError: the model has no folder, or is not calibrated.
    """
    from odm.models.folder import load_model, save_again

    first = evaluations[0]
    calibration = first.calibration
    if first.folder is None or calibration is None:
        raise InputError(f"{first.model} has no model folder to save to")
    if any(evaluation.calibration != calibration for evaluation in evaluations):
        raise InputError("these evaluations are of different calibrations: save one of them")
    if not calibration.fitted_on:
        raise InputError(f"{first.model} was not calibrated: there is nothing to save")
    entries: list[dict[str, Any]] = [
        plain({**evaluation.part.facts(evaluation.sheet.SEED), **evaluation.sheet.card_scores()})
        for evaluation in evaluations
        if evaluation.part is not None
    ]
    for entry, name in zip(entries, names, strict=False):
        entry["name"] = name
    loaded = load_model(first.folder)
    known = loaded.card.metrics
    new = {(entry["data"], entry["part"]) for entry in entries}
    same = calibration.thresholds == dict(loaded.card.thresholds)
    kept = [
        entry
        for entry in known.get(SCORES, [])
        if same and (entry["data"], entry["part"]) not in new
    ]
    metrics: dict[str, Any] = {**known, SCORES: [*kept, *entries]}
    if calibration.facts:
        metrics[CALIBRATION] = plain(calibration.facts)
    thresholds = calibration.thresholds
    return save_again(first.folder, loaded, thresholds=thresholds, metrics=metrics)


def evaluate_model(
    model: object,
    dataset: object,
    settings: EvaluationSettings | None = None,
    meter: Meter | None = None,
) -> Evaluation:
    """Score a model on one part of a data set, with everything that a sheet holds.

    Args:
        model: a model folder, the name of a method without learning, or a
            `odm.scoring.orbit.methods.SegmentationMethod` in memory.
        dataset: a data set, or its ``dataset.yaml``.
        settings: what is scored and how.
        meter: shows progress.

    Raises:
        InputError: no model, no such part, or a setting that cannot be meant.
        OdmError: an empty part, or classes that disagree.
        ArchiveError: an input is bad.
    """
    from odm.models.card import CARD, read_model_card
    from odm.models.shipped import model_folder

    settings = settings or EvaluationSettings()
    task = SEGMENTER
    if isinstance(model, str | Path):
        model = model_folder(model)
        if exists(join(model, CARD)):
            kind = read_model_card(model).architecture["kind"]
            task = TASKS.find(kind) if kind in TASKS else SEGMENTER
    reader: type[Dataset[Any, Any, Any]] = task.load("searched inputs").load("dataset")

    def opened(place: Any) -> Dataset[Any, Any, Any]:
        return place if isinstance(place, Dataset) else reader.load(place)

    data = opened(dataset)
    source = data if settings.validation is None else opened(settings.validation)
    bench: Bench = task.load("evaluate")(model, settings, meter)
    return bench.evaluate(Part(data, settings.part), Part(source, VALIDATION))


class Bench(ABC):
    """A model that runs, is calibrated on one part of a data set and scored on another.

    Attributes:
        kind: of its inputs.
        figures: see `Evaluation`.
        learned: whether the model has weights: only then are its answers meant as probabilities.
        title, model: its architecture, and what messages call it.
        folder, card: of the model; None where it has no folder.
    """

    kind: Kind
    figures: Figures
    learned = True
    title: str
    model: str
    folder: str | None
    card: ModelCard | None

    def __init__(self, settings: EvaluationSettings, meter: Meter | None) -> None:
        self.settings, self.meter = settings, meter

    @abstractmethod
    def check(self, scored: Part, validation: Part) -> None:
        """Raise an `OdmError` unless the parts can be compared with the model."""

    @abstractmethod
    def stored(self) -> Calibration | None:
        """Return the calibration that the model's folder holds; None where it holds none."""

    @abstractmethod
    def default(self) -> Calibration:
        """Return what a model is scored with that is not calibrated."""

    @abstractmethod
    def calibrate(
        self, part: Part, scored: Part, start: Calibration, temper: bool
    ) -> tuple[Calibration, list[str]]:
        """Fit the temperature and, if the settings or the task say so, thresholds.

        Args:
            part: what they are fitted on.
            scored: what will be scored, which may have inputs of it too.
            start: what stays where it is not fitted.
            temper: whether the temperature is fitted.

        Returns:
            The calibration, and sentences on what would surprise.
        """

    @abstractmethod
    def sheet(
        self, part: Part, calibration: Calibration, about: dict[str, Any]
    ) -> tuple[ScoreSheet, Sequence[Any]]:
        """Return the scores of one part, and examples; ``about`` gets what is said beside."""

    @abstractmethod
    def notes(self, part: Part, calibration: Calibration) -> list[str]:
        """Return sentences on what would surprise in the scores of a part."""

    def evaluate(self, scored: Part, validation: Part) -> Evaluation:
        """Calibrate the model on ``validation``, or as the settings say, and score it."""
        settings = self.settings
        self.check(scored, validation)
        stored = self.stored()
        automatic = settings.calibrate_on == "auto"
        temper = settings.calibrate_on in (VALIDATION, "scored") or (
            automatic and self.learned and (stored is None or settings.validation is not None)
        )
        calibration, notes = self.default(), list[str]()
        if automatic and not temper and stored is not None:
            calibration = stored
        if temper or settings.fit_thresholds:
            source = scored if settings.calibrate_on == "scored" else validation
            calibration, notes = self.calibrate(source, scored, calibration, temper)
        about: dict[str, Any] = {"model": self.title}
        about["data"] = f"{scored.name} of data set {scored.data.digest}"
        if self.card is not None:
            about |= {"folder": self.folder, "digest": self.card.digest}
        if scored.seed is not None:
            about["seed"] = scored.seed
        sheet, examples = self.sheet(scored, calibration, about)
        own_notes = self.notes(scored, calibration)
        trained_on = None if self.card is None else self.card.training_data
        if scored.name == "train" and trained_on == scored.data.digest:
            own_notes.append(f"the model was trained on these {self.kind.inputs}")
        all_notes = (*own_notes, *notes)
        return Evaluation(
            sheet, examples, self.figures, all_notes, self.model, self.folder, scored, calibration
        )

    def metered(self, what: str, total: int) -> AbstractContextManager[Callable[..., object]]:
        """Show progress on a number of inputs, if there is a meter."""
        return metered(self.meter, what, total, self.kind.inputs)


def metered(
    meter: Meter | None, what: str, total: int, inputs: str
) -> AbstractContextManager[Callable[..., object]]:
    """Show progress on a number of inputs, if there is a meter."""
    return nullcontext(lambda number=1: None) if meter is None else meter(what, total, inputs)


def few_warning(kind: Kind, positives: int, number: int) -> list[str]:
    """Return a sentence on thresholds that were fitted on few true findings, if they were.

    Args:
        kind: of the inputs.
        positives: number of true findings.
        number: of inputs that were looked at for them.
    """
    if positives >= FEW:
        return []
    return [
        f"thresholds were fitted on few true {kind.findings} ({positives}; {kind.inputs}: "
        f"{number}): below {FEW} they follow chance, and others would give other thresholds"
    ]
