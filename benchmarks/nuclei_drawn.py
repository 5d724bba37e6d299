"""A half-orbit drawn in memory and scored there, as `odm evaluate` scores one that is a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.archive.orbit.key import OrbitKey
from odm.findings.regions import RegionSettings, native_probability, regions_from_mask
from odm.images.canvas import Image, valid_pixels
from odm.images.geometry import OrbitImageSettings, SpectrogramGeometry
from odm.images.masks import IGNORED
from odm.images.spectrogram import spectrogram_image
from odm.scoring.orbit.maps import as_finding, candidate_regions
from odm.scoring.orbit.tally import Confuser, Finding, ScoredOrbit
from odm.scoring.orbit.truth import undecided
from odm.simulate.orbit.emission import FREQUENCY
from odm.simulate.orbit.half_orbit import HalfOrbit

Predict = Callable[[NDArray[np.uint8]], NDArray[Any]]


@dataclass(frozen=True)
class DrawnOrbit:
    """What is scored of a half-orbit, all in the order of a file: (N, 1024), rows of time.

    Attributes:
        key: its name.
        times, latitude, longitude: (N,).
        amplitude: (N, 1024) mV/m/Hz^0.5 with fill values.
        numbers: (N, 1024) uint8, which nucleus a pixel belongs to, from 1; 0 for none.
        ignored: (N, 1024) bool, where nobody can say.
        contrasts: peak contrast of each nucleus, dB.
        confusers: extents in rows of the image, whose row 0 is the highest frequency.
    """

    key: OrbitKey
    times: NDArray[np.datetime64]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    amplitude: NDArray[np.floating[Any]]
    numbers: NDArray[np.uint8]
    ignored: NDArray[np.bool_]
    contrasts: tuple[float, ...] = ()
    confusers: tuple[Confuser, ...] = ()

    @classmethod
    def of(cls, half: HalfOrbit) -> DrawnOrbit:
        """Return a simulated half-orbit."""
        numbers = np.zeros(half.ignored.shape, np.uint8)
        for number, nucleus in enumerate(half.nuclei, start=1):
            numbers[nucleus.rows, nucleus.bins][nucleus.mask] = number
        return cls(
            key=half.key,
            times=half.track.times.astype("datetime64[ns]"),
            latitude=half.track.latitude,
            longitude=half.track.longitude,
            amplitude=half.amplitude["z"],
            numbers=numbers,
            ignored=half.ignored,
            contrasts=tuple(nucleus.emission.contrast_db for nucleus in half.nuclei),
            confusers=tuple(_confusers(half)),
        )

    @property
    def mask(self) -> NDArray[np.uint8]:
        """(1024, N) of 0, 1 and `IGNORED`, row 0 the highest frequency."""
        mask = self.ignored.astype(np.uint8) * np.uint8(IGNORED)
        mask[self.numbers > 0] = 1
        return np.rot90(mask)

    def image(self, settings: OrbitImageSettings) -> tuple[Image, SpectrogramGeometry]:
        """Return its model image and the geometry of that."""
        places = (self.times, FREQUENCY, self.latitude, self.longitude)
        return spectrogram_image(self.amplitude, settings), SpectrogramGeometry(*places, settings)

    def truth(self, settings: RegionSettings) -> list[Finding]:
        """Return its true regions; each has the contrast of the nucleus that most of it is of."""
        numbers = np.rot90(self.numbers)
        findings = []
        for region in regions_from_mask(numbers > 0, self.times, settings):
            counts = np.bincount(numbers[region.mask], minlength=len(self.contrasts) + 1)
            contrast = self.contrasts[int(np.argmax(counts[1:]))]
            findings.append(Finding(region.mask, {"contrast_db": contrast}))
        return findings


def score_drawn(
    orbits: Sequence[DrawnOrbit],
    predict: Predict,
    images: OrbitImageSettings,
    settings: RegionSettings,
) -> list[ScoredOrbit]:
    """Predict half-orbits and put what was found beside what is true.

    Args:
        orbits: as many as make a batch.
        predict: from images (B, H, W) or (B, H, W, C) to probabilities (B, H, W).
        images: what the model sees.
        settings: how its maps become regions.
    """
    shown = [orbit.image(images) for orbit in orbits]
    maps = predict(np.stack([image for image, _ in shown]))
    scored = []
    for orbit, (image, geometry), probability in zip(orbits, shown, maps, strict=True):
        valid = geometry.mask_to_native(valid_pixels(image))
        result, weaker = candidate_regions(probability, geometry, valid, settings)
        kept = [region for region in result if valid[region.mask].any()]
        truth = orbit.truth(settings)
        ignored = undecided(orbit.mask, [region.mask for region in truth])
        scored.append(
            ScoredOrbit(
                block=orbit.key.cycle,
                shape=geometry.native_shape,
                truth=truth,
                found=[as_finding(region) for region in (*kept, *weaker)],
                probability=native_probability(probability, geometry),
                valid=valid,
                confusers=orbit.confusers,
                ignored=ignored if ignored.any() else None,
            )
        )
    return scored


def _confusers(half: HalfOrbit) -> list[Confuser]:
    """Return the extents of what is no nucleus, in the rows that arrived."""
    kept, last = half.track.times, FREQUENCY.size - 1
    extents = []
    for emission in half.confusers:
        outline = emission.outline()
        if not outline.any():
            continue
        rows = np.flatnonzero(outline.any(axis=1))[[0, -1]] + emission.row
        bins = np.flatnonzero(outline.any(axis=0))[[0, -1]] + emission.bin
        first, end = np.searchsorted(kept, half.full_track.times[rows] + np.array([0, 1]))
        if first < end:  # not lost in a gap
            extent = slice(int(last - bins[1]), int(last - bins[0] + 1))
            extents.append(Confuser(emission.kind, extent, slice(int(first), int(end))))
    return extents
