"""The thresholds of a trained model, searched on predictions that are made once.

Nothing is trained: a trial takes milliseconds to seconds, so trials run in this process, one after
the other; Ray would spend most of the time on starting them. The study is as of any sweep.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from odm.core.errors import InputError
from odm.datasets.ionogram import IonogramDataset, load_ionogram_sample
from odm.datasets.orbit import OrbitDataset
from odm.findings.layers import DETECTOR, LayerFinder
from odm.findings.outlines import Mask
from odm.findings.regions import TEMPERATURE, RegionSettings, find_regions
from odm.images.geometry import SpectrogramGeometry
from odm.models.card import ModelCard, read_model_card
from odm.scoring.matching import OVERLAPS, match_regions, overlap_matrix
from odm.scoring.orbit.archive import predict_entries
from odm.scoring.orbit.evaluate import CALIBRATION, Meter
from odm.scoring.orbit.methods import open_method
from odm.scoring.orbit.save import SCORES
from odm.scoring.orbit.truth import Truth
from tuning.board import Board
from tuning.folder import Sweep, SweepFolder
from tuning.runners.local import run_plain
from tuning.spaces import Space
from tuning.stopping import Rule
from tuning.study import CUTS, Ledger, TrialRequest
from tuning.sweep import open_dataset
from tuning.trial import TrialOutcome

REGION_NAMES = {"probability", "hysteresis", "minimum_area", "seed_pixels"}
BOX_NAMES = {"score", "nms"}
PART = "validation"
BOX_OVERLAP = 0.5


class Cached(Protocol):
    """A model's predictions on one part of a data set, scored at any thresholds."""

    names: set[str]
    """Parameters that mean something for it."""
    own: dict[str, Any]
    """The thresholds of its folder."""

    def thresholds(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What a model folder holds, from the values of parameters."""
        ...

    def score(self, thresholds: Mapping[str, Any]) -> dict[str, float]:
        """``f1``, ``precision`` and ``recall`` at thresholds."""
        ...


@dataclass(frozen=True)
class _Map:
    """The answer to one half-orbit, and what is true of it."""

    probability: Any
    geometry: SpectrogramGeometry
    valid: Mask
    true: list[Mask]


class RegionMaps:
    """Probability maps of a segmenter, at the temperature of its folder.

    True regions are those of the folder's own thresholds, whatever is tried: a larger minimum area
    shall not make small nuclei go away.

    Args:
        folder: of the model.
        dataset: whose validation part is used.
        batch: images at once.
        engine: see `odm.models.engines`.
        meter: shows progress.
    """

    names = REGION_NAMES

    def __init__(
        self,
        folder: str,
        dataset: OrbitDataset,
        *,
        batch: int = 2,
        engine: str = "auto",
        meter: Meter | None = None,
    ) -> None:
        from odm.models.predictor import Predictor

        method = open_method(folder)
        assert method.image is not None
        method.check_classes(dataset.annotations.classes)
        self.temperature = method.temperature
        self.base = method.regions
        self.own = method.regions.to_dict()
        predict = Predictor(
            method.segmenter, batch=batch, engine=engine, temperature=self.temperature or 1.0
        )
        truth = Truth.load(str(dataset.annotations.folder))
        samples = dataset.samples(PART)
        self.maps = [
            _Map(
                one.probability,
                one.geometry,
                one.valid,
                [region.mask for region in truth.regions(one.orbit, self.base, one.shown)],
            )
            for one in _metered(
                meter, len(samples), predict_entries(predict, samples, method.image, batch)
            )
        ]
        if not any(one.true for one in self.maps):
            raise InputError(f"nothing is drawn in {PART}: there is nothing to choose by")

    def thresholds(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """See `Cached.thresholds`."""
        high = values.get("probability", self.base.threshold)
        share = values.get("hysteresis", self.base.low_threshold / self.base.threshold)
        changes = {name: values[name] for name in ("minimum_area", "seed_pixels") if name in values}
        low = min(high, share * high)
        return replace(self.base, threshold=high, low_threshold=low, **changes).to_dict()

    def score(self, thresholds: Mapping[str, Any]) -> dict[str, float]:
        """See `Cached.score`; regions match at IoU 0.25."""
        settings = RegionSettings(**thresholds)
        hit = false = nuclei = 0
        for one in self.maps:
            valid = one.geometry.mask_to_native(one.valid)
            found = [
                region
                for region in find_regions(one.probability, one.geometry, settings)
                if valid[region.mask].any()
            ]
            iou, _ = overlap_matrix(one.true, [region.mask for region in found])
            hits = match_regions(iou, [region.confidence for region in found], OVERLAPS[0]).hits
            nuclei += len(one.true)
            hit += int(hits.sum())
            false += int((~hits).sum())
        return _shares(hit, false, nuclei)


class BoxOutputs:
    """What a detector gives before boxes are picked.

    Args:
        folder: of the model.
        dataset: whose validation part is used.
        batch: images at once.
        engine: see `odm.models.engines`.
        meter: shows progress.
    """

    names = BOX_NAMES

    def __init__(
        self,
        folder: str,
        dataset: IonogramDataset,
        *,
        batch: int = 8,
        engine: str = "auto",
        meter: Meter | None = None,
    ) -> None:
        finder = LayerFinder.open(folder, batch=batch, engine=engine)
        if dataset.config.classes != finder.class_names:
            raise InputError(f"{folder} finds {', '.join(finder.class_names)}, which is not what "
                             "the data set has")  # fmt: skip
        self.classes = len(finder.class_names)
        self.base, self.own = finder.settings, finder.settings.to_dict()
        self.size = (finder.image.height, finder.image.width)
        self.outputs: list[Any] = []
        self.truth: list[Any] = []
        samples = dataset.samples(PART)
        for sample in _metered(meter, len(samples), samples):
            image, truth = load_ionogram_sample(sample, finder.image)
            full = np.zeros((batch, *self.size), np.uint8)
            full[0] = image
            self.outputs.append(finder.predictor.output(full)[:1].cpu().clone())
            self.truth.append(truth)

    def thresholds(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """See `Cached.thresholds`."""
        chosen = {
            "threshold": values.get("score", self.base.threshold),
            "overlap": values.get("nms", self.base.overlap),
        }
        return replace(self.base, **chosen).to_dict()

    def score(self, thresholds: Mapping[str, Any]) -> dict[str, float]:
        """See `Cached.score`; boxes match at IoU 0.5, and F1 is the mean over the classes."""
        from odm.models.boxes import BoxSettings, pick_boxes
        from odm.scoring.ionogram.boxes import BoxCounts

        settings = BoxSettings.from_dict(thresholds)
        counts = BoxCounts(self.classes, (BOX_OVERLAP,))
        for output, truth in zip(self.outputs, self.truth, strict=True):
            (boxes,) = pick_boxes(output, self.size, settings)
            counts.add(truth[:, 1:], truth[:, 0].astype(np.int64), *boxes)
        false, hit = counts.found[:, 0].sum(axis=-1).T
        each = [
            _shares(*three) for three in zip(hit, false, counts.truths, strict=True) if three[2]
        ]
        if not each:
            raise InputError(f"nothing is drawn in {PART}: there is nothing to choose by")
        return {name: float(np.mean([one[name] for one in each])) for name in each[0]}


def _shares(hit: float, false: float, truths: float) -> dict[str, float]:
    return {
        "f1": float(2 * hit / max(2 * hit + false + truths - hit, 1)),
        "precision": float(hit / max(hit + false, 1)),
        "recall": float(hit / max(truths, 1)),
    }


def _metered(meter: Meter | None, total: int, items: Any) -> Any:
    if meter is None:
        yield from items
        return
    with meter("predicting", total) as advance:
        for item in items:
            advance(1)
            yield item


@dataclass(frozen=True)
class Searched:
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
    model: str,
    data: Path,
    space: Space,
    trials: int,
    folder: Callable[[Sweep], SweepFolder],
    *,
    seed: int = 0,
    engine: str = "auto",
    meter: Meter | None = None,
    say: Callable[[str], None] = print,
) -> tuple[SweepFolder, Searched]:
    """Search the thresholds of a model, or go on with it.

    Args:
        model: its folder.
        data: a ``dataset.yaml``, whose validation part is used.
        space: what is searched; parameters of the other kind of model are left out.
        trials: in all.
        folder: gives the place of a sweep.
        seed: of the search.
        engine: of the model; see `odm.models.engines`.
        meter: shows the progress of predictions.
        say: hears what the user should know.

    Returns:
        The sweep's folder, and what was found.

    Raises:
        InputError: no model folder, no such data set, or nothing of the space fits the model.
        TuningError: every trial failed.
    """
    card = read_model_card(model)
    boxes = card.architecture["kind"] == DETECTOR
    chosen = space.only(BOX_NAMES if boxes else REGION_NAMES)
    dataset = open_dataset("detector" if boxes else "segmenter", data)
    sweep = Sweep(
        "thresholds",
        chosen,
        str(data.expanduser().resolve()),
        dataset.digest,
        objectives=("f1",),
        rule=Rule("none"),
        seed=seed,
        model=card.digest,
        annotations_from=dataset.annotations.source,
    )
    place = folder(sweep)
    with place.driven(sweep):
        cached: Cached = (BoxOutputs if boxes else RegionMaps)(
            model, dataset, engine=engine, meter=meter
        )
        ledger = Ledger(
            place.journal, place.name, sweep.looked_for, chosen.distributions, seed=seed
        )
        ledger.adopt_orphans(CUTS)
        began, before = time.monotonic(), ledger.counts().finished

        def run(asked: TrialRequest, tell: Callable[[int, float], bool]) -> TrialOutcome:
            thresholds = cached.thresholds(asked.values)
            return TrialOutcome(
                {**cached.score(thresholds), "thresholds": thresholds}, stopped=False
            )

        with closing(Board(ledger, trials, "thresholds")) as board:
            run_plain(ledger, trials, run, board)
        new = max(1, ledger.counts().finished - before)
        best = ledger.best().user_attrs
        own = cached.score(cached.own)
        found = Searched(
            own,
            {name: best[name] for name in own},
            dict(best["thresholds"]),
            (time.monotonic() - began) / new,
        )
    if not found.gains:
        say(f"nothing beats the thresholds of the model folder on {PART}")
    return place, found


def save_thresholds(model: str, found: Searched, sweep: str, digest: str) -> ModelCard:
    """Write the best thresholds into the model's folder; its digest changes, its weights do not.

    Args:
        model: its folder.
        found: of the search.
        sweep: its name.
        digest: of the data set that it was searched on.
    """
    from odm.models.folder import load_model, save_again

    loaded = load_model(model)
    card = loaded.card
    thresholds = dict(found.thresholds)
    if TEMPERATURE in card.thresholds:
        thresholds[TEMPERATURE] = card.thresholds[TEMPERATURE]
    facts = {"f1": found.best["f1"], "data": digest, "part": PART, "searched by": sweep}
    # Scores with other thresholds are not scores of this model.
    metrics = {name: value for name, value in card.metrics.items() if name != SCORES}
    metrics[CALIBRATION] = {**card.metrics.get(CALIBRATION, {}), "thresholds": facts}
    return save_again(model, loaded, thresholds=thresholds, metrics=metrics)
