"""Layers of one ionogram as rows of the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from odm.findings.layers import Layer
from odm.images.ionogram import IonogramImageSettings, cell_borders

if TYPE_CHECKING:
    import xarray as xr

TRAINED_ON = "backscatter"
"""Convention of the ranges that detectors learn from."""
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
        """The columns that an outcome has of them."""
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
    """What is kept of an ionogram once its image is made."""
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
    """Rows of `odm.catalog.ionogram.layers.LAYER_SCHEMA`, in the order of the layers.

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
            "layer": layer.layer,
            "confidence": layer.confidence,
            "frequency_min": layer.frequency_min,
            "frequency_max": layer.frequency_max,
            "range_min": layer.range_min,
            "range_max": layer.range_max,
            "range_convention": facts.range_convention,
            "flags": layer_flags(layer, facts, window),
            "source": source,
            "model": model,
        }
        for layer in layers
    ]


def layer_flags(layer: Layer, facts: IonogramFacts, window: IonogramImageSettings) -> list[str]:
    """What to know of a layer before it is used.

    ``band_edge``, ``range_edge``: the box reaches the first or last frequency, or range, that was
    measured and that the window shows, so that the layer may go on beyond. ``gap``: frequencies in
    it are missing. ``other_convention``: the ranges are not those that detectors are trained on.
    """
    low, high = cell_borders(facts.frequency)
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
    if _has_gap(layer, facts, low, high):
        flags.append("gap")
    if facts.range_convention != TRAINED_ON:
        flags.append("other_convention")
    return flags


def _has_gap(
    layer: Layer,
    facts: IonogramFacts,
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> bool:
    """Whether frequencies in a layer were left out, or hold few values."""
    inside = (high > layer.frequency_min) & (low < layer.frequency_max)
    if (facts.valid[inside] < VALID_ENOUGH).any():
        return True
    left_out = high[:-1] < low[1:] - 1e-6 * low[1:]
    return bool((left_out & inside[:-1] & inside[1:]).any())
