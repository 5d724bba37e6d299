"""A campaign of ionograms against what is true: the layers that it found, scored as boxes.

An image's pixels are the units, as in an evaluation of the model, so both give the same numbers;
but a campaign has no boxes below its threshold, and average precision counts those that it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from odm.archive.ionogram.key import IonogramKey
from odm.archive.ionogram.reader import open_ionogram
from odm.catalog.campaign import Campaign
from odm.catalog.kinds import list_inputs
from odm.core.errors import InputError
from odm.core.files import join
from odm.core.statement import SIMULATED_DATA
from odm.datasets.labels.layers import SIMULATED, LayerLabels, boxes_on_image, load_layer_labels
from odm.images.ionogram import IonogramImageSettings, ionogram_image
from odm.images.layer_truth import KnownLayer, read_layers
from odm.scoring.campaigns import about_campaign, finished_inputs, truth_folder
from odm.scoring.evaluation import Evaluation, Meter, metered
from odm.scoring.ionogram.boxes import ScoredIonogram
from odm.scoring.ionogram.edges import SEEN_DB, EdgeScores
from odm.scoring.ionogram.pictures import LayerExample, Line, layer_figures, spread
from odm.scoring.ionogram.sheet import layer_sheet
from odm.scoring.sheet import BY_PEOPLE

Row = Mapping[str, Any]


def score_layers(
    campaign: Campaign, truth: str, resamples: int, meter: Meter | None = None
) -> Evaluation:
    """Score a campaign of ionograms; see `odm.scoring.campaigns.score_campaign`.

    Its examples are evenly spread in time. Boxes have no intervals that need resamples.
    """
    card = campaign.card
    classes = tuple(card.settings["classes"])
    labels = load_layer_labels(truth_folder(truth), classes)
    listed = list_inputs(card.kind, card.archive).inputs
    files = {entry.identity: entry.source for entry in listed}
    rows, left_out = finished_inputs(campaign, "source", files)
    with_edges = card.settings["edges"] != "none" and labels.source == SIMULATED
    known = read_layers(truth_folder(truth)) if with_edges else None
    image = IonogramImageSettings.from_dict(dict(card.settings["image"]))
    labelled = [row for row in rows if _stem(row) in labels.images]
    if not labelled:
        raise InputError(f"{labels.folder}: labels none of the ionograms that are done")
    shown = set(spread(len(labelled)))
    scored: list[ScoredIonogram] = []
    examples: list[LayerExample] = []
    edges = EdgeScores()
    with metered(meter, "scoring", len(labelled), "ionograms") as advance:
        for number, row in enumerate(labelled):
            ionogram = open_ionogram(join(card.archive, row["source"]))
            scored.append(_scored(row, ionogram, labels, image))
            layers = () if known is None else known.get(_stem(row), ())
            if known is not None:
                step_km = float(np.median(np.diff(ionogram["group_range"].values)))
                edges.add(row["findings"], layers, step_km)
            if number in shown:
                picture = ionogram_image(ionogram, image)
                true_lines = tuple(_true_line(layer, image) for layer in layers)
                lines = tuple(_line(layer, image) for layer in row["findings"])
                examples.append(LayerExample(picture, scored[-1], true_lines, lines))
            advance(1)
    threshold = card.settings["boxes"]["threshold"]
    about = {
        **about_campaign(campaign, truth),
        **left_out,
        "ionograms done without labels, not scored": len(rows) - len(labelled),
        "average precision": f"of boxes with a score of at least {threshold:g}, which are all",
    }
    sheet = layer_sheet(scored, classes, threshold, about, caveat_of(labels))
    if known is not None:
        sheet = replace(sheet, edges=edges.rows(classes))
    return Evaluation(sheet, examples, layer_figures)


def caveat_of(labels: LayerLabels) -> str:
    """Return what is to be read with scores against labels."""
    if labels.source == SIMULATED:
        return SIMULATED_DATA[:1].upper() + SIMULATED_DATA[1:]
    return BY_PEOPLE


def _stem(row: Row) -> str:
    return IonogramKey.parse(row["source"]).stem


def _scored(
    row: Row, ionogram: xr.Dataset, labels: LayerLabels, image: IonogramImageSettings
) -> ScoredIonogram:
    """Return true and found boxes of an ionogram in pixels."""
    stem, layers = _stem(row), row["findings"]
    labelled = labels.images[stem]
    columns = ("frequency_min", "frequency_max", "range_min", "range_max")
    edges = [image.box_to_pixels(*(layer[name] for name in columns)) for layer in layers]
    classes = [labels.classes.index(layer["layer"]) for layer in layers]
    return ScoredIonogram(
        stem,
        boxes_on_image(labelled, ionogram, image, labels.classes),
        np.array(edges, np.float64).reshape(-1, 4),
        np.array([layer["confidence"] for layer in layers], np.float64),
        np.array(classes, np.int64),
        labelled.ray_model,
    )


def _true_line(layer: KnownLayer, image: IonogramImageSettings) -> Line:
    """Return where a true edge can be seen, in pixels; elsewhere NaN."""
    seen = np.where(layer.edge_snr >= SEEN_DB, layer.edge_group_range, np.nan)
    x, y = image.to_pixel(layer.edge_frequency, seen)
    return x + 0.5, y + 0.5


def _line(layer: Row, image: IonogramImageSettings) -> Line:
    frequency, ranges = layer.get("edge_frequency") or [], layer.get("edge_group_range") or []
    x, y = image.to_pixel(frequency, ranges)
    return x + 0.5, y + 0.5
