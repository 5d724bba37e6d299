"""How a report is made, and what was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from odm.catalog.activity import Index


@dataclass(frozen=True)
class ReportOptions:
    """How a report is made.

    Attributes:
        indices: indices of geomagnetic activity, by which findings are counted.
        context: digests of the files that the indices came from, by name of the index.
        resamples: number of bootstrap resamples for intervals; 0 for no intervals.
        pictures: number of findings that get a picture; None for all, 0 for none.
        archive: where the archive is now; None for where the campaign read it.
        queue_size: inputs of each stratum in the review queue.
        seed: seed of the random samples in the review queue.
        figures: whether figures are drawn.
        remark: a sentence for the caption of the page and of every figure.
    """

    indices: Sequence[Index] = ()
    context: Mapping[str, str] = field(default_factory=dict)
    resamples: int = 1000
    pictures: int | None = None
    archive: str | None = None
    queue_size: int = 15
    seed: int = 0
    figures: bool = True
    remark: str = ""


@dataclass(frozen=True)
class WrittenReport:
    """A report that was written.

    Attributes:
        files: names of the files in its folder, without pictures.
        notes: sentences that a person should read.
        sheet: the statistics, as in ``report.json``.
        summary: the findings in one phrase.
    """

    files: list[str]
    notes: list[str]
    sheet: dict[str, Any]
    summary: str
