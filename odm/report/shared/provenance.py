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
from odm.report.shared.texts import STATEMENT, to_csv

SCHEMA = "http://datacite.org/schema/kernel-4"
_UNKNOWN = ":tba"  # DataCite's word (appendix "standard values for unknown information")
_PACKAGES = ("numpy", "pandas", "pyarrow", "matplotlib", "aacgmv2", "ppigrf")
FINGERPRINT_COLUMNS = ("identity", "name", "size", "modified_ns", "status", "generation", "digest")


def fingerprint(outcomes: pa.Table) -> str:
    """Return SHA-256 over the digests of all outcomes, which changes with any of them."""
    digests = sorted(outcomes["digest"].to_pylist()) if outcomes.num_rows else []
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def inputs_csv(outcomes: pa.Table) -> str:
    """Return a line per input: its file, and the digest of its outcome."""
    names = FINGERPRINT_COLUMNS if outcomes.num_rows else ()
    columns = [outcomes[name].to_pylist() for name in names]
    return to_csv(FINGERPRINT_COLUMNS, list(zip(*columns, strict=True)))


def provenance(
    campaign: Campaign,
    outcomes: pa.Table,
    days: Sequence[str | None],
    paper: str,
    files: Sequence[str],
    joined: Mapping[str, str],
) -> dict[str, Any]:
    """Return DataCite-style metadata of a report; who made it is for the user to fill in.

    Args:
        campaign: the campaign reported on.
        outcomes: its outcomes, with `FINGERPRINT_COLUMNS`.
        days: first and last time of its inputs, None where unknown.
        paper: DOI of the paper that describes its method.
        files: all files of the report.
        joined: digests of what was joined, by name: files, and the outcomes compared with.
    """
    card, now, digest = campaign.card, datetime.now(UTC), fingerprint(outcomes)
    covered = [day[:10] for day in days if day]
    dates = [{"date": now.isoformat(timespec="seconds"), "dateType": "Created"}]
    if covered:
        dates.append({"date": "/".join(covered), "dateType": "Collected"})
    related = {"relatedIdentifier": paper, "relatedIdentifierType": "DOI"}
    software = {"odm": odm.__version__, "python": platform.python_version()}
    return {
        "schemaVersion": SCHEMA,
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
            "joined": dict(joined),
            "software": software | {name: _version(name) for name in _PACKAGES},
            "files": list(files),
        },
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
