"""A campaign of ionograms against what is true: the layers that it found, scored as boxes.

An image's pixels are the units, as in an evaluation of the model, so both give the same numbers;
but a campaign has no boxes below its threshold, and average precision counts those that it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.archive.ionogram.key import IonogramKey
from odm.archive.ionogram.reader import open_ionogram
from odm.core.errors import InputError
from odm.core.files import join
from odm.core.statement import SIMULATED_DATA
from odm.datasets.labels.layers import SIMULATED, LayerLabels, boxes_on_image
from odm.images.ionogram import IonogramImageSettings, ionogram_image
from odm.images.layer_truth import KnownLayer
from odm.scoring.ionogram.edge_errors import SEEN_DB
from odm.scoring.ionogram.edges import EdgeScores
from odm.scoring.ionogram.evaluate import EXAMPLES
from odm.scoring.ionogram.layers import ScoredIonogram, layer_sheet
from odm.scoring.ionogram.sheet import LayerExample, LayerSheet, Line
from odm.scoring.orbit.evaluate import BY_PEOPLE

Row = Mapping[str, Any]


def score_layers(
    rows: Iterable[Row],
    archive: str,
    labels: LayerLabels,
    *,
    image: IonogramImageSettings,
    threshold: float,
    about: dict[str, Any],
    advance: Callable[[int], object],
    edges: Mapping[str, Sequence[KnownLayer]] | None = None,
) -> tuple[LayerSheet, list[LayerExample]]:
    """Score the outcomes of a campaign.

    Args:
        rows: ``source`` and ``findings`` of ionograms that are done and not in quarantine.
        archive: of the campaign.
        labels: what is true; ionograms that nobody has labelled are not scored.
        image: the model's.
        threshold: of the campaign.
        about: what is scored; gets what is to be known beside.
        advance: called with the number of ionograms that were just looked at.
        edges: true layers by ionogram, with their leading edges; None where nobody knows them.

    Returns:
        The scores, and ionograms to look at, evenly spread in time.

    Raises:
        InputError: none of the ionograms is labelled.
        ArchiveError: an ionogram is no longer what it was.
    """
    stems = [(IonogramKey.parse(row["source"]).stem, row) for row in rows]
    chosen = [(stem, row) for stem, row in stems if stem in labels.images]
    if not chosen:
        raise InputError(f"{labels.folder}: labels none of the ionograms that are done")
    shown = set(np.unique(np.linspace(0, len(chosen) - 1, EXAMPLES).astype(int)).tolist())
    advance(len(stems) - len(chosen))
    scored, examples, edge_scores = [], [], EdgeScores()
    for number, (stem, row) in enumerate(chosen):
        ionogram = open_ionogram(join(archive, row["source"]))
        labelled = labels.images[stem]
        truth = boxes_on_image(labelled, ionogram, image, labels.classes)
        one = ScoredIonogram(
            stem, truth, *_boxes(row["findings"], labels.classes, image), labelled.ray_model
        )
        scored.append(one)
        known = edges.get(stem, ()) if edges is not None else ()
        if edges is not None:
            ranges = ionogram["group_range"].values
            edge_scores.add(row["findings"], known, float(np.median(np.diff(ranges))))
        if number in shown:
            examples.append(
                LayerExample(
                    stem,
                    ionogram_image(ionogram, image),
                    one.truth,
                    one.edges,
                    one.scores,
                    one.classes,
                    tuple(_true_line(layer, image) for layer in known),
                    tuple(_line(layer, image) for layer in row["findings"]),
                )
            )
        advance(1)
    about["ionograms done without labels, not scored"] = len(stems) - len(chosen)
    about["average precision"] = f"of boxes with a score of at least {threshold:g}, which are all"
    caveat = BY_PEOPLE
    if labels.source == SIMULATED:
        caveat = SIMULATED_DATA[:1].upper() + SIMULATED_DATA[1:]
    sheet = layer_sheet(scored, labels.classes, threshold, about, caveat)
    if edges is not None:
        sheet = replace(sheet, edges=edge_scores.rows(labels.classes))
    return sheet, examples


def _true_line(layer: KnownLayer, image: IonogramImageSettings) -> Line:
    """Where a true edge can be seen, in pixels; elsewhere NaN."""
    seen = np.where(layer.edge_snr >= SEEN_DB, layer.edge_group_range, np.nan)
    x, y = image.to_pixel(layer.edge_frequency, seen)
    return x + 0.5, y + 0.5


def _line(row: Row, image: IonogramImageSettings) -> Line:
    frequency, ranges = row.get("edge_frequency") or [], row.get("edge_group_range") or []
    x, y = image.to_pixel(frequency, ranges)
    return x + 0.5, y + 0.5


def _boxes(
    layers: Sequence[Row], classes: Sequence[str], image: IonogramImageSettings
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Edges (N, 4) in pixels, scores (N,) and classes (N,) of rows of a catalog."""
    edges = [
        image.box_to_pixels(
            row["frequency_min"], row["frequency_max"], row["range_min"], row["range_max"]
        )
        for row in layers
    ]
    return (
        np.array(edges, np.float64).reshape(-1, 4),
        np.array([row["confidence"] for row in layers], np.float64),
        np.array([list(classes).index(row["layer"]) for row in layers], np.int64),
    )
