"""Layers of one ionogram, and their leading edges, as rows of the catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from odm.findings.edges.edge import CONVENTION, LayerEdge
from odm.findings.edges.find import matrix_edges
from odm.findings.edges.isolate import even_ranges, range_step
from odm.findings.edges.settings import CLASSES, TUNED, EdgeSettings
from odm.findings.inversion import Inverted, invert
from odm.findings.layers import Layer
from odm.images.ionogram import IonogramImageSettings, cell_borders, mask_from_canvas

if TYPE_CHECKING:
    import xarray as xr

OTHER_CONVENTION, OTHER_LAYER = "other convention", "other layer"
UNEVEN, COARSE = "uneven ranges", "coarse ranges"
NOT_ASKED = "not asked for"
VALID_ENOUGH = 0.5
"""Share of the values at a frequency below which it counts as missing."""


@dataclass(frozen=True, slots=True)
class IonogramFacts:
    """An ionogram without its SNR.

    Attributes:
        link, time, range_convention: as the dataset's attributes; time (naive UTC) None where
            unknown.
        frequency: (F,) Hz.
        group_range: (R,) km.
        valid: (F,) share of valid values at each frequency.
    """

    link: str
    time: datetime | None
    range_convention: str
    frequency: NDArray[np.float64]
    group_range: NDArray[np.float64]
    valid: NDArray[np.float64]

    def columns(self) -> dict[str, Any]:
        """Return the columns that an outcome has of them."""
        return {
            "link": self.link,
            "time": self.time,
            "range_convention": self.range_convention,
            "frequency_min": float(self.frequency[0]),
            "frequency_max": float(self.frequency[-1]),
            "range_min": float(self.group_range[0]),
            "range_max": float(self.group_range[-1]),
        }


def facts_of(ionogram: xr.Dataset) -> IonogramFacts:
    """Return what is kept of an ionogram once its image is made."""
    stamp = ionogram.attrs["time"]
    return IonogramFacts(
        link=ionogram.attrs["link"],
        time=datetime.fromisoformat(stamp) if stamp else None,
        range_convention=ionogram.attrs["range_convention"],
        frequency=ionogram["frequency"].values,
        group_range=ionogram["group_range"].values,
        valid=np.isfinite(ionogram["snr"].values).mean(axis=1),
    )


def layer_rows(
    layers: Sequence[Layer],
    facts: IonogramFacts,
    window: IonogramImageSettings,
    *,
    identity: str,
    source: str,
    model: str,
) -> list[dict[str, Any]]:
    """Return rows of `odm.catalog.ionogram.layers.LAYER_SCHEMA`, in the order of the layers.

    Args:
        layers: by falling confidence.
        facts: of the ionogram.
        window: of the images that the layers were found in.
        identity: of the ionogram.
        source: the file, relative to the archive.
        model: digest, or what stands in its place.
    """
    return [
        {
            "ionogram_id": identity,
            "link": facts.link,
            "time": facts.time,
            **asdict(layer),
            "range_convention": facts.range_convention,
            "flags": layer_flags(layer, facts, window),
            "source": source,
            "model": model,
        }
        for layer in layers
    ]


def layer_flags(layer: Layer, facts: IonogramFacts, window: IonogramImageSettings) -> list[str]:
    """Return what is to be known of a layer before it is used.

    ``band_edge``, ``range_edge``: the box reaches the first or last frequency, or range, that was
    measured and that the window shows, so that the layer may go on beyond. ``gap``: frequencies in
    it are missing. ``other_convention``: the ranges are not those that detectors are trained on.
    """
    low, high = cell_borders(facts.frequency)
    inside = (high > layer.frequency_min) & (low < layer.frequency_max)
    left_out = (high[:-1] < low[1:] - 1e-6 * low[1:]) & inside[:-1] & inside[1:]
    near, far = cell_borders(facts.group_range)
    flags = []
    pixel = (window.frequency_max - window.frequency_min) / window.width
    first = max(high[0], window.frequency_min + pixel)
    last = min(low[-1], window.frequency_max - pixel)
    if layer.frequency_min < first or layer.frequency_max > last:
        flags.append("band_edge")
    pixel = (window.range_max - window.range_min) / window.height
    first = max(far[0], window.range_min + pixel)
    last = min(near[-1], window.range_max - pixel)
    if layer.range_min < first or layer.range_max > last:
        flags.append("range_edge")
    if (facts.valid[inside] < VALID_ENOUGH).any() or left_out.any():
        flags.append("gap")
    if facts.range_convention != CONVENTION:
        flags.append("other_convention")
    return flags


def find_edges(
    ionogram: xr.Dataset,
    layers: Sequence[Layer],
    settings: EdgeSettings,
    segments: NDArray[Any] | None = None,
    window: IonogramImageSettings | None = None,
) -> list[LayerEdge]:
    """Find the edge of each layer; where there can be none, a flag of an empty one says why.

    Args:
        ionogram: as `odm.archive.ionogram.reader.open_ionogram` gives it.
        layers: its layers.
        settings: how edges are found.
        segments: (H, W) class of each pixel of a model's image; for ``segments``.
        window: of that image.
    """
    flag = _why_without_edges(ionogram)
    edges = [LayerEdge.without_points(layer.layer, flag or OTHER_LAYER) for layer in layers]
    known = [number for number, layer in enumerate(layers) if layer.layer in CLASSES and not flag]
    if not known:
        return edges
    axes = (ionogram["frequency"].values, ionogram["group_range"].values)
    classes = None
    if segments is not None and window is not None:
        classes = mask_from_canvas(segments, *axes, window)
    some = [layers[number] for number in known]
    traced = matrix_edges(ionogram["snr"].values, *axes, some, settings, segments=classes)
    for number, edge in zip(known, traced, strict=True):
        edges[number] = edge
    return edges


def _why_without_edges(ionogram: xr.Dataset) -> str:
    """Return the flag of an ionogram whose ranges are not ones for edges, else ""."""
    group_range = ionogram["group_range"].values
    if ionogram.attrs.get("range_convention") != CONVENTION:
        return OTHER_CONVENTION
    if not even_ranges(group_range):
        return UNEVEN
    return COARSE if range_step(group_range) > TUNED.coarsest_gate_km else ""


def edge_columns(edge: LayerEdge, *, inverted: Inverted | None) -> dict[str, Any]:
    """Return the columns `odm.catalog.ionogram.layers.EDGE_FIELDS` of one layer.

    They are rounded far below their errors, so that the last bits of a processor's arithmetic are
    not a difference between two campaigns.

    Args:
        edge: the layer's leading edge.
        inverted: the layer that its edge tells of; None where nobody asked.
    """
    columns: dict[str, Any] = {
        "edge_frequency": edge.frequency.round(3).tolist(),
        "edge_group_range": edge.group_range.round(2).tolist(),
        "edge_confidence": edge.confidence.round(2).tolist(),
        "edge_sigma": edge.sigma.round(2).tolist(),
        "edge_frequency_max": edge.frequency_max,
        "minimum_group_range": _rounded(edge.minimum_group_range, 2),
        "edge_flags": list(edge.flags),
        "inversion_reason": NOT_ASKED if inverted is None else inverted.reason,
    }
    if not inverted:
        return columns
    sigmas = inverted.sigmas
    return columns | {
        "critical_frequency": _rounded(inverted.critical_frequency, -2),
        "critical_frequency_sigma": _rounded(sigmas[0], -2),
        "peak_height": _rounded(inverted.peak_height, 1),
        "peak_height_sigma": _rounded(sigmas[1], 1),
        "semi_thickness": _rounded(inverted.semi_thickness, 1),
        "semi_thickness_sigma": _rounded(sigmas[2], 1),
        "inversion_misfit": _rounded(inverted.misfit, 1),
        "edge_ground_range": inverted.ground_range.round(1).tolist(),
        "edge_ground_range_sigma": inverted.ground_range_sigma.round(1).tolist(),
    }


def edge_rows(edges: Sequence[LayerEdge], *, with_inversion: bool = True) -> list[dict[str, Any]]:
    """Return `edge_columns` of each layer's edge.

    Args:
        edges: as `find_edges` gives them.
        with_inversion: whether layers are computed from edges; some 50 ms each.
    """
    return [edge_columns(edge, inverted=invert(edge) if with_inversion else None) for edge in edges]


def edge_of_row(row: Mapping[str, Any]) -> LayerEdge:
    """Return the edge in a row of the catalog; an empty one where it has none."""

    def numbers(name: str) -> NDArray[np.float64]:
        return np.asarray(row.get(name) or [], np.float64)

    return LayerEdge(
        row["layer"],
        numbers("edge_frequency"),
        numbers("edge_group_range"),
        numbers("edge_sigma"),
        numbers("edge_confidence"),
        tuple(row.get("edge_flags") or ()),
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(float(value), digits)
