"""Write all that a report holds: statistics, figures, page and provenance."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pyarrow as pa

from odm.catalog.campaign import Campaign
from odm.catalog.orbit.flown import COLUMNS, Flown, flown_of
from odm.catalog.orbit.inputs import ORBITS
from odm.catalog.orbit.statistics import exposure, orbit_statistics
from odm.catalog.outcomes import QUARANTINED, OutcomeKind
from odm.core.errors import InputError, OdmError
from odm.core.files import as_local, join, make_folder, write_bytes
from odm.report.orbit.comparison import comparison_figure, orbit_comparison
from odm.report.orbit.figures import draw_figures, write_captioned
from odm.report.orbit.page import orbit_page
from odm.report.shared.captions import STATEMENT, caption
from odm.report.shared.earlier import PAGE, PROVENANCE, earlier_report, pictures_in
from odm.report.shared.html import build_page
from odm.report.shared.options import ReportOptions, Written
from odm.report.shared.pages import Against
from odm.report.shared.provenance import FINGERPRINT_COLUMNS, fingerprint, inputs_csv, provenance
from odm.report.shared.sides import sides_of
from odm.report.shared.tables import counts_csv, rates_csv, to_csv

SHEET = "report.json"


def write_report(
    campaign: Campaign,
    out: str,
    against: Campaign | None = None,
    options: ReportOptions | None = None,
) -> Written:
    """Write a report on a campaign of half-orbits into a folder.

    Args:
        campaign: reported on.
        out: local folder; files of an earlier report there are replaced, or removed.
        against: another campaign, to compare with.
        options: how.

    Raises:
        InputError: not a campaign of half-orbits, or the place cannot be written.
        OdmError: a damaged part.
    """
    chosen = options or ReportOptions()
    check_kind(ORBITS, campaign, against)
    folder = str(as_local(out))
    make_folder(folder)
    earlier = earlier_report(folder)
    outcomes = _read(campaign)
    flown = flown_of(outcomes)
    sheet = orbit_statistics(flown, chosen.indices, chosen.resamples)
    searched = int((flown.orbits["status"] != QUARANTINED).sum())
    line = caption(campaign, f"{searched} half-orbits", against, chosen.remark)
    other, compared = None, None
    if against is not None:
        others = _read(against)
        other = flown_of(others)
        sides = sides_of(flown.tables, other.tables)
        compared = Against(other.tables, sides, fingerprint(others))
        sheet["comparison"] = orbit_comparison(
            (campaign, against), (flown, other), sides, chosen.resamples
        )
    files: list[str] = []

    def put(name: str, text: str) -> None:
        write_bytes(join(folder, name), text.encode())
        files.append(name)

    page = orbit_page(
        folder, campaign, flown, fingerprint(outcomes), options=chosen, line=line, other=other,
        against=compared,
    )  # fmt: skip
    text = build_page(page.title, page.data, page.pictures)
    put(PAGE, text)
    if chosen.figures:
        names = draw_figures(folder, flown, sheet, line)
        if other is not None and compared is not None:
            figure = comparison_figure((flown, other), compared.sides)
            write_captioned(folder, "comparison", figure, line)
            names.append("comparison")
        files += [f"{name}.{form}" for name in names for form in ("png", "pdf")]
    put("counts.csv", counts_csv(sheet))
    put("rates.csv", rates_csv(sheet))
    put("exposure.csv", _exposure_csv(flown))
    put("inputs.csv", inputs_csv(outcomes))
    about = {"campaign": campaign.card.to_dict(), "statement": STATEMENT, "notes": page.notes}
    put(SHEET, to_json({**about, **sheet}))
    joined = chosen.context | ({"against": compared.fingerprint} if compared else {})
    origin = provenance(campaign, outcomes, sheet, [*files, PROVENANCE], joined)
    put(PROVENANCE, to_json(origin))
    found = sheet["regions"]
    summary = f"{found['total']} regions on {found['half_orbits_with_a_region']} half-orbits"
    removed = earlier.remove_all_but([*files, *pictures_in(text)])
    return Written(files, [*page.notes, *removed], sheet, summary)


def check_kind(kind: OutcomeKind, campaign: Campaign, against: Campaign | None) -> None:
    """Whether campaigns are of the kind of inputs that a report is made on.

    Raises:
        InputError: one is not.
    """
    if campaign.card.kind != kind.name:
        raise InputError(f"{campaign.folder}: no report is made on {campaign.card.kind}")
    if against is not None and against.card.kind != kind.name:
        raise InputError(
            f"{against.folder} is a campaign of {against.card.kind}, {campaign.folder} of "
            f"{kind.name}: only two of one kind can be compared"
        )


def to_json(value: Any) -> str:
    """JSON that any reader takes: unknown numbers are null."""
    return json.dumps(_plain(value), indent=1, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _read(campaign: Campaign) -> pa.Table:
    try:
        return campaign.outcomes([*COLUMNS, *FINGERPRINT_COLUMNS])
    except KeyError as error:
        raise OdmError(f"{campaign.folder}: its outcomes lack {error}") from None


def _exposure_csv(flown: Flown) -> str:
    cells = exposure(flown)
    header = ["latitude_from", "mlt_from", "month", "valid_seconds", "regions", "regions_in_100_h"]
    return to_csv(header, list(cells.itertuples(index=False, name=None)))
