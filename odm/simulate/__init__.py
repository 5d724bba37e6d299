"""Half-orbits and ionograms with known truth, drawn in memory or written as archives.

`simulate_half_orbit` and `simulate_ionogram` give arrays; `simulate_orbits` and
`simulate_ionograms` fill a folder with files and tables of truth. The same seed gives the same
bytes.
"""

from typing import TYPE_CHECKING

from odm.core.lazy import lazy_names

if TYPE_CHECKING:
    from odm.simulate.ionogram.archive import simulate_ionograms as simulate_ionograms
    from odm.simulate.ionogram.ionogram import SimulatedIonogram as SimulatedIonogram
    from odm.simulate.ionogram.ionogram import simulate_ionogram as simulate_ionogram
    from odm.simulate.ionogram.recipe import IonogramRecipe as IonogramRecipe
    from odm.simulate.ionogram.recipe import IonogramSimulation as IonogramSimulation
    from odm.simulate.orbit.archive import choose_half_orbits as choose_half_orbits
    from odm.simulate.orbit.archive import simulate_orbits as simulate_orbits
    from odm.simulate.orbit.half_orbit import HalfOrbit as HalfOrbit
    from odm.simulate.orbit.half_orbit import simulate_half_orbit as simulate_half_orbit
    from odm.simulate.orbit.recipe import OrbitRecipe as OrbitRecipe
    from odm.simulate.orbit.recipe import OrbitSimulation as OrbitSimulation
    from odm.simulate.orbit.recipe import choose_families as choose_families

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "HalfOrbit": "odm.simulate.orbit.half_orbit",
        "IonogramRecipe": "odm.simulate.ionogram.recipe",
        "IonogramSimulation": "odm.simulate.ionogram.recipe",
        "OrbitRecipe": "odm.simulate.orbit.recipe",
        "OrbitSimulation": "odm.simulate.orbit.recipe",
        "SimulatedIonogram": "odm.simulate.ionogram.ionogram",
        "choose_families": "odm.simulate.orbit.recipe",
        "choose_half_orbits": "odm.simulate.orbit.archive",
        "simulate_half_orbit": "odm.simulate.orbit.half_orbit",
        "simulate_ionogram": "odm.simulate.ionogram.ionogram",
        "simulate_ionograms": "odm.simulate.ionogram.archive",
        "simulate_orbits": "odm.simulate.orbit.archive",
    },
)
