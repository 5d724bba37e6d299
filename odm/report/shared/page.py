"""The page of a report: one HTML file that opens offline, with its data, pictures and notes.

The charts are drawn by uPlot (MIT): 51 kB, canvas, fast with many points; Plotly would add 4.5 MB
to every page. Nothing is fetched: the page's own policy forbids it, and lets only the scripts with
the digests written here run. Data are JSON inside the page, shown as text only.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from string import Template
from typing import Any

from odm.catalog.outcomes import QUARANTINED
from odm.core.files import exists
from odm.core.kinds import KINDS
from odm.report.shared.comparison import ONLY_B, SIDES
from odm.report.shared.kind import CampaignReport
from odm.report.shared.pictures import Pictures
from odm.report.shared.rows import PageRows, page_rows, review_queue, rounded
from odm.report.shared.texts import STATEMENT, fingerprint

_MAX_PROBLEMS = 3
SCRIPTS = (
    "uPlot.iife.min.js", "data.js", "charts.js", "map.js", "timeline.js", "picture.js",
    "explore.js", "review.js", "start.js",
)  # fmt: skip
STYLES = ("uPlot.min.css", "page.css")


def report_page(report: CampaignReport[Any], folder: str, caption: str) -> tuple[str, list[str]]:
    """Return the page of a report as HTML, and its notes; draw its pictures.

    Args:
        report: what is said of a campaign.
        folder: folder of the page, for pictures beside it.
        caption: the line on campaign, model and statement.
    """
    campaign, options, compared = report.campaign, report.options, report.compared
    beside = None if compared is None else (compared.tables, compared.sides)
    rows = page_rows(report.tables, beside)
    disagreeing = () if compared is None else compared.sides.disagreeing
    queue = review_queue(report.tables, disagreeing, options.queue_size, options.seed)
    archive = options.archive or campaign.card.archive
    kind = KINDS.find(campaign.card.kind)
    pictures = Pictures(folder, archive, rows, queue, options.pictures, kind.inputs)
    why_none = ""
    if options.pictures == 0:
        why_none = "Pictures were not asked for when this report was made."
    elif not exists(archive):
        why_none = f"There are no pictures: the archive {archive} was not there when this was made."
    else:
        report.draw_pictures(pictures)
    notes = _notes(report, why_none, pictures.problems)
    see_notes = ": see the notes above." if pictures.problems else "."
    name = campaign.folder.resolve().name
    data = {
        "id": fingerprint(report.outcomes),
        "kind": kind.name,
        "title": f"What the campaign {name} found",
        "caption": caption,
        "statement": STATEMENT,
        "notes": notes,
        "findings": kind.findings,
        "inputs": kind.inputs,
        "input": kind.input,
        "layers": list(report.drawable()),
        "no_picture": why_none or f"There is no picture of this one{see_notes}",
        "model": campaign.card.model.get("digest", ""),
        "against": "" if compared is None else compared.fingerprint,
        "columns": _columns(report, rows),
        "sources": rows.sources,
        "queue": [
            {"orbit": number, "identity": rows.identities[number], "stratum": stratum}
            for number, stratum in zip(queue.inputs, queue.strata, strict=True)
        ],
        "strata": dict(queue.population),
    }
    drawn = {"regions": pictures.of_findings, "orbits": pictures.of_inputs}
    return build_page(f"{name}: report", data, drawn), notes


def _columns(report: CampaignReport[Any], rows: PageRows) -> dict[str, Any]:
    findings, page = rows.findings, json.loads(page_file(f"{report.campaign.card.kind}.json"))
    bits = {name: 1 << number for number, name in enumerate(page["flags"])}
    categories = report.page_categories(findings)
    if rows.sides is not None:
        categories["side"] = {"label": "found by", "values": list(SIDES), "codes": rows.sides}
    return {
        "numbers": {
            **{name: rounded(findings[name], digits) for name, digits in page["digits"].items()},
            **report.page_numbers(findings),
        },
        "categories": categories,
        "flags": {
            "names": page["flags"],
            "bits": [
                sum(bits.get(flag, 0) for flag in (() if flags is None else flags))
                for flags in findings["flags"]
            ],
        },
        "shown": page["shown"],
        "n": len(rows.ids),
        "ids": rows.ids,
        "orbit": rows.owner.tolist(),
        "other": None if rows.sides is None else [side == ONLY_B for side in rows.sides],
    }


def _notes(report: CampaignReport[Any], why_none: str, problems: Sequence[str]) -> list[str]:
    """Return what a reader should know: what is missing, and why."""
    inputs = report.tables.kind.inputs
    statuses = report.tables.inputs["status"]
    total, quarantined = len(statuses), int((statuses == QUARANTINED).sum())
    notes = []
    if not total:
        notes.append("This campaign holds no outcome yet: there is nothing to show.")
    elif quarantined == total:
        notes.append(
            f"All {quarantined} {inputs} of this campaign are quarantined: none was searched."
        )
    elif not len(report.tables.findings):
        notes.append(f"Nothing was found in the {inputs} that were searched.")
    else:
        notes += report.notes()
    if 0 < quarantined < total:
        notes.append(f"{quarantined} of {total} {inputs} are quarantined; see inputs.csv.")
    if why_none and quarantined < total:
        notes.append(why_none)
    if problems:
        more = len(problems) - _MAX_PROBLEMS
        rest = f"; and {more} more" if more > 0 else ""
        notes.append(
            f"{len(problems)} {inputs} could not be drawn: "
            f"{'; '.join(problems[:_MAX_PROBLEMS])}{rest}."
        )
    return notes


def build_page(title: str, data: Mapping[str, Any], pictures: Mapping[str, Any]) -> str:
    """Return the page as text.

    Args:
        title: title of the window.
        data: what `page/data.js` reads at once.
        pictures: what it reads when a picture is looked at, kept apart to be parsed only then.
    """
    scripts = [page_file(name) for name in SCRIPTS]
    digests = [hashlib.sha256(script.encode()).digest() for script in scripts]
    return Template(page_file("page.html")).substitute(
        allowed=" ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests),
        title=html.escape(title),
        styles="\n".join(f"<style>{page_file(name)}</style>" for name in STYLES),
        coastline=page_file("coastline.json"),
        data=embedded(data),
        pictures=embedded(pictures),
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )


def embedded(value: Any) -> str:
    """Return JSON that cannot end the element it stands in."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)  # ASCII, so no odd line ends
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def page_file(name: str) -> str:
    """Return the text of a file that pages are made of."""
    text = resources.files("odm.report.page").joinpath(name).read_text(encoding="utf-8")
    assert "</script" not in text.lower() or name.endswith(".html"), name
    return text
