"""What is scored of one half-orbit, and what a `Scorer` has counted of many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.findings.outlines import Mask, bounding_box
from odm.scoring.calibration import LEVELS
from odm.scoring.matching import OVERLAPS

TRUTH_SHAPES = ("contour", "ellipse", "box")
"""Shapes that true regions are compared as; errors and attributions always use the contour."""
PIXEL_SOURCES = ("probability", "regions")
"""Predicted pixels: those of at least `PIXEL_THRESHOLD`, or those inside found regions."""
PIXEL_THRESHOLD = 0.5
"""Probability at which a map of two classes changes sides, whatever the settings of the regions."""
_IGNORED_SHARE = 0.5
"""Share of a region's pixels in what is ignored from which it is neither true nor false."""
NUCLEUS, NOTHING = "ill-fitting nucleus", "nothing drawn"
"""Kinds of false region beside the confusers'."""

ERRORS: dict[str, tuple[str, float, str]] = {
    "frequency of the peak": ("frequency_peak", 1e-3, "kHz"),
    "latitude of the peak": ("latitude", 1.0, "degrees"),
    "lowest frequency": ("frequency_min", 1e-3, "kHz"),
    "highest frequency": ("frequency_max", 1e-3, "kHz"),
    "start": ("time_start", 1.0, "s"),
    "end": ("time_end", 1.0, "s"),
}
"""Column of the catalog, factor and unit of each error."""

_EACH = f"({len(TRUTH_SHAPES) * len(OVERLAPS)},)?"
"""A column for each truth shape and overlap, shape-major."""
FOUND = np.dtype(
    {
        "names": ["orbit", "confidence", "seed", "ignored", "hit", "correct"],
        "formats": ["i8", "f8", "f8", "?", _EACH, _EACH],
    }
)
"""A found region: ``hit`` says what is paired of all regions, for curves, ``correct`` of the
result. Of one that is not paired ``ignored`` says that it is not false either."""
TRUE = np.dtype(
    {
        "names": ["orbit", "contrast", "area", "recovered"],
        "formats": ["i8", "f8", "f8", _EACH],
    }
)
"""A true region: ``recovered`` says whether the result has it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A region to be scored: its mask (K, N) and its row of the catalog.

    A true one's row may hold ``contrast_db``. A found one's holds ``confidence``, and ``seed``
    where another figure than that decides whether it is part of the result.
    """

    mask: Mask
    row: Mapping[str, Any]

    @property
    def confidence(self) -> float:
        """The confidence in its row; 1 where that has none."""
        return float(self.row.get("confidence", 1.0))

    @property
    def seed(self) -> float:
        """The seed in its row (see `odm.findings.regions.Region`), else the confidence."""
        return float(self.row.get("seed", self.confidence))


@dataclass(frozen=True, slots=True)
class Confuser:
    """Something that is no nucleus: its kind and the native rows and columns of its extent."""

    kind: str
    rows: slice
    columns: slice


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredOrbit:
    """All that is scored of one half-orbit.

    Attributes:
        block: `OrbitKey.cycle`, what intervals resample.
        shape: (K, N).
        truth, found: the regions; found ones below the operating threshold only extend the curves.
        probability: (K, N) uint8, native, or None.
        valid: (K, N) bool, where there is a measurement, or None for everywhere.
        confusers: what else the simulator drew.
        ignored: (K, N) bool, where nobody can say whether there is a nucleus, pieces of nuclei that
            are no true region included; None for nowhere.
    """

    block: int
    shape: tuple[int, int]
    truth: Sequence[Finding] = ()
    found: Sequence[Finding] = ()
    probability: NDArray[np.uint8] | None = None
    valid: Mask | None = None
    confusers: Sequence[Confuser] = ()
    ignored: Mask | None = None


def is_ignored(mask: Mask, ignored: Mask | None) -> bool:
    """Whether at least half of a region (K, N) lies where nobody can say what is there."""
    if ignored is None:
        return False
    box = bounding_box(mask)
    inside = np.count_nonzero(mask[box] & ignored[box])
    return bool(inside >= _IGNORED_SHARE * np.count_nonzero(mask[box]))


@dataclass(frozen=True, slots=True)
class Tempering:
    """The temperature of the maps that are scored, and the data that it is from, in words."""

    temperature: float
    fitted_on: str = "validation"


@dataclass(slots=True)
class Tally:
    """What a `Scorer` has counted.

    Attributes:
        blocks, clear: of each half-orbit, its block and whether nothing is true in it.
        found, truth: rows of `FOUND` and `TRUE`, one for each region.
        errors: of each pair of the result, by name.
        boundary: of each pair, see `odm.scoring.orbit.scorer.boundary_distance`.
        present, alarms: number of confusers, and of false regions, by kind.
        confusion: confusion matrices (source, shape, 2, 2) by block.
        levels: see `odm.scoring.calibration.level_counts`.
    """

    blocks: list[int] = field(default_factory=list)
    clear: list[bool] = field(default_factory=list)
    found: list[tuple[Any, ...]] = field(default_factory=list)
    truth: list[tuple[Any, ...]] = field(default_factory=list)
    errors: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in ERRORS})
    boundary: list[tuple[float, float]] = field(default_factory=list)
    present: Counter[str] = field(default_factory=Counter)
    alarms: Counter[str] = field(default_factory=Counter)
    confusion: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    levels: NDArray[np.int64] = field(default_factory=lambda: np.zeros((2, LEVELS + 1), np.int64))

    def extend(self, later: Tally) -> None:
        """Add what another scorer has counted of other half-orbits, as if they had come after."""
        before = len(self.blocks)
        self.blocks += later.blocks
        self.clear += later.clear
        self.found += [(before + number, *rest) for number, *rest in later.found]
        self.truth += [(before + number, *rest) for number, *rest in later.truth]
        for name, values in later.errors.items():
            self.errors[name] += values
        self.boundary += later.boundary
        self.present += later.present
        self.alarms += later.alarms
        for block, counts in later.confusion.items():
            self.confusion[block] = self.confusion.get(block, 0) + counts
        self.levels = self.levels + later.levels
