"""Write a report on a campaign: statistics, figures, page and provenance."""

from __future__ import annotations

from typing import Any

from odm.catalog.campaign import Campaign
from odm.core.errors import InputError
from odm.core.files import as_local, join, make_folder, write_bytes
from odm.core.kinds import KINDS
from odm.report.shared.earlier import PAGE, PROVENANCE, earlier_report, pictures_in
from odm.report.shared.figures import write_captioned
from odm.report.shared.kind import CampaignReport
from odm.report.shared.options import ReportOptions, WrittenReport
from odm.report.shared.page import report_page
from odm.report.shared.provenance import provenance
from odm.report.shared.texts import STATEMENT, caption, to_json

SHEET = "report.json"


def write_report(
    campaign: Campaign,
    out: str,
    against: Campaign | None = None,
    options: ReportOptions | None = None,
) -> WrittenReport:
    """Write a report on a campaign into a folder.

    Args:
        campaign: the campaign reported on.
        out: local folder; files of an earlier report there are replaced, or removed.
        against: another campaign of the same kind, to compare with.
        options: how the report is made.

    Raises:
        InputError: no report is made on this kind, or the place cannot be written.
        OdmError: a damaged part.
    """
    report_class = _report_class(campaign, against)
    folder = str(as_local(out))
    make_folder(folder)
    earlier = earlier_report(folder)
    report = report_class(campaign, against, options or ReportOptions())
    inputs = f"{report.searched} {report.tables.kind.inputs}"
    line = caption(campaign, inputs, against, report.options.remark)
    page, notes = report_page(report, folder, line)
    about = {"campaign": campaign.card.to_dict(), "statement": STATEMENT, "notes": notes}
    files: list[str] = []

    def write(name: str, text: str) -> None:
        write_bytes(join(folder, name), text.encode())
        files.append(name)

    write(PAGE, page)
    for name, content in report.files().items():
        if isinstance(content, str):
            write(name, content)
        else:
            files += write_captioned(folder, name, content, line)
    write(SHEET, to_json({**about, **report.sheet}))
    joined = dict(report.options.context)
    if report.compared is not None:
        joined["against"] = report.compared.fingerprint
    listed = [*files, PROVENANCE]
    origin = provenance(campaign, report.outcomes, report.days(), report.paper, listed, joined)
    write(PROVENANCE, to_json(origin))
    removed = earlier.remove_all_but([*files, *pictures_in(page)])
    return WrittenReport(files, [*notes, *removed], report.sheet, report.summary())


def _report_class(campaign: Campaign, against: Campaign | None) -> type[CampaignReport[Any]]:
    kind = campaign.card.kind
    if kind not in KINDS or not KINDS.find(kind).has("report"):
        raise InputError(f"{campaign.folder}: no report is made on {kind}")
    if against is not None and against.card.kind != kind:
        raise InputError(
            f"{against.folder} is a campaign of {against.card.kind}, {campaign.folder} of "
            f"{kind}: only two of one kind can be compared"
        )
    report_class: type[CampaignReport[Any]] = KINDS.find(kind).load("report")
    return report_class
