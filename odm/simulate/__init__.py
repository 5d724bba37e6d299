"""Half-orbits and ionograms with known truth, drawn in memory or written as archives.

`simulate_half_orbit` and `simulate_ionogram` give arrays; `simulate_orbits` and
`simulate_ionograms` fill a folder with files and tables of truth. The same seed gives the same
bytes.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
