"""Evaluate a method on one part of a data set, calibrated on another.

    evaluate_model("runs/…/model", "dataset.yaml").sheet

does what `odm evaluate` does. `save_evaluation` writes the calibration and the scores into the
model folder.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from odm.core.cache import EXPORTS, user_cache
from odm.core.errors import InputError, OdmError
from odm.datasets.orbit import OrbitDataset, OrbitSample
from odm.datasets.splits import PARTS
from odm.findings.regions import RegionSettings
from odm.images.geometry import OrbitImageSettings
from odm.scoring.matching import OVERLAPS
from odm.scoring.orbit.archive import Progress, score_archive
from odm.scoring.orbit.cases import Example
from odm.scoring.orbit.methods import Method, differing_images, open_method
from odm.scoring.orbit.sheet import ScoreSheet
from odm.scoring.orbit.thresholds import fit_thresholds, warn_of_few
from odm.scoring.orbit.truth import Truth, simulation_seed

if TYPE_CHECKING:
    from odm.models.predictor import Predictor

CalibrateOn = Literal["auto", "validation", "scored", "none"]
CALIBRATE_ON = ("auto", "validation", "scored", "none")
Meter = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""What is done and on how many half-orbits → a function to call with the number just finished, as
`odm.core.progress.progress` gives it."""
CALIBRATION = "calibration"
"""Where `ModelCard.metrics` holds the facts of a `Calibration`."""
FOLDER = "the model folder"
BY_PEOPLE = (
    "Scored against what people drew: others would have drawn other outlines, and nothing is "
    "implied about physical origin or earthquakes."
)


@dataclass(frozen=True, slots=True)
class Running:
    """How a method is run; see `odm.models.predictor.Predictor`."""

    batch: int = 2
    engine: str = "auto"
    device: str = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    flip: bool = False


@dataclass(frozen=True, slots=True)
class Calibration:
    """What is settled about a method before it is scored.

    Attributes:
        temperature: that its logits are divided by.
        regions: how its maps become regions.
        fitted_on: what the temperature is from, in words; empty where it is 1 for want of one.
        thresholds_on: what the thresholds were fitted on; empty where they were not.
        facts: figures for a model's card.
    """

    temperature: float
    regions: RegionSettings
    fitted_on: str = ""
    thresholds_on: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A method's scores on one part of a data set.

    Attributes:
        sheet: all scores.
        calibration: what they were made with.
        examples: half-orbits with something in them, for `score_pictures.write_pictures`.
        notes: sentences on what would surprise.
        part, data, seed: the part, the digest of the data set, and the seed of a simulation.
    """

    sheet: ScoreSheet
    calibration: Calibration
    examples: list[Example]
    notes: tuple[str, ...]
    part: str
    data: str
    seed: int | None


def evaluate_model(
    model: Method | str | Path,
    dataset: OrbitDataset | str | Path,
    *,
    part: str = "test",
    calibrate_on: CalibrateOn = "auto",
    fit: bool = False,
    validation: OrbitDataset | str | Path | None = None,
    overlap: float = OVERLAPS[0],
    running: Running | None = None,
    resamples: int = 1000,
    meter: Meter | None = None,
) -> Evaluation:
    """Score a method on one part of a data set, with everything that a sheet holds.

    Args:
        model: a model folder, the name of a method without learning, or a `Method` in memory.
        dataset: a data set, or its ``dataset.yaml``.
        part: ``test``, ``validation`` or ``train``.
        calibrate_on: where the temperature is from. ``auto``: from the model folder, else, for a
            learned one, from the validation part; where there is none it is 1. ``validation``,
            which is also meant where ``validation`` names a data set.
            ``scored``: the very part that is scored, and the sheet says so. ``none``: it is 1.
        fit: choose the thresholds of regions as well, for the best F1 on the same part (on
            validation for ``auto`` and ``none``).
        validation: another data set whose validation part is used.
        overlap: IoU of that F1.
        running: engine, device, batch.
        resamples: for intervals, 0 for none.
        meter: shows progress.

    Raises:
        InputError: no model, no such part, or a setting that cannot be meant.
        OdmError: an empty part, or classes that disagree.
        ArchiveError: a half-orbit is bad.
    """
    if calibrate_on not in CALIBRATE_ON:
        raise InputError(f"calibrate on {calibrate_on!r}: give {', '.join(CALIBRATE_ON)}")
    method = model if isinstance(model, Method) else open_method(model)
    scored = _Part(_opened(dataset), part)
    method.check_classes(scored.data.annotations.classes)
    bench = _Bench(method, scored.data, running or Running(), meter)
    fresh = calibrate_on in ("validation", "scored") or (
        calibrate_on == "auto"
        and method.learned
        and (method.temperature is None or validation is not None)
    )
    stored = method.temperature if calibrate_on == "auto" and not fresh else None
    calibration = Calibration(
        temperature=stored or 1.0,
        regions=method.regions,
        fitted_on=FOLDER if stored else "",
    )
    notes = []
    if fresh or fit:
        other = scored.data if validation is None else _opened(validation)
        source = scored if calibrate_on == "scored" else _Part(other, "validation")
        if source.is_empty and calibrate_on == "auto" and not fit:
            notes.append("the data set has no validation part: the temperature stays 1")
        else:
            method.check_classes(source.data.annotations.classes)
            shared = source.shared(scored)
            words = source.words + (f", {shared} of them are scored" if shared else "")
            calibration = bench.calibrate(source, words, calibration, fresh, fit, overlap)
            facts = calibration.facts
            if fit and not facts["regions"]["f1"]:
                notes.append("no thresholds find a true region: they stay what they were")
            elif fit:
                nuclei, number = facts["regions"]["nuclei"], facts["half_orbits"]
                notes += warn_of_few(nuclei, "regions", number, "half-orbits")
            if shared:
                notes.append(
                    f"calibrated on {shared} of the very half-orbits that are scored, which "
                    "flatters the scores"
                )
    return bench.score(scored, calibration, notes, resamples)


@dataclass(frozen=True)
class _Part:
    """One part of a data set."""

    data: OrbitDataset
    name: str

    @property
    def is_empty(self) -> bool:
        return not any(sample.part == self.name for sample in self.data.all_samples)

    @property
    def samples(self) -> list[OrbitSample]:
        if self.name in PARTS and self.is_empty:
            raise OdmError(
                f"the data set has no labelled half-orbit for {self.name}; odm dataset show tells "
                "what each part holds"
            )
        return self.data.samples(self.name)

    @property
    def truth(self) -> Truth:
        return Truth.load(str(self.data.annotations.folder))

    @property
    def words(self) -> str:
        return f"{self.name} of data set {self.data.digest[:12]}"

    def shared(self, other: _Part) -> int:
        """How many of its half-orbits (or hemispheres of them) the other part shows too."""
        theirs = {(sample.key.stem, sample.hemisphere) for sample in other.samples}
        known = {stem for stem, _ in theirs}
        return sum(
            sample.key.stem in known
            if sample.hemisphere is None
            else bool({(sample.key.stem, sample.hemisphere), (sample.key.stem, None)} & theirs)
            for sample in self.samples
        )


class _Bench:
    """A method that runs, with the images that it is to see."""

    def __init__(
        self, method: Method, data: OrbitDataset, running: Running, meter: Meter | None
    ) -> None:
        from odm.models.predictor import Predictor

        self.method, self.running, self.meter = method, running, meter
        self.images = method.image or _images_of(method, data)
        self.predictor: Predictor = Predictor(
            method.segmenter,
            batch=running.batch,
            engine=running.engine,
            device=running.device,
            precision=running.precision,
            flip=running.flip,
            exports=user_cache(EXPORTS),
            digest=None if method.card is None else method.card.digest,
        )

    def calibrate(
        self, part: _Part, words: str, start: Calibration, fresh: bool, fit: bool, overlap: float
    ) -> Calibration:
        """Fit the temperature (if ``fresh``), then thresholds at it (if ``fit``).

        What is fitted is said to be from ``words``.
        """
        samples, truth = part.samples, part.truth
        facts: dict[str, Any] = {
            "data": part.data.digest,
            "part": part.name,
            "seed": simulation_seed(part.data),
            "half_orbits": len(samples),
            "flip": self.running.flip,
        }
        done = start
        if fresh:
            self.predictor.temperature = 1.0
            with self._metered("calibrating", samples) as progress:
                sheet = score_archive(
                    self.predictor,
                    part.data.archive,
                    self.images,
                    truth=truth,
                    regions=start.regions,
                    entries=samples,
                    batch=self.running.batch,
                    resamples=0,
                    progress=progress,
                )
            fitted = sheet.calibration
            done = replace(done, temperature=round(fitted["temperature"], 4), fitted_on=words)
            facts["temperature"] = done.temperature
            facts["ece"] = {"before": fitted["ece"], "after": fitted["scaled"]["ece"]}
        if fit:
            self.predictor.temperature = done.temperature
            with self._metered("choosing thresholds", samples) as progress:
                best = fit_thresholds(
                    self.predictor,
                    samples,
                    self.images,
                    truth,
                    start.regions,
                    overlap=overlap,
                    batch=self.running.batch,
                    progress=progress,
                )
            done = replace(done, regions=best.regions, thresholds_on=words)
            facts["regions"] = {"f1": best.f1, "overlap": overlap, "nuclei": best.nuclei}
        return replace(done, facts=facts)

    def score(
        self, part: _Part, calibration: Calibration, notes: list[str], resamples: int
    ) -> Evaluation:
        """The sheet of one part."""
        samples, seed = part.samples, simulation_seed(part.data)
        notes = [*self._notes(part, samples, calibration), *notes]
        examples: list[Example] = []
        self.predictor.temperature = calibration.temperature
        with self._metered("scoring", samples) as progress:
            sheet = score_archive(
                self.predictor,
                part.data.archive,
                self.images,
                truth=part.truth,
                regions=calibration.regions,
                entries=samples,
                batch=self.running.batch,
                about=self._about(part, calibration, seed),
                resamples=resamples,
                temperature=calibration.temperature if calibration.fitted_on else None,
                fitted_on=calibration.fitted_on,
                tempered=True,
                examples=examples,
                progress=progress,
            )
        if seed is None:
            sheet = replace(sheet, caveat=BY_PEOPLE)
        return Evaluation(
            sheet, calibration, examples, tuple(notes), part.name, part.data.digest, seed
        )

    def _about(self, part: _Part, calibration: Calibration, seed: int | None) -> dict[str, Any]:
        card, running = self.method.card, self.running
        about: dict[str, Any] = {"model": self.method.name}
        if card is not None:
            about |= {"folder": self.method.folder, "digest": card.digest}
        about |= {"data": f"{part.name} of data set {part.data.digest}"}
        if seed is not None:
            about["seed"] = seed
        about["image"] = self.images.to_dict()
        about["run"] = {
            "engine": self.predictor.engine,
            "device": str(self.predictor.device),
            "precision": running.precision,
            "flip": running.flip,
        }
        about["temperature"] = calibration.temperature
        about["temperature from"] = calibration.fitted_on or "nowhere: not calibrated"
        about["thresholds from"] = calibration.thresholds_on or (
            "the defaults" if card is None else FOLDER
        )
        return about

    def _notes(
        self, part: _Part, samples: list[OrbitSample], calibration: Calibration
    ) -> list[str]:
        notes = []
        differing = differing_images(self.images, part.data.settings)
        if differing:
            notes.append(f"the images are the method's, not the data set's: {differing}")
        card = self.method.card
        if part.name == "train" and card is not None and card.training_data == part.data.digest:
            notes.append("the model was trained on these half-orbits")
        known = {} if card is None else card.metrics.get(CALIBRATION, {})
        used = FOLDER in (calibration.fitted_on, calibration.thresholds_on or FOLDER)
        if used and (known.get("data"), known.get("part")) == (part.data.digest, part.name):
            notes.append("the model folder was calibrated on these half-orbits")
        if not any(sample.has_object for sample in samples):
            notes.append(f"nothing is drawn in {part.name}: there is no recall")
        return notes

    def _metered(
        self, what: str, samples: list[OrbitSample]
    ) -> AbstractContextManager[Progress | None]:
        if self.meter is None:
            return nullcontext()
        return _Metered(self.meter(what, len(samples)))


class _Metered(AbstractContextManager["Progress | None"]):
    """A meter as `score_archive` calls it: with (done, all), one by one."""

    def __init__(self, inner: AbstractContextManager[Callable[[int], None]]) -> None:
        self.inner = inner

    def __enter__(self) -> Progress:
        advance = self.inner.__enter__()
        return lambda done, total: advance(1)

    def __exit__(self, *error: Any) -> bool | None:
        return self.inner.__exit__(*error)


def _images_of(method: Method, data: OrbitDataset) -> OrbitImageSettings:
    """The data set's images; native ones where scales in native pixels are part of a method."""
    if method.learned:
        return data.settings
    own = data.settings
    return OrbitImageSettings(own.minimum, own.maximum, component=own.component)


def _opened(dataset: OrbitDataset | str | Path) -> OrbitDataset:
    return dataset if isinstance(dataset, OrbitDataset) else OrbitDataset.load(dataset)
