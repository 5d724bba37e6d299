"""How far two people's labels agree: the ceiling of what any model can be said to reach."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from odm.core.errors import AnnotationError, InputError
from odm.datasets.labels.regions import RegionLabels
from odm.images.masks import is_drawn, number_areas

COLUMN_S = 2.048
"""Seconds from one row of a survey file to the next, nominal: packet gaps are not counted."""
ROW_KHZ = 50 / 2048
"""Frequency step of the VLF band, nominal."""
REGION_OVERLAPS = (0.25, 0.5)

Areas = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Distance:
    """Distances between outlines: their mean and the one that 95 % do not exceed."""

    mean: float
    hausdorff_95: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two people's labels compared; None where a measure is undefined (nobody drew anything).

    Attributes:
        images: labelled by both; all else is left out.
        only_first, only_second: labelled by one of them.
        drawn: images in which the first, the second, both drew something.
        pixels: drawn by both, by the first only, by the second only, by neither.
        iou, dice: of the drawn pixels of all images together.
        kappa: Cohen's kappa of the pixels (drawn or not).
        image_kappa: Cohen's kappa of the images (anything drawn or nothing).
        regions: 8-connected areas of the first and of the second.
        region_f1: by the overlap (IoU) that a pair must reach; pairs are one to one.
        boundary_pixels: outline to nearest outline, both ways, over the images where both drew.
        boundary_khz, boundary_s: its parts along frequency and time, from nominal steps.
    """

    images: int
    only_first: int
    only_second: int
    drawn: tuple[int, int, int]
    pixels: tuple[int, ...]
    iou: float | None
    dice: float | None
    kappa: float | None
    image_kappa: float | None
    regions: tuple[int, ...]
    region_f1: dict[str, float | None]
    boundary_pixels: Distance | None
    boundary_khz: Distance | None
    boundary_s: Distance | None
    note: str = (
        "The agreement of two people is the ceiling of any model: a score above it says nothing. "
        "kHz and s come from nominal steps (24.414 Hz, 2.048 s); gaps are not counted."
    )

    def rows(self) -> list[tuple[str, str]]:
        """What a table shows: a name and a value."""
        both, first, second, _ = self.pixels
        f1 = [(f"region F1 at IoU {at}", _text(value)) for at, value in self.region_f1.items()]
        return [
            ("images labelled by both", str(self.images)),
            ("labelled by the first, second only", f"{self.only_first}, {self.only_second}"),
            ("drawn in by the first, second, both", ", ".join(map(str, self.drawn))),
            ("pixels of both, first, second only", f"{both}, {first}, {second}"),
            ("pixel IoU", _text(self.iou)),
            ("pixel Dice", _text(self.dice)),
            ("pixel kappa", _text(self.kappa)),
            ("image kappa (anything drawn)", _text(self.image_kappa)),
            ("regions of the first, second", ", ".join(map(str, self.regions))),
            *f1,
            ("boundary distance, pixels", _distance(self.boundary_pixels)),
            ("boundary distance, kHz (nominal)", _distance(self.boundary_khz)),
            ("boundary distance, s (nominal)", _distance(self.boundary_s)),
        ]


def compare(first: RegionLabels, second: RegionLabels) -> Agreement:
    """Compare two people's labels over the half-orbits that both have labelled.

    Raises:
        InputError: there is no half-orbit that both have labelled.
        AnnotationError: a half-orbit's masks differ in size.
    """
    if not first.images.keys() & second.images.keys():
        places = f"{first.folder} and {second.folder}"
        raise InputError(f"{places} have no labelled half-orbit in common")
    pixels = np.zeros(4, np.int64)
    images = np.zeros(4, np.int64)
    regions = np.zeros(2, np.int64)
    matched = dict.fromkeys(REGION_OVERLAPS, 0)
    offsets: list[NDArray[np.float64]] = []
    for a, b in _pairs(first, second):
        pixels += _confusion(a, b)
        images += _confusion(np.array(a.any()), np.array(b.any()))
        overlaps = region_overlaps(a, b)
        regions += overlaps.shape
        for at in REGION_OVERLAPS:
            matched[at] += match_regions(overlaps, at)
        offsets.append(boundary_offsets(a, b))
    distances = np.concatenate(offsets)
    steps = np.abs(distances) * (ROW_KHZ, COLUMN_S)
    total = int(regions.sum())
    return Agreement(
        images=int(images.sum()),
        only_first=len(first.images.keys() - second.images.keys()),
        only_second=len(second.images.keys() - first.images.keys()),
        drawn=(int(images[0] + images[1]), int(images[0] + images[2]), int(images[0])),
        pixels=tuple(pixels.tolist()),
        iou=_ratio(pixels[0], pixels[:3].sum()),
        dice=_ratio(2 * pixels[0], 2 * pixels[0] + pixels[1] + pixels[2]),
        kappa=cohen_kappa(pixels),
        image_kappa=cohen_kappa(images),
        regions=tuple(regions.tolist()),
        region_f1={str(at): _ratio(2 * matched[at], total) for at in REGION_OVERLAPS},
        boundary_pixels=_summary(np.hypot(*distances.T)),
        boundary_khz=_summary(steps[:, 0]),
        boundary_s=_summary(steps[:, 1]),
    )


def cohen_kappa(counts: NDArray[np.int64]) -> float | None:
    """Return Cohen's kappa of counts (both, first only, second only, neither), or None where chance
    alone would agree wholly.

    Source: Cohen 1960, "A coefficient of agreement for nominal scales".
    """
    both, first, second, neither = (int(count) for count in counts)
    total = both + first + second + neither
    by_chance = (both + first) * (both + second) + (neither + first) * (neither + second)
    if by_chance == total**2:
        return None
    observed, chance = (both + neither) / total, by_chance / total**2
    return (observed - chance) / (1 - chance)


def region_overlaps(a: Areas, b: Areas) -> NDArray[np.float64]:
    """Return the IoU of each 8-connected area of ``a`` (rows) with each of ``b`` (columns), masks
    (H, W)."""
    (labels_a, number_a), (labels_b, number_b) = number_areas(a), number_areas(b)
    pairs = labels_a.ravel() * (number_b + 1) + labels_b.ravel()
    table = np.bincount(pairs, minlength=(number_a + 1) * (number_b + 1))
    table = table.reshape(number_a + 1, number_b + 1)
    shared = table[1:, 1:].astype(np.float64)
    union = table[1:].sum(axis=1)[:, None] + table[:, 1:].sum(axis=0)[None, :] - shared
    return np.asarray(shared / union)


def match_regions(overlaps: NDArray[np.float64], at: float) -> int:
    """Return the largest number of one-to-one pairs that overlap by at least ``at``."""
    from scipy.optimize import linear_sum_assignment

    enough = overlaps >= at
    rows, columns = linear_sum_assignment(enough, maximize=True)
    return int(enough[rows, columns].sum())


def boundary_offsets(a: Areas, b: Areas) -> NDArray[np.float64]:
    """Return offsets (n, 2: rows, columns) from each outline pixel of one mask to the nearest of
    the other, and back.

    Outline pixels are those of an area with a neighbour (of four) outside it; beyond the border of
    the image is outside. Empty where one of the two drew nothing.
    """
    from scipy import ndimage

    if not (a.any() and b.any()):
        return np.zeros((0, 2))
    # All outlines lie in the box around both: the rest of a large image need not be searched.
    (box,) = ndimage.find_objects((a | b).astype(np.int8))
    outlines = [area & ~ndimage.binary_erosion(area) for area in (a[box], b[box])]
    offsets = []
    for outline, target in (outlines, outlines[::-1]):
        nearest = ndimage.distance_transform_edt(
            ~target, return_distances=False, return_indices=True
        )
        offsets.append(np.argwhere(outline) - nearest[:, outline].T)
    return np.concatenate(offsets).astype(np.float64)


def _pairs(first: RegionLabels, second: RegionLabels) -> Iterator[tuple[Areas, Areas]]:
    for stem in (stem for stem in first.images if stem in second.images):
        images = (first.images[stem], second.images[stem])
        # Of simulated truth only a mask says how large it is.
        shape = images[0].shape or images[1].shape
        if shape is None:
            drawn = next((image for image in images if image.mask_path), None)
            if drawn is None:
                reason = "its size is unknown: two simulated truths cannot be compared"
                raise AnnotationError(images[0].key, "", reason)
            rows, columns = drawn.mask().shape
            shape = (rows, columns)
        yield is_drawn(images[0].mask(shape)), is_drawn(images[1].mask(shape))


def _confusion(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> NDArray[np.int64]:
    both, first, second = ((a & b).sum(), (a & ~b).sum(), (~a & b).sum())
    return np.array([both, first, second, a.size - both - first - second], np.int64)


def _summary(distances: NDArray[np.float64]) -> Distance | None:
    if not distances.size:
        return None
    return Distance(float(distances.mean()), float(np.percentile(distances, 95)))


def _ratio(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None


def _text(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _distance(distance: Distance | None) -> str:
    if distance is None:
        return "undefined"
    return f"mean {distance.mean:.3g}, 95 % within {distance.hausdorff_95:.3g}"
