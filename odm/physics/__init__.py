"""What the ionosphere does to a wave, and where a place lies: formulas that several rooms share."""

from odm.core.lazy import lazy_names

_NAMES = {
    "coordinates": "aacgm bridged dip_angle local_season local_time month_season unwrapped wrapped",
    "raytrace": "QuasiParabola Rays elevations group_path minimum_group_path trace",
    "raytrace_profile": "Profile layered_profile trace_profile",
}
__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {name: f"{__name__}.{module}" for module, names in _NAMES.items() for name in names.split()},
)
