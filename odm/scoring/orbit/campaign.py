"""Score a catalog of regions: its rows have outlines, but the maps of probability are gone.

The outline of a row is the outer border of its region in the middles of rows and frequencies of
the file. Drawn and filled on the file's own axes it gives the very pixels back, except that holes
are filled (`RegionSettings.fill_holes` fills them before) and that of a region of several parts
only the largest has an outline. So these scores are those of `score_archive` on the same result,
but for three: curves end at the threshold of the catalog, and there are no scores of pixels and no
calibration of the map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from odm.archive.orbit.listing import list_orbits
from odm.archive.orbit.reader import Orbit, read_orbit
from odm.catalog.campaign import Campaign
from odm.core.errors import InputError
from odm.findings.outlines import outline_mask, utc
from odm.findings.regions import RegionSettings
from odm.scoring.campaigns import about_campaign, finished_inputs, truth_folder
from odm.scoring.evaluation import Evaluation, Meter, metered
from odm.scoring.orbit.maps import Advance, LabelledOrbits
from odm.scoring.orbit.pictures import region_figures
from odm.scoring.orbit.scorer import Scorer
from odm.scoring.orbit.sheet import RegionSheet
from odm.scoring.orbit.tally import Finding, ScoredOrbit
from odm.scoring.orbit.truth import Truth

Row = Mapping[str, Any]
TIMES = ("time_start", "time_end", "time_peak")


def score_regions(
    campaign: Campaign, truth: str, resamples: int, meter: Meter | None = None
) -> Evaluation:
    """Score a campaign of half-orbits; see `odm.scoring.campaigns.score_campaign`."""
    card = campaign.card
    known = Truth.load(truth_folder(truth))
    listed = list_orbits(card.archive).entries
    files = {entry.key.identity: entry.key.name for entry in listed}
    rows, left_out = finished_inputs(campaign, "name", files)
    regions = {row["name"]: row["findings"] for row in rows}
    entries = [entry for entry in listed if entry.key.name in regions and known.knows(entry.key)]
    if not entries:
        raise InputError("none of the half-orbits of the catalog is labelled")
    settings = RegionSettings(**card.settings["regions"])
    with metered(meter, "scoring", len(entries), "half-orbits") as advance:
        scorer = score_rows(regions, LabelledOrbits(entries, known), settings, advance)
    about = {**about_campaign(campaign, truth), **left_out}
    return Evaluation(catalog_sheet(scorer, about, resamples), scorer.examples, region_figures)


def score_rows(
    regions: Mapping[str, Sequence[Row]],
    orbits: LabelledOrbits,
    settings: RegionSettings,
    advance: Advance | None = None,
) -> Scorer:
    """Score the rows of a catalog against what is true.

    Args:
        regions: rows by file name, with all columns of `odm.catalog.orbit.regions`.
        orbits: the half-orbits that were searched: of these, one without rows is clear.
        settings: as the catalog was searched with, for what counts as a true region.
        advance: called with the number of half-orbits just finished.

    Raises:
        InputError: an outline does not lie in its half-orbit.
        ArchiveError: a half-orbit is bad.
    """
    scorer = Scorer(settings.threshold)
    for entry in orbits.entries:
        orbit = read_orbit(entry.path)
        true = orbits.truth.findings(orbit, settings)
        rows = regions.get(entry.key.name, ())
        scored = ScoredOrbit(
            block=entry.key.cycle,
            shape=(orbit.frequency.size, orbit.times.size),
            truth=true,
            # All rows have passed their own search.
            found=[finding_of({**row, "seed": 1.0}, orbit) for row in rows],
            confusers=orbits.truth.confusers_of(orbit),
            ignored=orbits.truth.ignored(orbit, [region.mask for region in true]),
        )
        scorer.add(scored, entry.path)
        if advance is not None:
            advance(1)
    return scorer


def catalog_sheet(
    scorer: Scorer, about: Mapping[str, Any] | None = None, resamples: int = 1000
) -> RegionSheet:
    """Return a sheet without pixels, and with the calibration of regions only.

    Without maps and the places of fill values, what is left would not compare with a model's.
    """
    sheet = scorer.sheet(about, resamples=resamples)
    return replace(sheet, pixels=[], calibration={"regions": sheet.calibration["regions"]})


def finding_of(row: Row, orbit: Orbit) -> Finding:
    """Return a row of the catalog as something that can be scored.

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
