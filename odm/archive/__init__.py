"""Files of an archive to datasets with coordinates and units, half-orbits and ionograms alike."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
