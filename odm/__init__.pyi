from .archive.ionogram.key import IonogramKey as IonogramKey
from .archive.ionogram.listing import list_ionograms as list_ionograms
from .archive.ionogram.reader import open_ionogram as open_ionogram
from .archive.orbit.key import OrbitKey as OrbitKey
from .archive.orbit.listing import list_orbits as list_orbits
from .archive.orbit.reader import open_orbit as open_orbit
from .archive.orbit.reader import read_orbit as read_orbit
from .core.errors import AnnotationError as AnnotationError
from .core.errors import ArchiveError as ArchiveError
from .core.errors import InputError as InputError
from .core.errors import OdmError as OdmError
from .core.errors import TransientError as TransientError

__version__: str
