"""The lock of a campaign: one driver at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from odm.core.errors import OdmError
from odm.core.locks import FileLock


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
