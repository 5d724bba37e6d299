"""Layers without learning, beside the shipped detector: bright areas, and a line in frequency.

    python benchmarks/layer_baseline.py [--work runs/shipped_detector] [--ionograms 2000]
                                        [--scored 400]

The smoothed SNR is cut at a level; areas of a size are layers. An area whose lower edge rises by
less than a number of km per MHz, counted from the origin, is Es: a low layer is seen at a nearly
constant elevation. Level, size and that number are searched on a part of the ionograms that the
detector is trained on, temperature and threshold on their validation part, as the detector's are.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import report
from numpy.typing import NDArray
from scipy import ndimage
from simulated_ionograms import scored_set, training_set

from odm.datasets.ionogram import IonogramDataset, load_ionogram_sample
from odm.images.ionogram import IonogramImageSettings
from odm.scoring.ionogram.boxes import ScoredIonogram, fit_boxes
from odm.scoring.ionogram.sheet import layer_sheet

SEARCHED = 150
"""Ionograms of the training part on which the rule's numbers are searched."""
OVERLAP = 0.25
CLASSES = ("Es", "F")
Loaded = tuple[str, NDArray[Any], NDArray[Any]]


@dataclass(frozen=True)
class Rule:
    """The numbers of the method.

    Attributes:
        level: dB above which the smoothed SNR is bright.
        area: least pixels of a layer.
        slope: km of range per MHz below which it is Es.
    """

    level: float
    area: int
    slope: float


RULES = [
    Rule(*one) for one in itertools.product((4, 6, 8, 10), (300, 800, 1500, 2500), (55, 65, 75))
]


def find(
    image: NDArray[Any], settings: IonogramImageSettings, rule: Rule
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Edges (N, 4) in pixels, scores (N,) and classes (N,) of the bright areas of an image."""
    snr = np.nan_to_num(settings.to_values(image))
    snr = snr - np.median(snr, axis=0)  # columns of interference are bright from top to bottom
    smooth = ndimage.gaussian_filter(snr, 1.5)
    labels, _ = ndimage.label(ndimage.binary_closing(smooth > rule.level, iterations=2))
    edges, scores, classes = [], [], []
    for number, where in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[where] == number
        if inside.sum() < rule.area:
            continue
        top, left = where[0].start, where[1].start
        columns = np.flatnonzero(inside.any(axis=0))
        lowest = where[0].stop - np.argmax(inside[::-1, columns], axis=0)
        frequency, group_range = settings.to_physical(left + columns + 0.5, lowest)
        edges.append((left, top, where[1].stop, where[0].stop))
        scores.append(1 / (1 + np.exp(-(smooth[where][inside].mean() - 6) / 3)))
        classes.append(int(np.median(group_range / (frequency / 1e6)) >= rule.slope))
    return (
        np.array(edges, np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
        np.array(classes, np.int64),
    )


def load(data: IonogramDataset, part: str, number: int | None = None) -> list[Loaded]:
    """Names, images and boxes of a part."""
    samples = data.samples(part)[:number]
    return [(one.key.identity, *load_ionogram_sample(one, data.config.image)) for one in samples]


def scored(
    loaded: Sequence[Loaded], settings: IonogramImageSettings, rule: Rule
) -> list[ScoredIonogram]:
    """What the rule finds."""
    return [
        ScoredIonogram(name, truth, *find(image, settings, rule)) for name, image, truth in loaded
    ]


def mean_f1(found: Sequence[ScoredIonogram], threshold: float) -> float:
    """Return the mean F1 of both classes."""
    sheet = layer_sheet(found, CLASSES, threshold)
    return float(np.mean([row["f1"] for row in sheet.layers if row["overlap"] == OVERLAP]))


def main() -> None:
    """Search the rule, then score it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("runs/shipped_detector"))
    parser.add_argument("--ionograms", type=int, default=2000)
    parser.add_argument("--scored", type=int, default=400)
    options = parser.parse_args()
    data = IonogramDataset.load(training_set(options.work, options.ionograms))
    image = data.config.image
    searched = load(data, "train", SEARCHED)
    rule = max(RULES, key=lambda one: mean_f1(scored(searched, image, one), 0))
    temperature, threshold = fit_boxes(scored(load(data, "validation"), image, rule), len(CLASSES))
    rows = []
    for name, ray_model in (("both ray models", None), ("the second alone", "layered")):
        test = IonogramDataset.load(scored_set(options.work, options.scored, ray_model=ray_model))
        found = [one.tempered(temperature) for one in scored(load(test, "test"), image, rule)]
        sheet = layer_sheet(found, CLASSES, threshold)
        shown = ("truths", "found", "precision", "recall", "f1", "ap25", "ap50", "ap")
        rows += [
            {"data": name, "layer": row["layer"], **{key: _rounded(row.get(key)) for key in shown}}
            for row in sheet.layers
            if row["overlap"] == OVERLAP
        ]
    report("layer_baseline", rows, rule=vars(rule),
           temperature=temperature, threshold=threshold, overlap=OVERLAP)  # fmt: skip


def _rounded(value: float | None) -> float | str:
    return "" if value is None else round(float(value), 3)


if __name__ == "__main__":
    main()
