"""Where a report comes from, in the terms of the DataCite metadata schema 4."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pyarrow as pa

import odm
from odm.catalog.campaign import Campaign
from odm.report.shared.captions import STATEMENT
from odm.report.shared.tables import to_csv

SCHEMA = "http://datacite.org/schema/kernel-4"
PAPERS = {"orbits": "10.3389/fspas.2024.1431273", "ionograms": "10.1051/wujns/2025301069"}
_UNKNOWN = ":tba"  # DataCite's word (appendix "standard values for unknown information")
_PACKAGES = ("numpy", "pandas", "pyarrow", "matplotlib", "aacgmv2", "ppigrf")
FINGERPRINT_COLUMNS = ("identity", "name", "size", "modified_ns", "status", "generation", "digest")


def fingerprint(outcomes: pa.Table) -> str:
    """SHA-256 over the digests of all outcomes: another for other inputs, models or findings."""
    digests = sorted(outcomes["digest"].to_pylist()) if outcomes.num_rows else []
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def inputs_csv(outcomes: pa.Table) -> str:
    """A line per input: what it was, and the digest of what came out."""
    names = FINGERPRINT_COLUMNS if outcomes.num_rows else ()
    columns = [outcomes[name].to_pylist() for name in names]
    return to_csv(FINGERPRINT_COLUMNS, list(zip(*columns, strict=True)))


def provenance(
    campaign: Campaign,
    outcomes: pa.Table,
    sheet: Mapping[str, Any],
    files: Sequence[str],
    context: Mapping[str, str],
) -> dict[str, Any]:
    """DataCite-style metadata of a report; who made it is for the user to fill in.

    Args:
        campaign: reported on.
        outcomes: its outcomes, with `FINGERPRINT_COLUMNS`.
        sheet: its statistics, for the days covered.
        files: written beside this one.
        context: name → digest of what was joined: files, and the outcomes ``against`` which.
    """
    card, now = campaign.card, datetime.now(UTC)
    days = sheet.get("inputs", {})
    covered = [str(days[end])[:10] for end in ("first", "last") if days.get(end)]
    dates = [{"date": now.isoformat(timespec="seconds"), "dateType": "Created"}]
    if covered:
        dates.append({"date": "/".join(covered), "dateType": "Collected"})
    return {
        "schemaVersion": SCHEMA,
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": f"catalog of {card.kind}"},
        "titles": [{"title": f"Report on the campaign {campaign.folder.resolve().name}"}],
        "creators": [{"name": _UNKNOWN}],
        "publisher": {"name": _UNKNOWN},
        "publicationYear": str(now.year),
        "version": fingerprint(outcomes)[:12],
        "dates": dates,
        "descriptions": [{"description": STATEMENT, "descriptionType": "Methods"}],
        "relatedIdentifiers": [
            {
                "relatedIdentifier": PAPERS[card.kind],
                "relatedIdentifierType": "DOI",
                "relationType": "References",
            }
        ]
        if card.kind in PAPERS
        else [],
        "formats": sorted({name.rpartition(".")[2] for name in files}),
        "odm": {
            "inputs": {
                "archive": card.archive,
                "number": outcomes.num_rows,
                "fingerprint": fingerprint(outcomes),
                "listed_in": "inputs.csv",
            },
            "model": dict(card.model),
            "settings": dict(card.settings),
            "result_version": card.result_version,
            "joined": dict(context),
            "software": {
                "odm": odm.__version__,
                "python": platform.python_version(),
                **_versions(),
            },
            "files": list(files),
        },
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
