"""How a report is made, and what was written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from odm.catalog.activity import Index


@dataclass(frozen=True)
class ReportOptions:
    """How a report is made.

    Attributes:
        indices: of geomagnetic activity.
        context: name → digest of the files that these came from.
        resamples: for intervals; 0 for none.
        pictures: how many findings get a picture; None for all, 0 for none.
        archive: where the archive is now; None for where the campaign read them.
        each: inputs of each kind in the review queue.
        seed: of the queue.
        figures: whether figures are drawn.
        remark: a sentence for the caption of the page and of every figure.
    """

    indices: Sequence[Index] = ()
    context: dict[str, str] = field(default_factory=dict)
    resamples: int = 1000
    pictures: int | None = None
    archive: str | None = None
    each: int = 15
    seed: int = 0
    figures: bool = True
    remark: str = ""


@dataclass(frozen=True)
class Written:
    """What was written, and what a person should know of it."""

    files: list[str]
    notes: list[str]
    sheet: dict[str, Any]
    summary: str
