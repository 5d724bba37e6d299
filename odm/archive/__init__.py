"""Files of an archive to datasets with coordinates and units, half-orbits and ionograms alike."""

from typing import TYPE_CHECKING

from odm.core.lazy import lazy_names

if TYPE_CHECKING:
    from odm.archive.ionogram.key import IonogramKey as IonogramKey
    from odm.archive.ionogram.listing import list_ionograms as list_ionograms
    from odm.archive.ionogram.matrix import write_matrix as write_matrix
    from odm.archive.ionogram.reader import is_ionogram as is_ionogram
    from odm.archive.ionogram.reader import open_ionogram as open_ionogram
    from odm.archive.listing import ArchiveFile as ArchiveFile
    from odm.archive.listing import ArchiveListing as ArchiveListing
    from odm.archive.orbit.key import OrbitKey as OrbitKey
    from odm.archive.orbit.listing import list_orbits as list_orbits
    from odm.archive.orbit.reader import Orbit as Orbit
    from odm.archive.orbit.reader import open_orbit as open_orbit
    from odm.archive.orbit.reader import read_orbit as read_orbit

_HOMES = {
    "ArchiveFile": "listing",
    "ArchiveListing": "listing",
    "IonogramKey": "ionogram.key",
    "Orbit": "orbit.reader",
    "OrbitKey": "orbit.key",
    "is_ionogram": "ionogram.reader",
    "list_ionograms": "ionogram.listing",
    "list_orbits": "orbit.listing",
    "open_ionogram": "ionogram.reader",
    "open_orbit": "orbit.reader",
    "read_orbit": "orbit.reader",
    "write_matrix": "ionogram.matrix",
}
__getattr__, __dir__, __all__ = lazy_names(
    __name__, {name: f"{__name__}.{module}" for name, module in _HOMES.items()}
)
