"""The kinds of inputs that a campaign may have, by name."""

from __future__ import annotations

from collections.abc import Callable

from odm.catalog.kinds.ionogram import IONOGRAMS, list_ionogram_inputs
from odm.catalog.kinds.orbit import ORBITS, list_orbit_inputs
from odm.catalog.outcomes import OutcomeKind
from odm.catalog.selection import Listing
from odm.core.errors import InputError

_KNOWN: dict[str, tuple[OutcomeKind, Callable[[str], Listing]]] = {
    ORBITS.name: (ORBITS, list_orbit_inputs),
    IONOGRAMS.name: (IONOGRAMS, list_ionogram_inputs),
}


def kind_of(name: str) -> OutcomeKind:
    """The kind of a campaign's inputs, by the name in its card.

    Raises:
        InputError: this version knows none of that name.
    """
    return _known(name)[0]


def list_inputs(name: str, archive: str) -> Listing:
    """What an archive holds of a kind.

    Raises:
        InputError: no such kind, no such folder, or nothing of this kind in it.
        TransientError: the store does not answer.
    """
    return _known(name)[1](archive)


def _known(name: str) -> tuple[OutcomeKind, Callable[[str], Listing]]:
    if name not in _KNOWN:
        raise InputError(f"a campaign of {name}, which this version of odm does not know")
    return _KNOWN[name]
