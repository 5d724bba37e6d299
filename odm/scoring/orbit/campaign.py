"""Score a catalog: its rows have outlines, but the maps of probability are gone.

The outline of a row is the outer border of its region in the middles of rows and frequencies of
the file. Drawn and filled on the file's own axes it gives the very pixels back, except that holes
are filled (`RegionSettings.fill_holes` fills them before) and that of a region of several parts
only the largest has an outline. So these scores are those of `score_archive` on the same result,
but for three: curves end at the threshold of the catalog, and there are no scores of pixels and no
calibration of the map.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from odm.archive.orbit.listing import OrbitFile
from odm.archive.orbit.reader import Orbit, read_orbit
from odm.core.errors import InputError
from odm.datasets.orbit import OrbitSample
from odm.findings.outlines import outline_mask, utc
from odm.findings.regions import RegionSettings
from odm.scoring.orbit.archive import Progress
from odm.scoring.orbit.cases import Example, example_of
from odm.scoring.orbit.scorer import Scorer
from odm.scoring.orbit.sheet import ScoreSheet
from odm.scoring.orbit.tally import Finding, ScoredOrbit
from odm.scoring.orbit.truth import Truth

Row = Mapping[str, Any]
TIMES = ("time_start", "time_end", "time_peak")


def score_rows(
    rows: Mapping[str, Sequence[Row]],
    entries: Sequence[OrbitFile | OrbitSample],
    truth: Truth,
    *,
    regions: RegionSettings | None = None,
    threshold: float | None = None,
    about: Mapping[str, Any] | None = None,
    resamples: int = 1000,
    examples: list[Example] | None = None,
    progress: Progress | None = None,
) -> ScoreSheet:
    """Score the rows of a catalog against what is true.

    Args:
        rows: by file name (see `rows_by_file`), with all columns of `odm.catalog.orbit.regions`.
        entries: the half-orbits that were searched: of these, one without rows is clear.
        truth: labels; entries that they do not know are left out.
        regions: as the catalog was searched with, for what counts as a true region.
        threshold: of confidence, for a part of the rows; all of them by default.
        about: shown on the sheet.
        resamples: for intervals, 0 for none.
        examples: takes every half-orbit where something is true or was found.
        progress: called with (done, all).

    Returns:
        A sheet whose ``pixels`` is empty and whose ``calibration`` is that of regions only.

    Raises:
        InputError: no labelled half-orbit, rows of half-orbits that are not among the entries, or
            an outline that does not lie in its half-orbit.
        ArchiveError: a half-orbit is bad.
    """
    settings = regions or RegionSettings()
    chosen = [entry for entry in entries if truth.knows(entry.key)]
    if not chosen:
        raise InputError("none of the half-orbits of the catalog is labelled")
    strange = set(rows) - {entry.key.name for entry in entries}
    if strange:
        raise InputError(
            f"the catalog has rows of {len(strange)} half-orbits that were not given, "
            f"{min(strange)} among them"
        )
    scorer = Scorer(settings.threshold if threshold is None else threshold)
    seed = {} if threshold is not None else {"seed": 1.0}  # all rows have passed their own search
    for done, entry in enumerate(chosen, start=1):
        orbit = read_orbit(entry.path)
        scored = ScoredOrbit(
            block=entry.key.cycle,
            shape=(orbit.frequency.size, orbit.times.size),
            truth=truth.findings(orbit, settings),
            found=[finding_of({**row, **seed}, orbit) for row in rows.get(entry.key.name, ())],
            confusers=truth.confusers_of(orbit),
        )
        pairs = scorer.add(scored)
        if examples is not None:
            example = example_of(entry.path, scored, scorer.threshold, pairs)
            examples += [] if example is None else [example]
        if progress is not None:
            progress(done, len(chosen))
    sheet = scorer.sheet(about, resamples=resamples)
    # Without maps and the places of fill values, what is left would not compare with a model's.
    only_regions = {"regions": sheet.calibration["regions"]}
    return replace(sheet, pixels=[], calibration=only_regions)


def rows_by_file(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows of a catalog by the name of the file they were found in (the end of ``source``)."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[str(row["source"]).rpartition("/")[2]].append(row)
    return dict(found)


def finding_of(row: Row, orbit: Orbit) -> Finding:
    """A row of the catalog as something that can be scored.

    Args:
        row: with ``outline``, ``confidence`` and the columns that errors are taken of.
        orbit: its half-orbit, for the axes.

    Raises:
        InputError: the outline does not lie in the half-orbit.
    """
    mask = outline_mask(row["outline"], orbit.times, orbit.frequency)
    if mask is None:
        raise InputError(
            f"region {row.get('region_id', '?')} of the catalog does not lie in {orbit.path}: is "
            "it of another archive?"
        )
    stamps = {name: utc(row[name]) for name in TIMES if name in row}
    return Finding(mask, {**row, **stamps})
