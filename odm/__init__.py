"""Ionospheric anomaly detection on satellite spectrograms and backscatter ionograms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from odm.core.errors import AnnotationError, ArchiveError, InputError, OdmError, TransientError

if TYPE_CHECKING:
    from odm.archive.ionogram.key import IonogramKey
    from odm.archive.ionogram.reader import list_ionograms, open_ionogram
    from odm.archive.orbit.key import OrbitKey
    from odm.archive.orbit.listing import list_orbits
    from odm.archive.orbit.reader import open_orbit, read_orbit

__version__ = "0.1.0"

__all__ = [
    "AnnotationError",
    "ArchiveError",
    "InputError",
    "IonogramKey",
    "OdmError",
    "OrbitKey",
    "TransientError",
    "list_ionograms",
    "list_orbits",
    "open_ionogram",
    "open_orbit",
    "read_orbit",
]

# Read on first use, so that ``import odm`` and ``odm --help`` cost next to nothing.
_HOMES = {
    "IonogramKey": "odm.archive.ionogram.key",
    "list_ionograms": "odm.archive.ionogram.reader",
    "open_ionogram": "odm.archive.ionogram.reader",
    "OrbitKey": "odm.archive.orbit.key",
    "list_orbits": "odm.archive.orbit.listing",
    "open_orbit": "odm.archive.orbit.reader",
    "read_orbit": "odm.archive.orbit.reader",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'odm' has no attribute {name!r}")
