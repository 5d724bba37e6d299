"""The page of a campaign of ionograms: a timeline of its layers, and each with its ionogram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from odm.archive.errors import OdmError
from odm.archive.files import exists, join
from odm.archive.ionograms import open_ionogram
from odm.catalog.campaign import Campaign
from odm.catalog.context import utc
from odm.catalog.ionogram_statistics import LAYERS
from odm.images.ionogram import cell_borders
from odm.progress import progress
from odm.report.captions import STATEMENT
from odm.report.crops import Crop, jpeg
from odm.report.gather import INSIDE, write_beside
from odm.report.orbit_page import Page
from odm.report.page_data import category, rounded

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from odm.report.report import ReportOptions

PIXELS = (360, 240)
_LOWEST_DB, _HIGHEST_DB = -3.0, 25.0
FLAGS = ("band_edge", "range_edge", "gap", "other_convention")
_AXES = {"x": {"scale": 1e-6, "label": "MHz"}, "y": {"label": "km"}}
_SHOWN = {
    "colour": "layer",
    "map": False,
    "timeline": {"y": "minimum_group_range", "label": "minimum group range, km"},
    "histograms": [
        {"column": "time", "label": "time (UTC)", "bins": 48, "time": True},
        {"column": "hour", "label": "hour (UTC)", "edges": [0, 24, 1]},
        {"column": "minimum_group_range", "label": "minimum group range, km", "bins": 40},
        {"column": "edge_frequency_max", "label": "highest frequency, MHz", "scale": 1e-6,
         "bins": 40},
        {"column": "confidence", "label": "confidence", "edges": [0, 1, 0.025]},
    ],
    "table": [
        {"column": "time", "label": "time", "kind": "time"},
        {"column": "frequency_min", "label": "from MHz", "scale": 1e-6, "digits": 2},
        {"column": "frequency_max", "label": "to MHz", "scale": 1e-6, "digits": 2},
        {"column": "minimum_group_range", "label": "least km", "digits": 0},
        {"column": "range_max", "label": "to km", "digits": 0},
        {"column": "confidence", "label": "confidence", "digits": 3},
    ],
    "details": [
        {"column": "frequency_min", "label": "from", "scale": 1e-6, "digits": 2, "unit": "MHz"},
        {"column": "frequency_max", "label": "to", "scale": 1e-6, "digits": 2, "unit": "MHz"},
        {"column": "range_min", "label": "range from", "digits": 0, "unit": "km"},
        {"column": "range_max", "label": "range to", "digits": 0, "unit": "km"},
        {"column": "confidence", "label": "confidence", "digits": 3, "unit": ""},
    ],
}  # fmt: skip


def ionogram_page(
    out: str,
    campaign: Campaign,
    layers: pd.DataFrame,
    ionograms: pd.DataFrame,
    digest: str,
    *,
    options: ReportOptions,
    line: str,
) -> Page:
    """Collect what the page shows, and draw its pictures.

    Args:
        out: folder of the page.
        campaign: shown.
        layers: a row per layer, with ``ionogram``, the row in ``ionograms``, and what
            `odm.catalog.ionogram_statistics.edge_series` gives.
        ionograms: a row per outcome.
        digest: of the outcomes.
        options: of the report.
        line: the caption.
    """
    archive = options.archive or campaign.card.archive
    drawn, problems, why = _pictures(out, archive, layers, ionograms, options)
    notes = _notes(layers, ionograms, problems, why)
    name = campaign.folder.resolve().name
    data = {
        "id": digest,
        "title": f"What the campaign {name} found",
        "caption": line,
        "statement": STATEMENT,
        "notes": notes,
        "findings": "layers",
        "reviewable": False,
        "no_picture": why or "There is no picture of this one.",
        "model": campaign.card.model.get("digest", ""),
        "against": False,
        "columns": _columns(layers),
        "sources": ionograms["source"].tolist(),
        "queue": [],
        "strata": {},
    }
    return Page(f"{name}: report", data, {"regions": drawn, "orbits": {}}, notes)


def _columns(layers: pd.DataFrame) -> dict[str, Any]:
    times = utc(layers["time"])
    seconds = times.astype("datetime64[ms]").astype(np.int64) / 1000
    seconds[np.isnat(times)] = np.nan
    names = {"frequency_min": 0, "frequency_max": 0, "range_min": 1, "range_max": 1,
             "minimum_group_range": 1, "edge_frequency_max": 0, "confidence": 4}  # fmt: skip
    numbers = {name: rounded(layers[name].to_numpy(float), digits)
               for name, digits in names.items()}  # fmt: skip
    bits = {name: 1 << place for place, name in enumerate(FLAGS)}
    links = sorted({str(one) for one in layers["link"]})[:12]
    conventions = sorted({str(one) for one in layers["range_convention"]})
    return {
        "n": len(layers),
        "numbers": {
            **numbers,
            "time": rounded(seconds, 3),
            "hour": rounded(seconds % 86400 / 3600, 3),
        },
        "categories": {
            "layer": category("layer", layers["layer"], LAYERS),
            "link": category("link", layers["link"], links),
            "range_convention": category("ranges", layers["range_convention"], conventions),
        },
        "flags": {
            "names": list(FLAGS),
            "bits": [sum(bits.get(flag, 0) for flag in (() if one is None else one))
                     for one in layers["flags"]],
        },
        "ids": [f"{one}, {layer}" for one, layer in
                zip(layers["ionogram_id"], layers["layer"], strict=True)],
        "orbit": layers["ionogram"].tolist(),
        "other": None,
        "shown": _SHOWN,
    }  # fmt: skip


def _pictures(
    out: str, archive: str, layers: pd.DataFrame, ionograms: pd.DataFrame, options: ReportOptions
) -> tuple[dict[int, dict[str, Any]], list[str], str]:
    if options.pictures == 0:
        return {}, [], "Pictures were not asked for when this report was made."
    if len(layers) and not exists(archive):
        why = f"There are no pictures: the archive {archive} was not there when this was made."
        return {}, [], why
    order = np.argsort(-layers["confidence"].to_numpy(float), kind="stable")[: options.pictures]
    place = {int(row): number for number, row in enumerate(order)}
    found: dict[int, dict[str, Any]] = {}
    problems: list[str] = []
    boxes: list[Mapping[Any, Any]] = list(layers.to_dict("records"))
    by_ionogram: dict[int, list[int]] = {}
    for row in place:
        by_ionogram.setdefault(int(layers["ionogram"].iloc[row]), []).append(row)
    with progress("drawing", len(by_ionogram), "ionograms") as advance:
        for number, rows in by_ionogram.items():
            try:
                opened = open_ionogram(join(archive, ionograms["source"].iloc[number]))
            except OdmError as error:
                problems.append(str(error))
                continue
            finally:
                advance(1)
            for row in rows:
                crop = _crop(opened, boxes[row])
                name = write_beside(out, row, crop) if place[row] >= INSIDE else None
                found[row] = {**crop.facts(name), "axes": _AXES, "lat": None}
    return found, problems, "There is no picture of this one: see the notes." if problems else ""


def _crop(ionogram: xr.Dataset, layer: Mapping[Any, Any]) -> Crop:
    """The whole ionogram with one layer: its box, and its edge if it has one."""
    frequency = ionogram["frequency"].values.astype(float)
    ranges = ionogram["group_range"].values.astype(float)
    lower, upper = cell_borders(frequency)
    left, right = float(lower[0]), float(upper[-1])
    columns = np.linspace(left, right, PIXELS[0])
    nearest = np.abs(columns[:, None] - frequency[None, :]).argmin(axis=1)
    there = (columns >= lower[nearest]) & (columns <= upper[nearest])
    values = ionogram["snr"].values[nearest].astype(float)
    level = np.clip((values - _LOWEST_DB) / (_HIGHEST_DB - _LOWEST_DB), 0, 1) * 255
    known = np.isfinite(values) & there[:, None]
    grey = np.rot90(np.where(known, level, 0)).astype(np.uint8)
    colours = np.asarray(cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO), dtype=np.uint8)
    colours[~np.rot90(known)] = (150, 150, 150)
    low, high = cell_borders(ranges)
    box = (left, right, float(low[0]), float(high[-1]))
    corners = [(layer[x], layer[y]) for x, y in (
        ("frequency_min", "range_min"), ("frequency_max", "range_min"),
        ("frequency_max", "range_max"), ("frequency_min", "range_max"))]  # fmt: skip
    shapes = [_points(corners, box)]
    edge = layer.get("edge_frequency"), layer.get("edge_group_range")
    if edge[0] is not None and edge[1] is not None and len(edge[0]):
        path = list(zip(edge[0], edge[1], strict=True))
        shapes.append(_points([*path, *path[::-1]], box))  # there and back: a line
    return Crop(jpeg(colours, PIXELS), box, (float("nan"), float("nan")), shapes)


def _points(points: Sequence[tuple[float, float]], box: tuple[float, ...]) -> list[int]:
    x0, x1, y0, y1 = box
    flat = [
        ((x - x0) / (x1 - x0) * 1000, (y1 - y) / (y1 - y0) * 1000)
        for x, y in points if np.isfinite(x) and np.isfinite(y)
    ]  # fmt: skip
    return [round(value) for pair in flat for value in pair]


def _notes(
    layers: pd.DataFrame, ionograms: pd.DataFrame, problems: Sequence[str], why: str
) -> list[str]:
    bad = int((ionograms["status"] == "quarantined").sum())
    notes = []
    if not len(ionograms):
        notes.append("This campaign holds no outcome yet: there is nothing to show.")
    elif bad == len(ionograms):
        notes.append(f"All {bad} ionograms of this campaign are quarantined: none was searched.")
    elif not len(layers):
        notes.append("Nothing was found in the ionograms that were searched.")
    elif why:
        notes.append(why)
    if bad and bad < len(ionograms):
        notes.append(f"{bad} of {len(ionograms)} ionograms are quarantined; see inputs.csv.")
    if problems:
        notes.append(f"{len(problems)} ionograms could not be drawn, the first: {problems[0]}.")
    return notes
