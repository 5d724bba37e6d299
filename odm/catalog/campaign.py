"""A campaign: one model over one archive, as a folder.

campaign.json          model, settings, version of the results, archive
outcomes/*.parquet     what came out: see `odm.catalog.parts`
log.jsonl              what happened when and where; nothing in it decides anything
lock                   who is at work
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from odm.catalog.outcomes import UNION_COLUMNS
from odm.catalog.parts import list_parts, read_outcomes, write_part
from odm.core.errors import InputError, OdmError
from odm.core.faults import first_line
from odm.core.files import as_local, exists, is_uri, make_folder, read_bytes, write_bytes
from odm.core.locks import FileLock

FORMAT = 1
RESULT_VERSION = 4
"""Changes whenever the same model, settings and file give another outcome."""

CARD, OUTCOMES, LOG, LOCK = "campaign.json", "outcomes", "log.jsonl", "lock"


@dataclass(frozen=True)
class CampaignCard:
    """What `campaign.json` says: all that decides what the outcomes are.

    Attributes:
        kind: name of the kind of input, such as ``orbits``.
        archive: absolute path or URI.
        model: ``digest`` and ``architecture`` of the model.
        settings: what else decides an outcome.
        result_version: `RESULT_VERSION` of the package that made it.
    """

    kind: str
    archive: str
    model: Mapping[str, str]
    settings: Mapping[str, Any] = field(default_factory=dict)
    result_version: int = RESULT_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as in the file."""
        return {"format": FORMAT, **json.loads(json.dumps(asdict(self)))}

    def differences(self, asked: CampaignCard) -> list[str]:
        """Name the settings in which the card that is asked for differs from this one."""
        return list(_differences("", self.to_dict(), asked.to_dict()))


class CampaignLock(FileLock):
    """Keeps a second driver out of a campaign for as long as this process lives.

    With ``take_over`` the lock file is replaced: the first driver notices when it next commits,
    and stops.

    Args:
        path: the lock file in the campaign's folder, local.
        take_over: go in even if another driver holds the lock.
    """

    def __init__(self, path: Path, *, take_over: bool = False) -> None:
        super().__init__(path)
        self._may_take_over = take_over

    def __enter__(self) -> Self:
        if not self.acquire() and not (self._may_take_over and self.take_over()):
            raise OdmError(
                f"{self.path.parent}: {self.holder()} is at work in this campaign; wait for it, or "
                "take over with --take-over"
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def check(self) -> None:
        """Make sure that the lock is still ours.

        Raises:
            OdmError: another driver has taken over.
        """
        if not self.is_ours:
            raise OdmError(f"{self.path.parent}: {self.holder()} has taken over this campaign")


@dataclass(frozen=True)
class Campaign:
    """The folder of a campaign, and its card."""

    folder: Path
    card: CampaignCard

    @property
    def parts(self) -> str:
        """Folder of the part files."""
        return str(self.folder / OUTCOMES)

    def outcomes(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Read the valid row of each input; see `read_outcomes`.

        Raises:
            InputError: they are of another version of the results, with other columns.
            OdmError: a part is damaged.
        """
        if self.card.result_version == RESULT_VERSION:
            return read_outcomes(self.parts, columns)
        try:
            table = read_outcomes(self.parts, columns)
        except (KeyError, pa.ArrowException):
            table = None
        if table is None or not _as_now(table, columns, self.card.kind):
            raise InputError(
                f"{self.folder} holds version {self.card.result_version} of the results, and this "
                f"odm reads version {RESULT_VERSION}: use the odm that made it, or a new folder"
            )
        return table

    def check_card(self) -> None:
        """Check that the folder still is this campaign's; to be asked under its lock.

        Raises:
            OdmError: another command has given it other settings.
        """
        differing = load_campaign(self.folder).card.differences(self.card)
        if differing:
            raise OdmError(f"{self.folder} has become another campaign: {'; '.join(differing)}")

    def commit(self, outcomes: Sequence[pa.Table]) -> None:
        """Write outcomes; when this returns they are there for good."""
        if outcomes:
            write_part(self.parts, outcomes)

    def lock(self, *, take_over: bool = False) -> CampaignLock:
        """Return the lock that a driver holds while it works."""
        return CampaignLock(self.folder / LOCK, take_over=take_over)

    def log(self, event: str, **facts: Any) -> None:
        """Append a line to the log."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        line = {"time": now, "event": event, "host": socket.gethostname(), "pid": os.getpid()}
        with (self.folder / LOG).open("a") as file:
            file.write(json.dumps({**line, **facts}) + "\n")


def absolute_archive(archive: object) -> str:
    """Return a name of the archive that means the same from any working folder."""
    text = str(archive)
    return text if is_uri(text) else str(Path(text).expanduser().resolve())


def open_campaign(folder: object, card: CampaignCard) -> Campaign:
    """Make a campaign, or go on with the one that is there.

    One that has no outcome yet and no driver at work is none: it takes the new card, so that a
    wrong setting of a first call can be corrected.

    Args:
        folder: local folder.
        card: card of the campaign that is asked for.

    Raises:
        InputError: the folder holds another campaign, which differs in what the sentence says, or
            something else; or it cannot be written.
    """
    local = as_local(str(folder))
    if exists(local / CARD):
        campaign = load_campaign(local)
        differing = campaign.card.differences(card)
        if differing and _emptied(campaign, card):
            campaign = Campaign(local, card)
        elif differing:
            raise InputError(
                f"{folder} is another campaign: {'; '.join(differing)}. Use another folder"
            )
    else:
        make_folder(local)
        try:
            strange = [
                path
                for path in local.iterdir()
                # A kill while the card is written leaves its temporary file, which is hidden.
                if path.name not in (OUTCOMES, LOCK, LOG) and not path.name.startswith(".")
            ]
        except OSError as error:
            raise InputError(f"{folder}: cannot be read ({first_line(error)})") from None
        if strange:
            raise InputError(
                f"{folder} is no campaign, and not empty (it has {strange[0].name}): "
                "use another folder"
            )
        campaign = Campaign(local, card)
        _write_card(campaign)
    make_folder(local / OUTCOMES)
    return campaign


def _emptied(campaign: Campaign, card: CampaignCard) -> bool:
    """Give a campaign without an outcome another card; False where it has one, or a driver."""
    with ExitStack() as held:
        try:
            held.enter_context(campaign.lock())
        except OdmError:
            return False
        make_folder(campaign.parts)
        if list_parts(campaign.parts):
            return False
        _write_card(Campaign(campaign.folder, card))
        return True


def _write_card(campaign: Campaign) -> None:
    text = json.dumps(campaign.card.to_dict(), indent=1, sort_keys=True) + "\n"
    write_bytes(campaign.folder / CARD, text.encode())


def load_campaign(folder: object) -> Campaign:
    """Read a campaign that is there.

    Raises:
        InputError: it is none.
    """
    local = as_local(str(folder))
    if not exists(local / CARD):
        raise InputError(f"{folder} is no campaign: it has no {CARD}")
    try:
        content = json.loads(read_bytes(local / CARD))
        newer = content.pop("format") > FORMAT
        card = CampaignCard(**content)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise InputError(f"{folder} is no campaign: its {CARD} is damaged") from None
    if newer:
        raise InputError(f"{folder} was made by a newer version of odm")
    return Campaign(local, card)


def check_one_model(campaigns: Sequence[Campaign]) -> None:
    """Check that the outcomes of campaigns may stand in one table.

    Raises:
        InputError: two differ in more than their archive.
    """
    first = campaigns[0]
    for campaign in campaigns[1:]:
        differences = first.card.differences(campaign.card)
        differing = [text for text in differences if not text.startswith("archive ")]
        if differing:
            raise InputError(
                f"{first.folder} and {campaign.folder} are not of one model: {'; '.join(differing)}"
            )


def check_writable(campaign: Campaign) -> None:
    """Check that parts can be written, before any work is done.

    Raises:
        OdmError: nothing can be written there.
    """
    if not os.access(campaign.parts, os.W_OK | os.X_OK):
        raise OdmError(f"{campaign.parts}: cannot be written (no permission)")


def _as_now(table: pa.Table, columns: Sequence[str] | None, kind: str) -> bool:
    """Whether a table has the columns that this version gives outcomes."""
    if not table.num_columns:  # no part yet
        return True
    from odm.catalog.kinds import kind_of

    schema = kind_of(kind).schema
    names = schema.names if columns is None else [*UNION_COLUMNS, *columns]
    return all(
        name in table.column_names and table.schema.field(name).type == schema.field(name).type
        for name in names
    )


def _differences(path: str, there: Any, here: Any) -> Iterator[str]:
    if isinstance(there, dict) or isinstance(here, dict):
        there, here = (group if isinstance(group, dict) else {} for group in (there, here))
        for key in sorted(set(there) | set(here)):
            yield from _differences(f"{path}.{key}".lstrip("."), there.get(key), here.get(key))
    elif there != here:
        yield f"{path} is {_short(there)} there and {_short(here)} here"


def _short(value: Any) -> str:
    if value is None:
        return "not set"
    text = value if isinstance(value, str) else json.dumps(value)
    is_digest = len(text) == 64 and set(text) <= set("0123456789abcdef")
    return text[:12] if is_digest else text
