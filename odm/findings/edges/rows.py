"""Leading edges, and the layers that they tell of, as columns of the catalog of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from odm.findings.edges.edge import CONVENTION, LayerEdge
from odm.findings.edges.find import edges_of
from odm.findings.edges.isolate import even_ranges, range_step
from odm.findings.edges.settings import CLASSES, TUNED, EdgeSettings
from odm.findings.inversion import Inverted, invert
from odm.findings.layers import Layer
from odm.images.ionogram import IonogramImageSettings, mask_from_canvas

if TYPE_CHECKING:
    import xarray as xr

OTHER_CONVENTION, OTHER_LAYER = "other convention", "other layer"
UNEVEN, COARSE = "uneven ranges", "coarse ranges"
NOT_ASKED = "not asked for"


def edges_found(
    ionogram: xr.Dataset,
    layers: Sequence[Layer],
    settings: EdgeSettings,
    segments: NDArray[Any] | None = None,
    window: IonogramImageSettings | None = None,
) -> list[LayerEdge]:
    """The edge of each layer; one without points, whose flag says why, where none can be.

    Args:
        ionogram: as `odm.archive.ionogram.reader.open_ionogram` gives it.
        layers: what was found in it.
        settings: how edges are found.
        segments: (H, W) class of each pixel of a model's image; for ``segments``.
        window: of that image.
    """
    flag = ""
    if ionogram.attrs.get("range_convention") != CONVENTION:
        flag = OTHER_CONVENTION
    elif not even_ranges(ionogram["group_range"].values):
        flag = UNEVEN
    elif range_step(ionogram["group_range"].values) > TUNED.coarsest_gate_km:
        flag = COARSE
    if flag:
        return [_without(layer, flag) for layer in layers]
    known = [number for number, layer in enumerate(layers) if layer.layer in CLASSES]
    found = [_without(layer, OTHER_LAYER) for layer in layers]
    if not known:
        return found
    classes = None
    if segments is not None and window is not None:
        axes = (ionogram["frequency"].values, ionogram["group_range"].values)
        classes = mask_from_canvas(segments, *axes, window)
    some = [layers[number] for number in known]
    edges = edges_of(ionogram, some, settings, segments=classes)
    for number, edge in zip(known, edges, strict=True):
        found[number] = edge
    return found


def edge_columns(edge: LayerEdge, *, inverted: Inverted | None) -> dict[str, Any]:
    """The columns `odm.catalog.ionogram.layers.EDGE_FIELDS` of one layer.

    Rounded far below their errors, so that the last bits of a processor's arithmetic are not a
    difference between two campaigns.

    Args:
        edge: of the layer.
        inverted: what its edge tells; None where nobody asked.
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
    """`edge_columns` of each layer's edge.

    Args:
        edges: as `edges_found` gives them.
        with_inversion: whether layers are computed from edges; some 50 ms each.
    """
    return [edge_columns(edge, inverted=invert(edge) if with_inversion else None) for edge in edges]


def edge_of_row(row: Mapping[str, Any]) -> LayerEdge:
    """The edge in a row of the catalog; an empty one where it has none."""

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


def _without(layer: Layer, flag: str) -> LayerEdge:
    none = np.empty(0)
    return LayerEdge(layer.layer, none, none, none, none, (flag,))


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(float(value), digits)
