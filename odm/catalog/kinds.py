"""Kinds of inputs as campaigns see them: what outcomes hold and how an archive is listed."""

from __future__ import annotations

from odm.catalog.outcomes import OutcomeKind
from odm.catalog.selection import Listing
from odm.core.kinds import KINDS

__all__ = ["kind_of", "list_inputs"]


def kind_of(name: str) -> OutcomeKind:
    """Return what outcomes of a kind look like, by the name in a campaign's card.

    Raises:
        InputError: this version knows none of that name.
    """
    kind: OutcomeKind = KINDS.find(name).load("outcome")
    return kind


def list_inputs(name: str, archive: str) -> Listing:
    """List what an archive holds of a kind.

    Raises:
        InputError: no such kind, no such folder, or nothing of this kind in it.
        TransientError: the store does not answer.
    """
    listing: Listing = KINDS.find(name).load("list")(archive)
    return listing
