"""Counts, shares and rates of regions, with intervals by resampling 5-day cycles."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from odm.catalog.bootstrap import LEAST_BLOCKS, block_weights, interval
from odm.catalog.orbit.flown import Flown

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
RATE_PER_S = 100 * 3600.0
"""Rates are regions in 100 hours of valid data."""


class RegionCounter:
    """Counts regions of a campaign by bins, with intervals.

    Args:
        flown: the campaign.
        resamples: number of resamples of whole 5-day cycles, for intervals; 0 for none.
        seed: seed of the resampling.
    """

    def __init__(self, flown: Flown, resamples: int = 1000, seed: int = 0) -> None:
        self.flown = flown
        number = flown.blocks.size
        enough = number >= LEAST_BLOCKS and resamples > 0
        self.weights = block_weights(number, resamples, seed) if enough else None
        self._of_region = flown.block_of(flown.regions["orbit"])
        self._of_minute = flown.block_of(flown.track["orbit"])

    def by(self, labels: pd.Series, categories: Sequence[Hashable]) -> list[dict[str, Any]]:
        """Count the regions that bear each label, and their share of those that bear any of them.

        Args:
            labels: label of each region.
            categories: labels to count, in this order; others are left out.
        """
        codes = _codes(labels, categories)
        counts = self._region_counts(codes, len(categories))
        total = counts.sum()
        resampled = self._resampled(counts)
        rows = []
        for number, name in enumerate(categories):
            regions = counts[:, number].sum()
            row: dict[str, Any] = {"value": name, "regions": int(regions)}
            row["share"] = None if not total else float(regions / total)
            if resampled is not None:
                row["regions_interval"] = interval(resampled[:, number])
                row["share_interval"] = interval(_ratio(resampled[:, number], resampled.sum(1)))
            rows.append(row)
        return rows

    def share(self, holds: ArrayLike, known: ArrayLike) -> dict[str, Any]:
        """Compute the share of regions for which something holds, of those where that is known."""
        known = np.asarray(known, dtype=bool)
        codes = np.where(known, np.where(np.asarray(holds, dtype=bool), 1, 0), -1)
        counts = self._region_counts(codes, 2)
        total = int(counts.sum())
        row: dict[str, Any] = {
            "regions": int(counts[:, 1].sum()),
            "of": total,
            "share": float(counts[:, 1].sum() / total) if total else None,
        }
        resampled = self._resampled(counts)
        if resampled is not None:
            row["interval"] = interval(_ratio(resampled[:, 1], resampled.sum(axis=1)))
        return row

    def rates(
        self, of_regions: ArrayLike, of_minutes: ArrayLike, names: Sequence[Any]
    ) -> list[dict[str, Any]]:
        """Compute regions, valid hours and regions in 100 valid hours of each bin.

        Args:
            of_regions: bin of each region, -1 for none.
            of_minutes: bin of each row of the track, -1 for none.
            names: names of the bins.
        """
        counts = self._region_counts(np.asarray(of_regions), len(names))
        seconds = _matrix(
            self._of_minute,
            np.asarray(of_minutes),
            (self.flown.blocks.size, len(names)),
            self.flown.track["seconds"].to_numpy(float),
        )
        again, flown_again = self._resampled(counts), self._resampled(seconds)
        rows = []
        for number, name in enumerate(names):
            regions, flew = counts[:, number].sum(), seconds[:, number].sum()
            row: dict[str, Any] = {
                "value": name,
                "regions": int(regions),
                "valid_hours": float(flew / 3600),
                "rate": float(regions / flew * RATE_PER_S) if flew else None,
            }
            if again is not None and flown_again is not None and flew:
                resampled = _ratio(again[:, number], flown_again[:, number])
                row["rate_interval"] = interval(resampled * RATE_PER_S)
            rows.append(row)
        return rows

    def total(self, of_blocks: Floats) -> Any:
        """Return the interval of a number that is summed over blocks, (blocks,)."""
        resampled = self._resampled(of_blocks[:, None])
        return None if resampled is None else interval(resampled[:, 0])

    def _region_counts(self, codes: NDArray[Any], bins: int) -> Floats:
        return _matrix(self._of_region, codes, (self.flown.blocks.size, bins))

    def _resampled(self, of_blocks: Floats) -> Floats | None:
        """Resample blocks: (blocks, bins) → (resamples, bins)."""
        return None if self.weights is None else np.asarray(self.weights @ of_blocks, dtype=float)


def _codes(labels: pd.Series, categories: Sequence[Hashable]) -> NDArray[np.intp]:
    place = {name: number for number, name in enumerate(categories)}
    return np.array([place.get(label, -1) for label in labels], dtype=np.intp)


def _matrix(
    blocks: NDArray[Any],
    codes: NDArray[Any],
    shape: tuple[int, int],
    weights: Floats | None = None,
) -> Floats:
    codes = codes.astype(np.intp)
    inside = codes >= 0
    flat = blocks[inside] * shape[1] + codes[inside]
    chosen = None if weights is None else weights[inside]
    return np.bincount(flat, chosen, minlength=shape[0] * shape[1]).reshape(shape).astype(float)


def _ratio(above: Floats, below: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, above / below, np.nan)
