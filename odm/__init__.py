"""Ionospheric anomaly detection on satellite spectrograms and backscatter ionograms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odm.core.lazy import lazy_names

if TYPE_CHECKING:
    from odm.archive.ionogram.key import IonogramKey as IonogramKey
    from odm.archive.ionogram.listing import list_ionograms as list_ionograms
    from odm.archive.ionogram.reader import open_ionogram as open_ionogram
    from odm.archive.orbit.key import OrbitKey as OrbitKey
    from odm.archive.orbit.listing import list_orbits as list_orbits
    from odm.archive.orbit.reader import open_orbit as open_orbit
    from odm.archive.orbit.reader import read_orbit as read_orbit
    from odm.core.errors import AnnotationError as AnnotationError
    from odm.core.errors import ArchiveError as ArchiveError
    from odm.core.errors import InputError as InputError
    from odm.core.errors import OdmError as OdmError
    from odm.core.errors import TransientError as TransientError

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "AnnotationError": "odm.core.errors",
        "ArchiveError": "odm.core.errors",
        "InputError": "odm.core.errors",
        "IonogramKey": "odm.archive.ionogram.key",
        "OdmError": "odm.core.errors",
        "OrbitKey": "odm.archive.orbit.key",
        "TransientError": "odm.core.errors",
        "list_ionograms": "odm.archive.ionogram.listing",
        "list_orbits": "odm.archive.orbit.listing",
        "open_ionogram": "odm.archive.ionogram.reader",
        "open_orbit": "odm.archive.orbit.reader",
        "read_orbit": "odm.archive.orbit.reader",
    },
)
