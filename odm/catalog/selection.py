"""Which inputs of an archive a campaign still has to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
from pydantic import model_validator

from odm.archive.listing import ArchiveListing
from odm.catalog.outcomes import QUARANTINED, STATUSES, UNION_COLUMNS, Input
from odm.core.errors import InputError
from odm.core.files import without_options
from odm.core.settings import Options

LEDGER_COLUMNS = (*UNION_COLUMNS, "name", "size", "modified_ns")
"""All that a resuming driver reads of what is done."""


@dataclass(frozen=True)
class Listing:
    """What an archive holds.

    Attributes:
        inputs: inputs in order of time, no two with one identity.
        times: naive UTC of each input, for `Selection`; None where a name gives none.
        notes: sentences on files that were passed over.
    """

    inputs: tuple[Input, ...]
    times: tuple[datetime | None, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        listing: ArchiveListing[Any],
        columns: Callable[[Any], dict[str, Any]],
        times: Iterable[datetime | None],
        passed_over: str,
    ) -> Listing:
        """Make inputs of the files of an archive.

        Args:
            listing: what the archive holds.
            columns: key of a file → its columns of `OutcomeKind.key`.
            times: naive UTC of each file.
            passed_over: sentence on a file that lost against another of the same identity, with
                ``{loser}`` and ``{winner}``.
        """
        inputs = tuple(
            Input(
                identity=file.key.identity,
                name=file.key.name,
                path=file.path,
                source=relative_to(listing.archive, file.path),
                size=file.size,
                modified_ns=file.modified_ns,
                key=columns(file.key),
            )
            for file in listing.entries
        )
        notes = [
            passed_over.format(loser=loser, winner=winner) for loser, winner in listing.superseded
        ]
        return cls(inputs, tuple(times), (*notes, *listing.unreadable))


class Selection(Options):
    """Which inputs of an archive are to be done.

    Attributes:
        since, until: naive UTC; inputs that start in [since, until). With either, inputs without
            a time are left out.
        limit: largest number of inputs in this run, the earliest first; None for all.
        retry_quarantined: whether quarantined inputs are done again.
        refresh: whether inputs are done again whose file has changed since: another size or time
            of modification, or a later level or suffix that took its place.
    """

    since: datetime | None = None
    until: datetime | None = None
    limit: int | None = None
    retry_quarantined: bool = False
    refresh: bool = False

    @model_validator(mode="after")
    def _check(self) -> Selection:
        if self.limit is not None and self.limit < 1:
            raise InputError(f"limit {self.limit}: give at least 1")
        if self.since and self.until and self.since >= self.until:
            raise InputError(f"since {self.since} is not before until {self.until}")
        return self

    def takes(self, time: datetime | None) -> bool:
        """Whether an input that starts at this time is selected."""
        if time is None:
            return self.since is None and self.until is None
        return not (self.since and time < self.since) and not (self.until and time >= self.until)


@dataclass(frozen=True)
class WorkList:
    """Inputs that are left to do, and what is done already.

    Attributes:
        selected: identities between ``since`` and ``until``, done or not.
        todo: inputs to do now, with their generation.
        counts: status → number of selected inputs that are done and stay so.
        changed: inputs done whose file has changed since, left alone.
        absent: inputs done that the archive no longer holds; they stay in the campaign.
        undated: inputs left out because their names give no time.
    """

    selected: frozenset[str]
    todo: tuple[Input, ...]
    counts: dict[str, int]
    changed: int
    absent: int
    undated: int = 0


def select(listing: Listing, ledger: pa.Table, selection: Selection) -> WorkList:
    """Subtract what is done from what is selected; no file is opened.

    Args:
        listing: of the archive.
        ledger: `LEDGER_COLUMNS` of what is done, a row for each identity.
        selection: which inputs of it.

    Raises:
        InputError: nothing in the archive lies between ``since`` and ``until``.
    """
    selected = [
        entry
        for entry, time in zip(listing.inputs, listing.times, strict=True)
        if selection.takes(time)
    ]
    if not selected:
        raise InputError("the archive holds nothing between --since and --until")
    done = _by_identity(ledger)
    todo, changed = [], 0
    counts = dict.fromkeys(STATUSES, 0)
    for entry in selected:
        row = done.get(entry.identity)
        if row is None:
            todo.append(entry)
            continue
        name, size, modified_ns, generation, status = row
        is_changed = (name, size, modified_ns) != (entry.name, entry.size, entry.modified_ns)
        again = (is_changed and selection.refresh) or (
            status == QUARANTINED and selection.retry_quarantined
        )
        if again and (selection.limit is None or len(todo) < selection.limit):
            todo.append(replace(entry, generation=generation + 1))
            continue
        changed += is_changed and not again
        counts[status] += 1
    here = {entry.identity for entry in listing.inputs}
    return WorkList(
        selected=frozenset(entry.identity for entry in selected),
        todo=tuple(todo[: selection.limit]),
        counts=counts,
        changed=changed,
        absent=len(done.keys() - here),
        undated=0 if selection.takes(None) else listing.times.count(None),
    )


def status_counts(ledger: pa.Table, listed: Iterable[str] | None) -> dict[str, int | None]:
    """Count inputs by status, and those of the archive that are ``pending``.

    Args:
        ledger: identities and statuses of what is done.
        listed: identities in the archive; None if it is not there, so that pending is unknown.
    """
    counts: dict[str, int | None] = dict.fromkeys(STATUSES, 0)
    done = set()
    if ledger.num_rows:
        done = set(ledger["identity"].to_pylist())
        for entry in ledger["status"].value_counts().to_pylist():
            counts[entry["values"]] = entry["counts"]
    counts["pending"] = None if listed is None else len(set(listed) - done)
    return counts


def relative_to(archive: str, path: str) -> str:
    """Return a file's place below the archive, with forward slashes."""
    root, inside = without_options(archive).rstrip("/"), without_options(path)
    return inside[len(root) :].lstrip("/") if inside.startswith(root + "/") else inside


def _by_identity(ledger: pa.Table) -> dict[str, tuple[Any, ...]]:
    if not ledger.num_rows:
        return {}
    columns = [
        ledger[name].to_pylist()
        for name in ("identity", "name", "size", "modified_ns", "generation", "status")
    ]
    return {row[0]: row[1:] for row in zip(*columns, strict=True)}
