"""The thresholds of a trained model, searched on predictions that are made once.

Nothing is trained: a trial takes milliseconds to seconds, so trials run in this process, one after
the other; Ray would spend most of the time on starting them. The study is as of any sweep.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from odm.core.errors import InputError
from odm.core.kinds import TASKS
from odm.datasets.ionogram import IonogramDataset, load_ionogram_sample
from odm.datasets.orbit import OrbitDataset
from odm.findings.layers import LayerFinder
from odm.findings.outlines import Mask
from odm.findings.regions import TEMPERATURE, RegionSettings
from odm.models.card import ModelCard, read_model_card
from odm.scoring.curves import rates
from odm.scoring.evaluation import CALIBRATION, SCORES, VALIDATION, Meter, metered
from odm.scoring.matching import OVERLAPS
from odm.scoring.orbit.maps import (
    MapSource,
    PredictedOrbit,
    measured_regions,
    predict_orbits,
    region_hits,
)
from odm.scoring.orbit.methods import open_method
from odm.scoring.orbit.truth import Truth
from tuning.board import Board
from tuning.folder import Sweep, SweepFolder
from tuning.runners.local import run_plain
from tuning.spaces import Space
from tuning.stopping import Rule
from tuning.study import CUTS, Ledger, TrialRequest
from tuning.sweep import open_dataset
from tuning.trial import TrialOutcome

BOX_OVERLAP = 0.5


@dataclass(frozen=True)
class ThresholdSearch:
    """A search of the thresholds of a model.

    Attributes:
        model: its folder.
        data: a ``dataset.yaml``, whose validation part is used.
        space: what is searched; parameters of the other kind of model are left out.
        trials: in all.
        seed: of the search.
        engine: of the model; see `odm.models.engines`.
    """

    model: str
    data: Path
    space: Space
    trials: int
    seed: int = 0
    engine: str = "auto"


class CachedPredictions(ABC):
    """A model's predictions on the validation part of a data set, scored at any thresholds.

    Attributes:
        NAMES: parameters that mean something for it.
        own: the thresholds of its folder.
    """

    NAMES: frozenset[str]
    own: dict[str, Any]

    @abstractmethod
    def thresholds(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a model folder holds, from the values of parameters."""

    @abstractmethod
    def score(self, thresholds: Mapping[str, Any]) -> dict[str, float]:
        """Return ``f1``, ``precision`` and ``recall`` at thresholds; 0 where undefined."""


class RegionMaps(CachedPredictions):
    """Probability maps of a segmenter, at the temperature of its folder.

    True regions are those of the folder's own thresholds, whatever is tried: a larger minimum area
    shall not make small nuclei go away.

    Args:
        folder: of the model.
        dataset: whose validation part is used.
        engine: see `odm.models.engines`.
        meter: shows progress.
    """

    NAMES = frozenset({"probability", "hysteresis", "minimum_area", "seed_pixels"})
    BATCH = 2

    def __init__(
        self,
        folder: str,
        dataset: OrbitDataset,
        engine: str = "auto",
        meter: Meter | None = None,
    ) -> None:
        from odm.models.predictor import Predictor

        method = open_method(folder)
        assert method.image is not None
        method.check_classes(dataset.annotations.classes)
        self.base = method.regions
        self.own = method.regions.to_dict()
        temperature = method.temperature or 1.0
        predictor = Predictor(
            method.segmenter, batch=self.BATCH, engine=engine, temperature=temperature
        )
        truth = Truth.load(str(dataset.annotations.folder))
        samples = dataset.samples(VALIDATION)
        source = MapSource(predictor, method.image, self.BATCH)
        self.maps: list[tuple[PredictedOrbit, list[Mask]]] = []
        for predicted in _metered(meter, len(samples), predict_orbits(source, samples)):
            true = truth.regions(predicted.orbit, self.base, predicted.shown)
            self.maps.append((predicted, [region.mask for region in true]))
        if not any(true for _, true in self.maps):
            raise _nothing_drawn()

    def thresholds(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the model folder holds; see `CachedPredictions.thresholds`."""
        high = values.get("probability", self.base.threshold)
        share = values.get("hysteresis", self.base.low_threshold / self.base.threshold)
        changes = {name: values[name] for name in ("minimum_area", "seed_pixels") if name in values}
        low = min(high, share * high)
        return replace(self.base, threshold=high, low_threshold=low, **changes).to_dict()

    def score(self, thresholds: Mapping[str, Any]) -> dict[str, float]:
        """Return the scores of regions, which match at IoU 0.25."""
        settings = RegionSettings(**thresholds)
        hit = false = nuclei = 0
        for predicted, true in self.maps:
            valid = predicted.native_valid
            found = measured_regions(predicted.probability, predicted.geometry, valid, settings)
            confidences = [region.confidence for region in found]
            hits = region_hits(true, found, confidences, OVERLAPS[0])
            nuclei += len(true)
            hit += int(hits.sum())
            false += int((~hits).sum())
        return _rates(hit, false, nuclei - hit)


class BoxOutputs(CachedPredictions):
    """What a detector gives before boxes are picked.

    Args:
        folder: of the model.
        dataset: whose validation part is used.
        engine: see `odm.models.engines`.
        meter: shows progress.
    """

    NAMES = frozenset({"score", "nms"})
    BATCH = 8

    def __init__(
        self,
        folder: str,
        dataset: IonogramDataset,
        engine: str = "auto",
        meter: Meter | None = None,
    ) -> None:
        finder = LayerFinder.open(folder, batch=self.BATCH, engine=engine)
        if dataset.config.classes != finder.class_names:
            raise InputError(f"{folder} finds {', '.join(finder.class_names)}, which is not what "
                             "the data set has")  # fmt: skip
        self.classes = len(finder.class_names)
        self.base, self.own = finder.settings, finder.settings.to_dict()
        self.size = (finder.image.height, finder.image.width)
        self.outputs: list[Any] = []
        self.truth: list[Any] = []
        samples = dataset.samples(VALIDATION)
        for sample in _metered(meter, len(samples), samples):
            image, truth = load_ionogram_sample(sample, finder.image)
            full = np.zeros((self.BATCH, *self.size), np.uint8)
            full[0] = image
            self.outputs.append(finder.predictor.output(full)[:1].cpu().clone())
            self.truth.append(truth)

    def thresholds(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the model folder holds; see `CachedPredictions.thresholds`."""
        chosen = {
            "threshold": values.get("score", self.base.threshold),
            "overlap": values.get("nms", self.base.overlap),
        }
        return replace(self.base, **chosen).to_dict()

    def score(self, thresholds: Mapping[str, Any]) -> dict[str, float]:
        """Return the mean scores of the classes, whose boxes match at IoU 0.5."""
        from odm.models.boxes import BoxSettings, pick_boxes
        from odm.scoring.ionogram.boxes import BoxCounts

        settings = BoxSettings.from_dict(thresholds)
        counts = BoxCounts(self.classes, (BOX_OVERLAP,))
        for output, truth in zip(self.outputs, self.truth, strict=True):
            (boxes,) = pick_boxes(output, self.size, settings)
            counts.add(truth[:, 1:], truth[:, 0].astype(np.int64), *boxes)
        false, hit = counts.found[:, 0].sum(axis=-1).T
        each = [
            _rates(hit[kind], false[kind], truths - hit[kind])
            for kind, truths in enumerate(counts.truths)
            if truths
        ]
        if not each:
            raise _nothing_drawn()
        return {name: float(np.mean([scores[name] for scores in each])) for name in each[0]}


def _nothing_drawn() -> InputError:
    return InputError(f"nothing is drawn in {VALIDATION}: there is nothing to choose by")


def _rates(true: float, false: float, missed: float) -> dict[str, float]:
    """Return ``f1``, ``precision`` and ``recall``; 0 where there is nothing to share."""
    shares = rates(true, false, missed)
    return {name: float(np.nan_to_num(shares[name])) for name in ("f1", "precision", "recall")}


def _metered(meter: Meter | None, total: int, items: Iterable[Any]) -> Iterator[Any]:
    with metered(meter, "predicting", total, "inputs") as advance:
        for item in items:
            advance(1)
            yield item


@dataclass(frozen=True)
class SearchedThresholds:
    """What a search of thresholds ended with.

    Attributes:
        own: scores at the thresholds of the model's folder.
        best: scores at the best ones.
        thresholds: those.
        seconds: of one trial, on average.
    """

    own: dict[str, float]
    best: dict[str, float]
    thresholds: dict[str, Any]
    seconds: float

    @property
    def gains(self) -> bool:
        """Whether the best are better than the folder's own, where they were searched."""
        return self.best["f1"] > self.own["f1"]


def search_thresholds(
    search: ThresholdSearch,
    folder: Callable[[Sweep], SweepFolder],
    *,
    meter: Meter | None = None,
    say: Callable[[str], None] = print,
) -> tuple[SweepFolder, SearchedThresholds]:
    """Search the thresholds of a model, or go on with it.

    Args:
        search: the model, the data and the space.
        folder: gives the place of a sweep.
        meter: shows the progress of predictions.
        say: hears what the user should know.

    Returns:
        The sweep's folder, and the thresholds.

    Raises:
        InputError: no model folder, no such data set, or nothing of the space fits the model.
        TuningError: every trial failed.
    """
    card = read_model_card(search.model)
    task = TASKS.find(card.architecture["kind"])
    predictions: type[Any] = task.load("predictions")
    chosen = search.space.only(set(predictions.NAMES))
    dataset = open_dataset(task.name, search.data)
    sweep = Sweep(
        "thresholds",
        chosen,
        str(search.data.expanduser().resolve()),
        dataset.digest,
        objectives=("f1",),
        rule=Rule("none"),
        seed=search.seed,
        model=card.digest,
        annotations_from=dataset.annotations.source,
    )
    place = folder(sweep)
    with place.driven(sweep):
        cached: CachedPredictions = predictions(search.model, dataset, search.engine, meter)
        ledger = Ledger(
            place.journal, place.name, sweep.looked_for, chosen.distributions, seed=search.seed
        )
        ledger.adopt_orphans(CUTS)
        began, before = time.monotonic(), ledger.counts().finished

        def run(asked: TrialRequest, tell: Callable[[int, float], bool]) -> TrialOutcome:
            thresholds = cached.thresholds(asked.values)
            return TrialOutcome(
                {**cached.score(thresholds), "thresholds": thresholds}, stopped=False
            )

        with closing(Board(ledger, search.trials, "thresholds")) as board:
            run_plain(ledger, search.trials, run, board)
        new = max(1, ledger.counts().finished - before)
        best = ledger.best().user_attrs
        own = cached.score(cached.own)
        searched = SearchedThresholds(
            own,
            {name: best[name] for name in own},
            dict(best["thresholds"]),
            (time.monotonic() - began) / new,
        )
    if not searched.gains:
        say(f"nothing beats the thresholds of the model folder on {VALIDATION}")
    return place, searched


def save_thresholds(model: str, searched: SearchedThresholds, sweep: str, digest: str) -> ModelCard:
    """Write the best thresholds into the model's folder; its digest changes, its weights do not.

    Args:
        model: its folder.
        searched: the thresholds.
        sweep: its name.
        digest: of the data set that it was searched on.
    """
    from odm.models.folder import load_model, save_again

    loaded = load_model(model)
    card = loaded.card
    thresholds = dict(searched.thresholds)
    if TEMPERATURE in card.thresholds:
        thresholds[TEMPERATURE] = card.thresholds[TEMPERATURE]
    facts = {"f1": searched.best["f1"], "data": digest, "part": VALIDATION, "searched by": sweep}
    # Scores with other thresholds are not scores of this model.
    metrics = {name: value for name, value in card.metrics.items() if name != SCORES}
    metrics[CALIBRATION] = {**card.metrics.get(CALIBRATION, {}), "thresholds": facts}
    return save_again(model, loaded, thresholds=thresholds, metrics=metrics)
