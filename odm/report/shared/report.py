"""Write a report on a campaign: statistics, figures, page and provenance.

A report names its files in ``provenance.json`` and its pictures in its page: of these, a new report
removes what an earlier one wrote and it no longer has. Nothing else is ever removed, nor what was
changed after the earlier report was finished.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import odm
from odm.catalog.campaign import Campaign
from odm.core.errors import InputError
from odm.core.files import as_local, join, make_folder, write_bytes
from odm.core.kinds import KINDS
from odm.report.shared.figures import write_captioned
from odm.report.shared.kind import CampaignReport, ReportOptions
from odm.report.shared.page import report_page
from odm.report.shared.pictures import FOLDER
from odm.report.shared.texts import STATEMENT, fingerprint, to_json

SHEET = "report.json"
_UNKNOWN = ":tba"  # DataCite's word (appendix "standard values for unknown information")
_PACKAGES = ("numpy", "pandas", "pyarrow", "matplotlib", "aacgmv2", "ppigrf")
PAGE, PROVENANCE = "index.html", "provenance.json"
_PLAIN = re.compile(r"[a-z_]+\.(?:html|json|csv|png|pdf)")
# Quotes in other texts of a page are escaped.
_PICTURE = re.compile(rf'"src":"({FOLDER}/\d{{6,}}\.jpg)"')


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
    earlier, finished_ns = _earlier_files(Path(folder))
    report = report_class(campaign, against, options or ReportOptions())
    line = _caption(report)
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
    write(PROVENANCE, to_json(_provenance(report, [*files, PROVENANCE])))
    old = earlier.difference(files, _PICTURE.findall(page))
    removed = _remove(Path(folder), sorted(old), finished_ns)
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


def _caption(report: CampaignReport[Any]) -> str:
    """Return the line under every figure and on the page: campaigns, models and statement."""
    campaign, beside, remark = report.campaign, "", report.options.remark.strip()
    if report.compared is not None:
        other = report.compared.campaign
        beside = f" (A); B is {other.folder.resolve().name}, {_model(other)}"
    return (
        f"Campaign {campaign.folder.resolve().name} over {report.searched} "
        f"{report.tables.kind.inputs} of {campaign.card.archive}, {_model(campaign)}{beside}. "
        f"{f'{remark} ' if remark else ''}{STATEMENT}"
    )


def _model(campaign: Campaign) -> str:
    model = campaign.card.model
    return f"model {model.get('architecture', '?')} {str(model.get('digest', '?'))[:12]}"


def _provenance(report: CampaignReport[Any], files: Sequence[str]) -> dict[str, Any]:
    """Return metadata of a report that names these files, by the DataCite metadata schema 4.

    Who made it is for the user to fill in.
    """
    campaign, outcomes = report.campaign, report.outcomes
    card, now, digest = campaign.card, datetime.now(UTC), fingerprint(outcomes)
    joined = dict(report.options.context)
    if report.compared is not None:
        joined["against"] = report.compared.fingerprint
    covered = [day[:10] for day in report.days() if day]
    dates = [{"date": now.isoformat(timespec="seconds"), "dateType": "Created"}]
    if covered:
        dates.append({"date": "/".join(covered), "dateType": "Collected"})
    related = {"relatedIdentifier": report.paper, "relatedIdentifierType": "DOI"}
    software = {"odm": odm.__version__, "python": platform.python_version()}
    return {
        "schemaVersion": "http://datacite.org/schema/kernel-4",
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": f"catalog of {card.kind}"},
        "titles": [{"title": f"Report on the campaign {campaign.folder.resolve().name}"}],
        "creators": [{"name": _UNKNOWN}],
        "publisher": {"name": _UNKNOWN},
        "publicationYear": str(now.year),
        "version": digest[:12],
        "dates": dates,
        "descriptions": [{"description": STATEMENT, "descriptionType": "Methods"}],
        "relatedIdentifiers": [related | {"relationType": "References"}],
        "formats": sorted({name.rpartition(".")[2] for name in files}),
        "odm": {
            "inputs": {
                "archive": card.archive,
                "number": outcomes.num_rows,
                "fingerprint": digest,
                "listed_in": "inputs.csv",
            },
            "model": dict(card.model),
            "settings": dict(card.settings),
            "result_version": card.result_version,
            "joined": joined,
            "software": software | {name: _version(name) for name in _PACKAGES},
            "files": list(files),
        },
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _earlier_files(folder: Path) -> tuple[set[str], int]:
    """Return the files of the report in a folder, and when it was finished, in ns since 1970.

    There are none if no report can be read.
    """
    try:
        content = json.loads((folder / PROVENANCE).read_bytes())
        listed = [name for name in content["odm"]["files"] if _PLAIN.fullmatch(name)]
        finished_ns = (folder / PROVENANCE).stat().st_mtime_ns
        page = (folder / PAGE).read_text("utf-8") if PAGE in listed else ""
    except (OSError, ValueError, KeyError, TypeError):
        return set(), 0
    return {*listed, *_PICTURE.findall(page)}, finished_ns


def _remove(folder: Path, names: Sequence[str], finished_ns: int) -> list[str]:
    """Remove files that have not changed since a time, and say how many, if any."""
    removed = 0
    for path in (folder / name for name in names):
        if path.is_file() and path.stat().st_mtime_ns <= finished_ns:
            path.unlink()
            removed += 1
    pictures = folder / FOLDER
    if removed and pictures.is_dir() and not any(pictures.iterdir()):
        pictures.rmdir()
    return [f"files of an earlier report that were removed: {removed}"] if removed else []
